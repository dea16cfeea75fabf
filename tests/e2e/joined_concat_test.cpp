// A Concat of whole channel blocks has no step where its inputs' producers can write into its output.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/onnx_builder.h"
#include "support/random_data.h"
#include "support/session_of.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

/// A network from x [N,16,12,12] of which any tensor can be asked for.
class Network {
 public:
  Network() { model_.graph.input("x", DataType::float32, {"N", 16, 12, 12}); }

  Network& conv(const std::string& in, const std::string& out, std::int64_t from, std::int64_t to,
                std::int64_t kernel) {
    model_.graph.initializer("w_" + out, from_reference(random_reals(random_, {to, from, kernel, kernel}, -0.2, 0.2)));
    model_.graph.node(
        OnnxNode("Conv", {in, "w_" + out}, {out}, out).set("pads", std::vector<std::int64_t>(4, kernel / 2)));
    return *this;
  }
  Network& node(const OnnxNode& node) {
    model_.graph.node(node);
    return *this;
  }
  Network& concat(const std::vector<std::string>& in, const std::string& out) {
    joined_[out] = in;
    return node(OnnxNode("Concat", in, {out}, out).set("axis", 1));
  }
  Network& output(const std::string& name, std::int64_t channels) {
    outputs_.push_back(name);
    model_.graph.output(name, DataType::float32, {"N", channels, 12, 12});
    return *this;
  }

  /// Each Concat that is an output holds its inputs, outputs too, to the bit; images of a batch are as they are alone; and
  /// so many Concats have a step.
  void check(long steps) const {
    for (const int threads : {1, 2, 3}) {
      SessionOptions options;
      options.threads = threads;
      Session session = session_of(model_, options);
      for (const std::int64_t batch : {1, 3}) {
        INFO(threads << " threads, batch " << batch);
        Random random(7);
        const Tensor x = from_reference(random_reals(random, {batch, 16, 12, 12}, -1, 1));
        check_parts(x, session.run(x));
        CHECK(concats(session.profile()) == steps);
      }
    }
    check_batch();
  }

 private:
  static long concats(const PlanReport& report) {
    return std::count_if(report.steps.begin(), report.steps.end(),
                         [](const StepReport& step) { return step.op == "Concat"; });
  }

  void check_parts(const Tensor& x, const std::vector<Tensor>& results) const {
    std::map<std::string, Tensor> made = {{"x", x}};
    for (std::size_t i = 0; i < results.size(); ++i) made.emplace(outputs_[i], results[i]);
    for (const auto& [name, parts] : joined_) {
      if (!made.contains(name)) continue;
      for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
        const Tensor whole = image_of(made.at(name), n);
        const float* at = whole.data<float>().data();
        for (const std::string& part : parts) {
          const Tensor expected = image_of(made.at(part), n);
          INFO(part << " in " << name << ", image " << n);
          CHECK(std::memcmp(at, expected.raw(), expected.bytes()) == 0);
          at += expected.size();
        }
        CHECK(at == whole.data<float>().data() + whole.size());
      }
    }
  }

  void check_batch() const {
    Session session = session_of(model_);
    Random random(9);
    const Tensor x = from_reference(random_reals(random, {3, 16, 12, 12}, -1, 1));
    const std::vector<Tensor> together = session.run(x);
    for (std::int64_t n = 0; n < 3; ++n) {
      const std::vector<Tensor> alone = session.run(image_of(x, n));
      for (std::size_t i = 0; i < alone.size(); ++i) {
        INFO("image " << n << " of " << outputs_[i]);
        CHECK(bit_difference(alone[i], image_of(together[i], n)) == "");
      }
    }
  }

  OnnxModel model_;
  Random random_{3};
  std::vector<std::string> outputs_;
  std::map<std::string, std::vector<std::string>> joined_;
};

OnnxNode relu(const std::string& in, const std::string& out) { return {"Relu", {in}, {out}, out}; }

}  // namespace

TEST_CASE("producers write into the output of a Concat") {
  Network network;
  network.conv("x", "a", 16, 32, 1).conv("x", "b", 16, 48, 3).concat({"a", "b"}, "both");
  SECTION("that has no border") { network.conv("both", "y", 80, 32, 1); }
  SECTION("that has one for its reader") { network.conv("both", "y", 80, 32, 3); }
  SECTION("of which a part has another reader that wants a border") {
    network.conv("both", "z", 80, 32, 1)
        .conv("a", "a3", 32, 32, 3)
        .node(OnnxNode("Add", {"z", "a3"}, {"y"}))
        .output("a3", 32);
  }
  SECTION("that is overwritten by its reader") { network.node(relu("both", "r")).conv("r", "y", 80, 32, 1); }
  network.output("y", 32).output("a", 32).output("b", 48).output("both", 80).check(0);
}

TEST_CASE("a step's result that would overwrite its input goes into the Concat instead") {
  Network network;
  network.conv("x", "a", 16, 32, 1).conv("a", "b", 32, 32, 3).conv("b", "c", 32, 32, 1);
  network.node(OnnxNode("Sigmoid", {"c"}, {"gate"})).node(OnnxNode("Mul", {"c", "gate"}, {"gated"}));
  network.node(OnnxNode("Add", {"a", "b"}, {"sum"})).concat({"gated", "sum"}, "both");
  network.conv("both", "y", 64, 32, 3)
      .output("y", 32)
      .output("gated", 32)
      .output("sum", 32)
      .output("both", 64)
      .check(0);
}

TEST_CASE("a Concat lies in another") {
  Network network;
  network.conv("x", "a", 16, 32, 1).conv("x", "b", 16, 16, 3).concat({"a", "b"}, "inner");
  SECTION("at its beginning") {
    network.conv("inner", "c", 48, 32, 3).concat({"inner", "c"}, "outer").conv("outer", "y", 80, 32, 1);
  }
  SECTION("at its end") {
    network.conv("inner", "c", 48, 32, 1).concat({"c", "inner"}, "outer").conv("outer", "y", 80, 32, 3);
  }
  network.output("c", 32).output("inner", 48).output("outer", 80).output("y", 32).output("a", 32).output("b", 16);
  network.check(0);
}

TEST_CASE("the lists of a dense block grow in one buffer") {
  Network network;
  std::vector<std::string> features = {"f0"};
  network.conv("x", "f0", 16, 32, 3).output("f0", 32);
  std::int64_t channels = 32;
  for (int layer = 1; layer < 5; ++layer) {
    const std::string name = std::to_string(layer);
    if (features.size() > 1) network.concat(features, "all" + name);
    network.node(relu(features.size() > 1 ? "all" + name : "f0", "r" + name));
    network.conv("r" + name, "b" + name, channels, 64, 1).conv("b" + name, "f" + name, 64, 16, 3);
    network.output("f" + name, 16);
    features.push_back("f" + name);
    channels += 16;
  }
  network.concat(features, "dense").conv("dense", "y", channels, 32, 1).output("dense", channels).output("y", 32);
  network.check(0);
}

TEST_CASE("a Concat copies what cannot lie in its output") {
  Network network;
  network.conv("x", "a", 16, 32, 1).conv("x", "b", 16, 16, 1);
  SECTION("a tensor that it reads twice") {
    network.concat({"a", "b", "a"}, "c").conv("c", "y", 80, 32, 3).output("c", 80);
    network.output("a", 32).output("b", 16).output("y", 32).check(1);
  }
  SECTION("a tensor that lies in another's already") {
    network.concat({"a", "b"}, "c").concat({"b", "a"}, "d").output("c", 48).output("d", 48);
    network.conv("c", "e", 48, 32, 3).conv("d", "f", 48, 32, 1).node(OnnxNode("Add", {"e", "f"}, {"y"}));
    network.output("a", 32).output("b", 16).output("y", 32).check(1);
  }
  SECTION("channels that are no whole blocks") {
    network.conv("x", "e", 16, 24, 1).concat({"e", "a"}, "c").conv("c", "y", 56, 32, 3);
    network.output("c", 56).output("e", 24).output("a", 32).output("y", 32).output("b", 16).check(1);
  }
}

TEST_CASE("a view does not make a tensor lie in a Concat's output") {
  Network network;
  network.conv("x", "a", 16, 32, 1).node(OnnxNode("Identity", {"a"}, {"i"})).conv("a", "b", 32, 16, 3);
  network.concat({"i", "b"}, "c")
      .conv("c", "y", 48, 32, 1)
      .output("c", 48)
      .output("i", 32)
      .output("b", 16)
      .output("y", 32);
  network.check(0);
}

TEST_CASE("the caller's input has its place in a Concat once it is in blocks") {
  Network network;
  network.conv("x", "a", 16, 32, 3).concat({"x", "a"}, "c").conv("c", "y", 48, 32, 3);
  network.output("c", 48).output("a", 32).output("y", 32).check(0);
}

TEST_CASE("pixels of one, which are plain and blocked at once, are joined image by image") {
  OnnxModel model;
  Random random(3);
  model.graph.input("x", DataType::float32, {"N", 16, 6, 6});
  for (const char* name : {"a", "b"}) {
    const std::string pooled = std::string(name) + "_mean";
    model.graph.initializer(std::string("w_") + name, from_reference(random_reals(random, {32, 16, 1, 1}, -1, 1)));
    model.graph.node(OnnxNode("Conv", {"x", std::string("w_") + name}, {name}));
    model.graph.node(OnnxNode("GlobalAveragePool", {name}, {pooled}));
    model.graph.output(pooled, DataType::float32, {"N", 32, 1, 1});
  }
  model.graph.node(OnnxNode("Concat", {"a_mean", "b_mean"}, {"both"}).set("axis", 1));
  model.graph.output("both", DataType::float32, {"N", 64, 1, 1});
  Session session = session_of(model);
  const std::vector<Tensor> out = session.run(from_reference(random_reals(random, {3, 16, 6, 6}, -1, 1)));
  for (std::int64_t n = 0; n < 3; ++n) {
    const float* const both = out[2].data<float>().data() + n * 64;
    CHECK(std::equal(both, both + 32, out[0].data<float>().data() + n * 32));
    CHECK(std::equal(both + 32, both + 64, out[1].data<float>().data() + n * 32));
  }
}

}  // namespace linnet::test
