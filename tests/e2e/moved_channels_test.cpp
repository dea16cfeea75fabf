// Channels that Split, Concat and a shuffle move in blocks, in whole networks: with the borders that convolutions want around what
// they read, in memory that other layers have used before.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/onnx_builder.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

using Ints = std::vector<std::int64_t>;

constexpr Tolerance kTolerance = {1e-4, 1e-4};

/// From x [N,48,12,12].
class Network {
 public:
  Network() { model_.graph.input("x", DataType::float32, {"N", 48, 12, 12}); }

  Network& conv(const std::string& in, const std::string& out, std::int64_t from, std::int64_t to,
                std::int64_t kernel) {
    model_.graph.initializer("w_" + out, from_reference(random_reals(random_, {to, from, kernel, kernel}, -0.2, 0.2)));
    return node(OnnxNode("Conv", {in, "w_" + out}, {out}, out).set("pads", Ints(4, kernel / 2)));
  }
  Network& node(const OnnxNode& node) {
    model_.graph.node(node);
    return *this;
  }
  Network& ints(const std::string& name, const Ints& values) {
    model_.graph.initializer(name, Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
    return *this;
  }
  Network& shuffle(const std::string& in, const std::string& out, std::int64_t group) {
    ints("apart", {0, group, 48 / group, 12, 12}).ints("together", {0, 48, 12, 12});
    node(OnnxNode("Reshape", {in, "apart"}, {"a"}))
        .node(OnnxNode("Transpose", {"a"}, {"b"}).set("perm", Ints{0, 2, 1, 3, 4}));
    return node(OnnxNode("Reshape", {"b", "together"}, {out}));
  }
  Network& output(const std::string& name, std::int64_t channels) {
    model_.graph.output(name, DataType::float32, {"N", channels, 12, 12});
    return *this;
  }

  /// As on the plain layout, in whose steps there is nothing around a tensor.
  void check(const std::string& op) const {
    const std::vector<std::byte> file = model_.bytes();
    SessionOptions plain;
    plain.disabled_passes = {"assign_layouts", "fuse_channel_shuffle"};
    Session expected(Model::load(file), plain);
    for (const int threads : {1, 2, 3}) {
      SessionOptions options;
      options.threads = threads;
      Session session(Model::load(file), options);
      for (const std::int64_t batch : {1, 3, 1}) {
        INFO(threads << " threads, batch " << batch);
        Random random(7);
        const Tensor x = from_reference(random_reals(random, {batch, 48, 12, 12}, -1, 1));
        const std::vector<Tensor> wanted = expected.run(x), given = session.run(x);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          const Comparison comparison = compare(to_reference(given[i]), to_reference(wanted[i]), kTolerance);
          INFO("output " << i << ": " << comparison.text);
          CHECK(comparison.ok);
        }
      }
      for (const StepReport& step : session.profile().steps) {
        if (step.op == op) CHECK(step.algorithm == "gather_channels");
        CHECK(step.op != "Transpose");
      }
    }
  }

 private:
  OnnxModel model_;
  Random random_{3};
};

}  // namespace

TEST_CASE("convolutions with pads read each part of a Split and of a shuffle") {
  Network n;
  n.conv("x", "c", 48, 48, 3).conv("c", "d", 48, 48, 3);
  std::string op = "Split";
  SECTION("Split") { n.ints("parts", {20, 28}).node(OnnxNode("Split", {"d", "parts"}, {"p", "q"}).set("axis", 1)); }
  SECTION("Split of whole blocks") {
    n.ints("parts", {16, 32}).node(OnnxNode("Split", {"d", "parts"}, {"r", "s"}).set("axis", 1));
    n.ints("swapped", {20, 28}).node(OnnxNode("Concat", {"s", "r"}, {"t"}).set("axis", 1));
    n.node(OnnxNode("Split", {"t", "swapped"}, {"p", "q"}).set("axis", 1));
  }
  SECTION("shuffle") {
    op = "ChannelShuffle";
    n.shuffle("d", "y", 4).ints("parts", {20, 28}).node(OnnxNode("Split", {"y", "parts"}, {"p", "q"}).set("axis", 1));
  }
  n.conv("p", "e", 20, 16, 3).conv("q", "f", 28, 16, 3);
  n.output("e", 16).output("f", 16).check(op);
}

TEST_CASE("parts that lie in no whole blocks are joined, shuffled and read") {
  Network n;
  n.conv("x", "c", 48, 19, 3).conv("x", "d", 48, 29, 1).conv("c", "e", 19, 29, 3);
  n.node(OnnxNode("Concat", {"c", "d"}, {"j"}).set("axis", 1)).shuffle("j", "k", 3).conv("k", "l", 48, 16, 3);
  n.node(OnnxNode("Concat", {"e", "c"}, {"m"}).set("axis", 1)).conv("m", "o", 48, 16, 3);
  n.output("l", 16).output("o", 16).check("Concat");
}

TEST_CASE("a shuffle refuses what its Concat would") {
  OnnxModel model;
  model.graph.input("x", DataType::float32, {"N", 4, "H", 8}).input("z", DataType::float32, {1, 4, 8, 8});
  model.graph.initializer("apart", Tensor::of<std::int64_t>({4}, Ints{0, 2, 4, -1}));
  model.graph.initializer("together", Tensor::of<std::int64_t>({4}, Ints{0, 8, 8, 8}));
  model.graph.node(OnnxNode("Concat", {"x", "z"}, {"j"}).set("axis", 1))
      .node(OnnxNode("Reshape", {"j", "apart"}, {"a"}));
  model.graph.node(OnnxNode("Transpose", {"a"}, {"b"}).set("perm", Ints{0, 2, 1, 3}));
  model.graph.node(OnnxNode("Reshape", {"b", "together"}, {"y"})).output("y", DataType::float32, {"N", 8, 8, 8});
  const std::vector<std::byte> file = model.bytes();
  Session session(Model::load(file));
  const auto run = [&](const Shape& x) {
    return session.run({{"x", Tensor(DataType::float32, x)}, {"z", Tensor(DataType::float32, {1, 4, 8, 8})}});
  };
  CHECK(run({1, 4, 8, 8}).size() == 1);
  for (const Shape& x : {Shape{2, 4, 8, 8}, Shape{1, 4, 16, 8}, Shape{1, 4, 4000, 8}}) CHECK_THROWS_AS(run(x), Error);
}

TEST_CASE("a grouped convolution without outputs, and a product of no matrices, leave the others whole") {
  OnnxModel model;
  model.graph.input("x", DataType::float32, {"N", 4, 5, 5}).initializer("w", Tensor(DataType::float32, {0, 2, 1, 1}));
  model.graph.node(OnnxNode("Conv", {"x", "w"}, {"y"}).set("group", 2)).output("y", DataType::float32, {"N", 0, 5, 5});
  const std::vector<std::byte> without = model.bytes();
  CHECK(Session(Model::load(without)).run(Tensor(DataType::float32, {2, 4, 5, 5})).at(0).shape() == Shape{2, 0, 5, 5});

  OnnxModel product;
  product.graph.input("x", DataType::float32, {"N", 3, 8});
  product.graph.initializer("w", Tensor::of<float>({8, 5}, std::vector<float>(40, 1)));
  product.graph.node(OnnxNode("MatMul", {"x", "w"}, {"y"})).output("y", DataType::float32, {"N", 3, 5});
  SessionOptions options;
  options.input_shapes = {{"x", {0, 3, 8}}};
  const std::vector<std::byte> file = product.bytes();
  Session session(Model::load(file), options);
  const Tensor y = session.run(Tensor::of<float>({2, 3, 8}, std::vector<float>(48, 1))).at(0);
  CHECK(std::vector<float>(y.data<float>().begin(), y.data<float>().end()) == std::vector<float>(30, 8));
}

}  // namespace linnet::test
