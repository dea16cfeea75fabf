// The ModelProto around the graph: versions, imports, metadata, files that are something else.
#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "onnx/loading.h"
#include "support/op_case.h"
#include "support/temp_dir.h"

using namespace linnet;
using namespace linnet::test;

namespace {
OnnxModel model_without_graph_fields(std::int64_t ir_version) {
  OnnxModel model(ir_version, 13);
  return model;
}
}  // namespace

TEST_CASE("the facts of a model are kept") {
  OnnxModel model = relu_model(8, 13);
  model.import("com.example.unused", 3).metadata("author", "somebody").metadata("empty", "");
  model.fields().bytes(3, "1.13");
  const graph::Graph graph = load(model);
  CHECK(graph.ir_version == 8);
  CHECK(graph.name == "g");
  CHECK(graph.producer == "linnet-test 1.13");
  CHECK(graph.opsets == std::map<std::string, int>{{"", 13}, {"com.example.unused", 3}});
  REQUIRE(graph.metadata.size() == 2);
  CHECK(graph.metadata[0] == std::pair<std::string, std::string>("author", "somebody"));
  CHECK(graph.metadata[1] == std::pair<std::string, std::string>("empty", ""));
  CHECK(graph.file == "test.onnx");
  REQUIRE(graph.order().size() == 1);
  CHECK(graph::op_label(graph.node(graph.order()[0])) == "Relu-13");
  CHECK(to_string(graph.value(graph.inputs.at(0)).desc) == "float[N,3]");
}

TEST_CASE("A05 A09 B16: an empty file and other kinds of file are named") {
  const Error empty = refusal(std::vector<std::byte>{});
  CHECK(empty.code() == ErrorCode::format);
  CHECK(contains(empty.message(), "empty"));
  const std::pair<std::string, std::string> kinds[] = {
      {std::string("\x1f\x8b\x08\x00", 4), "gzip"},
      {std::string("PK\x03\x04rest", 8), "zip"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:12\n", "Git LFS"},
      {"<!DOCTYPE html><html></html>", "web page"},
      {std::string("\x80\x02}q\x00", 5), "pickle"},
      {std::string("\x1c\x00\x00\x00ORTM", 8), "ONNX Runtime"},
      {"{\"ir_version\": 8}", "JSON"},
      {"ir_version: 8\ngraph {}", "text protobuf"},
  };
  for (const auto& [text, name] : kinds) {
    const Error error = refusal(to_bytes(text));
    INFO(error.what());
    CHECK(error.code() == ErrorCode::format);
    CHECK(contains(error.details().found, name));
    CHECK(error.details().file == "test.onnx");
  }
}

TEST_CASE("C01: IR versions") {
  CHECK_NOTHROW(load(relu_model(3)));
  CHECK_NOTHROW(load(relu_model(14)));
  CHECK(refusal(relu_model(0)).code() == ErrorCode::model);
  CHECK(refusal(relu_model(-1)).code() == ErrorCode::model);
  for (const std::int64_t version : {std::int64_t{1}, std::int64_t{2}, std::int64_t{15}, std::int64_t{1'000'000'000}}) {
    const Error error = refusal(relu_model(version));
    CHECK(error.code() == ErrorCode::unsupported);
    CHECK(error.details().expected == "3 to 14");
    CHECK(error.details().found == std::to_string(version));
  }
}

TEST_CASE("C02 C03: opset imports") {
  SECTION("none, and a node needs one") {
    const Error error = refusal(relu_model(8, 0));
    CHECK(error.code() == ErrorCode::unsupported);
    CHECK(contains(error.message(), "does not import the domain 'ai.onnx'"));
  }
  SECTION("ai.onnx is the empty domain") {
    OnnxModel model(8, 0);
    model.import("ai.onnx", 13);
    model.graph.node(OnnxNode("Relu", {"x"}, {"y"}).domain("ai.onnx"))
        .input("x", DataType::float32, {1})
        .output("y", DataType::float32, {1});
    const graph::Graph graph = load(model);
    CHECK(graph.node(0).domain.empty());
    CHECK(graph.node(0).opset == 13);
  }
  SECTION("the same domain twice") {
    CHECK_NOTHROW(load(relu_model(8, 13).import("ai.onnx", 13)));
    CHECK(refusal(relu_model(8, 13).import("ai.onnx", 12)).code() == ErrorCode::model);
  }
  SECTION("versions that cannot be") {
    for (const std::int64_t version : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 40}) {
      CHECK(refusal(OnnxModel(8, 0).import("", version)).code() == ErrorCode::model);
    }
  }
  SECTION("newer than the operators") {
    const Error error = refusal(relu_model(8, 1'000'000));
    CHECK(error.code() == ErrorCode::unsupported);
    CHECK(contains(error.message(), "Relu-1000000"));
  }
}

TEST_CASE("C05: a model without a graph, a graph without an output") {
  const ProtoWriter bare = ProtoWriter().number(1, 8);
  const Error no_graph = refusal(to_bytes(bare.text()));
  CHECK(no_graph.code() == ErrorCode::model);
  CHECK(contains(no_graph.message(), "no graph"));
  const Error no_output = refusal(model_without_graph_fields(8));
  CHECK(no_output.code() == ErrorCode::model);
  CHECK(contains(no_output.message(), "no output"));
}

TEST_CASE("B09 B18: a graph stands once") {
  const std::string text = relu_model().text();
  const Error error = refusal(to_bytes(text + text));
  CHECK(error.code() == ErrorCode::format);
  CHECK(contains(error.message(), "second time"));
  CHECK(error.details().where == "byte " + std::to_string(text.size() + text.find('\x3a')));
}

TEST_CASE("B12 B15 C08: unknown fields, long documentation and training information are passed over") {
  OnnxModel model = relu_model();
  model.fields()
      .bytes(6, std::string(1'000'000, 'd'))
      .bytes(20, "\x0a\x00")
      .number(99, 7)
      .fixed32(100, 1)
      .fixed64(101, 1)
      .bytes(102, "bytes");
  model.graph.fields().bytes(10, std::string(1'000'000, 'd'));
  CHECK_NOTHROW(load(model));
}

TEST_CASE("C06: a model-local function goes before the operator of its name") {
  OnnxModel model = relu_model();
  ProtoWriter negate;  // Relu(a) = Neg(a)
  negate.bytes(1, "Relu").bytes(10, "ai.onnx").bytes(4, "a").bytes(5, "b");
  negate.message(7, OnnxNode("Neg", {"a"}, {"b"}).proto()).message(9, ProtoWriter().bytes(1, "").number(2, 13));
  model.fields().message(25, negate);
  const graph::Graph graph = load(model);
  REQUIRE(graph.order().size() == 1);
  CHECK(graph.node(graph.order()[0]).op_type == "Neg");
  OnnxModel narrow = relu_model();
  narrow.fields().message(25, ProtoWriter().bytes(1, "Relu").bytes(10, "ai.onnx"));
  CHECK(refusal(narrow).code() == ErrorCode::model);
  OnnxModel silent(8, 13);  // a call that gives nothing back
  silent.graph.node(OnnxNode("Relu", {"x"}, {}, "call")).node(OnnxNode("Abs", {"x"}, {"y"}));
  silent.graph.input("x", DataType::float32, {2}).output("y", DataType::float32, {2});
  silent.fields().message(25, negate);
  const Error error = refusal(silent);
  CHECK(error.code() == ErrorCode::model);
  CHECK(std::string(error.what()).find("node 'call'") != std::string::npos);
  OnnxModel unused = relu_model();
  unused.fields().message(25, ProtoWriter().bytes(1, "Relu").bytes(10, "custom"));
  CHECK_NOTHROW(load(unused));
}

namespace {
/// my.NAME(u) -> v, of these nodes.
ProtoWriter function_of(const std::string& name, const std::vector<OnnxNode>& nodes) {
  ProtoWriter function;
  function.bytes(1, name).bytes(10, "my").bytes(4, "u").bytes(5, "v");
  for (const OnnxNode& node : nodes) function.message(7, node.proto());
  return function.message(9, ProtoWriter().bytes(1, "").number(2, 13))
      .message(9, ProtoWriter().bytes(1, "my").number(2, 1));
}

OnnxNode call_of(const std::string& name, const std::string& from, const std::string& to) {
  return OnnxNode(name, {from}, {to}).domain("my");
}

/// y = my.NAME(x), with these functions.
OnnxModel model_that_calls(const std::string& name, const std::vector<ProtoWriter>& functions) {
  OnnxModel model;
  model.import("my", 1);
  for (const ProtoWriter& function : functions) model.fields().message(25, function);
  model.graph.node(call_of(name, "x", "y")).input("x", DataType::float32, {2}).output("y", DataType::float32, {2});
  return model;
}
}  // namespace

TEST_CASE("C06: functions that call each other without end are refused, from bodies of their own too") {
  const Error direct = refusal(model_that_calls("F", {function_of("F", {call_of("F", "u", "v")})}));
  CHECK(direct.code() == ErrorCode::limit);
  CHECK(contains(direct.details().where, "byte "));
  const Error circle = refusal(
      model_that_calls("F", {function_of("F", {call_of("G", "u", "v")}), function_of("G", {call_of("F", "u", "v")})}));
  CHECK(circle.code() == ErrorCode::limit);
  OnnxGraph body;  // each body is a graph of its own, read at the depth at which it stands in the file
  body.node(call_of("F", "u", "z")).output("z", DataType::float32, {2});
  const OnnxNode branch = OnnxNode("If", {"u"}, {"v"}).set("then_branch", body).set("else_branch", body);
  const Error hidden = refusal(model_that_calls("F", {function_of("F", {branch})}));
  CHECK(hidden.code() == ErrorCode::limit);
  CHECK(contains(hidden.message(), "too deep"));
}

TEST_CASE("C06: functions that call others twice are refused before they take time, even if they make nothing") {
  const std::vector<OnnxNode> contents[] = {
      {OnnxNode("Relu", {"u"}, {"v"})}, {}, {OnnxNode("Relu", {"u"}, {"v"}), OnnxNode("Relu", {"v"}, {"w"})}};
  for (const std::vector<OnnxNode>& innermost : contents) {
    std::vector<ProtoWriter> functions = {function_of("F0", innermost)};
    for (int i = 1; i <= 40; ++i) {
      const std::string before = "F" + std::to_string(i - 1);
      functions.push_back(function_of(
          "F" + std::to_string(i), {call_of(before, "u", "t"), call_of(before, "u", innermost.empty() ? "s" : "v")}));
    }
    const Error error = refusal(model_that_calls("F40", functions));
    CHECK(error.code() == ErrorCode::limit);
    CHECK(contains(error.message(), "out of proportion"));
  }
}

namespace {
/// my.AddWeights(a) = a + a Constant of 1, 2, 3, 4; called twice.
OnnxModel model_with_weights_in_a_function() {
  OnnxModel model;
  const Tensor weights = tensor<float>({4}, {1, 2, 3, 4});
  ProtoWriter function;
  function.bytes(1, "AddWeights").bytes(10, "my").bytes(4, "a").bytes(5, "b");
  function.message(7, OnnxNode("Constant", {}, {"w"}).set("value", weights).proto());
  function.message(7, OnnxNode("Add", {"a", "w"}, {"b"}).proto());
  function.message(9, ProtoWriter().bytes(1, "").number(2, 13));
  model.import("my", 1).fields().message(25, function);
  model.graph.node(OnnxNode("AddWeights", {"x"}, {"h"}, "layer1").domain("my"))
      .node(OnnxNode("AddWeights", {"h"}, {"y"}, "layer2").domain("my"))
      .input("x", DataType::float32, {4})
      .output("y", DataType::float32, {4});
  return model;
}
}  // namespace

TEST_CASE("a function with weights is read anew for each call, wherever its bytes lie in the file") {
  const TempDir folder;
  const std::string path = (folder.path() / "model.onnx").string();
  for (std::size_t shift = 0; shift < 8; ++shift) {
    INFO(shift);
    OnnxModel model = model_with_weights_in_a_function();
    model.graph.name(std::string(shift, 'g'));
    std::ofstream(path, std::ios::binary) << model.text();
    const graph::Graph graph = onnx::load_graph(path, LoadOptions());
    int constants = 0;
    for (const graph::NodeId id : graph.order()) {
      const graph::Attribute* value = graph.node(id).attributes.find("value");
      if (value == nullptr) continue;
      const Tensor& weights = std::get<Tensor>(*value);
      CHECK(std::equal(weights.data<float>().begin(), weights.data<float>().end(),
                       std::vector<float>{1, 2, 3, 4}.begin()));
      ++constants;
    }
    CHECK(constants == 2);
  }
}

TEST_CASE("a function's default that one call replaces is there for the next") {
  const TempDir folder;
  const std::string path = (folder.path() / "model.onnx").string();
  const std::vector<float> twos(100'000, 2.0F);  // so large that its pages would go back to the system
  for (std::size_t shift = 0; shift < 4; ++shift) {
    INFO(shift);
    const auto value = [](const Tensor& tensor) {
      return ProtoWriter().bytes(1, "value").message(5, onnx_tensor("", tensor)).number(20, 4);
    };
    const OnnxNode constant =
        OnnxNode("Constant", {}, {"v"}).attribute(ProtoWriter().bytes(1, "value").bytes(21, "value").number(20, 4));
    ProtoWriter function = function_of("F", {constant});
    function.message(11, value(Tensor::of<float>({100'000}, twos)));
    OnnxModel model;
    model.import("my", 1).fields().message(25, function);
    model.graph.name(std::string(shift, 'g'))
        .node(OnnxNode("F", {"x"}, {"a"}).domain("my").attribute(value(tensor<float>({1}, {3}))))
        .node(call_of("F", "x", "b"))
        .node(call_of("F", "x", "c"))
        .input("x", DataType::float32, {1});
    for (const char* name : {"a", "b", "c"}) model.graph.output(name, DataType::float32, {"n"});
    std::ofstream(path, std::ios::binary) << model.text();
    const graph::Graph graph = onnx::load_graph(path, LoadOptions());
    std::size_t whole = 0;
    for (const graph::NodeId id : graph.order()) {
      const std::span<const float> data = std::get<Tensor>(*graph.node(id).attributes.find("value")).data<float>();
      if (data.size() == twos.size() && std::equal(data.begin(), data.end(), twos.begin())) ++whole;
    }
    CHECK(whole == 2);
  }
}

TEST_CASE("a function's weights are paid for once, and copies of them at each call") {
  const std::vector<float> ones(3'000'000, 1.0F);  // 12 MB, within the budget five times
  const auto with_calls = [&](int calls, std::size_t shift) {
    OnnxModel model;
    const OnnxNode weights = OnnxNode("Constant", {}, {"w"}).set("value", Tensor::of<float>({3'000'000}, ones));
    model.import("my", 1).fields().message(25, function_of("F", {weights, OnnxNode("Add", {"u", "w"}, {"v"})}));
    model.graph.name(std::string(shift, 'g')).input("x", DataType::float32, {1});
    for (int i = 0; i < calls; ++i) model.graph.node(call_of("F", "x", "y" + std::to_string(i)));
    model.graph.output("y0", DataType::float32, {3'000'000});
    return model;
  };
  for (std::size_t shift = 0; shift < 4; ++shift) CHECK_NOTHROW(load(with_calls(4, shift)));
  int refused = 0;  // where the bytes lie aligned in memory there is no copy
  for (std::size_t shift = 0; shift < 4; ++shift) {
    try {
      (void)load(with_calls(9, shift));
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::limit);
      ++refused;
    }
  }
  CHECK(refused == 3);
}

TEST_CASE("what is inside a function gives way to the model's own names") {
  OnnxModel model = model_with_weights_in_a_function();
  model.graph.node(OnnxNode("Neg", {"y"}, {"layer1/w"})).output("layer1/w", DataType::float32, {4});
  const graph::Graph graph = load(model);
  const graph::ValueId own = graph.find_value("layer1/w");
  REQUIRE(own != graph::kNoValue);
  CHECK(graph.node(graph.value(own).producer).op_type == "Neg");
  CHECK(graph.outputs.back() == own);
}

TEST_CASE("a call's attributes of an unsupported kind are refused") {
  OnnxModel model = model_with_weights_in_a_function();
  const ProtoWriter tensors = ProtoWriter().bytes(1, "alpha").bytes(10, "").number(20, 9);
  model.graph.node(OnnxNode("AddWeights", {"x"}, {"z"}, "odd").domain("my").attribute(tensors))
      .output("z", DataType::float32, {4});
  const Error error = refusal(model);
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.what(), "attribute 'alpha': attributes of kind tensors are"));
}

TEST_CASE("limits of LoadOptions") {
  LoadOptions options;
  options.max_file_bytes = 10;
  const Error error = refusal(relu_model(), options);
  CHECK(error.code() == ErrorCode::limit);
  CHECK(error.details().expected == "at most 10 bytes");
  options = {};
  options.max_nodes = 0;
  CHECK(refusal(relu_model(), options).code() == ErrorCode::limit);
  options = {};
  options.max_depth = 2;
  CHECK(refusal(relu_model(), options).code() == ErrorCode::limit);
  options = {};
  options.max_name_bytes = 3;
  CHECK(refusal(relu_model(), options).code() == ErrorCode::limit);
  OnnxModel model(8, 13);
  model.graph.node(OnnxNode("Pad", {"x"}, {"y"}).set("pads", std::vector<std::int64_t>(4)).set("mode", "constant"));
  options = {};
  options.max_attributes = 1;
  const Error count = refusal(model, options);
  CHECK(count.code() == ErrorCode::limit);
  CHECK(contains(count.details().expected, "max_attributes"));
  options = {};
  options.max_attribute_bytes = 31;
  const Error size = refusal(model, options);
  CHECK(size.code() == ErrorCode::limit);
  CHECK(contains(size.message(), "'pads'"));
  CHECK(size.details().found == "32");
}
