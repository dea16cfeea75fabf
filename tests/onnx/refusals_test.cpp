// The one error that lists all that Linnet does not run.
#include <catch2/catch.hpp>
#include <string>

#include "linnet/model.h"
#include "onnx/loading.h"

using namespace linnet;
using namespace linnet::test;

namespace {

OnnxModel with_nodes(const std::vector<OnnxNode>& nodes) {
  OnnxModel model(8, 13);
  model.import("com.example", 2).import("linnet", 1);
  for (const OnnxNode& node : nodes) model.graph.node(node);
  model.graph.input("x", DataType::float16, {1}).output("x", DataType::float16, {1});
  return model;
}

}  // namespace

TEST_CASE("C10: all unsupported nodes stand in one error, grouped") {
  const Error error = refusal(with_nodes(
      {OnnxNode("NoSuchOperator", {"x"}, {"a"}, "first"), OnnxNode("Relu", {"x"}, {"b"}),
       OnnxNode("NoSuchOperator", {"x"}, {"c"}, "second"), OnnxNode("Custom", {"a"}, {"d"}).domain("com.example")}));
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(error.details().file == "test.onnx");
  INFO(error.message());
  CHECK(contains(error.message(), "NoSuchOperator-13 (float16) x2: "));
  CHECK(contains(error.message(), "[node 'first', node 'second']"));
  CHECK(contains(error.message(), "com.example.Custom-2: "));
  CHECK(contains(error.message(), "[node '#3']"));
  CHECK_FALSE(contains(error.message(), "Relu"));
}

TEST_CASE("what operators refuse of their attributes and inputs stands there too") {
  OnnxModel model(8, 13);
  Tensor yes(DataType::boolean, {});
  yes.mutable_data<bool>()[0] = true;
  model.graph.initializer("yes", yes)
      .node(OnnxNode("Dropout", {"x", "", "yes"}, {"a"}, "drop1"))
      .node(OnnxNode("Dropout", {"a", "", "yes"}, {"b"}, "drop2"))
      .node(OnnxNode("Relu", {"b"}, {"c"}, "fine"))
      .input("x", DataType::float32, {"N", 3})
      .output("c", DataType::float32, {"N", 3});
  const auto refusal_of = [](const OnnxModel& of) {
    const std::vector<std::byte> bytes = of.bytes();
    return error_of([&] { (void)Model::load(bytes); });
  };
  const Error two = refusal_of(model);
  INFO(two.message());
  CHECK(two.code() == ErrorCode::unsupported);
  CHECK(contains(two.message(), "Dropout-13 x2: Dropout is run for inference only [node 'drop1', node 'drop2']"));
  model.graph.node(OnnxNode("NoSuchOperator", {"x"}, {"d"}, "odd")).node(OnnxNode("Add", {"d", "x"}, {"e"}, "after"));
  const Error three = refusal_of(model);
  INFO(three.message());
  CHECK(contains(three.message(), "NoSuchOperator-13"));
  CHECK(contains(three.message(), "[node 'drop1', node 'drop2']"));
  CHECK_FALSE(contains(three.message(), "after"));
}

TEST_CASE("the list has an end") {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 20; ++i)
    nodes.emplace_back("NoSuchOperator", std::vector<std::string>{"x"},
                       std::vector<std::string>{"a" + std::to_string(i)});
  const Error many = refusal(with_nodes(nodes));
  CHECK(contains(many.message(), "NoSuchOperator-13 (float16) x20"));
  CHECK(contains(many.message(), "and 12 more]"));
  for (int i = 0; i < 1000; ++i) {
    nodes.emplace_back("Other" + std::to_string(i), std::vector<std::string>{"x"},
                       std::vector<std::string>{"b" + std::to_string(i)});
  }
  const Error kinds = refusal(with_nodes(nodes));
  CHECK(contains(kinds.message(), "; and 951 more"));
  CHECK(kinds.message().size() < 10'000);
}

TEST_CASE("operators that only passes make are not for models") {
  const Error error = refusal(with_nodes({OnnxNode("FusedConv", {"x", "x"}, {"a"}).domain("linnet")}));
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.message(), "'linnet'"));
}

TEST_CASE("C03 F10: a domain that is not imported, an attribute that the operator has not") {
  OnnxModel model = relu_model();
  model.graph.node(OnnxNode("Custom", {"x"}, {"z"}).domain("com.example"));
  CHECK(contains(refusal(model).message(), "does not import the domain 'com.example'"));
  CHECK(contains(refusal(with_nodes({OnnxNode("Relu", {"x"}, {"a"}).set("surprise", 1)})).message(), "surprise"));
}

TEST_CASE("a node without an operator is no ONNX") {
  CHECK(refusal(with_nodes({OnnxNode("", {"x"}, {"a"}, "n")})).code() == ErrorCode::model);
}
