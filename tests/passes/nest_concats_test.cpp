#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kNestConcats = "nest_concats";

GraphBuilder four_inputs() {
  GraphBuilder b;
  for (const char* name : {"a", "b", "c", "d"}) b.input(name, {1, 2, 2, 2});
  return b;
}

GraphBuilder::AttributeList axis(std::int64_t value) { return {{"axis", value}}; }

}  // namespace

TEST_CASE("a Concat joins to what a shorter one has joined") {
  GraphBuilder b = four_inputs();
  b.node("Concat", {"a", "b"}, {"two"}, axis(1)).node("Concat", {"a", "b", "c"}, {"three"}, axis(-3));
  b.node("Concat", {"a", "b", "c", "d"}, {"four"}, axis(1)).output("two").output("three").output("four");
  CHECK(check_pass(b.graph, kNestConcats).applied == 2);
  CHECK(writer(b.graph, "three").inputs.size() == 2);
  CHECK(input_name(b.graph, writer(b.graph, "three"), 0) == "two");
  CHECK(input_name(b.graph, writer(b.graph, "three"), 1) == "c");
  CHECK(input_name(b.graph, writer(b.graph, "four"), 0) == "three");
  CHECK(input_name(b.graph, writer(b.graph, "four"), 1) == "d");
}

TEST_CASE("a Concat keeps its list") {
  GraphBuilder b = four_inputs();
  b.node("Concat", {"a", "b", "c"}, {"y"}, axis(1)).output("y");
  SECTION("where the shorter one joins along another axis") {
    b.node("Concat", {"a", "b"}, {"z"}, axis(2)).output("z");
  }
  SECTION("where the shorter one has another order") { b.node("Concat", {"b", "a"}, {"z"}, axis(1)).output("z"); }
  SECTION("where the shorter one is not at its beginning") { b.node("Concat", {"b", "c"}, {"z"}, axis(1)).output("z"); }
  SECTION("where the other one is the same") { b.node("Concat", {"a", "b", "c"}, {"z"}, axis(1)).output("z"); }
  SECTION("where the shorter one is of one tensor") { b.node("Concat", {"a"}, {"z"}, axis(1)).output("z"); }
  CHECK(check_pass(b.graph, kNestConcats).applied == 0);
  CHECK(writer(b.graph, "y").inputs.size() == 3);
}

TEST_CASE("a list that comes before the one it is longer than keeps its own") {
  GraphBuilder b = four_inputs();
  b.node("Concat", {"a", "b", "c"}, {"y"}, axis(1)).node("Concat", {"a", "b"}, {"z"}, axis(1));
  b.output("y").output("z");
  CHECK(check_pass(b.graph, kNestConcats).applied == 0);
}
