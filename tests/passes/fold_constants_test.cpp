#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kFoldConstants = "fold_constants";
using Ints = std::vector<std::int64_t>;

Ints ints_of(const graph::Graph& graph, const std::string& name) {
  const graph::Value& value = graph.value(graph.find_value(name));
  REQUIRE(value.is_constant());
  const auto data = value.constant->data<std::int64_t>();
  return {data.begin(), data.end()};
}

}  // namespace

TEST_CASE("what depends on constants only is computed") {
  GraphBuilder b;
  b.input("x", {2, 4}).random("a", {2, 4}).random("b", {4});
  b.node("Mul", {"a", "b"}, {"ab"}).node("Neg", {"ab"}, {"n"}).node("Add", {"x", "n"}, {"y"}).output("y");
  const PassReport result = check_pass(b.graph, kFoldConstants);
  CHECK(result.applied == 2);
  CHECK(operators(b.graph) == "Add");
}

TEST_CASE("a Constant's bytes are shared, not copied") {
  GraphBuilder b;
  const Tensor tensor = Tensor::of<float>({2}, std::vector<float>{1, 2});
  b.input("x", {2}).node("Constant", {}, {"c"}, {{"value", tensor}}).node("Add", {"x", "c"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFoldConstants).applied == 1);
  CHECK(b.graph.value(b.id("c")).constant->raw() == tensor.raw());
}

TEST_CASE("a shape is known before the elements are") {
  GraphBuilder b;
  b.input("x", {2, 3, 5, 7});
  SECTION("whole") {
    b.node("Shape", {"x"}, {"y"}).output("y");
    CHECK(check_pass(b.graph, kFoldConstants).applied == 1);
    CHECK(ints_of(b.graph, "y") == Ints{2, 3, 5, 7});
  }
  SECTION("from and to") {
    b.node("Shape", {"x"}, {"y"}, {{"start", std::int64_t{-3}}, {"end", std::int64_t{3}}}, 15).output("y");
    CHECK(check_pass(b.graph, kFoldConstants).applied == 1);
    CHECK(ints_of(b.graph, "y") == Ints{3, 5});
  }
  SECTION("nothing of it") {
    b.node("Shape", {"x"}, {"y"}, {{"start", std::int64_t{3}}, {"end", std::int64_t{-9}}}, 15).output("y");
    CHECK(check_pass(b.graph, kFoldConstants).applied == 1);
    CHECK(ints_of(b.graph, "y").empty());
  }
  SECTION("size") {
    b.node("Size", {"x"}, {"y"}).output("y");
    CHECK(check_pass(b.graph, kFoldConstants).applied == 1);
    CHECK(ints_of(b.graph, "y") == Ints{210});
  }
}

TEST_CASE("shapes and constants are found together") {
  // Reshape(x, Concat(Gather(Shape(x), 0), [-1])): the flattening of PyTorch's exporter.
  const bool symbolic = GENERATE(false, true);
  GraphBuilder b;
  b.input("x", {symbolic ? graph::Dim::symbolic("N") : graph::Dim(2), 3, 4}).ints("minus", {-1});
  b.constant("zero", Tensor(DataType::int64, {1}));
  b.node("Shape", {"x"}, {"s"}).node("Gather", {"s", "zero"}, {"n"});
  b.node("Concat", {"n", "minus"}, {"c"}, {{"axis", std::int64_t{0}}}).node("Reshape", {"x", "c"}, {"y"}).output("y");
  if (symbolic) {
    // Once the shape is given, the second stage finds it.
    CHECK(check_pass(b.graph, kFoldConstants).applied == 0);
    b.graph.value(b.id("x")).desc.shape = graph::DimList{2, 3, 4};
  }
  passes::run_passes(b.graph, passes::Stage::shapes, all_but({kFoldConstants}));
  CHECK(operators(b.graph) == "Reshape");
  CHECK(b.graph.value(b.id("y")).desc.static_shape() == Shape{2, 12});
}

TEST_CASE("ConstantOfShape makes whole weights") {
  GraphBuilder b;
  b.input("x", {1, 4}).ints("shape", {4096, 2048});
  b.node("ConstantOfShape", {"shape"}, {"w"}, {{"value", Tensor::of<float>({1}, std::vector<float>{0.5f})}});
  b.input("z", {4096, 2048}).node("Add", {"z", "w"}, {"y"}).output("y");
  CHECK(run_pass(b.graph, kFoldConstants).applied == 1);
  const graph::Value& w = b.graph.value(b.id("w"));
  REQUIRE(w.is_constant());
  CHECK(w.constant->data<float>()[4096 * 2048 - 1] == 0.5f);
}

TEST_CASE("an output that is constant stays an output") {
  GraphBuilder b;
  b.floats("a", {2}, {1, 2}).node("Neg", {"a"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFoldConstants).applied == 1);
  CHECK(b.graph.order().empty());
}

TEST_CASE("fold_constants refuses") {
  SECTION("results out of proportion") {
    GraphBuilder b;
    b.floats("one", {1}, {1}).ints("shape", {8192, 1024}).node("Expand", {"one", "shape"}, {"y"}).output("y");
    check_refusal(b.graph, kFoldConstants, "33554432 bytes are out of proportion");
  }
  SECTION("more than the budget") {
    GraphBuilder b;
    b.ints("shape", {std::int64_t{1} << 40}).node("ConstantOfShape", {"shape"}, {"y"}).output("y");
    check_refusal(b.graph, kFoldConstants, "the budget for folded constants is used up");
  }
  SECTION("hours of work") {
    GraphBuilder b;
    b.random("a", {1, 16, 256, 256}).random("w", {16, 16, 3, 3}).node("Conv", {"a", "w"}, {"y"}).output("y");
    check_refusal(b.graph, kFoldConstants, "too much work");
  }
  SECTION("hours of work without weights") {
    GraphBuilder b;
    b.opset = 23;
    b.random("q", {1, 1, 1024, 64}).node("Attention", {"q", "q", "q"}, {"y"}).output("y");
    check_refusal(b.graph, kFoldConstants, "too much work");
  }
  SECTION("a transform of a prime length") {
    GraphBuilder b;
    b.opset = 17;
    b.random("x", {1, 20011, 1}).node("DFT", {"x"}, {"y"}).output("y");
    check_refusal(b.graph, kFoldConstants, "its work is not known");
  }
}

TEST_CASE("a caller may have more or less folded") {
  const auto applied = [](std::int64_t max_folded_bytes, std::int64_t rows) {
    GraphBuilder b;
    b.floats("one", {1}, {1}).ints("shape", {rows, 1024}).node("Expand", {"one", "shape"}, {"y"}).output("y");
    const auto results = passes::run_passes(b.graph, passes::Stage::model, all_but({kFoldConstants}), max_folded_bytes);
    return std::any_of(results.begin(), results.end(), [](const PassReport& r) { return r.applied == 1; });
  };
  constexpr std::int64_t kMegabyte = 1 << 20;
  CHECK(applied(64 * kMegabyte, 1024));
  CHECK_FALSE(applied(kMegabyte, 1024));
  CHECK_FALSE(applied(64 * kMegabyte, 8192));
  CHECK(applied(128 * kMegabyte, 8192));
  CHECK(applied(std::numeric_limits<std::int64_t>::max(), 8192));
  CHECK_FALSE(applied(0, 1));
}

TEST_CASE("what is bounded is bounded for all nodes, stages and parts of a model together") {
  constexpr std::int64_t kMegabyte = 1 << 20;
  const auto applied = [](graph::Graph& graph, passes::Stage stage) {
    int count = 0;
    for (const PassReport& r : passes::run_passes(graph, stage, all_but({kFoldConstants}), kMegabyte))
      count += r.applied;
    return count;
  };
  GraphBuilder b;
  b.opset = 12;
  int left = 0;
  SECTION("multiply-adds: 200 x 200 x 200 are 8 of 16 million") {
    b.random("a", {200});
    for (const char* y : {"p", "q", "r", "s", "t"})
      b.node("Einsum", {"a", "a", "a"}, {y}, {{"equation", std::string("i,j,k->")}}).output(y);
    left = 3;
  }
  SECTION("results: 32 MB") {
    b.ints("shape", {kMegabyte / 4});
    for (int i = 0; i < 40; ++i) {
      const std::string y = "y" + std::to_string(i);
      b.node("ConstantOfShape", {"shape"}, {y}).output(y);
    }
    left = 8;
  }
  const std::int64_t nodes = static_cast<std::int64_t>(b.graph.order().size());
  graph::Graph part = b.graph;
  CHECK(applied(b.graph, passes::Stage::model) == nodes - left);
  CHECK(applied(b.graph, passes::Stage::shapes) == 0);
  part.folding.graphs = 2;
  CHECK(applied(part, passes::Stage::model) == (nodes - left) / 2);
}

TEST_CASE("a product of matrices is bounded by what it sums over, not by its inputs") {
  GraphBuilder b;
  b.random("a", {200, 200}).node("MatMul", {"a", "a"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFoldConstants).applied == 1);
}

TEST_CASE("a value that the caller may override is not folded into") {
  GraphBuilder b;
  b.floats("a", {2}, {1, 2}).overridable("a").node("Neg", {"a"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFoldConstants).applied == 0);
  CHECK(operators(b.graph) == "Neg");
}
