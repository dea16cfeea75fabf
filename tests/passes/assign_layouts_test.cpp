#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kAssignLayouts = "assign_layouts";
using Ints = std::vector<std::int64_t>;

bool is_blocked(const GraphBuilder& b, const std::string& name) {
  return b.graph.value(b.id(name)).desc.layout == graph::Layout::nchw16c;
}

// x of 16 channels, w of 16 to 16
GraphBuilder blocked_image() {
  GraphBuilder b;
  b.input("x", {1, 16, 6, 6}).random("w", {16, 16, 1, 1});
  return b;
}

std::size_t count(const graph::Graph& graph, const std::string& op) {
  const auto& order = graph.order();
  return static_cast<std::size_t>(
      std::count_if(order.begin(), order.end(), [&](graph::NodeId id) { return graph.node(id).op_type == op; }));
}

}  // namespace

TEST_CASE("a convolution works blocked, between Reorders at the plain ends") {
  GraphBuilder b = blocked_image();
  b.node("Conv", {"x", "w"}, {"c"}).node("Relu", {"c"}, {"y"}).output("y");
  const PassReport result = check_pass(b.graph, kAssignLayouts);
  CHECK(operators(b.graph) == "Reorder Conv Relu Reorder");
  CHECK(result.applied == 2);
  CHECK(is_blocked(b, "c"));
  CHECK_FALSE(is_blocked(b, "x"));
  CHECK_FALSE(is_blocked(b, "y"));
  CHECK(attribute<std::string>(writer(b.graph, "y"), "to") == "plain");
  const graph::Node& reorder = writer(b.graph, input_name(b.graph, writer(b.graph, "c"), 0));
  CHECK(attribute<std::string>(reorder, "to") == "nchw16c");
}

TEST_CASE("a value is reordered once for all its readers") {
  GraphBuilder b = blocked_image();
  b.node("Conv", {"x", "w"}, {"c"}).node("Conv", {"x", "w"}, {"d"}).node("Add", {"c", "d"}, {"s"});
  b.node("Transpose", {"s"}, {"t"}, {{"perm", Ints{1, 0, 2, 3}}})
      .node("Transpose", {"s"}, {"u"}, {{"perm", Ints{0, 2, 1, 3}}});
  b.output("t").output("u");
  check_pass(b.graph, kAssignLayouts);
  CHECK(operators(b.graph) == "Reorder Conv Conv Add Reorder Transpose Transpose");
}

TEST_CASE("a blocked value that is an output serves blocked readers as it is and plain ones by its name") {
  GraphBuilder b = blocked_image();
  b.node("Conv", {"x", "w"}, {"c"}).node("Relu", {"c"}, {"r"}).node("Conv", {"r", "w"}, {"d"});
  b.node("Transpose", {"c"}, {"t"}, {{"perm", Ints{1, 0, 2, 3}}}).output("c").output("t").output("d");
  check_pass(b.graph, kAssignLayouts);
  CHECK_FALSE(is_blocked(b, "c"));
  CHECK(is_blocked(b, "r"));
  CHECK(input_name(b.graph, writer(b.graph, "t"), 0) == "c");
  CHECK(count(b.graph, "Reorder") == 3);  // x, c and d
}

TEST_CASE("followers between plain neighbours stay plain") {
  GraphBuilder b = blocked_image();
  b.node("Relu", {"x"}, {"a"})
      .node("MaxPool", {"a"}, {"p"}, {{"kernel_shape", Ints{2, 2}}})
      .node("Add", {"p", "p"}, {"y"})
      .output("y");
  CHECK(check_pass(b.graph, kAssignLayouts).applied == 0);
  CHECK(operators(b.graph) == "Relu MaxPool Add");
}

TEST_CASE("a follower that one blocked operand reaches has the other one reordered") {
  GraphBuilder b = blocked_image();
  b.input("z", {1, 16, 6, 6}).node("Conv", {"x", "w"}, {"c"}).node("Add", {"z", "c"}, {"s"});
  b.node("Conv", {"s", "w"}, {"d"}).output("d");
  check_pass(b.graph, kAssignLayouts);
  CHECK(is_blocked(b, "s"));
  CHECK(count(b.graph, "Reorder") == 3);  // x, z and d
}

TEST_CASE("a first layer of few channels reads the plain image") {
  GraphBuilder b;
  b.input("x", {1, 3, 6, 6}).random("w", {16, 3, 3, 3}).random("v", {16, 16, 1, 1});
  b.node("Conv", {"x", "w"}, {"c"}).node("Conv", {"c", "v"}, {"d"}).node("GlobalAveragePool", {"d"}, {"g"});
  b.node("Flatten", {"g"}, {"y"}).output("y");
  check_pass(b.graph, kAssignLayouts);
  CHECK(operators(b.graph) == "Conv Conv GlobalAveragePool Reorder Flatten");
  CHECK(is_blocked(b, "g"));
}

TEST_CASE("one-dimensional and grouped convolutions without a blocked form stay plain") {
  GraphBuilder b;
  b.input("x", {1, 6, 8}).random("w", {6, 6, 3}).node("Conv", {"x", "w"}, {"y"}).output("y");
  check_pass(b.graph, kAssignLayouts);
  CHECK_FALSE(is_blocked(b, "y"));
}
