#include "passes/graph_builder.h"
#include "support/processor_seconds.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kEliminateIdentities = "eliminate_identities";
using Ints = std::vector<std::int64_t>;

// a = Relu(x)
GraphBuilder relu() {
  GraphBuilder b;
  b.input("x", {2, 3, 4, 4}).node("Relu", {"x"}, {"a"});
  return b;
}

}  // namespace

TEST_CASE("nodes that give back their input are removed") {
  GraphBuilder b = relu();
  SECTION("Identity") { b.node("Identity", {"a"}, {"y"}); }
  SECTION("Dropout before opset 12") { b.node("Dropout", {"a"}, {"y"}, {{"ratio", 0.5f}}, 10); }
  SECTION("Dropout since opset 12") { b.node("Dropout", {"a"}, {"y"}); }
  SECTION("Dropout that says it does not train") {
    b.floats("ratio", {}, {0.5f}).constant("train", Tensor(DataType::boolean, {}));
    b.node("Dropout", {"a", "ratio", "train"}, {"y"});
  }
  SECTION("Dropout with a mask that nobody reads") { b.node("Dropout", {"a"}, {"y", "mask"}); }
  SECTION("Cast to the same type") { b.node("Cast", {"a"}, {"y"}, {{"to", std::int64_t{1}}}); }
  SECTION("Transpose that moves nothing") { b.node("Transpose", {"a"}, {"y"}, {{"perm", Ints{0, 1, 2, 3}}}); }
  SECTION("Reshape to the same shape") { b.ints("shape", {2, 3, -1, 4}).node("Reshape", {"a", "shape"}, {"y"}); }
  SECTION("Pad of nothing") { b.ints("pads", Ints(8)).node("Pad", {"a", "pads"}, {"y"}); }
  SECTION("Concat of one") { b.node("Concat", {"a"}, {"y"}, {{"axis", std::int64_t{1}}}); }
  SECTION("Sum of one") { b.node("Sum", {"a"}, {"y"}); }
  SECTION("Slice of everything") { b.ints("from", {0}).ints("to", {1000}).node("Slice", {"a", "from", "to"}, {"y"}); }
  SECTION("times one") { b.floats("one", {}, {1}).node("Mul", {"one", "a"}, {"y"}); }
  SECTION("divided by one") { b.floats("one", {1}, {1}).node("Div", {"a", "one"}, {"y"}); }
  SECTION("minus zero") { b.floats("zero", {1, 1, 1}, {0}).node("Sub", {"a", "zero"}, {"y"}); }
  SECTION("plus minus zero") { b.floats("zero", {}, {-0.0f}).node("Add", {"a", "zero"}, {"y"}); }
  b.node("Neg", {"y"}, {"z"}).output("z");
  const PassReport result = check_pass(b.graph, kEliminateIdentities);
  CHECK(result.applied == 1);
  CHECK(operators(b.graph) == "Relu Neg");
}

TEST_CASE("Flatten of a matrix and Squeeze of nothing are removed") {
  GraphBuilder b;
  b.input("x", {graph::Dim::symbolic("N"), 10}).node("Neg", {"x"}, {"a"}).node("Flatten", {"a"}, {"y"});
  b.node("Neg", {"y"}, {"z"}).output("z");
  CHECK(check_pass(b.graph, kEliminateIdentities).applied == 1);
}

TEST_CASE("what does something stays") {
  GraphBuilder b = relu();
  SECTION("plus zero, which makes -0 into 0") { b.floats("zero", {}, {0}).node("Add", {"a", "zero"}, {"y"}); }
  SECTION("zero minus x") { b.floats("zero", {}, {0}).node("Sub", {"zero", "a"}, {"y"}); }
  SECTION("one divided by x") { b.floats("one", {}, {1}).node("Div", {"one", "a"}, {"y"}); }
  SECTION("one that broadcasts") { b.floats("one", {1, 1, 1, 1, 1}, {1}).node("Mul", {"a", "one"}, {"y"}); }
  SECTION("one that may be overridden") {
    b.floats("one", {}, {1}).overridable("one").node("Mul", {"a", "one"}, {"y"});
  }
  SECTION("a Slice backwards") {
    b.ints("from", {-1}).ints("to", {-1000}).ints("axes", {2}).ints("steps", {-1});
    b.node("Slice", {"a", "from", "to", "axes", "steps"}, {"y"});
  }
  SECTION("a Pad that moves") { b.ints("pads", {0, 0, 1, 0, 0, 0, -1, 0}).node("Pad", {"a", "pads"}, {"y"}); }
  SECTION("a Transpose that moves") { b.node("Transpose", {"a"}, {"y"}, {{"perm", Ints{0, 1, 3, 2}}}); }
  SECTION("a Reshape to another shape") { b.ints("shape", {2, -1}).node("Reshape", {"a", "shape"}, {"y"}); }
  b.output("y");
  const PassReport result = check_pass(b.graph, kEliminateIdentities);
  CHECK(result.applied == 0);
  CHECK(b.graph.order().size() == 2);
}

TEST_CASE("a graph output keeps its name: what is before the Identity writes it") {
  GraphBuilder b = relu();
  b.node("Identity", {"a"}, {"y"}).node("Neg", {"a"}, {"z"}).output("y").output("z");
  CHECK(check_pass(b.graph, kEliminateIdentities).applied == 1);
  CHECK(operators(b.graph) == "Relu Neg");
  CHECK(writer(b.graph, "y").op_type == "Relu");
  CHECK(input_name(b.graph, writer(b.graph, "z"), 0) == "y");
}

TEST_CASE("200,000 outputs of a node get the names of what copies them in linear time") {
  GraphBuilder b;
  b.input("x", {200'000});
  std::vector<std::string> parts;
  for (int i = 0; i < 200'000; ++i) parts.push_back("a" + std::to_string(i));
  b.node("Split", {"x"}, parts, {{"num_outputs", std::int64_t{200'000}}}, 18);
  for (int i = 0; i < 200'000; ++i) {
    const std::string name = "y" + std::to_string(i);
    b.node("Identity", {parts[static_cast<std::size_t>(i)]}, {name}).output(name);
  }
  CHECK(processor_seconds_of([&] { run_pass(b.graph, kEliminateIdentities); }) < 2 * kSlowness);
  CHECK(operators(b.graph) == "Split");
  CHECK(writer(b.graph, "y199999").outputs.at(199'999) == b.id("y199999"));
}

TEST_CASE("a chain of identities between input and output keeps one") {
  GraphBuilder b;
  b.input("x", {2, 3})
      .node("Identity", {"x"}, {"a"})
      .node("Identity", {"a"}, {"b"})
      .node("Identity", {"b"}, {"y"})
      .output("y");
  const PassReport result = check_pass(b.graph, kEliminateIdentities);
  CHECK(result.applied == 2);
  CHECK(operators(b.graph) == "Identity");
  CHECK(input_name(b.graph, writer(b.graph, "y"), 0) == "x");
}

TEST_CASE("eliminate_identities refuses") {
  SECTION("to lose one of two outputs that are the same") {
    GraphBuilder b = relu();
    b.node("Identity", {"a"}, {"y"}).output("y").output("a");
    check_refusal(b.graph, kEliminateIdentities, "'a' and 'y' are both outputs of the graph");
  }
  SECTION("to make an input an output") {
    GraphBuilder b;
    b.input("x", {2}).node("Identity", {"x"}, {"y"}).output("y");
    check_refusal(b.graph, kEliminateIdentities, "the output 'y' copies an input or a constant");
  }
  SECTION("to lose a mask that is read") {
    GraphBuilder b = relu();
    b.node("Dropout", {"a"}, {"y", "mask"}).output("y").output("mask");
    check_refusal(b.graph, kEliminateIdentities, "a second output is used");
  }
}
