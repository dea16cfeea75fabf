// What a file holds once, and names thousands of times, costs once: memory that the passes and the plan take is held against
// the file's size, time against its length. And what only looks alike is not shared.
#include <algorithm>
#include <functional>
#include <limits>

#include "reliability/hostile.h"

namespace linnet::test::shared_bytes_test {

namespace {

using Names = std::vector<std::string>;

std::string number(int i) { return std::to_string(i); }

/// Each of `times` nodes of `op`, as `make(in, out)` gives it, reads what the one before wrote.
template <typename Make>
std::vector<OnnxNode> chain(int times, const Make& make) {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < times; ++i) {
    for (OnnxNode& node : make(i == 0 ? "x" : "v" + number(i), i + 1 == times ? "y" : "v" + number(i + 1)))
      nodes.push_back(std::move(node));
  }
  return nodes;
}

std::int64_t bytes_of_run(const std::vector<std::byte>& file) {
  return footprint_of([&] { (void)run(file); }).bytes;
}

constexpr std::int64_t kMegabyte = 1 << 20;

/// All different, and small integers: sums of them are exact.
Tensor counted(Shape shape, int from = 1) {
  Tensor result(DataType::float32, std::move(shape));
  for (float& x : result.mutable_data<float>()) x = static_cast<float>(from++ % 61 - 30);
  return result;
}

/// Two nodes that read one constant.
struct Pair {
  std::function<std::vector<OnnxNode>(const std::string& first, const std::string& second)> nodes;
  Tensor constant;
  Shape input;
  Constants others = {};
};

/// What both give, where these are the names under which they read it.
std::vector<float> results_of(const Pair& pair, const std::string& first, const std::string& second) {
  std::vector<OnnxNode> nodes = pair.nodes(first, second);
  for (const char* name : {"a", "b"}) {
    nodes.push_back(OnnxNode("Flatten", {name}, {std::string(name) + "_flat"}).set("axis", 0));
  }
  nodes.push_back(OnnxNode("Concat", {"a_flat", "b_flat"}, {"y"}).set("axis", 1));
  Constants constants = pair.others;
  constants.emplace_back("first", pair.constant);
  constants.emplace_back("second", pair.constant);
  const std::vector<OnnxDim> dims(pair.input.begin(), pair.input.end());
  return floats(run(model_of(nodes, {{"x", dims}}, constants), {counted(pair.input, 7)}).at(0));
}

}  // namespace

TEST_CASE("a constant at an odd address that many nodes read is copied once") {
  const auto nodes = chain(200, [](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode("Add", {in, "w"}, {out})};
  });
  constexpr std::int64_t kElements = 250'000;
  for (std::size_t shift = 0; shift < 8; ++shift) {
    OnnxModel model(8, 13);
    model.graph.name(std::string(1 + shift, 'g'))
        .initializer("w", floats_of({kElements}))
        .input("x", DataType::float32, {kElements});
    for (const OnnxNode& node : nodes) model.graph.node(node);
    model.graph.output("y", DataType::float32, {kElements});
    CHECK(bytes_of_run(model.bytes()) < 16 * kMegabyte);
  }
}

TEST_CASE("a constant in float16 that many calls of a function share is widened once") {
  const Tensor half(DataType::float16, {100'000});
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const char* name : {"F", "FF"}) {  // one of them puts the constant at an even address, where no call copies it
    ProtoWriter function;
    function.bytes(1, name).bytes(4, "x").bytes(5, "y");
    function.message(7, OnnxNode("Constant", {}, {"k"}).set("value", half).proto());
    function.message(7, OnnxNode("ReduceMax", {"k"}, {"m"}).set("keepdims", 0).proto());
    function.message(7, OnnxNode("Sum", {"x", "m"}, {"y"}).proto());
    function.message(9, ProtoWriter().bytes(1, "").number(2, 13)).bytes(10, "local");
    OnnxModel model(8, 13);
    model.import("local", 1).fields().message(25, function);
    for (const OnnxNode& node : chain(50, [&](const std::string&in, const std::string&out) {
           return std::vector{OnnxNode(name, {in}, {out}).domain("local")};
         }))
      model.graph.node(node);
    model.graph.input("x", DataType::float16, {1}).output("y", DataType::float16, {1});
    least = std::min(least, bytes_of_run(model.bytes()));
  }
  CHECK(least < 8 * kMegabyte);
}

TEST_CASE("weights that many nodes share are scaled for a few of them") {
  const std::string op = GENERATE("Gemm", "Conv");
  const bool gemm = op == "Gemm";
  constexpr std::int64_t kChannels = 512;
  const auto nodes = chain(100, [&](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode(op, {in, "w"}, {out + "_w"}), OnnxNode("Mul", {out + "_w", "half"}, {out})};
  });
  const Tensor half = gemm ? floats_of({kChannels}, 0.5f) : floats_of({kChannels, 1, 1}, 0.5f);
  const Tensor weights = gemm ? floats_of({kChannels, kChannels}) : floats_of({kChannels, kChannels, 1, 1});
  const std::vector<std::byte> file =
      model_of(nodes, {{"x", gemm ? std::vector<OnnxDim>{1, kChannels} : std::vector<OnnxDim>{1, kChannels, 2, 2}}},
               {{"w", weights}, {"half", half}})
          .bytes();
  CHECK(bytes_of_run(file) < 64 * kMegabyte);
}

TEST_CASE("weights that nodes with constants and attributes of their own share are packed once") {
  constexpr int kNodes = 100;
  constexpr std::int64_t kChannels = 128;
  const std::string what = GENERATE("1x1", "dilated", "Winograd", "ConvTranspose", "Gemm", "of one set of shapes");
  CAPTURE(what);
  const bool gemm = what == "Gemm", open = what == "of one set of shapes";
  const std::int64_t edge = what == "1x1" || what == "ConvTranspose" || open ? 1 : 3;
  Constants constants = {
      {"w", gemm ? floats_of({kChannels, kChannels}) : floats_of({kChannels, kChannels, edge, edge})}};
  std::vector<OnnxNode> nodes;
  if (open) {
    nodes.emplace_back("Shape", Names{"x"}, Names{"shape"});
    nodes.push_back(OnnxNode("ReduceSum", {"shape"}, {"sum"}));
    nodes.push_back(OnnxNode("Cast", {"sum"}, {"number"}).set("to", static_cast<int>(DataType::float32)));
    nodes.emplace_back("Add", Names{"w", "number"}, Names{"weights"});
  }
  int i = 0;
  for (const OnnxNode& node : chain(kNodes, [&](const std::string&in, const std::string&out) {
         const std::string bias = "bias" + number(++i);
         constants.emplace_back(bias, floats_of({kChannels}, static_cast<float>(i)));
         OnnxNode made(gemm                      ? "Gemm"
                       : what == "ConvTranspose" ? what
                                                 : "Conv",
                       {in, open ? "weights" : "w", bias}, {out});
         const std::int64_t dilation = what == "dilated" ? 1 + i % 4 : 1, pad = edge / 2 * dilation;
         if (!gemm) made.set("pads", Ints{pad, pad, pad, pad}).set("dilations", Ints{dilation, dilation});
         return std::vector{made};
       }))
    nodes.push_back(node);
  const std::vector<OnnxDim> dims = gemm   ? std::vector<OnnxDim>{1, kChannels}
                                    : open ? std::vector<OnnxDim>{1, kChannels, "h", 4}
                                           : std::vector<OnnxDim>{1, kChannels, 8, 8};
  const std::vector<std::byte> file = model_of(nodes, {{"x", dims}}, constants).bytes();
  CHECK(bytes_of_run(file) < 2 * kMegabyte + 8 * static_cast<std::int64_t>(file.size()));
}

TEST_CASE("what is packed in different ways is not shared") {
  using Nodes = std::vector<OnnxNode>;
  const std::vector<std::pair<std::string, Pair>> pairs = {
      {"groups of a Conv on few channels",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("Conv", {"x", first}, {"a"}), OnnxNode("Concat", {"x", "x"}, {"xx"}).set("axis", 1),
                       OnnxNode("Conv", {"xx", second}, {"b"}).set("group", 2)};
        },
        counted({4, 2, 1, 1}),
        {1, 2, 3, 3}}},
      {"groups of a Conv on blocks",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("Conv", {"x", first}, {"a"}), OnnxNode("Concat", {"x", "x"}, {"xx"}).set("axis", 1),
                       OnnxNode("Conv", {"xx", second}, {"b"}).set("group", 2)};
        },
        counted({32, 16, 1, 1}),
        {1, 16, 3, 3}}},
      {"scales",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("Conv", {"x", first}, {"c"}), OnnxNode("Mul", {"c", "two"}, {"a"}),
                       OnnxNode("Conv", {"x", second}, {"d"}), OnnxNode("Mul", {"d", "three"}, {"b"})};
        },
        counted({16, 16, 1, 1}),
        {1, 16, 3, 3},
        {{"two", floats_of({16, 1, 1}, 2)}, {"three", floats_of({16, 1, 1}, 3)}}}},
      {"a Conv and a ConvTranspose",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("Conv", {"x", first}, {"a"}), OnnxNode("ConvTranspose", {"x", second}, {"b"})};
        },
        counted({3, 3, 2}),
        {1, 3, 5}}},
      {"pads of a ConvTranspose",
       {[](const std::string& first, const std::string& second) {
          const Ints strides = {2, 2};
          return Nodes{
              OnnxNode("ConvTranspose", {"x", first}, {"a"}).set("strides", strides),
              OnnxNode("ConvTranspose", {"x", second}, {"b"}).set("strides", strides).set("pads", Ints{1, 1, 0, 0})};
        },
        counted({16, 16, 3, 3}),
        {1, 16, 4, 4}}},
      {"a transposed matrix",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("Gemm", {"x", first}, {"a"}).set("transB", 1),
                       OnnxNode("MatMul", {"x", second}, {"b"})};
        },
        counted({3, 3}),
        {2, 3}}},
      {"factors of C",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("Gemm", {"x", "x", first}, {"a"}),
                       OnnxNode("Gemm", {"x", "x", second}, {"b"}).set("beta", 2.0f)};
        },
        counted({3}),
        {3, 3}}},
      {"columns that one number serves",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("Transpose", {"x"}, {"t"}), OnnxNode("Gemm", {"x", "t", first}, {"a"}),
                       OnnxNode("Gemm", {"t", "x", second}, {"b"})};
        },
        floats_of({1}, 5),
        {3, 5}}},
      {"biases of an LSTM and a GRU",
       {[](const std::string& first, const std::string& second) {
          return Nodes{OnnxNode("LSTM", {"x", "lstm_w", "lstm_r", first}, {"a"}).set("hidden_size", 3),
                       OnnxNode("GRU", {"x", "gru_w", "gru_r", second}, {"b"})
                           .set("hidden_size", 4)
                           .set("linear_before_reset", 1)};
        },
        counted({1, 24}),
        {2, 1, 2},
        {{"lstm_w", counted({1, 12, 2})},
         {"lstm_r", counted({1, 12, 3})},
         {"gru_w", counted({1, 12, 2})},
         {"gru_r", counted({1, 12, 4})}}}},
  };
  for (const auto& [what, pair] : pairs) {
    INFO(what);
    const std::vector<float> apart = results_of(pair, "first", "second");
    CHECK(results_of(pair, "first", "first") == apart);
    CHECK(results_of(pair, "second", "first") == apart);
  }
}

TEST_CASE("weights whose packing depends on the extents are packed anew for others") {
  OnnxModel model(8, 13);
  model.graph.name("g")
      .initializer("w", counted({16, 16, 3, 3}))
      .input("x", DataType::float32, {1, 16, "h", "w"})
      .node(OnnxNode("ConvTranspose", {"x", "w"}, {"y"}).set("strides", Ints{2, 2}).set("output_shape", Ints{8, 8}))
      .output("y", DataType::float32, {1, 16, 8, 8});
  const std::vector<std::byte> file = model.bytes();
  Session both(Model::load(file), one_thread());
  for (const std::int64_t edge : {4, 5}) {
    const Tensor x = counted({1, 16, edge, edge});
    CHECK(floats(both.run({{"x", x}}).at(0)) == floats(run(file, {x}).at(0)));
  }
}

TEST_CASE("50,000 inputs are planned and given in linear time") {
  Names names;
  OnnxModel model(8, 13);
  for (int i = 0; i < 50'000; ++i) {
    names.push_back("x" + number(i));
    model.graph.input(names.back(), DataType::float32, {1});
  }
  model.graph.node(OnnxNode("Sum", names, {"y"})).output("y", DataType::float32, {1});
  const std::vector<std::byte> file = model.bytes();
  std::vector<Tensor> results;
  const double seconds =
      processor_seconds_of([&] { results = run(file, std::vector<Tensor>(names.size(), floats_of({1}))); });
  CHECK(floats(results.at(0)) == std::vector<float>{50'000});
  CHECK(seconds < 3 * kSlowness);
}

TEST_CASE("an output's origin is looked for once, however long the way and however many outputs") {
  OnnxModel model(8, 13);
  const auto nodes = chain(30'000, [](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode("Identity", {in}, {out})};
  });
  for (const OnnxNode& node : nodes) model.graph.node(node);
  model.graph.input("x", DataType::float32, {1});
  for (int i = 0; i < 30'000; ++i) model.graph.output("y", DataType::float32, {1});
  const std::vector<std::byte> file = model.bytes();
  CHECK(processor_seconds_of([&] { (void)Model::load(file); }) < 3 * kSlowness);
}

TEST_CASE("domains that a file imports are not copied for each part of it") {
  constexpr int kParts = 1000, kDomains = 2000;
  const auto nodes = chain(kParts, [](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode("NonZero", {in}, {out + "_n"}),
                       OnnxNode("Cast", {out + "_n"}, {out}).set("to", static_cast<int>(DataType::float32))};
  });
  OnnxModel model = model_of(nodes, {{"x", {1}}});
  for (int i = 0; i < kDomains; ++i) model.import("domain" + number(i), 1);
  const std::vector<std::byte> file = model.bytes();
  CHECK(footprint_of([&] { (void)Plan(Model::load(file), one_thread()); }).bytes < 64 * kMegabyte);
}

TEST_CASE("parts of a model that run one after the other share an arena") {
  constexpr int kParts = 24;
  const auto nodes = chain(kParts, [](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode("Expand", {in, "shape"}, {out + "_e"}),
                       OnnxNode("Sigmoid", {out + "_e"}, {out + "_s"}),
                       OnnxNode("ReduceMax", {out + "_s"}, {out + "_m"}),
                       OnnxNode("NonZero", {out + "_m"}, {out + "_n"}),
                       OnnxNode("Cast", {out + "_n"}, {out + "_c"}).set("to", static_cast<int>(DataType::float32)),
                       OnnxNode("ReduceSum", {out + "_c"}, {out})};
  });
  const OnnxModel model = model_of(nodes, {{"x", {1, 1}}}, {{"shape", tensor<std::int64_t>({2}, {1024, 1024})}});
  const std::vector<std::byte> file = model.bytes();
  CHECK(footprint_of([&] { (void)run(file, {tensor<float>({1, 1}, {1})}); }).bytes < 32 * kMegabyte);
}

}  // namespace linnet::test::shared_bytes_test
