// Initializers that the loader does not take, and where they stand; what their elements pay for.
#include <catch2/catch.hpp>
#include <string>

#include "onnx/loading.h"

using namespace linnet;
using namespace linnet::test;

TEST_CASE("an initializer of a subgraph that cannot be read is refused for what it is") {
  OnnxGraph odd, other;
  odd.node(OnnxNode("Equal", {"s", "s"}, {"e"}))
      .initializer(onnx_tensor_header("s", 8, {1}).bytes(6, "text"))
      .output("e", DataType::boolean, {1});
  other.node(OnnxNode("Identity", {"x"}, {"o"})).output("o", DataType::boolean, {1});
  OnnxModel model;
  model.graph.node(OnnxNode("If", {"c"}, {"y"}).set("then_branch", odd).set("else_branch", other))
      .input("x", DataType::boolean, {1})
      .input("c", DataType::boolean, {})
      .output("y", DataType::boolean, {1});
  const Error error = refusal(model);
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.message(), "input 's': tensors of string are not supported"));
}

TEST_CASE("an initializer is no default for an input that is a sequence or an optional value") {
  constexpr int kSequence = 4, kOptional = 9;
  const ProtoWriter tensor_type = ProtoWriter().message(1, ProtoWriter().number(1, 1));
  for (const int kind : {kSequence, kOptional}) {
    for (const int ir : {3, 8}) {
      OnnxModel model = relu_model(ir);
      const ProtoWriter type = ProtoWriter().message(kind, ProtoWriter().message(1, tensor_type));
      model.graph.initializer("z", tensor_of<float>({1}, {1}))
          .fields()
          .message(11, ProtoWriter().bytes(1, "z").message(2, type));
      const Error error = refusal(model);
      CHECK(error.code() == ErrorCode::model);
      CHECK(contains(error.message(), "the initializer 'z' differs from the input of its name"));
      CHECK(error.details().found == "float[1]");
    }
  }
}

TEST_CASE("elements that cannot be read pay for nothing, as those that can") {
  LoadOptions options;
  options.max_object_bytes = 100'000;
  for (const int type : {1, 17}) {  // float; float8e4m3fn
    OnnxModel model;
    ProtoWriter function;  // what its nodes take is charged behind the initializers
    function.bytes(1, "F").bytes(10, "my").bytes(4, "r0").bytes(5, "r1000").message(9, ProtoWriter().number(2, 13));
    for (int i = 0; i < 1000; ++i)
      function.message(7, OnnxNode("Relu", {"r" + std::to_string(i)}, {"r" + std::to_string(i + 1)}).proto());
    model.import("my", 1).fields().message(25, function);
    model.graph.node(OnnxNode("F", {"x"}, {"y"}).domain("my"));
    model.graph.input("x", DataType::float32, {1}).output("y", DataType::float32, {1});
    model.graph.initializer(onnx_tensor_header("w", type, {250'000}).bytes(9, std::string(1'000'000, '\0')));
    CHECK(refusal(model, options).code() == ErrorCode::limit);
  }
}

TEST_CASE("a tensor of test data may be as large as a model's") {
  const Tensor large(DataType::float32, {8'000'000});
  CHECK(onnx::load_tensor(to_bytes(onnx_tensor("input", large).text()), "input_0.pb").shape() == large.shape());
}
