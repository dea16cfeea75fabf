#include <limits>

#include "passes/graph_builder.h"
#include "passes/pass_list.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kFoldBatchNorm = "fold_batch_norm";
using Ints = std::vector<std::int64_t>;

// x -> Conv -> c -> BatchNormalization -> y
GraphBuilder conv_norm(bool bias = true, std::int64_t groups = 1) {
  GraphBuilder b;
  b.input("x", {graph::Dim::symbolic("N"), 4, 6, 6})
      .random("w", {8, 4 / groups, 3, 3})
      .random("bias", {8})
      .statistics("bn", 8);
  std::vector<std::string> inputs{"x", "w"};
  if (bias) inputs.emplace_back("bias");
  b.node("Conv", inputs, {"c"}, {{"pads", Ints{1, 1, 1, 1}}, {"group", groups}});
  b.batch_norm("c", "bn", "y");
  return b;
}

}  // namespace

TEST_CASE("a BatchNormalization is folded into the Conv before it without copying the weights") {
  const bool bias = GENERATE(true, false);
  const std::int64_t groups = GENERATE(1, 4);
  GraphBuilder b = conv_norm(bias, groups);
  b.output("y");
  const void* weights = b.graph.value(b.id("w")).constant->raw();
  const PassReport result = check_pass(b.graph, kFoldBatchNorm);
  CHECK(result.applied == 1);
  CHECK(result.refused.empty());
  CHECK(operators(b.graph) == "FusedConv");
  const graph::Node& conv = writer(b.graph, "y");
  CHECK(conv.domain == "linnet");
  CHECK(conv.opset == 1);
  CHECK(conv.name == "node:c");
  CHECK(attribute<Ints>(conv, "pads") == Ints{1, 1, 1, 1});
  CHECK(b.graph.value(conv.inputs[1]).constant->raw() == weights);
  CHECK(b.graph.value(conv.inputs[2]).desc.type == DataType::float32);
  CHECK(b.graph.value(conv.inputs[3]).desc.type == DataType::float64);
}

TEST_CASE("a channel that training has all but silenced does not keep a BatchNormalization from being folded") {
  GraphBuilder b;
  b.input("x", {1, 1, 6, 6}).random("w", {2, 1, 3, 3}).floats("s", {2}, {1, 1e-40f}).floats("zero", {2}, {0, 0});
  b.floats("one", {2}, {1, 1}).node("Conv", {"x", "w"}, {"c"});
  b.node("BatchNormalization", {"c", "s", "zero", "zero", "one"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFoldBatchNorm).applied == 1);
}

TEST_CASE("a filter that two convolutions share is folded into each, and stays as it is") {
  GraphBuilder b = conv_norm();
  b.statistics("bn2", 8).node("Conv", {"x", "w"}, {"c2"}, {{"pads", Ints{1, 1, 1, 1}}});
  b.batch_norm("c2", "bn2", "y2").output("y").output("y2");
  CHECK(check_pass(b.graph, kFoldBatchNorm).applied == 2);
  CHECK(operators(b.graph) == "FusedConv FusedConv");
  CHECK(writer(b.graph, "y").inputs[1] == writer(b.graph, "y2").inputs[1]);
}

TEST_CASE("a BatchNormalization is folded into a ConvTranspose, also a grouped one") {
  const std::int64_t groups = GENERATE(1, 2);
  GraphBuilder b;
  b.input("x", {1, 4, 5, 5}).random("w", {4, 6 / groups, 3, 3}).random("bias", {6}).statistics("bn", 6);
  b.node("ConvTranspose", {"x", "w", "bias"}, {"c"}, {{"group", groups}, {"strides", Ints{2, 2}}});
  b.batch_norm("c", "bn", "y").output("y");
  CHECK(check_pass(b.graph, kFoldBatchNorm).applied == 1);
  CHECK(operators(b.graph) == "ConvTranspose");
}

TEST_CASE("a BatchNormalization is folded into a Gemm with its alpha, beta and transposition") {
  const std::int64_t transposed = GENERATE(0, 1);
  const std::string bias = GENERATE("row", "matrix", "scalar", "");
  GraphBuilder b;
  b.input("x", {3, 4}).random("w", transposed != 0 ? Shape{8, 4} : Shape{4, 8}).statistics("bn", 8);
  b.random("row", {8}).random("matrix", {1, 8}).random("scalar", {});
  std::vector<std::string> inputs{"x", "w"};
  if (!bias.empty()) inputs.push_back(bias);
  b.node("Gemm", inputs, {"c"}, {{"transB", transposed}, {"alpha", 0.5f}, {"beta", 3.0f}});
  b.batch_norm("c", "bn", "y").output("y");
  CHECK(check_pass(b.graph, kFoldBatchNorm).applied == 1);
  CHECK(operators(b.graph) == "Gemm");
  CHECK_FALSE(writer(b.graph, "y").attributes.has("beta"));
}

TEST_CASE("MXNet's spatial = 0 with statistics per channel is an ordinary BatchNormalization") {
  GraphBuilder b = conv_norm();
  b.output("y");
  b.graph.attributes(b.graph.value(b.id("y")).producer).set("spatial", std::int64_t{0});
  b.graph.set_op(b.graph.value(b.id("y")).producer, "BatchNormalization", "", 7);
  CHECK(run_pass(b.graph, kFoldBatchNorm).applied == 1);
}

TEST_CASE("a term or factor of each channel is folded as a BatchNormalization is") {
  const Shape shape = GENERATE(Shape{1, 8, 1, 1}, Shape{8, 1, 1}, Shape{}, Shape{1});
  const std::string first = GENERATE("Add", "Mul"), second = GENERATE("Add", "Mul");
  const std::string op = GENERATE("Conv", "ConvTranspose");
  GraphBuilder b;
  b.input("x", {1, 8, 5, 5}).random("w", {8, 8, 2, 2}).random("a", shape, 0.5f, 2).random("b", shape, 0.5f, 2);
  b.statistics("bn", 8);
  b.node(op, {"x", "w"}, {"c"}, {{"strides", Ints{2, 2}}});
  b.node(first, {"c", "a"}, {"d"}).node(second, {"b", "d"}, {"e"}).batch_norm("e", "bn", "y").output("y");
  CHECK(check_pass(b.graph, kFoldBatchNorm).applied == 3);
  CHECK(operators(b.graph) == (op == "Conv" ? "FusedConv" : op));
}

TEST_CASE("a term of each column is folded into a Gemm, whose weights stay the model's") {
  GraphBuilder b;
  b.input("x", {3, 4}).random("w", {4, 8}).random("a", GENERATE(Shape{8}, Shape{1, 8}));
  b.node("Gemm", {"x", "w"}, {"c"}).node("Add", {"c", "a"}, {"y"}).output("y");
  const void* weights = b.graph.value(b.id("w")).constant->raw();
  CHECK(check_pass(b.graph, kFoldBatchNorm).applied == 1);
  CHECK(operators(b.graph) == "Gemm");
  CHECK(b.graph.value(writer(b.graph, "y").inputs[1]).constant->raw() == weights);
}

TEST_CASE("what a beta of 0 leaves out stays out, be it infinite") {
  GraphBuilder b;
  b.input("x", {3, 4}).random("w", {4, 2}).floats("left out", {2}, {std::numeric_limits<float>::infinity(), 7});
  b.floats("a", {2}, {1, 2});
  b.node("Gemm", {"x", "w", "left out"}, {"c"}, {{"beta", 0.0f}}).node("Add", {"c", "a"}, {"y"}).output("y");
  CHECK(run_pass(b.graph, kFoldBatchNorm).applied == 1);
  const auto bias = b.graph.value(writer(b.graph, "y").inputs[2]).constant->data<float>();
  CHECK(std::vector<float>(bias.begin(), bias.end()) == std::vector<float>{1, 2});
}

TEST_CASE("weights that others read are copied as far as the budget goes") {
  const std::string op = GENERATE("Gemm", "Conv");
  GraphBuilder b;
  b.input("x", {1, 1024}).input("image", {1, 1024, 4}).floats("half", {}, {0.5f});
  b.constant("w", Tensor(DataType::float32, op == "Gemm" ? Shape{1024, 1024} : Shape{1024, 1024, 1}));
  for (int i = 0; i < 6; ++i) {
    const std::string c = "c" + std::to_string(i), y = "y" + std::to_string(i);
    b.node(op, {op == "Gemm" ? "x" : "image", "w"}, {c}).node("Mul", {c, "half"}, {y}).output(y);
  }
  const PassReport result = run_pass(b.graph, kFoldBatchNorm);
  CHECK(result.applied == 4);  // 16 MiB
  REQUIRE(result.refused.size() == 2);
  CHECK_THAT(result.refused[0], Catch::Matchers::Contains("its weights have other readers"));
}

TEST_CASE("an Add or Mul stays") {
  GraphBuilder b;
  b.input("x", {1, 4, 8, 8}).random("w", {8, 4, 1, 1}).input("z", {1, 8, 1, 1});
  b.node("Conv", {"x", "w"}, {"c"});
  SECTION("of a constant for each column") { b.random("a", {8}).node("Add", {"c", "a"}, {"y"}); }
  SECTION("of a constant for each pixel") { b.random("a", {8, 8, 8}).node("Mul", {"c", "a"}, {"y"}); }
  SECTION("of a constant that raises the rank") { b.random("a", {1, 1, 1, 1, 1}).node("Add", {"c", "a"}, {"y"}); }
  SECTION("of what is no constant") { b.node("Mul", {"c", "z"}, {"y"}); }
  SECTION("that aligns its operands from the left, as before opset 7") {
    const std::string op = GENERATE("Add", "Mul");
    b.input("eight", {8, 4, 8, 8}).random("a", {8, 1, 1}).node("Conv", {"eight", "w"}, {"d"});
    b.node(op, {"d", "a"}, {"y"}, {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{0}}}, 6);
  }
  SECTION("of what is not finite") {
    b.floats("a", {}, {std::numeric_limits<float>::infinity()}).node("Add", {"a", "c"}, {"y"});
  }
  SECTION("of a factor with which weights would vanish") { b.floats("a", {}, {1e-40f}).node("Mul", {"a", "c"}, {"y"}); }
  b.output("y");
  CHECK(run_pass(b.graph, kFoldBatchNorm).applied == 0);
}

TEST_CASE("fold_batch_norm refuses") {
  SECTION("when the convolution's result has another reader") {
    GraphBuilder b = conv_norm();
    b.node("Relu", {"c"}, {"r"}).output("y").output("r");
    check_refusal(b.graph, kFoldBatchNorm, "node 'node:y': 'c' has 2 consumers");
  }
  SECTION("when the convolution's result is a graph output") {
    GraphBuilder b = conv_norm();
    b.output("y").output("c");
    check_refusal(b.graph, kFoldBatchNorm, "'c' is an output of the graph");
  }
  SECTION("when the weights or the bias may be overridden") {
    const std::string name = GENERATE("w", "bias", "bn.s", "bn.b", "bn.m", "bn.v");
    GraphBuilder b = conv_norm();
    b.overridable(name).output("y");
    check_refusal(b.graph, kFoldBatchNorm, "'" + name + "' may be overridden by the caller");
  }
  SECTION("when the weights are computed") {
    GraphBuilder b;
    b.input("x", {1, 4, 6, 6}).input("w", {8, 4, 3, 3}).statistics("bn", 8);
    b.node("Conv", {"x", "w"}, {"c"}).batch_norm("c", "bn", "y").output("y");
    check_refusal(b.graph, kFoldBatchNorm, "'w' is not constant");
  }
  SECTION("when there is no convolution before it") {
    GraphBuilder b;
    b.input("x", {1, 8, 6, 6}).statistics("bn", 8).node("Relu", {"x"}, {"r"}).batch_norm("r", "bn", "y").output("y");
    check_refusal(b.graph, kFoldBatchNorm, "it follows a Relu-13");
  }
  SECTION("when it comes before a convolution that pads") {
    GraphBuilder b;
    b.input("x", {1, 4, 6, 6}).random("w", {8, 4, 3, 3}).statistics("bn", 4).batch_norm("x", "bn", "n");
    b.node("Conv", {"n", "w"}, {"y"}, {{"pads", Ints{1, 1, 1, 1}}}).output("y");
    check_refusal(b.graph, kFoldBatchNorm, "it follows an input or a constant");
  }
  SECTION("when it is in training mode") {
    GraphBuilder b = conv_norm();
    b.output("y");
    const graph::NodeId norm = b.graph.value(b.id("y")).producer;
    b.graph.set_op(norm, "BatchNormalization", "", 15);
    b.graph.attributes(norm).set("training_mode", std::int64_t{1});
    passes::PassContext context(b.graph);  // without inference, which refuses such a node for its own reasons
    passes::fold_batch_norm(b.graph, context);
    CHECK(context.applied_count() == 0);
    CHECK(context.take_refusals() == std::vector<std::string>{"node 'node:y': it is in training mode"});
  }
  SECTION("when a variance makes the scale infinite") {
    GraphBuilder b = conv_norm();
    b.output("y");
    b.graph.value(b.id("bn.v")).constant->mutable_data<float>()[3] = -1e-5f;
    check_refusal(b.graph, kFoldBatchNorm, "channel 3 has a scale or shift that is not finite");
  }
}
