// ONNX files for tests, written field by field without protobuf: what is written may be as wrong as a test needs it.
//
//   OnnxModel model(8, 13);                                            // IR version, opset
//   model.graph.input("x", DataType::float32, {"N", 3});
//   model.graph.node(OnnxNode("Gemm", {"x", "w"}, {"y"}).set("transB", 1));
//   model.graph.initializer("w", Tensor::of<float>({2, 3}, values));
//   model.graph.output("y", DataType::float32, {"N", 2});
//   const std::vector<std::byte> file = model.bytes();
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "linnet/tensor.h"

namespace linnet::test {

/// Fields of a protobuf message.
class ProtoWriter {
 public:
  ProtoWriter& tag(int field, int wire_type);
  ProtoWriter& varint(std::uint64_t value);  // bare, without a tag
  ProtoWriter& number(int field, std::int64_t value);
  ProtoWriter& fixed32(int field, std::uint32_t value);
  ProtoWriter& fixed64(int field, std::uint64_t value);
  ProtoWriter& real(int field, float value);
  ProtoWriter& bytes(int field, std::string_view value);
  ProtoWriter& message(int field, const ProtoWriter& value) { return bytes(field, value.text()); }
  ProtoWriter& packed(int field, const std::vector<std::int64_t>& values);
  /// Bytes as they are.
  ProtoWriter& raw(std::string_view value) {
    text_ += value;
    return *this;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// An extent: a number or a symbol.
struct OnnxDim {
  std::int64_t value = -1;
  std::string symbol;
  OnnxDim(int v) : value(v) {}           // NOLINT(google-explicit-constructor): {"N", 3} reads as a shape
  OnnxDim(std::int64_t v) : value(v) {}  // NOLINT(google-explicit-constructor)
  OnnxDim(const char* s) : symbol(s) {}  // NOLINT(google-explicit-constructor)
};

/// A TensorProto with its elements in raw_data.
ProtoWriter onnx_tensor(std::string_view name, const Tensor& tensor);
/// The start of one: dims, data_type and name; the test adds the elements.
ProtoWriter onnx_tensor_header(std::string_view name, int data_type, const std::vector<std::int64_t>& dims);
/// external_data entries and data_location.
ProtoWriter onnx_external_tensor(std::string_view name, int data_type, const std::vector<std::int64_t>& dims,
                                 const std::vector<std::pair<std::string, std::string>>& entries);
/// A ValueInfoProto of a tensor.
ProtoWriter onnx_value_info(std::string_view name, DataType type, const std::vector<OnnxDim>& dims);
/// A ValueInfoProto of a sequence of tensors of any shape.
ProtoWriter onnx_sequence_info(std::string_view name, DataType type);

class OnnxGraph;

class OnnxNode {
 public:
  OnnxNode(std::string_view op_type, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
           std::string_view name = {});

  OnnxNode& domain(std::string_view value);
  OnnxNode& set(std::string_view name, int value) { return set(name, std::int64_t{value}); }
  OnnxNode& set(std::string_view name, std::int64_t value);
  OnnxNode& set(std::string_view name, float value);
  OnnxNode& set(std::string_view name, const char* value);
  OnnxNode& set(std::string_view name, const std::vector<std::int64_t>& values);
  OnnxNode& set(std::string_view name, const std::vector<float>& values);
  OnnxNode& set(std::string_view name, const std::vector<std::string>& values);
  OnnxNode& set(std::string_view name, const Tensor& value);
  OnnxNode& set(std::string_view name, const OnnxGraph& value);
  /// Any AttributeProto.
  OnnxNode& attribute(const ProtoWriter& proto);

  [[nodiscard]] const ProtoWriter& proto() const { return proto_; }

 private:
  ProtoWriter proto_;
};

class OnnxGraph {
 public:
  OnnxGraph& name(std::string_view value);
  OnnxGraph& node(const OnnxNode& value);
  OnnxGraph& input(std::string_view name, DataType type, const std::vector<OnnxDim>& dims);
  OnnxGraph& output(std::string_view name, DataType type, const std::vector<OnnxDim>& dims);
  OnnxGraph& initializer(std::string_view name, const Tensor& tensor);
  OnnxGraph& initializer(const ProtoWriter& tensor_proto);
  /// Any field of a GraphProto.
  ProtoWriter& fields() { return proto_; }

  [[nodiscard]] const ProtoWriter& proto() const { return proto_; }

 private:
  ProtoWriter proto_;
};

class OnnxModel {
 public:
  /// No opset import for opset 0.
  explicit OnnxModel(std::int64_t ir_version = 8, std::int64_t opset = 13);

  OnnxModel& import(std::string_view domain, std::int64_t version);
  OnnxModel& metadata(std::string_view key, std::string_view value);
  /// Any further field of the ModelProto, after the graph.
  ProtoWriter& fields() { return tail_; }

  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::vector<std::byte> bytes() const;

  OnnxGraph graph;

 private:
  ProtoWriter head_, tail_;
};

/// x -> op -> y, all float of the given shape, with the attributes that `node` has.
OnnxModel onnx_single_node(const OnnxNode& node, const std::vector<OnnxDim>& shape, std::int64_t opset = 13);

std::vector<std::byte> to_bytes(std::string_view text);

}  // namespace linnet::test
