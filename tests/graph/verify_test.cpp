#include "graph/verify.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <utility>

#include "linnet/error.h"

namespace {

using namespace linnet;
using namespace linnet::graph;

// The values of two_relus() in the order in which it adds them.
constexpr ValueId kX = 0, kY = 1, kZ = 2, kW = 3;

Graph two_relus() {
  Graph graph;
  const ValueId x = graph.add_value("x", {DataType::float32, DimList{1, 16, 4, 4}, Layout::plain});
  const ValueId y = graph.add_value("y", {DataType::float32, DimList{1, 16, 4, 4}, Layout::plain});
  const ValueId z = graph.add_value("z", {DataType::float32, DimList{1, 16, 4, 4}, Layout::plain});
  graph.add_constant("w", Tensor(DataType::float32, {3}));
  graph.add_input(x);
  for (const auto& [from, to] : {std::pair{x, y}, std::pair{y, z}}) {
    Node node;
    node.op_type = "Relu";
    node.opset = 13;
    node.inputs = {from};
    node.outputs = {to};
    graph.add_node(node);
  }
  graph.add_output(z);
  return graph;
}

std::string why_damaged(const std::function<void(Graph&)>& damage) {
  Graph graph = two_relus();
  damage(graph);
  try {
    verify(graph);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::internal);
    return error.message();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("verify accepts a sound graph") {
  verify(Graph());
  verify(two_relus());
  Graph asked_twice = two_relus();
  asked_twice.outputs.push_back(kZ);
  verify(asked_twice);
}

TEST_CASE("verify finds each kind of damage") {
  using Catch::Matchers::Contains;
  CHECK_THAT(why_damaged([](Graph& g) { g.inputs.push_back(77); }), Contains("an input is no value"));
  CHECK_THAT(why_damaged([](Graph& g) { g.outputs.push_back(-1); }), Contains("an output is no value"));
  CHECK_THAT(why_damaged([](Graph& g) { g.inputs.push_back(kX); }), Contains("'x' is an input twice"));
  CHECK_THAT(why_damaged([](Graph& g) { g.outputs.push_back(kY); }), Contains("graph_output of 'y' is wrong"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kX).graph_input = false; }), Contains("graph_input of 'x' is wrong"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kY).consumers.clear(); }), Contains("the consumers of 'y' are wrong"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kX).consumers = {1}; }), Contains("the consumers of 'x' are wrong"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kZ).producer = 0; }), Contains("'z' has another producer"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kW).producer = 0; }),
             Contains("the producer of 'w' does not write it"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kY).name = "x"; }), Contains("the name 'x' is not unique"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kY).name.clear(); }), Contains("has no name"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kY).constant = Tensor(DataType::float32, {1}); }),
             Contains("has a producer and is a constant"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kW).desc.type = DataType::int64; }),
             Contains("the type of the constant 'w'"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kW).desc.shape = DimList{4}; }),
             Contains("the shape of the constant 'w'"));
  CHECK_THAT(why_damaged([](Graph& g) { g.value(kZ).desc.layout = Layout::nchw16c; }), Contains("'z' must be plain"));
  CHECK_THAT(why_damaged([](Graph& g) {
               g.value(kY).desc.layout = Layout::nchw16c;
               g.value(kY).desc.type = DataType::int64;
             }),
             Contains("'y' cannot be int64 nchw16c"));
  CHECK_THAT(why_damaged([](Graph& g) { g.set_input(0, 0, kZ); }), Contains("is read before it is written"));
}

TEST_CASE("verify accepts the blocked layout inside") {
  Graph graph = two_relus();
  graph.value(1).desc.layout = Layout::nchw16c;
  verify(graph);
}

TEST_CASE("verify takes linear time when one node reads all values and all nodes read one value") {
  Graph graph;
  const ValueId x = graph.add_value("x");
  graph.add_input(x);
  Node concat;
  concat.op_type = "Concat";
  for (int i = 0; i < 100'000; ++i) {
    Node node;
    node.op_type = "Relu";
    node.inputs = {x};
    node.outputs = {graph.add_value("y" + std::to_string(i))};
    concat.inputs.push_back(node.outputs[0]);
    graph.add_node(std::move(node));
  }
  const ValueId z = graph.add_value("z");
  concat.outputs = {z};
  graph.add_node(std::move(concat));
  graph.add_output(z);
  graph.sort();
  verify(graph);  // minutes, were it quadratic
}
