// SparseTensorProto to Tensor: all elements written out, as no operator works on anything else.
#pragma once

#include "onnx/tensor_reader.h"

namespace linnet::onnx {

/// A SparseTensorProto, looked at but with its elements still in the file.
struct SparseTensorHeader {
  Message message;
  TensorHeader values;   // [count], its name is the whole one's
  TensorHeader indices;  // int64, [count] of the tensor written out, or [count, rank]
  Shape dims;
};

/// Throws `format`, `model`, `limit`.
SparseTensorHeader read_sparse_tensor_header(const Message& message, LoadContext& context);

/// Why Linnet has no such tensor; empty if it has.
std::string why_unsupported(const SparseTensorHeader& header);

/// The tensor, zero but for the values. More than the values pay for is charged to the budget: a few of them can ask for any shape.
/// Precondition: why_unsupported() is empty. Throws `model`, `limit`, `io`, `no_memory`.
Tensor read_sparse_tensor(const SparseTensorHeader& header, LoadContext& context);

}  // namespace linnet::onnx
