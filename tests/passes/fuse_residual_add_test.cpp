#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kFuseResidualAdd = "fuse_residual_add";
using Ints = std::vector<std::int64_t>;

// c = Conv(x, w): [N,8,6,6] like x
GraphBuilder padded_conv() {
  GraphBuilder b;
  b.input("x", {graph::Dim::symbolic("N"), 8, 6, 6}).random("w", {8, 8, 3, 3}).random("w2", {8, 8, 1, 1});
  b.node("Conv", {"x", "w"}, {"c"}, {{"pads", Ints{1, 1, 1, 1}}});
  return b;
}

}  // namespace

TEST_CASE("an Add becomes the residual of the convolution that feeds it, on either side") {
  const bool swapped = GENERATE(false, true);
  GraphBuilder b = padded_conv();
  b.node("Add", swapped ? std::vector<std::string>{"x", "c"} : std::vector<std::string>{"c", "x"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFuseResidualAdd).applied == 1);
  CHECK(operators(b.graph) == "FusedConv");
  const graph::Node& conv = writer(b.graph, "y");
  CHECK(conv.inputs.size() == 5);
  CHECK(conv.inputs[2] == graph::kNoValue);
  CHECK(input_name(b.graph, conv, 4) == "x");
}

TEST_CASE("of two convolutions the later one takes the other's result") {
  const bool swapped = GENERATE(false, true);
  GraphBuilder b = padded_conv();
  b.node("Conv", {"x", "w2"}, {"d"});
  b.node("Add", swapped ? std::vector<std::string>{"c", "d"} : std::vector<std::string>{"d", "c"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFuseResidualAdd).applied == 1);
  CHECK(operators(b.graph) == "Conv FusedConv");
  CHECK(writer(b.graph, "y").name == "node:d");
  CHECK(input_name(b.graph, writer(b.graph, "y"), 4) == "c");
}

TEST_CASE("if the later convolution cannot take the residual, the earlier one does") {
  GraphBuilder b = padded_conv();
  b.node("Conv", {"x", "w2"}, {"d"}).node("Add", {"c", "d"}, {"y"}).output("y").output("d");
  CHECK(check_pass(b.graph, kFuseResidualAdd).applied == 1);
  CHECK(writer(b.graph, "y").name == "node:c");
  CHECK(operators(b.graph) == "Conv FusedConv");  // sorted: the residual first
}

TEST_CASE("residual blocks in a row are all fused") {
  GraphBuilder b = padded_conv();
  b.node("Add", {"c", "x"}, {"s1"}).node("Relu", {"s1"}, {"r1"});
  b.node("Conv", {"r1", "w2"}, {"c2"}).node("Add", {"r1", "c2"}, {"s2"});
  b.node("Conv", {"s2", "w2"}, {"c3"}).node("Add", {"c3", "s2"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFuseResidualAdd).applied == 3);
  CHECK(operators(b.graph) == "FusedConv Relu FusedConv FusedConv");
}

TEST_CASE("fuse_residual_add refuses") {
  SECTION("a convolution whose result has another reader") {
    GraphBuilder b = padded_conv();
    b.node("Add", {"c", "x"}, {"y"}).node("Relu", {"c"}, {"r"}).output("y").output("r");
    check_refusal(b.graph, kFuseResidualAdd, "'c' has 2 consumers");
  }
  SECTION("an Add of a convolution to itself") {
    GraphBuilder b = padded_conv();
    b.node("Add", {"c", "c"}, {"y"}).output("y");
    check_refusal(b.graph, kFuseResidualAdd, "'c' has 2 consumers");
  }
  SECTION("a residual that depends on the convolution") {
    GraphBuilder b = padded_conv();
    b.node("Relu", {"c"}, {"r"}).node("Add", {"c", "r"}, {"y"}).output("y");
    check_refusal(b.graph, kFuseResidualAdd, "'c' has 2 consumers");
  }
  SECTION("a convolution whose result is a graph output") {
    GraphBuilder b = padded_conv();
    b.node("Add", {"c", "x"}, {"y"}).output("y").output("c");
    check_refusal(b.graph, kFuseResidualAdd, "'c' is an output of the graph");
  }
  SECTION("an operand that is broadcast") {
    GraphBuilder b = padded_conv();
    b.random("row", {8, 1, 1}).node("Add", {"c", "row"}, {"y"}).output("y");
    check_refusal(b.graph, kFuseResidualAdd, "not known to have the same shape");
  }
  SECTION("a convolution that is broadcast") {
    GraphBuilder b;
    b.input("x", {1, 8, 1, 1}).input("z", {1, 8, 6, 6}).random("w2", {8, 8, 1, 1});
    b.node("Conv", {"x", "w2"}, {"c"}).node("Add", {"c", "z"}, {"y"}).output("y");
    check_refusal(b.graph, kFuseResidualAdd, "not known to have the same shape");
  }
  SECTION("extents that nobody knows to be equal") {
    GraphBuilder b;
    b.input("x", {graph::Dim(), 8, 6, 6}).input("z", {graph::Dim(), 8, 6, 6}).random("w2", {8, 8, 1, 1});
    b.node("Conv", {"x", "w2"}, {"c"}).node("Add", {"c", "z"}, {"y"}).output("y");
    check_refusal(b.graph, kFuseResidualAdd, "not known to have the same shape");
  }
  SECTION("a convolution with an activation") {
    GraphBuilder b = padded_conv();
    b.node("Relu", {"c"}, {"r"}).node("Add", {"r", "x"}, {"y"}).output("y");
    REQUIRE(run_pass(b.graph, "fuse_activation").applied == 1);
    check_refusal(b.graph, kFuseResidualAdd, "'r' is activated before the Add");
  }
  SECTION("a second residual") {
    GraphBuilder b = padded_conv();
    b.node("Add", {"c", "x"}, {"s"}).node("Add", {"s", "x"}, {"y"}).output("y");
    const PassReport result = check_pass(b.graph, kFuseResidualAdd);
    CHECK(result.applied == 1);
    REQUIRE(result.refused.size() == 1);
    CHECK_THAT(result.refused[0], Catch::Matchers::Contains("'s' has a residual already"));
  }
}
