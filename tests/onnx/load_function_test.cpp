// What calls of a model's own functions mean: names, overloads, inputs that they leave out; and what they cost.
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "linnet/model.h"
#include "onnx/loading.h"
#include "support/processor_seconds.h"

using namespace linnet;
using namespace linnet::test;

namespace {

using Names = std::vector<std::string>;

/// my.F, with that overload.
ProtoWriter function_of(const Names& inputs, const std::string& output, const std::vector<OnnxNode>& nodes,
                        const std::string& overload = {}) {
  ProtoWriter function;
  function.bytes(1, "F").bytes(10, "my").bytes(5, output).bytes(13, overload);
  for (const std::string& input : inputs) function.bytes(4, input);
  for (const OnnxNode& node : nodes) function.message(7, node.proto());
  return function.message(9, ProtoWriter().bytes(1, "").number(2, 13));
}

OnnxNode call_of(const Names& inputs, const std::string& output) {
  return OnnxNode("F", inputs, {output}, "call").domain("my");
}

/// Of inputs x and c and the output y.
OnnxModel model_of(const std::vector<OnnxNode>& nodes, const std::vector<ProtoWriter>& functions) {
  OnnxModel model;
  model.import("my", 1);
  for (const ProtoWriter& function : functions) model.fields().message(25, function);
  for (const OnnxNode& node : nodes) model.graph.node(node);
  model.graph.input("x", DataType::float32, {2}).input("c", DataType::boolean, {});
  model.graph.output("y", DataType::float32, {2});
  return model;
}

/// y = F(x) and as many more calls.
OnnxModel model_with_calls(int calls, const ProtoWriter& function) {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < calls; ++i)
    nodes.push_back(OnnxNode("F", {"x", "c"}, {i == 0 ? "y" : "y" + std::to_string(i)}).domain("my"));
  return model_of(nodes, {function});
}

OnnxGraph body_of(const OnnxNode& node, const Names& outputs) {
  OnnxGraph body;
  body.node(node);
  for (const std::string& output : outputs) body.output(output, DataType::undefined, {});
  return body;
}

OnnxNode if_of(const Names& outputs, const OnnxGraph& then_branch, const OnnxGraph& else_branch) {
  return OnnxNode("If", {"c"}, outputs).set("then_branch", then_branch).set("else_branch", else_branch);
}

const graph::Graph& body(const graph::Graph& graph, graph::NodeId id, const std::string& name) {
  return *std::get<std::shared_ptr<const graph::Graph>>(*graph.node(id).attributes.find(name));
}

const OnnxNode kIdentity("Identity", {"x"}, {"o"});

}  // namespace

TEST_CASE("what is inside a function is nothing that the graph around it can give out") {
  const ProtoWriter function = function_of({"a"}, "b", {OnnxNode("Neg", {"a"}, {"t"}), OnnxNode("Abs", {"t"}, {"b"})});
  const OnnxNode outer("Mul", {"x", "x"}, {"call/t"});
  OnnxGraph two = body_of(kIdentity, {"o"});
  two.node(OnnxNode("Identity", {"x"}, {"p"})).output("p", DataType::undefined, {});
  const graph::Graph graph =
      load(model_of({outer, if_of({"y", "z"}, body_of(call_of({"x"}, "q"), {"call/t", "q"}), two)}, {function}));
  const graph::Graph& then_branch = body(graph, 1, "then_branch");
  const graph::Value& given = then_branch.value(then_branch.outputs.at(0));
  CHECK(given.name == "call/t");
  CHECK(given.graph_input);
  CHECK(given.producer == graph::kNoNode);
  OnnxModel model = model_of({call_of({"x"}, "y")}, {function});
  model.graph.output("call/t", DataType::float32, {2});
  CHECK(contains(refusal(model).message(), "nothing in the model produces the output 'call/t'"));
}

TEST_CASE("a name that a function does not have is none of the graph around a subgraph with its call") {
  const ProtoWriter function = function_of({"a"}, "b", {OnnxNode("Add", {"a", "t"}, {"b"})});
  const OnnxNode branches = if_of({"y"}, body_of(call_of({"x"}, "q"), {"q"}), body_of(kIdentity, {"o"}));
  const Error error = refusal(model_of({OnnxNode("Mul", {"x", "x"}, {"call/t"}), branches}, {function}));
  CHECK(error.code() == ErrorCode::model);
  CHECK(contains(error.message(), "nothing in the model has the name"));
}

TEST_CASE("functions of one name differ by their overload") {
  const auto loaded = [](const Names& overloads) {
    OnnxModel model = model_of({}, {});
    for (const std::string& overload : overloads)
      model.fields().message(25, function_of({"a"}, "b", {OnnxNode(overload, {"a"}, {"b"})}, overload));
    model.graph.fields().message(1, ProtoWriter().raw(call_of({"x"}, "y").proto().text()).bytes(8, "Abs"));
    const graph::Graph graph = load(model);
    return graph.node(graph.order().at(0)).op_type;
  };
  CHECK(loaded({"Neg", "Abs"}) == "Abs");
  CHECK(loaded({"Abs", "Neg"}) == "Abs");
  const Error missing = error_of([&] { (void)loaded({"Neg"}); });
  CHECK(missing.code() == ErrorCode::unsupported);
  CHECK(contains(missing.message(), "no function of the overload 'Abs'"));
  CHECK(error_of([&] { (void)loaded({"Abs", "Abs"}); }).code() == ErrorCode::model);
}

TEST_CASE("a subgraph in a function may read an input that the call leaves out") {
  const OnnxNode clip("Clip", {"x", "low"}, {"k"});
  const OnnxGraph other = body_of(kIdentity, {"o"}), direct = body_of(clip, {"k"});
  const OnnxGraph within = body_of(if_of({"i"}, direct, other), {"i"});
  const auto clip_of = [&](const OnnxGraph& branch, const Names& inputs) {
    const graph::Graph graph =
        load(model_of({call_of(inputs, "y")}, {function_of({"x", "c", "low"}, "y", {if_of({"y"}, branch, other)})}));
    CHECK(graph.node(0).inputs.size() == inputs.size() + (&branch == &within ? 1 : 0));
    const graph::Graph* at = &body(graph, 0, "then_branch");
    if (&branch == &within) at = &body(*at, 0, "then_branch");
    CHECK(at->inputs.size() == inputs.size() - 1);
    return at->node(0).inputs.at(1);
  };
  for (const OnnxGraph* branch : {&direct, &within}) {
    CHECK(clip_of(*branch, {"x", "c"}) == graph::kNoValue);
    CHECK(clip_of(*branch, {"x", "c", "x"}) != graph::kNoValue);
  }
  OnnxGraph gives_out;
  gives_out.output("low", DataType::undefined, {});
  const Error error = refusal(
      model_of({call_of({"x", "c"}, "y")}, {function_of({"x", "c", "low"}, "y", {if_of({"y"}, gives_out, other)})}));
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.message(), "'low', which the call of a function leaves out"));
}

TEST_CASE("an input that a call leaves out is left out where its function gives it out") {
  const ProtoWriter hands_on = function_of({"x", "low"}, "low", {});
  const OnnxNode call = call_of({"x"}, "z");
  const auto refused = [&](const std::vector<OnnxNode>& nodes, const ProtoWriter& function) {
    return refusal(model_of(nodes, {function}));
  };
  // Through a second call, and inside another function.
  ProtoWriter outer;
  outer.bytes(1, "G").bytes(10, "my").bytes(4, "x").bytes(5, "y").message(9, ProtoWriter().bytes(1, "").number(2, 13));
  outer.message(9, ProtoWriter().bytes(1, "my").number(2, 1));
  const OnnxNode again = call_of({"x", "z"}, "zz"), clip("Clip", {"x", "zz"}, {"y"}, "clip");
  for (const OnnxNode& node : {call, again, clip}) outer.message(7, node.proto());
  for (const OnnxModel& model :
       {model_of({call, again, clip}, {hands_on}), model_of({OnnxNode("Clip", {"x", "z"}, {"y"}), call}, {hands_on}),
        model_of({OnnxNode("G", {"x"}, {"y"}).domain("my")}, {hands_on, outer})}) {
    const graph::Graph graph = load(model);
    REQUIRE(graph.order().size() == 1);
    CHECK(graph.node(graph.order()[0]).op_type == "Clip");
    CHECK(graph.node(graph.order()[0]).inputs.at(1) == graph::kNoValue);
  }
  const std::vector<std::byte> sum = model_of({call, OnnxNode("Add", {"x", "z"}, {"y"}, "sum")}, {hands_on}).bytes();
  const Error required = error_of([&] { (void)Model::load(sum); });
  CHECK(required.code() == ErrorCode::model);
  CHECK(contains(required.message(), "a required input is missing"));
  CHECK(required.details().node == "sum");
  const Error given = refused({call_of({"x"}, "y")}, hands_on);
  CHECK(given.code() == ErrorCode::model);
  CHECK(contains(given.message(), "the output 'y' is an input that the call of a function leaves out"));
  CHECK(contains(refused({call, OnnxNode("Neg", {"x"}, {"z"}), clip}, hands_on).message(), "'z' is written twice"));
  const OnnxGraph reads = body_of(OnnxNode("Clip", {"x", "z"}, {"k"}), {"k"});
  const Error captured = refused({call, if_of({"y"}, reads, body_of(kIdentity, {"o"}))}, hands_on);
  CHECK(captured.code() == ErrorCode::unsupported);
  CHECK(contains(captured.message(), "'z', which the call of a function leaves out"));
  const Error before = refused({if_of({"y"}, reads, body_of(kIdentity, {"o"})), call}, hands_on);
  CHECK(before.code() == ErrorCode::unsupported);
}

TEST_CASE("an initializer that cannot be read is refused behind a function that hands it on") {
  OnnxModel model = model_of({call_of({"s"}, "y")}, {function_of({"a"}, "a", {})});
  model.graph.initializer(onnx_tensor_header("s", 8, {1}).bytes(6, "text"));
  const Error error = refusal(model);
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.message(), "tensors of string"));
}

TEST_CASE("the names of subgraphs in a function are paid for at each call") {
  LoadOptions options;
  options.max_object_bytes = 8 << 20;
  const auto with_names = [&](std::size_t bytes) {
    const auto named = [&](char letter) {
      OnnxGraph body = body_of(kIdentity, {"o"});
      return body.name(std::string(bytes, letter));
    };
    return model_with_calls(500, function_of({"x", "c"}, "y", {if_of({"y"}, named('t'), named('e'))}));
  };
  CHECK_NOTHROW(load(with_names(10), options));
  CHECK(refusal(with_names(4000), options).code() == ErrorCode::limit);
}

TEST_CASE("what each call of a function reads again is bounded") {
  std::string unknown;
  while (unknown.size() < 200'000) unknown += ProtoWriter().number(100, 1).text();
  const auto attribute = [](const std::string& name, int field, const ProtoWriter& value, int type) {
    return ProtoWriter().bytes(1, name).message(field, value).number(20, type);
  };
  const ProtoWriter one = onnx_tensor("", tensor_of<float>({1}, {1}));
  const auto constant = [&](const ProtoWriter& tensor) {
    return OnnxNode("Constant", {}, {"y"}).attribute(attribute("value", 5, tensor, 4));
  };
  OnnxGraph body = body_of(kIdentity, {"o"});
  body.fields().raw(unknown);
  ProtoWriter node = OnnxNode("Relu", {"x"}, {"y"}).proto();
  node.raw(unknown);
  const std::vector<std::pair<std::string, ProtoWriter>> functions = {
      {"a node", function_of({"x", "c"}, "y", {}).message(7, node)},
      {"an attribute",
       function_of({"x", "c"}, "y",
                   {OnnxNode("Elu", {"x"}, {"y"}).attribute(ProtoWriter().bytes(1, "alpha").real(2, 1).raw(unknown))})},
      {"a tensor", function_of({"x", "c"}, "y", {constant(ProtoWriter(one).raw(unknown))})},
      {"a subgraph", function_of({"x", "c"}, "y", {if_of({"y"}, body, body_of(kIdentity, {"o"}))})},
      {"a default", function_of({"x", "c"}, "y", {OnnxNode("Relu", {"x"}, {"y"})})
                        .message(11, ProtoWriter().bytes(1, "a").real(2, 1).number(20, 1).raw(unknown))},
  };
  for (const auto& [where, function] : functions) {
    INFO(where);
    CHECK_NOTHROW(load(model_with_calls(5, function)));
    const Error error = refusal(model_with_calls(200, function));
    CHECK(error.code() == ErrorCode::limit);
    CHECK(contains(error.message(), "time out of proportion"));
  }
  // An unpacked list of a type that Linnet has not is looked through, and nothing is made of it.
  ProtoWriter odd = onnx_tensor_header("", 17, {1});
  for (int i = 0; i < 100'000; ++i) odd.number(5, 1);
  CHECK(refusal(model_with_calls(200, function_of({"x", "c"}, "y", {constant(odd)}))).code() == ErrorCode::limit);
  Names inputs;
  for (int i = 0; i < 20'000; ++i) inputs.push_back("i" + std::to_string(i));
  CHECK_NOTHROW(load(model_with_calls(2, function_of(inputs, "i0", {}))));
  CHECK(refusal(model_with_calls(50, function_of(inputs, "i0", {}))).code() == ErrorCode::limit);
}

TEST_CASE("a function has as many defaults as a node has attributes") {
  ProtoWriter function = function_of({"x", "c"}, "y", {OnnxNode("Relu", {"x"}, {"y"})});
  for (int i = 0; i < 257; ++i)
    function.message(11, ProtoWriter().bytes(1, "a" + std::to_string(i)).number(3, 1).number(20, 2));
  CHECK(contains(refusal(model_with_calls(1, function)).details().expected, "max_attributes"));
}

TEST_CASE("a function's bools are looked at once") {
  const Tensor bools(DataType::boolean, {8'000'000});
  const ProtoWriter function = function_of({"x", "c"}, "y", {OnnxNode("Constant", {}, {"y"}).set("value", bools)});
  const OnnxModel model = model_with_calls(5000, function);
  CHECK(processor_seconds_of([&] { (void)load(model); }) < 2 * kSlowness);
}

TEST_CASE("a tensor that no call reads pays for nothing") {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 1000; ++i)
    nodes.push_back(
        OnnxNode("Relu", {i == 0 ? "x" : "r" + std::to_string(i)}, {i == 999 ? "y" : "r" + std::to_string(i + 1)}));
  LoadOptions options;
  options.max_object_bytes = 100'000;
  const Tensor weights(DataType::float32, {1'000'000});
  const ProtoWriter uncalled = function_of({"a"}, "b", {OnnxNode("Constant", {}, {"b"}).set("value", weights)});
  CHECK(refusal(model_of(nodes, {}), options).code() == ErrorCode::limit);
  CHECK(refusal(model_of(nodes, {uncalled}), options).code() == ErrorCode::limit);
  // Nor does one that the call's own would replace.
  const ProtoWriter replaced =
      ProtoWriter().bytes(1, "alpha").bytes(21, "a").message(5, onnx_tensor("", weights)).number(20, 4);
  nodes.push_back(call_of({"x"}, "z"));
  const ProtoWriter called = function_of({"a"}, "b", {OnnxNode("Relu", {"a"}, {"b"}).attribute(replaced)});
  CHECK(refusal(model_of(nodes, {called}), options).code() == ErrorCode::limit);
}
