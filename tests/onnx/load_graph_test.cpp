// Names, order, inputs, outputs and initializers of a graph.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "onnx/loading.h"

using namespace linnet;
using namespace linnet::test;

namespace {

OnnxModel chain(const std::vector<OnnxNode>& nodes, std::int64_t ir_version = 8) {
  OnnxModel model(ir_version, 13);
  for (const OnnxNode& node : nodes) model.graph.node(node);
  model.graph.input("x", DataType::float32, {2}).output("y", DataType::float32, {2});
  return model;
}

std::vector<std::string> names_in_order(const graph::Graph& graph) {
  std::vector<std::string> names;
  for (const graph::NodeId id : graph.order()) names.push_back(graph.node(id).name);
  return names;
}

OnnxModel with_declared_initializer(std::int64_t ir_version, const std::vector<OnnxDim>& declared) {
  OnnxModel model(ir_version, 13);
  model.graph.node(OnnxNode("Add", {"x", "w"}, {"y"}))
      .initializer("w", tensor_of<float>({2}, {1, 2}))
      .input("x", DataType::float32, {2})
      .input("w", DataType::float32, declared)
      .output("y", DataType::float32, {2});
  return model;
}

}  // namespace

TEST_CASE("F02: nodes out of order are sorted, and a sorted list stays as it is") {
  const OnnxNode a("Relu", {"x"}, {"a"}, "a"), b("Relu", {"a"}, {"b"}, "b"), c("Add", {"a", "b"}, {"y"}, "c");
  CHECK(names_in_order(load(chain({a, b, c}))) == std::vector<std::string>{"a", "b", "c"});
  CHECK(names_in_order(load(chain({c, b, a}))) == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("F01: cycles are refused") {
  for (const OnnxModel& model : {chain({OnnxNode("Add", {"x", "y"}, {"y"}, "loop")}),
                                 chain({OnnxNode("Add", {"x", "b"}, {"a"}, "loop"), OnnxNode("Relu", {"a"}, {"b"}),
                                        OnnxNode("Relu", {"b"}, {"y"})})}) {
    const Error error = refusal(model);
    CHECK(error.code() == ErrorCode::model);
    CHECK(contains(error.message(), "cycle"));
    CHECK(error.details().node == "loop");
  }
}

TEST_CASE("F03 F04: names that nothing has") {
  const Error input = refusal(chain({OnnxNode("Add", {"x", "nowhere"}, {"y"}, "n")}));
  CHECK(input.code() == ErrorCode::model);
  CHECK(input.details().node == "n");
  CHECK(input.details().op == "Add-13");
  CHECK(input.details().where == "input 1 'nowhere'");
  const Error output = refusal(chain({OnnxNode("Relu", {"x"}, {"z"})}));
  CHECK(output.code() == ErrorCode::model);
  CHECK(contains(output.message(), "'y'"));
}

TEST_CASE("D11 F05: a value is written once") {
  const Error twice = refusal(chain({OnnxNode("Relu", {"x"}, {"y"}, "a"), OnnxNode("Relu", {"x"}, {"y"}, "b")}));
  CHECK(twice.code() == ErrorCode::model);
  CHECK(twice.details().node == "b");
  CHECK(refusal(chain({OnnxNode("Relu", {"x"}, {"x"}), OnnxNode("Relu", {"x"}, {"y"})})).code() == ErrorCode::model);
  CHECK(refusal(chain({OnnxNode("Relu", {"x"}, {"y", "y"})})).code() == ErrorCode::model);
  OnnxModel written_initializer = chain({OnnxNode("Relu", {"x"}, {"w"}), OnnxNode("Relu", {"w"}, {"y"})});
  written_initializer.graph.initializer("w", tensor_of<float>({2}, {1, 2}));
  CHECK(refusal(written_initializer).code() == ErrorCode::model);
}

TEST_CASE("F06: omitted inputs and outputs") {
  const graph::Graph graph = load(chain({OnnxNode("Add", {"x", "x", ""}, {"y", ""})}));
  const graph::Node& node = graph.node(0);
  REQUIRE(node.inputs.size() == 3);
  CHECK(node.inputs[2] == graph::kNoValue);
  REQUIRE(node.outputs.size() == 2);
  CHECK(node.outputs[1] == graph::kNoValue);
}

TEST_CASE("F08 I18: inputs and outputs without nodes between them") {
  OnnxModel model(8, 13);
  model.graph.input("x", DataType::float32, {2})
      .initializer("w", tensor_of<float>({1}, {5}))
      .output("x", DataType::float32, {2})
      .output("w", DataType::float32, {1});
  const graph::Graph graph = load(model);
  REQUIRE(graph.outputs.size() == 2);
  CHECK(graph.inputs == std::vector<graph::ValueId>{graph.outputs[0]});
  CHECK(graph.value(graph.outputs[1]).is_constant());
}

TEST_CASE("D10: duplicate inputs and initializers") {
  OnnxModel inputs = relu_model();
  inputs.graph.input("x", DataType::float32, {2});
  CHECK(refusal(inputs).code() == ErrorCode::model);
  OnnxModel initializers = relu_model();
  initializers.graph.initializer("w", tensor_of<float>({1}, {1})).initializer("w", tensor_of<float>({1}, {1}));
  CHECK(refusal(initializers).code() == ErrorCode::model);
  OnnxModel nameless = relu_model();
  nameless.graph.initializer("", tensor_of<float>({1}, {1}));
  CHECK(refusal(nameless).code() == ErrorCode::model);
}

TEST_CASE("F19: an initializer that is also an input: a constant below IR 4, a default from then on") {
  const graph::Graph old = load(with_declared_initializer(3, {2}));
  CHECK(old.inputs.size() == 1);
  CHECK(old.value(old.find_value("w")).is_constant());
  const graph::Graph recent = load(with_declared_initializer(4, {2}));
  REQUIRE(recent.inputs.size() == 2);
  const graph::Value& w = recent.value(recent.inputs[1]);
  CHECK(w.name == "w");
  CHECK(w.constant.has_value());
  CHECK_FALSE(w.is_constant());
}

TEST_CASE("D13: an initializer must fit the input of its name") {
  CHECK_NOTHROW(load(with_declared_initializer(4, {"K"})));
  for (const std::vector<OnnxDim>& declared :
       {std::vector<OnnxDim>{3}, std::vector<OnnxDim>{2, 1}, std::vector<OnnxDim>{}}) {
    const Error error = refusal(with_declared_initializer(4, declared));
    CHECK(error.code() == ErrorCode::model);
    CHECK(error.details().found == "float[2]");
  }
  OnnxModel other_type = relu_model();
  other_type.graph.input("w", DataType::int64, {1}).initializer("w", tensor_of<float>({1}, {1}));
  CHECK(refusal(other_type).code() == ErrorCode::model);
}

TEST_CASE("F16: extents of inputs") {
  OnnxModel model(8, 13);
  model.graph.node(OnnxNode("Relu", {"x"}, {"y"}))
      .input("x", DataType::float32, {"batch", -1, 0, std::int64_t{1} << 40})
      .output("y", DataType::float32, {});
  const graph::Graph graph = load(model);
  const graph::DimList& dims = *graph.value(graph.inputs[0]).desc.shape;
  REQUIRE(dims.size() == 4);
  CHECK(dims[0].symbol.text() == "batch");
  CHECK_FALSE(dims[1].known());
  CHECK(dims[1].symbol.empty());
  CHECK(dims[2].value == 0);
  CHECK(dims[3].value == std::int64_t{1} << 40);
  OnnxModel negative(8, 13);
  negative.graph.input("x", DataType::float32, {-4}).output("x", DataType::float32, {});
  CHECK(refusal(negative).code() == ErrorCode::model);
  OnnxModel deep(8, 13);
  deep.graph.input("x", DataType::float32, std::vector<OnnxDim>(33, OnnxDim(1))).output("x", DataType::float32, {});
  CHECK(refusal(deep).code() == ErrorCode::limit);
}

TEST_CASE("F18: inputs without a type or of a kind that is no tensor") {
  OnnxModel typeless = relu_model();
  typeless.graph.fields().message(11, ProtoWriter().bytes(1, "z"));
  CHECK(refusal(typeless).code() == ErrorCode::model);
  OnnxModel nameless = relu_model();
  nameless.graph.fields().message(11, ProtoWriter());
  CHECK(refusal(nameless).code() == ErrorCode::model);
  for (const auto& [field, name] : {std::pair{5, "maps"}, {8, "sparse tensors"}}) {
    OnnxModel model = relu_model();
    model.graph.fields().message(11, ProtoWriter().bytes(1, "z").message(2, ProtoWriter().bytes(field, "")));
    const Error error = refusal(model);
    CHECK(error.code() == ErrorCode::unsupported);
    CHECK(contains(error.message(), std::string("input 'z': ") + name));
  }
  OnnxModel strings = relu_model();
  strings.graph.input("z", DataType::string, {1});
  CHECK(refusal(strings).code() == ErrorCode::unsupported);
}

TEST_CASE("sequences and optional values of tensors, and of nothing else") {
  const auto tensor_type = [](int type) { return ProtoWriter().message(1, ProtoWriter().number(1, type)); };
  const auto holder = [](int field, const ProtoWriter& inner) {
    return ProtoWriter().message(field, ProtoWriter().message(1, inner));
  };
  const auto with_input = [](const ProtoWriter& type) {
    OnnxModel model = relu_model();
    model.graph.fields().message(11, ProtoWriter().bytes(1, "z").message(2, type));
    return model;
  };
  constexpr int kSequence = 4, kOptional = 9;
  const auto text = [&](const ProtoWriter& type) {
    const graph::Graph graph = load(with_input(type));
    return graph::to_string(graph.value(graph.find_value("z")).desc);
  };
  CHECK(text(holder(kSequence, tensor_type(1))) == "sequence of float");
  CHECK(text(holder(kOptional, tensor_type(7))) == "optional int64");
  CHECK(text(holder(kOptional, holder(kSequence, tensor_type(1)))) == "optional float");
  CHECK(refusal(with_input(holder(kSequence, tensor_type(8)))).code() == ErrorCode::unsupported);
  CHECK(refusal(with_input(holder(kSequence, holder(kSequence, tensor_type(1))))).code() == ErrorCode::unsupported);
  CHECK(refusal(with_input(holder(kSequence, ProtoWriter()))).code() == ErrorCode::model);
}

TEST_CASE("an input's rank may be unknown") {
  OnnxModel model(8, 13);
  const ProtoWriter type = ProtoWriter().message(1, ProtoWriter().number(1, 1));
  model.graph.node(OnnxNode("Relu", {"x"}, {"y"}))
      .output("y", DataType::float32, {2})
      .fields()
      .message(11, ProtoWriter().bytes(1, "x").message(2, type));
  const graph::Graph graph = load(model);
  CHECK_FALSE(graph.value(graph.inputs[0]).desc.has_rank());
}

TEST_CASE("B14 F24: names are bytes") {
  const std::string zero("a\0b", 3);
  OnnxModel model(8, 13);
  model.graph.node(OnnxNode("Relu", {zero}, {"\xff\xfe"}))
      .node(OnnxNode("Relu", {"\xff\xfe"}, {"a"}))
      .input(zero, DataType::float32, {1})
      .output("a", DataType::float32, {1});
  CHECK(load(model).order().size() == 2);
}

TEST_CASE("A13 B14: what() carries no control characters of a model") {
  const Error error = refusal(chain({OnnxNode("Add", {"x", "\x1b[2Jevil\n"}, {"y"}, "\x07node")}));
  CHECK(contains(error.what(), "\\x1b[2Jevil\\x0a"));
  CHECK(contains(error.what(), "\\x07node"));
}

TEST_CASE("F12 F13 D21: 100,000 nodes, names and inputs load in linear time") {
  constexpr int kCount = 100'000;
  SECTION("a chain, forwards and backwards") {
    for (const bool backwards : {false, true}) {
      OnnxModel model(8, 13);
      for (int i = 0; i < kCount; ++i) {
        const int k = backwards ? kCount - 1 - i : i;
        model.graph.node(OnnxNode("Relu", {"x" + std::to_string(k)}, {"x" + std::to_string(k + 1)}));
      }
      model.graph.input("x0", DataType::float32, {1}).output("x" + std::to_string(kCount), DataType::float32, {1});
      CHECK(load(model).order().size() == kCount);
    }
  }
  SECTION("one node that reads one value so often") {
    OnnxModel model(8, 13);
    model.graph.node(OnnxNode("Concat", std::vector<std::string>(kCount, "x"), {"y"}).set("axis", 0));
    model.graph.input("x", DataType::float32, {1}).output("y", DataType::float32, {kCount});
    CHECK(load(model).node(0).inputs.size() == kCount);
  }
  SECTION("initializers that nobody reads") {
    OnnxModel model = relu_model();
    const Tensor tensor = tensor_of<float>({1}, {1});
    for (int i = 0; i < kCount; ++i) model.graph.initializer("w" + std::to_string(i), tensor);
    CHECK(load(model).value_count() == kCount + 2);
  }
}
