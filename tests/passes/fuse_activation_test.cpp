#include <limits>

#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kFuseActivation = "fuse_activation";
using Ints = std::vector<std::int64_t>;

GraphBuilder one_conv() {
  GraphBuilder b;
  b.input("x", {2, 8, 6, 6}).random("w", {8, 8, 3, 3}).random("bias", {8}).node("Conv", {"x", "w", "bias"}, {"c"});
  return b;
}

}  // namespace

TEST_CASE("each activation is fused into a convolution with its parameters") {
  struct Case {
    std::string op;
    GraphBuilder::AttributeList attributes;
    int opset;
    float alpha, beta;
  };
  const Case c = GENERATE(Case{"Relu", {}, 13, 0, 0}, Case{"Sigmoid", {}, 13, 0, 0}, Case{"Tanh", {}, 13, 0, 0},
                          Case{"HardSwish", {}, 14, 0, 0}, Case{"LeakyRelu", {}, 13, 0.01f, 0},
                          Case{"LeakyRelu", {{"alpha", 0.5f}}, 13, 0.5f, 0}, Case{"Elu", {{"alpha", 2.0f}}, 13, 2, 0},
                          Case{"HardSigmoid", {}, 13, 0.2f, 0.5f},
                          Case{"HardSigmoid", {{"alpha", 0.25f}, {"beta", 0.375f}}, 13, 0.25f, 0.375f},
                          Case{"Swish", {}, 24, 1, 0}, Case{"Gelu", {}, 20, 0, 0},
                          Case{"Clip", {{"min", -1.0f}, {"max", 6.0f}}, 7, -1, 6},
                          Case{"Clip", {{"min", 0.0f}}, 7, 0, std::numeric_limits<float>::max()});
  GraphBuilder b = one_conv();
  b.node(c.op, {"c"}, {"y"}, c.attributes, c.opset).output("y");
  CHECK(check_pass(b.graph, kFuseActivation).applied == 1);
  CHECK(operators(b.graph) == "FusedConv");
  const graph::Node& conv = writer(b.graph, "y");
  CHECK(conv.name == "node:c");
  CHECK(attribute<std::string>(conv, "activation") == c.op);
  CHECK(attribute<float>(conv, "activation_alpha") == c.alpha);
  CHECK(attribute<float>(conv, "activation_beta") == c.beta);
}

TEST_CASE("the bounds of a Clip are constants or absent") {
  GraphBuilder b = one_conv();
  b.floats("low", {}, {0}).floats("high", {}, {6});
  const bool low = GENERATE(true, false), high = GENERATE(true, false);
  b.node("Clip", {"c", low ? "low" : "", high ? "high" : ""}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFuseActivation).applied == 1);
  const graph::Node& conv = writer(b.graph, "y");
  CHECK(attribute<float>(conv, "activation_alpha") == (low ? 0 : std::numeric_limits<float>::lowest()));
  CHECK(attribute<float>(conv, "activation_beta") == (high ? 6 : std::numeric_limits<float>::max()));
}

TEST_CASE("the activation comes after the residual") {
  GraphBuilder b;
  b.input("x", {2, 8, 6, 6}).random("w", {8, 8, 1, 1}).node("Conv", {"x", "w"}, {"c"});
  b.node("Add", {"c", "x"}, {"s"}).node("Relu", {"s"}, {"y"}).output("y");
  const graph::Graph before = b.graph;
  CHECK(run_pass(b.graph, "fuse_residual_add").applied == 1);
  CHECK(check_pass(b.graph, kFuseActivation).applied == 1);
  check_same_results(before, b.graph);
  CHECK(operators(b.graph) == "FusedConv");
}

TEST_CASE("Gemm and ScaleShift take clamps") {
  GraphBuilder b;
  const bool gemm = GENERATE(true, false);
  b.input("x", {2, 8}).random("w", {8, 8}).statistics("bn", 8);
  if (gemm) b.node("Gemm", {"x", "w"}, {"c"});
  else b.batch_norm("x", "bn", "c");
  SECTION("Relu") {
    b.node("Relu", {"c"}, {"y"}).output("y");
    if (!gemm) REQUIRE(run_pass(b.graph, "convert_batch_norm").applied == 1);
    CHECK(check_pass(b.graph, kFuseActivation).applied == 1);
    CHECK(operators(b.graph) == (gemm ? "FusedGemm" : "ScaleShift"));
    CHECK(writer(b.graph, "y").domain == "linnet");
  }
  SECTION("but no other activation") {
    b.node("Sigmoid", {"c"}, {"y"}).output("y");
    if (!gemm) REQUIRE(run_pass(b.graph, "convert_batch_norm").applied == 1);
    check_refusal(b.graph, kFuseActivation, "takes Relu and Clip only");
  }
}

TEST_CASE("fuse_activation refuses") {
  GraphBuilder b = one_conv();
  SECTION("a value with another reader") {
    b.node("Relu", {"c"}, {"y"}).node("Add", {"c", "y"}, {"z"}).output("z");
    check_refusal(b.graph, kFuseActivation, "'c' has 2 consumers");
  }
  SECTION("a graph output") {
    b.node("Relu", {"c"}, {"y"}).output("y").output("c");
    check_refusal(b.graph, kFuseActivation, "'c' is an output of the graph");
  }
  SECTION("bounds that are computed") {
    b.input("low", {}).node("Clip", {"c", "low"}, {"y"}).output("y");
    check_refusal(b.graph, kFuseActivation, "its bounds are not constant");
  }
  SECTION("bounds that may be overridden") {
    b.floats("low", {}, {0}).overridable("low").node("Clip", {"c", "low"}, {"y"}).output("y");
    check_refusal(b.graph, kFuseActivation, "its bounds are not constant");
  }
  SECTION("a second activation") {
    b.node("Relu", {"c"}, {"r"}).node("Sigmoid", {"r"}, {"y"}).output("y");
    const PassReport result = check_pass(b.graph, kFuseActivation);
    CHECK(result.applied == 1);
    REQUIRE(result.refused.size() == 1);
    CHECK_THAT(result.refused[0], Catch::Matchers::Contains("'r' is activated already"));
  }
}
