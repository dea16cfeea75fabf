// TensorProto to Tensor.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "linnet/tensor.h"
#include "onnx/context.h"

namespace linnet::onnx {

/// A TensorProto, looked at but with its elements still in the file.
struct TensorHeader {
  Message message;
  std::string_view name;
  std::int64_t type = 0;  // TensorProto.DataType, also those Linnet has no elements for
  Shape dims;
  std::optional<Bytes> raw;
  int numbers_field = 0;         // the field of float_data, int32_data, ... in use; 0: none
  std::size_t number_runs = 0;   // how many fields its numbers stand in
  Bytes numbers;                 // the last of them
  std::size_t number_bytes = 0;  // of all of them
  bool segmented = false;
  std::optional<ExternalEntry> external;
};

/// The present field is `dims`: one more, or a packed run of them. Throws `format`, `model`, `limit`.
void add_dims(const MessageReader& reader, Shape& dims, const LoadContext& context);
/// Throws `limit` if there may be no extent more than these `count`.
void require_rank_above(std::size_t count, const MessageReader& reader, const LoadContext& context);
/// The bytes of such a tensor; `label` is for the errors. Throws `limit`.
std::size_t checked_bytes(const Message& message, const std::string& label, DataType type, const Shape& dims,
                          const LoadContext& context);

/// Notes all its bytes as read but the elements', which pay for nothing but themselves. Throws `format`, `model`, `limit`.
TensorHeader read_tensor_header(const Message& message, LoadContext& context);

/// Why Linnet has no such tensor ("tensors of string", ...); empty if it has.
std::string why_unsupported(const TensorHeader& header);

/// The tensor, as a view of the file where that serves. Call once a header: it may move the payload. Precondition:
/// why_unsupported() is empty. Throws `model`, `limit`, `io`, `no_memory`.
Tensor read_tensor(const TensorHeader& header, LoadContext& context);

/// ONNX's name of a TensorProto.DataType, "float8e4m3fn" or "type 99" where Linnet has no type for it.
std::string data_type_name(std::int64_t onnx_type);
/// undefined where Linnet has none.
DataType to_data_type(std::int64_t onnx_type);

}  // namespace linnet::onnx
