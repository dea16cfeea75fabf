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

TEST_CASE("an edit after which the order or a node is not as it was is seen by the next sort and remove_dead") {
  Chain c;
  const ValueId late = c.graph.add_value("late"), unread = c.graph.add_value("unread");
  const NodeId producer = c.graph.add_node(make_node("Relu", {c.x}, {late}));
  const NodeId reader = c.graph.add_node(make_node("Relu", {late}, {unread}));
  c.graph.add_output(unread);
  c.graph.sort();
  c.graph.remove_dead();
  REQUIRE(c.graph.order() == std::vector<NodeId>{c.first, c.second, producer, reader});
  const auto settle = [&] {
    c.graph.sort();
    c.graph.remove_dead();
    verify(c.graph);
    return c.graph.order();
  };
  SECTION("set_input") {
    c.graph.set_input(c.second, 0, late);  // of a node behind it; nobody reads the first one any more
    CHECK(settle() == std::vector<NodeId>{producer, c.second, reader});
  }
  SECTION("replace_uses") {
    c.graph.replace_uses(c.y, late);
    CHECK(settle() == std::vector<NodeId>{producer, c.second, reader});
  }
  SECTION("set_output") {
    c.graph.set_output(c.first, 0, c.graph.add_value("other"));
    c.graph.set_output(producer, 0, c.y);  // which the second node reads
    c.graph.set_input(reader, 0, c.x);
    CHECK(settle() == std::vector<NodeId>{producer, c.second, reader});
  }
  SECTION("add_node") {
    c.graph.set_input(c.second, 0, c.graph.add_value("made"));
    c.graph.sort();
    c.graph.add_node(make_node("Relu", {late}, {c.graph.find_value("made")}));
    CHECK(settle() == std::vector<NodeId>{producer, reader, 4, c.second});
  }
  SECTION("remove_node") {
    c.graph.remove_node(reader);
    CHECK(settle() == std::vector<NodeId>{c.first, c.second});
  }
  SECTION("clear_outputs") {
    c.graph.clear_outputs();
    c.graph.add_output(c.y);
    CHECK(settle() == std::vector<NodeId>{c.first});
  }
  SECTION("a constant that nobody reads") {
    const ValueId w = c.graph.add_constant("w", Tensor(DataType::float32, {2}));
    settle();
    CHECK_FALSE(c.graph.value(w).constant.has_value());
  }
}

TEST_CASE("a renamed value is found by its new name alone, in copies too") {
  Chain c;
  Graph copy = c.graph;
  copy.rename_value(c.y, "a name too long to stand inside of a string");
  CHECK(copy.find_value("a name too long to stand inside of a string") == c.y);
  CHECK(copy.find_value("y") == kNoValue);
  CHECK(c.graph.find_value("y") == c.y);
  verify(copy);
}

TEST_CASE("symbols of one text are equal, shared or not") {
  const Symbol n("N");
  CHECK(n == Symbol("N"));
  CHECK(Symbol(n).text().data() == n.text().data());
  CHECK_FALSE(n == Symbol("M"));
  CHECK(Symbol() == Symbol(""));
  CHECK(Symbol().empty());
  CHECK_FALSE(Dim().same_as(Dim()));
  CHECK(Dim::symbolic("N").same_as(Dim::symbolic("N")));
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
