#include "graph/graph.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "graph/verify.h"
#include "linnet/error.h"

namespace {

using namespace linnet;
using namespace linnet::graph;

Node make_node(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  Node node;
  node.op_type = std::move(op);
  node.opset = 13;
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  return node;
}

// x -> Relu -> y -> Relu -> z
struct Chain {
  Graph graph;
  ValueId x, y, z;
  NodeId first, second;

  Chain() {
    x = graph.add_value("x");
    y = graph.add_value("y");
    z = graph.add_value("z");
    graph.add_input(x);
    first = graph.add_node(make_node("Relu", {x}, {y}));
    second = graph.add_node(make_node("Relu", {y}, {z}));
    graph.add_output(z);
  }
};

}  // namespace

TEST_CASE("a graph keeps producers and consumers true while it is edited") {
  Chain c;
  verify(c.graph);
  CHECK(c.graph.value(c.y).producer == c.first);
  CHECK(c.graph.value(c.y).consumers == std::vector<NodeId>{c.second});

  SECTION("replace_uses moves every use, also two of one node") {
    const ValueId sum = c.graph.add_value("sum");
    const NodeId add = c.graph.add_node(make_node("Add", {c.y, c.y}, {sum}));
    c.graph.replace_uses(c.y, c.x);
    CHECK(c.graph.node(add).inputs == std::vector<ValueId>{c.x, c.x});
    CHECK(c.graph.value(c.y).consumers.empty());
    CHECK(c.graph.value(c.x).consumers.size() == 4);
    verify(c.graph);
  }
  SECTION("set_input appends, and leaves gaps that are omitted inputs") {
    c.graph.set_input(c.second, 3, c.x);
    CHECK(c.graph.node(c.second).inputs == std::vector<ValueId>{c.y, kNoValue, kNoValue, c.x});
    verify(c.graph);
  }
  SECTION("a removed node leaves the order and its values") {
    c.graph.remove_node(c.second);
    CHECK(c.graph.order() == std::vector<NodeId>{c.first});
    CHECK(c.graph.value(c.z).producer == kNoNode);
    verify(c.graph);
  }
  SECTION("remove_dead removes what no output needs") {
    const ValueId a = c.graph.add_value("a"), b = c.graph.add_value("b");
    c.graph.add_node(make_node("Relu", {c.y}, {a}));
    c.graph.add_node(make_node("Relu", {a}, {b}));
    const ValueId weights = c.graph.add_constant("w", Tensor(DataType::float32, {2}));
    c.graph.remove_dead();
    CHECK(c.graph.order() == std::vector<NodeId>{c.first, c.second});
    CHECK_FALSE(c.graph.value(weights).constant.has_value());
    verify(c.graph);
  }
}

TEST_CASE("sort restores topological order and keeps it stable") {
  Graph graph;
  const ValueId x = graph.add_value("x"), y = graph.add_value("y"), z = graph.add_value("z"), w = graph.add_value("w");
  graph.add_input(x);
  const NodeId late = graph.add_node(make_node("Relu", {y}, {z}));
  const NodeId early = graph.add_node(make_node("Relu", {x}, {y}));
  const NodeId side = graph.add_node(make_node("Relu", {x}, {w}));
  graph.sort();
  CHECK(graph.order() == std::vector<NodeId>{early, late, side});
  graph.sort();
  CHECK(graph.order() == std::vector<NodeId>{early, late, side});
}

TEST_CASE("sort names a node on a cycle") {
  Graph graph;
  const ValueId x = graph.add_value("x"), y = graph.add_value("y");
  Node node = make_node("Relu", {x}, {y});
  node.name = "loop";
  graph.add_node(node);
  graph.add_node(make_node("Relu", {y}, {x}));
  try {
    graph.sort();
    FAIL("a cycle was sorted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::model);
    CHECK(error.details().node == "loop");
  }
}

TEST_CASE("a value is written once and named once") {
  Chain c;
  CHECK_THROWS_AS(c.graph.add_node(make_node("Relu", {c.x}, {c.z})), Error);
  CHECK_THROWS_AS(c.graph.add_node(make_node("Relu", {c.z}, {c.x})), Error);
  CHECK_THROWS_AS(c.graph.add_value("x"), Error);
  CHECK(c.graph.order().size() == 2);
  CHECK(c.graph.find_value(c.graph.unique_name("x")) == kNoValue);
  CHECK(c.graph.unique_name("new") == "new");
  verify(c.graph);
}

TEST_CASE("copies of a graph are independent but share tensor bytes") {
  Chain c;
  const ValueId w = c.graph.add_constant("w", Tensor(DataType::float32, {1000}));
  Graph copy = c.graph;
  copy.remove_node(c.second);
  CHECK(c.graph.order().size() == 2);
  CHECK(copy.order().size() == 1);
  CHECK(copy.value(w).constant->raw() == c.graph.value(w).constant->raw());
}
