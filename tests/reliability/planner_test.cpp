// Catalogue I: folding, fusion and the reuse of memory. The judge is the same model with every pass off.
#include <algorithm>
#include <cmath>

#include "plan/memory_plan.h"
#include "reliability/hostile.h"
#include "support/random_data.h"

using namespace linnet;
using namespace linnet::test;

namespace {

Tensor random_tensor(Shape shape, std::uint64_t seed) {
  Random random(seed);
  Tensor result(DataType::float32, std::move(shape));
  for (float& x : result.mutable_data<float>()) x = static_cast<float>(random.uniform(-1, 1));
  return result;
}

/// Two sets of statistics, positive variances.
Constants parameters() {
  Constants constants = {{"w", random_tensor({4, 4, 3, 3}, 1)}, {"b", random_tensor({4}, 2)}};
  for (const char* set : {"1", "2"}) {
    for (const char* part : {"s", "t", "m", "v"}) {
      Tensor tensor = random_tensor({4}, static_cast<std::uint64_t>(set[0] * 7 + part[0]));
      if (part[0] == 'v') {
        for (float& x : tensor.mutable_data<float>()) x = x * x + 0.5F;
      }
      constants.emplace_back(std::string(part) + set, std::move(tensor));
    }
  }
  return constants;
}

OnnxNode conv(const std::string& in, const std::string& out, const std::string& filter = "w") {
  return OnnxNode("Conv", {in, filter, "b"}, {out}, "conv_" + out).set("pads", Ints{1, 1, 1, 1});
}
OnnxNode norm(const std::string& in, const std::string& out, const std::string& set = "1") {
  return OnnxNode("BatchNormalization", {in, "s" + set, "t" + set, "m" + set, "v" + set}, {out}, "norm_" + out);
}
OnnxNode relu(const std::string& in, const std::string& out) { return OnnxNode("Relu", {in}, {out}); }
OnnxNode add(const std::string& a, const std::string& b, const std::string& out) {
  return OnnxNode("Add", {a, b}, {out}, "add_" + out);
}

OnnxModel network(const std::vector<OnnxNode>& nodes, const std::vector<std::string>& more_outputs = {},
                  const Constants& more = {}, std::int64_t ir_version = 8) {
  Constants constants = parameters();
  constants.insert(constants.end(), more.begin(), more.end());
  OnnxModel model = model_of(nodes, {{"x", {1, 4, 5, 5}}}, constants, 13, ir_version);
  for (const std::string& name : more_outputs) model.graph.fields().message(12, ProtoWriter().bytes(1, name));
  return model;
}

SessionOptions without_passes(const std::vector<std::byte>& file) {
  SessionOptions options = one_thread();
  for (const PassReport& pass : Plan(Model::load(file), options).report().passes)
    options.disabled_passes.push_back(pass.name);
  return options;
}

int applied(const OnnxModel& model, const std::string& pass) {
  const std::vector<std::byte> file = model.bytes();
  int count = 0;
  for (const PassReport& report : Plan(Model::load(file), one_thread()).report().passes)
    count += report.name == pass ? report.applied : 0;
  return count;
}

/// Empty if all outputs with all passes are those without any, to a few units in the last places.
std::string difference(const OnnxModel& model, std::vector<Tensor> inputs = {}) {
  if (inputs.empty()) inputs = {random_tensor({1, 4, 5, 5}, 3)};
  const std::vector<std::byte> file = model.bytes();
  const std::vector<Tensor> with = run(file, inputs), without = run(file, inputs, without_passes(file));
  for (std::size_t i = 0; i < with.size(); ++i) {
    const std::vector<float> a = floats(with[i]), b = floats(without[i]);
    if (with[i].shape() != without[i].shape()) return "output " + std::to_string(i) + " has another shape";
    for (std::size_t k = 0; k < a.size(); ++k) {
      if (std::isnan(a[k]) && std::isnan(b[k])) continue;
      // 37 products and sums of numbers below 4, rounded in another order.
      if (a[k] != b[k] && !(std::fabs(a[k] - b[k]) <= 37 * 4 * 4 * 1.2e-7F * std::max(1.0F, std::fabs(b[k])))) {
        return "output " + std::to_string(i) + " element " + std::to_string(k) + ": " + std::to_string(a[k]) + " and " +
               std::to_string(b[k]);
      }
    }
  }
  return {};
}

}  // namespace

TEST_CASE("I01 I02: a filter and a bias and statistics that two convolutions share are folded into copies") {
  const OnnxModel model =
      network({conv("x", "c1"), norm("c1", "n1", "1"), conv("x", "c2"), norm("c2", "n2", "2"), add("n1", "n2", "y")},
              {"w", "b", "s1"});
  CHECK(applied(model, "fold_batch_norm") == 2);
  CHECK(difference(model) == "");
  CHECK(floats(run(model).at(1)) == floats(random_tensor({4, 4, 3, 3}, 1)));
}

TEST_CASE("I03: a convolution that someone else reads is not folded into") {
  const OnnxModel model = network({conv("x", "c"), norm("c", "n"), add("n", "c", "y")});
  CHECK(applied(model, "fold_batch_norm") == 0);
  CHECK(difference(model) == "");
}

TEST_CASE("I04: a convolution that is an output keeps its own value") {
  CHECK(difference(network({conv("x", "c"), norm("c", "y")}, {"c"})) == "");
  CHECK(difference(network({conv("x", "c"), norm("c", "n"), relu("n", "y")}, {"c", "n"})) == "");
}

TEST_CASE("I05 I06: an activation is fused neither into a value that is an output nor past one") {
  CHECK(difference(network({conv("x", "c"), norm("c", "n"), relu("n", "y")}, {"n"})) == "");
  CHECK(difference(network({conv("x", "c"), relu("c", "y")})) == "");
  CHECK(difference(network({conv("x", "c"), relu("c", "r"), relu("r", "y")}, {"r"})) == "");
}

TEST_CASE("I07: what the caller may override is folded nowhere and the override counts") {
  OnnxModel model = network({conv("x", "c"), norm("c", "y")});
  for (const char* name : {"s1", "t1"}) model.graph.input(name, DataType::float32, {4});
  const std::vector<std::byte> file = model.bytes();
  Session session(Model::load(file), one_thread());
  const Tensor x = random_tensor({1, 4, 5, 5}, 3);
  const std::vector<float> usual = floats(session.run({{"x", x}}).at(0));
  const std::vector<float> zero =
      floats(session.run({{"x", x}, {"s1", floats_of({4}, 0)}, {"t1", floats_of({4}, 7)}}).at(0));
  CHECK(zero == std::vector<float>(zero.size(), 7.0F));
  CHECK(floats(session.run({{"x", x}}).at(0)) == usual);
}

TEST_CASE("I07: an initializer that is an input of open shape") {
  OnnxModel model = network({conv("x", "c"), norm("c", "y")});
  for (const char* name : {"s1", "t1"}) model.graph.input(name, DataType::float32, {"C"});
  const std::vector<std::byte> file = model.bytes();
  const Tensor x = random_tensor({1, 4, 5, 5}, 3);
  Session session(Model::load(file), one_thread());
  const std::vector<float> usual = floats(session.run({{"x", x}}).at(0));
  CHECK(usual == floats(run(network({conv("x", "c"), norm("c", "y")}), {x}).at(0)));
  CHECK(floats(session.run({{"x", x}, {"t1", floats_of({4}, 7)}}).at(0)) != usual);
}

TEST_CASE("I08: below IR 4 the same initializers are constants and an override is refused") {
  OnnxModel model = network({conv("x", "c"), norm("c", "y")}, {}, {}, 3);
  model.graph.input("s1", DataType::float32, {4});
  const std::vector<std::byte> file = model.bytes();
  CHECK(applied(model, "fold_batch_norm") == 1);
  Session session(Model::load(file), one_thread());
  CHECK_REFUSED(
      [&] {
        (void)session.run({{"x", random_tensor({1, 4, 5, 5}, 3)}, {"s1", floats_of({4})}});
      },
      ErrorCode::input, "'s1'", "'x'");
}

TEST_CASE("I09: names that a pass might make up are taken") {
  Constants names;
  for (const char* name : {"w_folded", "c_folded", "reorder", "x_nchw16c", "y_1", "conv_c/weights"})
    names.emplace_back(name, floats_of({4}, 9));
  std::vector<std::string> outputs;
  for (const auto& [name, value] : names) outputs.push_back(name);
  CHECK(difference(network({conv("x", "c"), norm("c", "n"), relu("n", "y")}, outputs, names)) == "");
}

TEST_CASE("I10 I11: what is added to a convolution: a value for each channel or a whole tensor or anything else") {
  for (const Shape& shape : {Shape{1, 4, 1, 1}, Shape{4, 1, 1}, Shape{1, 1, 1, 5}, Shape{5}, Shape{}, Shape{1},
                             Shape{1, 4, 5, 5}, Shape{4, 5, 5}, Shape{1, 1, 5, 5}}) {
    const Constants addend = {{"a", random_tensor(shape, 9)}};
    INFO(to_string(shape));
    CHECK(difference(network({conv("x", "c"), add("c", "a", "y")}, {}, addend)) == "");
    CHECK(difference(network({conv("x", "c"), add("a", "c", "s"), relu("s", "y")}, {}, addend)) == "");
    OnnxNode grouped("Conv", {"x", "g"}, {"c"});
    grouped.set("group", 2);
    CHECK(difference(network({grouped, add("c", "a", "y")}, {}, {addend[0], {"g", random_tensor({4, 2, 1, 1}, 4)}})) ==
          "");
  }
}

TEST_CASE("I12: a value added to itself") {
  CHECK(difference(network({add("x", "x", "y")})) == "");
  CHECK(difference(network({conv("x", "c"), add("c", "c", "y")})) == "");
  CHECK(difference(network({conv("x", "c"), relu("c", "r"), add("r", "r", "s"), add("s", "r", "y")})) == "");
}

TEST_CASE("I13: a residual that comes later or is an input") {
  CHECK(difference(network({conv("x", "c"), conv("c", "d"), add("c", "d", "y")})) == "");
  CHECK(difference(network({conv("x", "c"), add("c", "x", "s"), conv("s", "d"), add("d", "x", "y")})) == "");
  const OnnxModel model = network({conv("x", "c"), add("c", "x", "y")});
  const std::vector<std::byte> file = model.bytes();
  const Tensor x = random_tensor({1, 4, 5, 5}, 3), before = x.clone();
  (void)run(file, {x});
  CHECK(floats(x) == floats(before));  // the caller's tensor is nobody's to write
}

TEST_CASE("I14: chains of normalizations and activations") {
  CHECK(difference(network({conv("x", "c"), norm("c", "n"), relu("n", "r"), norm("r", "m", "2"), relu("m", "y")})) ==
        "");
  const OnnxModel model = network({conv("x", "c"), relu("c", "r"), norm("r", "y")});
  CHECK(applied(model, "fold_batch_norm") == 0);
  CHECK(difference(model) == "");
}

TEST_CASE("I15: a fold that would make finite results infinite") {
  OnnxModel model =
      model_of({OnnxNode("Conv", {"x", "w"}, {"c"}), OnnxNode("BatchNormalization", {"c", "s", "t", "m", "v"}, {"y"})},
               {{"x", {1, 1, 1, 1}}},
               {{"w", floats_of({1, 1, 1, 1}, 1e30F)},
                {"s", floats_of({1}, 1e20F)},
                {"t", floats_of({1}, 0)},
                {"m", floats_of({1}, 0)},
                {"v", floats_of({1}, 1)}});
  CHECK(difference(model, {floats_of({1, 1, 1, 1}, 1e-30F)}) == "");
}

TEST_CASE("I16 I17: views and work in place do not touch what is still read") {
  CHECK(difference(network({relu("x", "r"), OnnxNode("Identity", {"r"}, {"i"}), OnnxNode("Sigmoid", {"i"}, {"s"}),
                            add("r", "s", "y")})) == "");
  CHECK(difference(network({relu("x", "r"), OnnxNode("Flatten", {"r"}, {"f"}), OnnxNode("Sigmoid", {"r"}, {"s"}),
                            OnnxNode("Flatten", {"s"}, {"g"}), add("f", "g", "y")})) == "");
  CHECK(difference(network({OnnxNode("Identity", {"w"}, {"i"}), relu("i", "v"), add("v", "w", "y")})) == "");
  // A convolution that adds its own input, which nothing reads afterwards, and whose result has the same border.
  const auto dilated = [](const std::string& in, const std::string& out) {
    return OnnxNode("Conv", {in, "u"}, {out}).set("pads", Ints{2, 2, 2, 2}).set("dilations", Ints{2, 2});
  };
  const Constants filters = {{"v", random_tensor({16, 4, 1, 1}, 5)}, {"u", random_tensor({16, 16, 3, 3}, 6)}};
  CHECK(difference(network({OnnxNode("Conv", {"x", "v"}, {"a"}), dilated("a", "r"), dilated("r", "c"),
                            add("c", "r", "s"), dilated("s", "y")},
                           {}, filters)) == "");
}

TEST_CASE("I18: identities and constants and no node at all") {
  CHECK(difference(network({OnnxNode("Identity", {"x"}, {"y"})})) == "");
  CHECK(floats(run(network({OnnxNode("Identity", {"b"}, {"y"})})).at(0)) == floats(random_tensor({4}, 2)));
  OnnxModel empty(8, 13);
  empty.graph.name("g").input("x", DataType::float32, {2}).output("x", DataType::float32, {2});
  CHECK(floats(run(empty, {tensor<float>({2}, {1, 2})}).at(0)) == std::vector<float>{1, 2});
}

TEST_CASE("I19: a transposed convolution before a normalization") {
  const Constants filter = {{"t", random_tensor({4, 4, 3, 3}, 5)}, {"g", random_tensor({4, 2, 3, 3}, 6)}};
  CHECK(difference(network({OnnxNode("ConvTranspose", {"x", "t"}, {"c"}), norm("c", "y")}, {}, filter)) == "");
  CHECK(difference(
            network({OnnxNode("ConvTranspose", {"x", "g"}, {"c"}).set("group", 2), norm("c", "y")}, {}, filter)) == "");
}

TEST_CASE("I20: no two buffers that are alive at the same time share a byte") {
  Random random(1);
  for (const std::size_t count :
       {std::size_t{1}, std::size_t{2}, std::size_t{10}, std::size_t{300}, std::size_t{10'000}}) {
    for (int round = 0; round < (count < 1000 ? 50 : 2); ++round) {
      std::vector<plan::BufferUse> uses;
      std::size_t total = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const auto first = static_cast<std::int32_t>(random.uniform(0, static_cast<double>(count)));
        const auto length = static_cast<std::int32_t>(random.uniform(0, 20));
        uses.push_back({static_cast<std::size_t>(random.uniform(0, 5000)), first, first + length});
        total += uses.back().bytes + plan::kArenaAlignment;
      }
      const plan::MemoryPlan memory = plan::plan_memory(uses);
      std::vector<std::size_t> by_offset;
      std::size_t overlaps = 0;
      for (std::size_t i = 0; i < count; ++i) {
        CHECK(memory.offsets[i] % plan::kArenaAlignment == 0);
        CHECK(memory.offsets[i] + uses[i].bytes <= memory.arena_bytes);
        if (uses[i].bytes > 0) by_offset.push_back(i);
      }
      std::sort(by_offset.begin(), by_offset.end(),
                [&](std::size_t a, std::size_t b) { return memory.offsets[a] < memory.offsets[b]; });
      for (std::size_t a = 0; a < by_offset.size(); ++a) {
        const std::size_t i = by_offset[a];
        for (std::size_t b = a + 1;
             b < by_offset.size() && memory.offsets[by_offset[b]] < memory.offsets[i] + uses[i].bytes; ++b) {
          const plan::BufferUse& other = uses[by_offset[b]];
          if (other.first <= uses[i].last && uses[i].first <= other.last) ++overlaps;
        }
      }
      CHECK(overlaps == 0);
      CHECK(memory.arena_bytes <= total);
    }
  }
}

TEST_CASE("I21: an Add at the very end that nobody reads") {
  CHECK(difference(network({conv("x", "y"), add("y", "x", "unread")})) == "");
}

TEST_CASE("I22: planning again and under other names and in another order changes no bit") {
  const std::vector<OnnxNode> sorted = {conv("x", "c1"),  norm("c1", "n1"),      relu("n1", "r1"),
                                        conv("r1", "c2"), norm("c2", "n2", "2"), add("n2", "x", "y")};
  const std::vector<Tensor> x = {random_tensor({1, 4, 5, 5}, 3)};
  const std::vector<float> expected = floats(run(network(sorted), x).at(0));
  for (int i = 0; i < 3; ++i) CHECK(floats(run(network(sorted), x).at(0)) == expected);
  std::vector<OnnxNode> reversed(sorted.rbegin(), sorted.rend());
  CHECK(floats(run(network(reversed), x).at(0)) == expected);
  const std::vector<OnnxNode> renamed = {conv("x", "zz"),    norm("zz", "0"),       relu("0", "\xff"),
                                         conv("\xff", "\n"), norm("\n", "r1", "2"), add("r1", "x", "y")};
  CHECK(floats(run(network(renamed), x).at(0)) == expected);
}
