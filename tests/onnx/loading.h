// Loading what the builder wrote, and catching what the loader says of it.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "linnet/error.h"
#include "onnx/load.h"
#include "support/onnx_builder.h"

namespace linnet::test {

inline graph::Graph load(const std::vector<std::byte>& file, const LoadOptions& options = {}) {
  return onnx::load_graph(file, nullptr, "test.onnx", options);
}
inline graph::Graph load(const OnnxModel& model, const LoadOptions& options = {}) {
  // Constants may be views of the file, which must live as long: so the graph's owner is the file.
  const auto file = std::make_shared<std::vector<std::byte>>(model.bytes());
  return onnx::load_graph(*file, file, "test.onnx", options);
}

/// What `action` throws. Fails the test where it throws nothing.
template <typename Action>
Error error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  throw 0;  // not reached
}

inline Error refusal(const std::vector<std::byte>& file, const LoadOptions& options = {}) {
  return error_of([&] { (void)load(file, options); });
}
inline Error refusal(const OnnxModel& model, const LoadOptions& options = {}) {
  return refusal(model.bytes(), options);
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// x -> Relu -> y: the smallest model with a node.
inline OnnxModel relu_model(std::int64_t ir_version = 8, std::int64_t opset = 13) {
  OnnxModel model(ir_version, opset);
  model.graph.name("g")
      .node(OnnxNode("Relu", {"x"}, {"y"}, "relu"))
      .input("x", DataType::float32, {"N", 3})
      .output("y", DataType::float32, {"N", 3});
  return model;
}

template <typename T>
Tensor tensor_of(Shape shape, const std::vector<T>& values) {
  return Tensor::of<T>(std::move(shape), values);
}

/// Its constant; fails the test where it has none.
inline const Tensor& constant(const graph::Graph& graph, const std::string& name) {
  const graph::ValueId id = graph.find_value(name);
  REQUIRE(id != graph::kNoValue);
  REQUIRE(graph.value(id).constant.has_value());
  return *graph.value(id).constant;
}

}  // namespace linnet::test
