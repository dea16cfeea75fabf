#include "onnx/sparse_tensor_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/printable.h"
#include "linnet_onnx.pb.h"

namespace linnet::onnx {

namespace {

using linnet_onnx::SparseTensorProto;

// A value pays for itself and so many zeros: a network pruned to a sixteenth costs its budget nothing, and a file of a few
// indices cannot ask for gigabytes.
constexpr std::size_t kPaidByValues = 16;

std::string label(const SparseTensorHeader& header) {
  return "sparse tensor " + base::quote_name(header.values.name) + " " + data_type_name(header.values.type) +
         to_string(header.dims);
}

/// Where an element lies among all, from its row of indices; -1 if that is outside.
std::int64_t position(std::span<const std::int64_t> index, const Shape& dims) {
  std::int64_t result = 0;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (index[axis] < 0 || index[axis] >= dims[axis]) return -1;
    result = result * dims[axis] + index[axis];
  }
  return result;
}

void check_indices(const SparseTensorHeader& header, std::int64_t count) {
  const Shape &shape = header.indices.dims, linear = {count},
              rows = {count, static_cast<std::int64_t>(header.dims.size())};
  if (header.indices.type == static_cast<std::int64_t>(DataType::int64) && (shape == linear || shape == rows)) return;
  header.message.fail(ErrorCode::model, label(header) + ": its indices are of another type or shape",
                      "int64" + to_string(linear) + " or int64" + to_string(rows),
                      data_type_name(header.indices.type) + to_string(shape));
}

/// Writes each value to its place, which must lie behind that of the value before it.
void scatter(const SparseTensorHeader& header, const Tensor& values, const Tensor& indices, Tensor& tensor) {
  const std::span<const std::int64_t> all = indices.data<std::int64_t>();
  const bool linear = header.indices.dims.size() == 1;
  const std::size_t bytes = element_bytes(tensor.type()), rank = header.dims.size();
  const auto* const from = static_cast<const std::byte*>(values.raw());
  auto* const to = static_cast<std::byte*>(tensor.mutable_raw());
  std::int64_t last = -1;
  for (std::size_t i = 0; i < static_cast<std::size_t>(values.size()); ++i) {
    const std::int64_t at = linear ? all[i] : position(all.subspan(i * rank, rank), header.dims);
    if (at <= last || at >= tensor.size())
      header.message.fail(ErrorCode::model, label(header) + ": the index of value " + std::to_string(i) +
                                                " is outside, or not behind the one before it");
    std::memcpy(to + static_cast<std::size_t>(at) * bytes, from + i * bytes, bytes);
    last = at;
  }
}

}  // namespace

SparseTensorHeader read_sparse_tensor_header(const Message& message, LoadContext& context) {
  SparseTensorHeader header;
  header.message = message;
  std::optional<TensorHeader> values, indices;
  MessageReader reader(message);
  while (reader.next()) {
    switch (reader.field()) {
      case SparseTensorProto::kValuesFieldNumber:
        reader.refuse_second(values.has_value());
        values = read_tensor_header(reader.as_message("TensorProto"), context);
        break;
      case SparseTensorProto::kIndicesFieldNumber:
        reader.refuse_second(indices.has_value());
        indices = read_tensor_header(reader.as_message("TensorProto"), context);
        break;
      case SparseTensorProto::kDimsFieldNumber: add_dims(reader, header.dims, context); break;
      default: break;
    }
  }
  if (!values || !indices) message.fail(ErrorCode::model, "a sparse tensor without values or without indices");
  context.note_read(message.bytes.size() - values->message.bytes.size() - indices->message.bytes.size(), message);
  header.values = *std::move(values);
  header.indices = *std::move(indices);
  return header;
}

std::string why_unsupported(const SparseTensorHeader& header) {
  std::string why = why_unsupported(header.values);
  return why.empty() && header.indices.segmented ? why_unsupported(header.indices) : why;
}

Tensor read_sparse_tensor(const SparseTensorHeader& header, LoadContext& context) {
  const DataType type = to_data_type(header.values.type);
  const std::size_t bytes = checked_bytes(header.message, label(header), type, header.dims, context);
  if (header.values.dims.size() != 1)
    header.message.fail(ErrorCode::model, label(header) + ": its values are no list", "1 dim",
                        std::to_string(header.values.dims.size()));
  const Tensor values = read_tensor(header.values, context);
  const std::size_t paid =
      context.read_again ? 0 : kPaidByValues * values.bytes();  // once, not at each call of a function
  context.budget.charge(bytes - std::min(bytes, paid), header.message);
  check_indices(header, values.size());
  const Tensor indices = read_tensor(header.indices, context);
  Tensor tensor(type, header.dims);
  scatter(header, values, indices, tensor);
  return tensor;
}

}  // namespace linnet::onnx
