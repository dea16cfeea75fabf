#include "onnx/attribute_reader.h"

#include <bit>
#include <memory>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "linnet_onnx.pb.h"
#include "onnx/graph_reader.h"
#include "onnx/sparse_tensor_reader.h"
#include "onnx/tensor_reader.h"
#include "onnx/value_info_reader.h"

namespace linnet::onnx {

namespace {

using base::quote_name;
using linnet_onnx::AttributeProto;

/// What an AttributeProto holds, before anything is made of it.
struct Contents {
  Message message;
  std::string_view name;
  std::string_view reference;  // the attribute of the function's call that this one is
  std::int64_t type = AttributeProto::UNDEFINED;
  std::int64_t i = 0;
  float f = 0.0f;
  Bytes s;
  std::optional<Message> tensor, sparse_tensor, graph, type_proto;
  std::size_t floats = 0, ints = 0, strings = 0;  // how many
  std::size_t string_bytes = 0;                   // of all strings
  std::size_t part_bytes = 0;                     // of all tensors and graphs
  unsigned kinds = 0;                             // bit AttributeType: a value of that kind is there
};

constexpr unsigned bit(std::int64_t kind) { return 1U << static_cast<unsigned>(kind); }

constexpr unsigned kParts = bit(AttributeProto::TENSOR) | bit(AttributeProto::TENSORS) |
                            bit(AttributeProto::SPARSE_TENSOR) | bit(AttributeProto::SPARSE_TENSORS) |
                            bit(AttributeProto::GRAPH) | bit(AttributeProto::GRAPHS);

/// The AttributeType of a field that holds a value; UNDEFINED for other fields.
std::int64_t kind_of(int field) {
  switch (field) {
    case AttributeProto::kFFieldNumber: return AttributeProto::FLOAT;
    case AttributeProto::kIFieldNumber: return AttributeProto::INT;
    case AttributeProto::kSFieldNumber: return AttributeProto::STRING;
    case AttributeProto::kTFieldNumber: return AttributeProto::TENSOR;
    case AttributeProto::kGFieldNumber: return AttributeProto::GRAPH;
    case AttributeProto::kSparseTensorFieldNumber: return AttributeProto::SPARSE_TENSOR;
    case AttributeProto::kTpFieldNumber: return AttributeProto::TYPE_PROTO;
    case AttributeProto::kFloatsFieldNumber: return AttributeProto::FLOATS;
    case AttributeProto::kIntsFieldNumber: return AttributeProto::INTS;
    case AttributeProto::kStringsFieldNumber: return AttributeProto::STRINGS;
    case AttributeProto::kTensorsFieldNumber: return AttributeProto::TENSORS;
    case AttributeProto::kGraphsFieldNumber: return AttributeProto::GRAPHS;
    case AttributeProto::kSparseTensorsFieldNumber: return AttributeProto::SPARSE_TENSORS;
    case AttributeProto::kTypeProtosFieldNumber: return AttributeProto::TYPE_PROTOS;
    default: return AttributeProto::UNDEFINED;
  }
}

std::string kind_name(std::int64_t kind) {
  constexpr std::string_view kNames[] = {
      "undefined", "float",   "int",    "string",        "tensor",         "graph",      "floats",     "ints",
      "strings",   "tensors", "graphs", "sparse tensor", "sparse tensors", "type proto", "type protos"};
  return kind >= 0 && std::cmp_less(kind, std::size(kNames)) ? std::string(kNames[kind])
                                                             : "kind " + std::to_string(kind);
}

void read_field(const MessageReader& reader, Contents& contents, std::int64_t max_name_bytes) {
  switch (reader.field()) {
    case AttributeProto::kNameFieldNumber: contents.name = reader.as_text(max_name_bytes); break;
    case AttributeProto::kTypeFieldNumber: contents.type = reader.as_int64(); break;
    case AttributeProto::kRefAttrNameFieldNumber: contents.reference = reader.as_text(max_name_bytes); break;
    case AttributeProto::kFFieldNumber: contents.f = reader.as_float(); break;
    case AttributeProto::kIFieldNumber: contents.i = reader.as_int64(); break;
    case AttributeProto::kSFieldNumber: contents.s = reader.as_bytes(); break;
    case AttributeProto::kTFieldNumber:
      reader.refuse_second(contents.tensor.has_value());
      contents.tensor.emplace(reader.as_message("TensorProto"));
      break;
    case AttributeProto::kSparseTensorFieldNumber:
      reader.refuse_second(contents.sparse_tensor.has_value());
      contents.sparse_tensor.emplace(reader.as_message("SparseTensorProto"));
      break;
    case AttributeProto::kGFieldNumber:
      reader.refuse_second(contents.graph.has_value());
      contents.graph.emplace(reader.as_message("GraphProto"));
      break;
    case AttributeProto::kTpFieldNumber:
      reader.refuse_second(contents.type_proto.has_value());
      contents.type_proto.emplace(reader.as_message("TypeProto"));
      break;
    case AttributeProto::kFloatsFieldNumber: contents.floats += NumberRun(reader, WireType::fixed32).count(); break;
    case AttributeProto::kIntsFieldNumber: contents.ints += NumberRun(reader, WireType::varint).count(); break;
    case AttributeProto::kStringsFieldNumber:
      contents.string_bytes += reader.as_bytes().size();
      ++contents.strings;
      break;
    default: break;
  }
  const std::int64_t kind = kind_of(reader.field());
  if (kind == AttributeProto::UNDEFINED) return;
  contents.kinds |= bit(kind);
  if ((bit(kind) & kParts) != 0) contents.part_bytes += reader.as_bytes().size();
}

Contents read_contents(const Message& message, std::int64_t max_name_bytes) {
  Contents contents;
  contents.message = message;
  MessageReader reader(message);
  while (reader.next()) read_field(reader, contents, max_name_bytes);
  if (contents.name.empty()) message.fail(ErrorCode::model, "an attribute without a name");
  // The first exporters left the type out; then the only value tells it.
  if (contents.type == AttributeProto::UNDEFINED && std::has_single_bit(contents.kinds))
    contents.type = std::countr_zero(contents.kinds);
  const std::string label = "attribute " + quote_name(contents.name);
  if (contents.type <= AttributeProto::UNDEFINED || contents.type > AttributeProto::TYPE_PROTOS) {
    message.fail(ErrorCode::model, label + " has no type that ONNX knows", {}, kind_name(contents.type));
  }
  if ((contents.kinds & ~bit(contents.type)) != 0) {
    const int other = std::countr_zero(contents.kinds & ~bit(contents.type));
    message.fail(ErrorCode::model, label + " holds a value of another type", kind_name(contents.type),
                 kind_name(other));
  }
  return contents;
}

std::string to_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Calls sink for each field `field` of the message.
template <typename Sink>
void for_each_field(const Message& message, int field, const Sink& sink) {
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == field) sink(reader);
  }
}

std::vector<std::int64_t> read_ints(const Contents& contents) {
  std::vector<std::int64_t> ints;
  ints.reserve(contents.ints);
  for_each_field(contents.message, AttributeProto::kIntsFieldNumber, [&ints](const MessageReader& reader) {
    NumberRun run(reader, WireType::varint);
    for (std::uint64_t x = 0; run.next(x);) ints.push_back(static_cast<std::int64_t>(x));
  });
  return ints;
}

std::vector<float> read_floats(const Contents& contents) {
  std::vector<float> floats;
  floats.reserve(contents.floats);
  for_each_field(contents.message, AttributeProto::kFloatsFieldNumber, [&floats](const MessageReader& reader) {
    NumberRun run(reader, WireType::fixed32);
    for (std::uint64_t x = 0; run.next(x);) floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(x)));
  });
  return floats;
}

std::vector<std::string> read_strings(const Contents& contents) {
  std::vector<std::string> strings;
  strings.reserve(contents.strings);
  for_each_field(contents.message, AttributeProto::kStringsFieldNumber,
                 [&strings](const MessageReader& reader) { strings.push_back(to_text(reader.as_bytes())); });
  return strings;
}

const Message& required(const std::optional<Message>& value, const Contents& contents) {
  if (!value) contents.message.fail(ErrorCode::model, "attribute " + quote_name(contents.name) + " has no value");
  return *value;
}

void read_tensor_into(const Contents& contents, NamedAttribute& attribute, LoadContext& context) {
  const TensorHeader header = read_tensor_header(required(contents.tensor, contents), context);
  attribute.unsupported = why_unsupported(header);
  if (attribute.unsupported.empty()) attribute.value = read_tensor(header, context);
}

void read_sparse_tensor_into(const Contents& contents, NamedAttribute& attribute, LoadContext& context) {
  const SparseTensorHeader header = read_sparse_tensor_header(required(contents.sparse_tensor, contents), context);
  attribute.unsupported = why_unsupported(header);
  if (attribute.unsupported.empty()) attribute.value = read_sparse_tensor(header, context);
}

/// A TypeProto counts for the element type alone: what kind of value holds such elements shows at run time.
void read_element_type_into(const Contents& contents, NamedAttribute& attribute, LoadContext& context) {
  const NamedDesc type = read_value_type(required(contents.type_proto, contents), context);
  attribute.unsupported = type.unsupported;
  if (attribute.unsupported.empty() && type.desc.type == DataType::undefined)
    attribute.unsupported = "attributes of kind type proto without an element type";
  if (attribute.unsupported.empty()) attribute.value = static_cast<std::int64_t>(type.desc.type);
}

void resolve_reference(const Contents& contents, NamedAttribute& attribute, LoadContext& context) {
  if (context.call == nullptr)
    contents.message.fail(ErrorCode::model, "a reference to an attribute outside a function");
  const graph::Attribute* const given = context.call->find(contents.reference);
  if (given == nullptr) return;
  context.budget.charge(graph::bytes_beside(*given), contents.message);
  attribute.value = *given;
}

}  // namespace

NamedAttribute read_attribute(const Message& message, LoadContext& context) {
  const Contents contents = read_contents(message, context.options.max_name_bytes);
  // A tensor or a subgraph pays for itself, as it is read.
  context.note_read(message.bytes.size() - contents.part_bytes, message);
  const std::size_t list_bytes =
      contents.ints * sizeof(std::int64_t) + contents.floats * sizeof(float) + contents.strings * sizeof(std::string);
  const std::size_t bytes = list_bytes + contents.string_bytes + contents.s.size();
  if (std::cmp_greater(bytes, context.options.max_attribute_bytes)) {
    message.fail(ErrorCode::limit, "attribute " + quote_name(contents.name) + " is too large",
                 "at most " + std::to_string(context.options.max_attribute_bytes) + " bytes (max_attribute_bytes)",
                 std::to_string(bytes));
  }
  // Inference may copy it.
  context.budget.charge(2 * block_bytes(list_bytes) + text_bytes(contents.name.size()) +
                            2 * text_bytes(contents.s.size()) + contents.strings * block_bytes(1) +
                            contents.string_bytes,
                        message);
  NamedAttribute attribute{.name = contents.name, .value = std::nullopt, .body = nullptr, .unsupported = {}};
  if (!contents.reference.empty()) {
    resolve_reference(contents, attribute, context);
    return attribute;
  }
  switch (contents.type) {
    case AttributeProto::FLOAT: attribute.value = contents.f; break;
    case AttributeProto::INT: attribute.value = contents.i; break;
    case AttributeProto::STRING: attribute.value = to_text(contents.s); break;
    case AttributeProto::INTS: attribute.value = read_ints(contents); break;
    case AttributeProto::FLOATS: attribute.value = read_floats(contents); break;
    case AttributeProto::STRINGS: attribute.value = read_strings(contents); break;
    case AttributeProto::TENSOR: read_tensor_into(contents, attribute, context); break;
    case AttributeProto::GRAPH:
      attribute.body = std::make_shared<graph::Graph>(read_nested_graph(required(contents.graph, contents), context));
      break;
    case AttributeProto::SPARSE_TENSOR: read_sparse_tensor_into(contents, attribute, context); break;
    case AttributeProto::TYPE_PROTO: read_element_type_into(contents, attribute, context); break;
    default: attribute.unsupported = "attributes of kind " + kind_name(contents.type);
  }
  return attribute;
}

}  // namespace linnet::onnx
