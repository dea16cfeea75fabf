// AttributeProto: every kind, and what contradicts itself.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "onnx/loading.h"

using namespace linnet;
using namespace linnet::test;

namespace {

// The operator of these nodes is none, so the graph is read whole and refused in the end: what an attribute became is seen
// through an operator that has it.
OnnxModel with_node(const OnnxNode& node) { return onnx_single_node(node, {2}); }

OnnxNode concat() { return {"Concat", {"x"}, {"y"}, "n"}; }

ProtoWriter attribute(const std::string& name, int type) { return ProtoWriter().bytes(1, name).number(20, type); }

const graph::Attribute& axis_of(const graph::Graph& graph) {
  const graph::Attribute* found = graph.node(0).attributes.find("axis");
  REQUIRE(found != nullptr);
  return *found;
}

graph::Attribute loaded(const OnnxNode& node) {
  const graph::Graph graph = load(with_node(node));
  return axis_of(graph);
}

Error refused(const ProtoWriter& proto) { return refusal(with_node(concat().attribute(proto))); }

}  // namespace

TEST_CASE("attributes of every kind") {
  CHECK(std::get<std::int64_t>(loaded(concat().set("axis", -3))) == -3);
  CHECK(std::get<float>(loaded(concat().set("axis", 0.5f))) == 0.5f);
  CHECK(std::get<std::string>(loaded(concat().set("axis", "text"))) == "text");
  CHECK(std::get<std::vector<std::int64_t>>(loaded(concat().set(
            "axis", std::vector<std::int64_t>{1, -2, INT64_MAX}))) == std::vector<std::int64_t>{1, -2, INT64_MAX});
  CHECK(std::get<std::vector<float>>(loaded(concat().set("axis", std::vector<float>{1, 2}))) ==
        std::vector<float>{1, 2});
  CHECK(std::get<std::vector<std::string>>(loaded(concat().set("axis", std::vector<std::string>{"a", ""}))) ==
        std::vector<std::string>{"a", ""});
  CHECK(std::get<Tensor>(loaded(concat().set("axis", tensor_of<std::int64_t>({1}, {7})))).data<std::int64_t>()[0] == 7);
}

TEST_CASE("packed lists, and a scalar that its writer left out") {
  const graph::Attribute packed = loaded(concat().attribute(attribute("axis", 7).packed(8, {1, 300}).number(8, 5)));
  CHECK(std::get<std::vector<std::int64_t>>(packed) == std::vector<std::int64_t>{1, 300, 5});
  const graph::Attribute floats =
      loaded(concat().attribute(attribute("axis", 6).bytes(7, std::string_view("\0\0\x80\x3f", 4))));
  CHECK(std::get<std::vector<float>>(floats) == std::vector<float>{1});
  // proto3 writers do not write a zero.
  CHECK(std::get<std::int64_t>(loaded(concat().attribute(attribute("axis", 2)))) == 0);
  // The first exporters did not write the type.
  CHECK(std::get<std::int64_t>(loaded(concat().attribute(ProtoWriter().bytes(1, "axis").number(3, 4)))) == 4);
}

TEST_CASE("C07: what a nested graph reads of the outer one becomes an input of both") {
  OnnxGraph body, empty;
  body.name("body").node(OnnxNode("Relu", {"outer"}, {"inner"})).output("inner", DataType::float32, {2});
  empty.node(OnnxNode("Constant", {}, {"inner"}).set("value", tensor_of<float>({2}, {1, 2})))
      .output("inner", DataType::float32, {2});
  OnnxModel model(8, 13);
  model.graph.node(OnnxNode("If", {"c"}, {"y"}).set("then_branch", body).set("else_branch", empty))
      .input("c", DataType::boolean, {})
      .input("outer", DataType::float32, {2})
      .output("y", DataType::float32, {2});
  const graph::Graph graph = load(model);
  const graph::Node& node = graph.node(0);
  REQUIRE(node.inputs.size() == 2);
  CHECK(graph.value(node.inputs[1]).name == "outer");
  for (const char* branch : {"then_branch", "else_branch"}) {
    const auto nested = std::get<std::shared_ptr<const graph::Graph>>(*node.attributes.find(branch));
    REQUIRE(nested->inputs.size() == 1);
    CHECK(nested->value(nested->inputs[0]).name == "outer");
    CHECK(nested->order().size() == 1);
  }
  CHECK(refusal(with_node(concat().set("captures", 1))).code() == ErrorCode::model);
}

TEST_CASE("C09 F10 F11: attributes that contradict themselves") {
  CHECK(refusal(with_node(concat().set("axis", 1).set("axis", 1))).code() == ErrorCode::model);
  CHECK(refused(attribute("axis", 2).real(2, 1)).code() == ErrorCode::model);
  CHECK(refused(attribute("axis", 2).number(3, 1).bytes(4, "both")).code() == ErrorCode::model);
  CHECK(refused(attribute("axis", 4)).code() == ErrorCode::model);
  CHECK(refused(attribute("axis", 5)).code() == ErrorCode::model);
  CHECK(refused(attribute("axis", 15).number(3, 1)).code() == ErrorCode::model);
  CHECK(refused(ProtoWriter().bytes(1, "axis")).code() == ErrorCode::model);
  CHECK(refused(ProtoWriter().number(20, 2).number(3, 1)).code() == ErrorCode::model);
  CHECK(refused(attribute("axis", 2).bytes(21, "outer_attribute")).code() == ErrorCode::model);
  const ProtoWriter tensor = onnx_tensor("", tensor_of<float>({1}, {1}));
  CHECK(refused(attribute("axis", 4).message(5, tensor).message(5, tensor)).code() == ErrorCode::format);
}

TEST_CASE("D18: attribute kinds that Linnet has not join the list of refusals") {
  const std::pair<int, int> kinds[] = {{13, 14}, {9, 10}, {10, 11}, {12, 23}, {14, 15}};  // type, field
  for (const auto& [type, field] : kinds) {
    const Error error = refused(attribute("axis", type).bytes(field, ""));
    CHECK(error.code() == ErrorCode::unsupported);
    CHECK(contains(error.message(), "attribute 'axis': attributes of kind"));
  }
  const ProtoWriter strings = onnx_tensor_header("", static_cast<int>(DataType::string), {1});
  CHECK(contains(refused(attribute("axis", 4).message(5, strings)).message(), "tensors of string"));
}

TEST_CASE("a node has at most 256 attributes") {
  OnnxNode node = concat();
  for (int i = 0; i < 257; ++i) node.set("a" + std::to_string(i), i);
  CHECK(refusal(with_node(node)).code() == ErrorCode::limit);
}
