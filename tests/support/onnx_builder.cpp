#include "support/onnx_builder.h"

#include <bit>
#include <cstring>

namespace linnet::test {

namespace {

constexpr int kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5;

// AttributeProto: fields and types.
constexpr int kAttributeName = 1, kAttributeType = 20;
constexpr int kFloat = 1, kInt = 2, kString = 3, kTensor = 4, kGraph = 5, kFloats = 6, kInts = 7, kStrings = 8;
constexpr int kFieldOf[] = {0, 2, 3, 4, 5, 6, 7, 8, 9};  // of the value, by type

ProtoWriter attribute_start(std::string_view name, int type) {
  ProtoWriter proto;
  proto.bytes(kAttributeName, name).number(kAttributeType, type);
  return proto;
}

}  // namespace

ProtoWriter& ProtoWriter::varint(std::uint64_t value) {
  for (; value >= 128; value /= 128) text_ += static_cast<char>(128 + value % 128);
  text_ += static_cast<char>(value);
  return *this;
}

ProtoWriter& ProtoWriter::tag(int field, int wire_type) {
  return varint(static_cast<std::uint64_t>(field) * 8 + static_cast<std::uint64_t>(wire_type));
}

ProtoWriter& ProtoWriter::number(int field, std::int64_t value) {
  return tag(field, kVarint).varint(static_cast<std::uint64_t>(value));
}

ProtoWriter& ProtoWriter::fixed32(int field, std::uint32_t value) {
  char bits[sizeof value];
  std::memcpy(bits, &value, sizeof value);
  return tag(field, kFixed32).raw({bits, sizeof bits});
}

ProtoWriter& ProtoWriter::fixed64(int field, std::uint64_t value) {
  char bits[sizeof value];
  std::memcpy(bits, &value, sizeof value);
  return tag(field, kFixed64).raw({bits, sizeof bits});
}

ProtoWriter& ProtoWriter::real(int field, float value) { return fixed32(field, std::bit_cast<std::uint32_t>(value)); }

ProtoWriter& ProtoWriter::bytes(int field, std::string_view value) {
  return tag(field, kLengthDelimited).varint(value.size()).raw(value);
}

ProtoWriter& ProtoWriter::packed(int field, const std::vector<std::int64_t>& values) {
  ProtoWriter run;
  for (const std::int64_t value : values) run.varint(static_cast<std::uint64_t>(value));
  return bytes(field, run.text());
}

ProtoWriter onnx_tensor_header(std::string_view name, int data_type, const std::vector<std::int64_t>& dims) {
  ProtoWriter proto;
  for (const std::int64_t dim : dims) proto.number(1, dim);
  return proto.number(2, data_type).bytes(8, name);
}

ProtoWriter onnx_tensor(std::string_view name, const Tensor& tensor) {
  ProtoWriter proto = onnx_tensor_header(name, static_cast<int>(tensor.type()), tensor.shape());
  return proto.bytes(9, {static_cast<const char*>(tensor.raw()), tensor.bytes()});
}

ProtoWriter onnx_external_tensor(std::string_view name, int data_type, const std::vector<std::int64_t>& dims,
                                 const std::vector<std::pair<std::string, std::string>>& entries) {
  ProtoWriter proto = onnx_tensor_header(name, data_type, dims);
  for (const auto& [key, value] : entries) proto.message(13, ProtoWriter().bytes(1, key).bytes(2, value));
  return proto.number(14, 1);
}

ProtoWriter onnx_value_info(std::string_view name, DataType type, const std::vector<OnnxDim>& dims) {
  ProtoWriter shape;
  for (const OnnxDim& dim : dims) {
    shape.message(1, dim.symbol.empty() ? ProtoWriter().number(1, dim.value) : ProtoWriter().bytes(2, dim.symbol));
  }
  const ProtoWriter tensor_type = ProtoWriter().number(1, static_cast<int>(type)).message(2, shape);
  return ProtoWriter().bytes(1, name).message(2, ProtoWriter().message(1, tensor_type));
}

ProtoWriter onnx_sequence_info(std::string_view name, DataType type) {
  const ProtoWriter element = ProtoWriter().message(1, ProtoWriter().number(1, static_cast<int>(type)));
  return ProtoWriter().bytes(1, name).message(2, ProtoWriter().message(4, ProtoWriter().message(1, element)));
}

OnnxNode::OnnxNode(std::string_view op_type, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs, std::string_view name) {
  for (const std::string& input : inputs) proto_.bytes(1, input);
  for (const std::string& output : outputs) proto_.bytes(2, output);
  if (!name.empty()) proto_.bytes(3, name);
  proto_.bytes(4, op_type);
}

OnnxNode& OnnxNode::domain(std::string_view value) {
  proto_.bytes(7, value);
  return *this;
}

OnnxNode& OnnxNode::attribute(const ProtoWriter& proto) {
  proto_.message(5, proto);
  return *this;
}

OnnxNode& OnnxNode::set(std::string_view name, std::int64_t value) {
  return attribute(attribute_start(name, kInt).number(kFieldOf[kInt], value));
}

OnnxNode& OnnxNode::set(std::string_view name, float value) {
  return attribute(attribute_start(name, kFloat).real(kFieldOf[kFloat], value));
}

OnnxNode& OnnxNode::set(std::string_view name, const char* value) {
  return attribute(attribute_start(name, kString).bytes(kFieldOf[kString], value));
}

OnnxNode& OnnxNode::set(std::string_view name, const std::vector<std::int64_t>& values) {
  ProtoWriter proto = attribute_start(name, kInts);
  for (const std::int64_t value : values) proto.number(kFieldOf[kInts], value);
  return attribute(proto);
}

OnnxNode& OnnxNode::set(std::string_view name, const std::vector<float>& values) {
  ProtoWriter proto = attribute_start(name, kFloats);
  for (const float value : values) proto.real(kFieldOf[kFloats], value);
  return attribute(proto);
}

OnnxNode& OnnxNode::set(std::string_view name, const std::vector<std::string>& values) {
  ProtoWriter proto = attribute_start(name, kStrings);
  for (const std::string& value : values) proto.bytes(kFieldOf[kStrings], value);
  return attribute(proto);
}

OnnxNode& OnnxNode::set(std::string_view name, const Tensor& value) {
  return attribute(attribute_start(name, kTensor).message(kFieldOf[kTensor], onnx_tensor({}, value)));
}

OnnxNode& OnnxNode::set(std::string_view name, const OnnxGraph& value) {
  return attribute(attribute_start(name, kGraph).message(kFieldOf[kGraph], value.proto()));
}

OnnxGraph& OnnxGraph::name(std::string_view value) {
  proto_.bytes(2, value);
  return *this;
}

OnnxGraph& OnnxGraph::node(const OnnxNode& value) {
  proto_.message(1, value.proto());
  return *this;
}

OnnxGraph& OnnxGraph::input(std::string_view name, DataType type, const std::vector<OnnxDim>& dims) {
  proto_.message(11, onnx_value_info(name, type, dims));
  return *this;
}

OnnxGraph& OnnxGraph::output(std::string_view name, DataType type, const std::vector<OnnxDim>& dims) {
  proto_.message(12, onnx_value_info(name, type, dims));
  return *this;
}

OnnxGraph& OnnxGraph::initializer(const ProtoWriter& tensor_proto) {
  proto_.message(5, tensor_proto);
  return *this;
}

OnnxGraph& OnnxGraph::initializer(std::string_view name, const Tensor& tensor) {
  return initializer(onnx_tensor(name, tensor));
}

OnnxModel::OnnxModel(std::int64_t ir_version, std::int64_t opset) {
  head_.number(1, ir_version).bytes(2, "linnet-test");
  if (opset != 0) import({}, opset);
}

OnnxModel& OnnxModel::import(std::string_view domain, std::int64_t version) {
  tail_.message(8, ProtoWriter().bytes(1, domain).number(2, version));
  return *this;
}

OnnxModel& OnnxModel::metadata(std::string_view key, std::string_view value) {
  tail_.message(14, ProtoWriter().bytes(1, key).bytes(2, value));
  return *this;
}

std::string OnnxModel::text() const {
  ProtoWriter file = head_;
  return file.message(7, graph.proto()).raw(tail_.text()).text();
}

std::vector<std::byte> OnnxModel::bytes() const { return to_bytes(text()); }

OnnxModel onnx_single_node(const OnnxNode& node, const std::vector<OnnxDim>& shape, std::int64_t opset) {
  OnnxModel model(8, opset);
  model.graph.name("g").node(node).input("x", DataType::float32, shape).output("y", DataType::float32, shape);
  return model;
}

std::vector<std::byte> to_bytes(std::string_view text) {
  const auto* const first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

}  // namespace linnet::test
