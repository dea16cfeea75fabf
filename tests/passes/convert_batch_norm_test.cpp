#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {
constexpr const char* kConvertBatchNorm = "convert_batch_norm";
}

TEST_CASE("a BatchNormalization of any rank becomes a ScaleShift") {
  const graph::DimList shape = GENERATE(graph::DimList{2, 5}, graph::DimList{2, 5, 3}, graph::DimList{2, 5, 3, 4});
  GraphBuilder b;
  b.input("x", shape).statistics("bn", 5).batch_norm("x", "bn", "y").output("y");
  const PassReport result = check_pass(b.graph, kConvertBatchNorm);
  CHECK(result.applied == 1);
  CHECK(operators(b.graph) == "ScaleShift");
  const graph::Node& node = writer(b.graph, "y");
  CHECK(node.domain == "linnet");
  CHECK(node.name == "node:y");
  CHECK(b.graph.value(node.inputs[1]).constant->shape() == Shape{5});
}

TEST_CASE("convert_batch_norm refuses") {
  GraphBuilder b;
  b.input("x", {2, 5, 3, 4}).statistics("bn", 5).batch_norm("x", "bn", "y").output("y");
  SECTION("statistics that may be overridden") {
    const std::string name = GENERATE("bn.s", "bn.v");
    b.overridable(name);
    check_refusal(b.graph, kConvertBatchNorm, "'" + name + "' may be overridden by the caller");
  }
  SECTION("a scale that is not finite") {
    b.graph.value(b.id("bn.v")).constant->mutable_data<float>()[0] = -1;
    check_refusal(b.graph, kConvertBatchNorm, "channel 0");
  }
}
