#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

/// The pass alone: inference takes 16-bit types only where widen_float16 has run. How often it was applied.
int run_rounding(graph::Graph& graph) {
  passes::PassContext context(graph);
  for (const passes::PassDef& pass : passes::all_passes()) {
    if (pass.name == "round_float16") pass.run(graph, context);
  }
  graph.sort();
  return context.applied_count();
}

GraphBuilder half_graph() {
  GraphBuilder b;
  b.input("x", {1, 4, 2, 2}, DataType::float16);
  return b;
}

void state_types(GraphBuilder& b, std::initializer_list<const char*> names) {
  for (const char* name : names) b.graph.value(b.id(name)).desc.type = DataType::float16;
}

}  // namespace

TEST_CASE("what an operator computes in 16 bits is rounded") {
  GraphBuilder b = half_graph();
  b.node("Exp", {"x"}, {"a"}).node("Add", {"a", "a"}, {"b"}).node("Exp", {"b"}, {"y"}).output("y");
  if (GENERATE(true, false)) state_types(b, {"a", "b", "y"});
  CHECK(run_rounding(b.graph) == 2);
  graph::verify(b.graph);
  // The output is narrowed by the Cast that widen_float16 puts there.
  CHECK(operators(b.graph) == "Exp RoundTo Add RoundTo Exp");
  CHECK(attribute<std::int64_t>(writer(b.graph, "a"), "to") == static_cast<std::int64_t>(DataType::float16));
}

TEST_CASE("an output that is read inside too is rounded once") {
  GraphBuilder b = half_graph();
  b.node("Exp", {"x"}, {"a"}).node("Neg", {"a"}, {"y"}).output("a").output("y");
  run_rounding(b.graph);
  CHECK(operators(b.graph) == "Exp RoundTo Neg");
}

TEST_CASE("operators that choose among 16-bit numbers need no rounding") {
  GraphBuilder b = half_graph();
  b.node("Relu", {"x"}, {"a"})
      .node("Transpose", {"a"}, {"b"}, {{"perm", std::vector<std::int64_t>{0, 2, 3, 1}}})
      .node("Concat", {"b", "b"}, {"c"}, {{"axis", std::int64_t{0}}})
      .node("ReduceMax", {"c"}, {"y"})
      .output("y");
  CHECK(run_rounding(b.graph) == 0);
}

TEST_CASE("rounding waits for the Relu behind, so that the two may be fused") {
  GraphBuilder b = half_graph();
  b.node("Exp", {"x"}, {"a"}).node("Relu", {"a"}, {"b"}).node("Exp", {"b"}, {"y"}).output("y");
  SECTION("alone") {
    run_rounding(b.graph);
    CHECK(operators(b.graph) == "Exp Relu RoundTo Exp");
  }
  SECTION("not where somebody else reads it") {
    b.node("Exp", {"a"}, {"z"}).output("z");
    run_rounding(b.graph);
    CHECK(writer(b.graph, "a").op_type == "RoundTo");
    CHECK(writer(b.graph, "b").op_type == "Relu");
  }
  SECTION("not where the caller sees it") {
    b.output("a");
    run_rounding(b.graph);
    CHECK(writer(b.graph, "a").op_type == "RoundTo");
  }
}

TEST_CASE("what follows a Cast to 16 bits is rounded, as its type says") {
  GraphBuilder b;
  b.input("x", {4}).node("Cast", {"x"}, {"h"}, {{"to", static_cast<std::int64_t>(DataType::bfloat16)}});
  b.node("Exp", {"h"}, {"a"}).node("Exp", {"a"}, {"y"}).output("y");
  CHECK(run_rounding(b.graph) == 1);
  CHECK(operators(b.graph) == "Cast Exp RoundTo Exp");
}

TEST_CASE("float32 values of a model with 16-bit ones are left alone") {
  GraphBuilder b = half_graph();
  b.node("Cast", {"x"}, {"w"}, {{"to", std::int64_t{1}}})
      .node("Exp", {"w"}, {"a"})
      .node("Exp", {"a"}, {"y"})
      .output("y");
  CHECK(run_rounding(b.graph) == 0);
}
