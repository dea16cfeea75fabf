#include "onnx/value_info_reader.h"

#include <utility>

#include "linnet_onnx.pb.h"
#include "onnx/tensor_reader.h"

namespace linnet::onnx {

namespace {

using Type = linnet_onnx::TypeProto;

/// One text for all extents of that name.
graph::Symbol symbol_of(std::string_view name, const Message& message, LoadContext& context) {
  if (const auto known = context.symbols.find(name); known != context.symbols.end()) return known->second;
  constexpr std::size_t kEntryBytes = 144;  // in the map, and the text's own object
  context.budget.charge(kEntryBytes + text_bytes(name.size()), message);
  return context.symbols.emplace(name, graph::Symbol(std::string(name))).first->second;
}

graph::Dim read_dim(const Message& message, LoadContext& context) {
  using Dimension = linnet_onnx::TensorShapeProto_Dimension;
  graph::Dim dim;
  MessageReader reader(message);
  while (reader.next()) {
    // A oneof: the last one counts.
    if (reader.field() == Dimension::kDimValueFieldNumber) {
      dim = graph::Dim(reader.as_int64());
      // Exporters write -1 for an extent that they do not know.
      if (dim.value < -1) reader.fail(ErrorCode::model, "an extent of " + std::to_string(dim.value));
    } else if (reader.field() == Dimension::kDimParamFieldNumber) {
      dim = graph::Dim::symbolic(symbol_of(reader.as_text(context.options.max_name_bytes), message, context));
    }
  }
  return dim;
}

graph::DimList read_shape(const Message& message, LoadContext& context) {
  graph::DimList dims;
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() != linnet_onnx::TensorShapeProto::kDimFieldNumber) continue;
    require_rank_above(dims.size(), reader, context);
    context.budget.charge(block_bytes(2 * sizeof(graph::Dim)), message);  // the list doubles
    dims.push_back(read_dim(reader.as_message("Dimension"), context));
  }
  return dims;
}

void read_tensor_type(const Message& message, NamedDesc& value, LoadContext& context) {
  using TensorType = linnet_onnx::TypeProto_Tensor;
  std::int64_t element_type = 0;
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == TensorType::kElemTypeFieldNumber) {
      element_type = reader.as_int64();
    } else if (reader.field() == TensorType::kShapeFieldNumber) {
      reader.refuse_second(value.desc.shape.has_value());
      value.desc.shape = read_shape(reader.as_message("TensorShapeProto"), context);
    }
  }
  value.desc.type = to_data_type(element_type);
  if (element_type != 0 && element_bytes(value.desc.type) == 0) {
    value.unsupported = "tensors of " + data_type_name(element_type);
    value.desc.type = DataType::undefined;
  }
}

/// Of a sequence or an optional: the type of the innermost elements. Kinds nest three deep at most (an optional sequence of
/// tensors); a sequence of sequences is none that an operator takes.
void read_type(const Message& message, NamedDesc& value, LoadContext& context);

void read_holder(const Message& message, ValueKind kind, NamedDesc& value, LoadContext& context) {
  static_assert(static_cast<int>(Type::Sequence::kElemTypeFieldNumber) ==
                static_cast<int>(Type::Optional::kElemTypeFieldNumber));
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == Type::Sequence::kElemTypeFieldNumber)
      read_type(reader.as_message("TypeProto"), value, context);
  }
  const bool nests =
      value.desc.kind == ValueKind::tensor || (kind == ValueKind::optional && value.desc.kind == ValueKind::sequence);
  if (!nests && value.unsupported.empty()) value.unsupported = "sequences of other than tensors";
  value.desc.kind = kind;
  value.desc.shape.reset();
}

void read_type(const Message& message, NamedDesc& value, LoadContext& context) {
  bool seen = false;
  MessageReader reader(message);
  while (reader.next()) {
    switch (reader.field()) {
      case Type::kTensorTypeFieldNumber:
        reader.refuse_second(std::exchange(seen, true));
        read_tensor_type(reader.as_message("TypeProto.Tensor"), value, context);
        break;
      case Type::kSequenceTypeFieldNumber:
        reader.refuse_second(std::exchange(seen, true));
        read_holder(reader.as_message("TypeProto.Sequence"), ValueKind::sequence, value, context);
        break;
      case Type::kOptionalTypeFieldNumber:
        reader.refuse_second(std::exchange(seen, true));
        read_holder(reader.as_message("TypeProto.Optional"), ValueKind::optional, value, context);
        break;
      case Type::kMapTypeFieldNumber: value.unsupported = "maps"; break;
      case Type::kSparseTensorTypeFieldNumber: value.unsupported = "sparse tensors"; break;
      default: break;
    }
  }
}

}  // namespace

NamedDesc read_value_type(const Message& message, LoadContext& context) {
  NamedDesc value;
  read_type(message, value, context);
  return value;
}

NamedDesc read_value_info(const Message& message, LoadContext& context) {
  using Info = linnet_onnx::ValueInfoProto;
  NamedDesc value;
  bool seen = false;
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == Info::kNameFieldNumber) {
      value.name = reader.as_text(context.options.max_name_bytes);
    } else if (reader.field() == Info::kTypeFieldNumber) {
      reader.refuse_second(std::exchange(seen, true));
      read_type(reader.as_message("TypeProto"), value, context);
    }
  }
  if (value.name.empty()) message.fail(ErrorCode::model, "an input or output without a name");
  return value;
}

}  // namespace linnet::onnx
