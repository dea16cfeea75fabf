#include "onnx/sparse_tensor_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

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

/// The positions of all values, each behind the one before it.
std::vector<std::int64_t> read_positions(const SparseTensorHeader& header, std::int64_t count, std::int64_t elements,
                                         LoadContext& context) {
  const Shape& shape = header.indices.dims;
  const auto rank = static_cast<std::int64_t>(header.dims.size());
  const bool linear = shape == Shape{count};
  if (header.indices.type != static_cast<std::int64_t>(DataType::int64) || !(linear || shape == Shape{count, rank}))
    header.message.fail(ErrorCode::model, label(header) + ": its indices are of another type or shape",
                        "int64" + to_string(Shape{count}) + " or int64" + to_string(Shape{count, rank}),
                        data_type_name(header.indices.type) + to_string(shape));
  const Tensor indices = read_tensor(header.indices, context);
  const std::span<const std::int64_t> all = indices.data<std::int64_t>();
  std::vector<std::int64_t> positions;
  positions.reserve(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const std::size_t row = static_cast<std::size_t>(rank);
    const std::int64_t at = linear ? all[i] : position(all.subspan(i * row, row), header.dims);
    if (at < 0 || at >= elements || (i > 0 && at <= positions.back()))
      header.message.fail(ErrorCode::model, label(header) + ": the index of value " + std::to_string(i) +
                                                " is outside, or not behind the one before it");
    positions.push_back(at);
  }
  return positions;
}

}  // namespace

SparseTensorHeader read_sparse_tensor_header(const Message& message, const LoadContext& context) {
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
      case SparseTensorProto::kDimsFieldNumber: add_dims(reader, header.dims); break;
      default: break;
    }
  }
  if (!values || !indices) message.fail(ErrorCode::model, "a sparse tensor without values or without indices");
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
  context.budget.charge(bytes - std::min(bytes, kPaidByValues * values.bytes()), header.message);
  Tensor tensor(type, header.dims);
  const std::vector<std::int64_t> positions = read_positions(header, values.size(), tensor.size(), context);
  const std::size_t element = element_bytes(type);
  const auto* from = static_cast<const std::byte*>(values.raw());
  auto* const to = static_cast<std::byte*>(tensor.mutable_raw());
  for (const std::int64_t at : positions) {
    std::memcpy(to + static_cast<std::size_t>(at) * element, from, element);
    from += element;
  }
  return tensor;
}

}  // namespace linnet::onnx
