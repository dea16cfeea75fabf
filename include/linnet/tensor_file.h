// Tensors in files, as ONNX's test data sets hold them.
//
//   std::string name;
//   const linnet::Tensor input = linnet::load_tensor("test_data_set_0/input_0.pb", &name);
#pragma once

#include <string>

#include "linnet/datum.h"
#include "linnet/tensor.h"

namespace linnet {

/// Reads one TensorProto (onnx.proto). `name` receives the tensor's name if it is not null. Throws Error: `io`, `format`,
/// `unsupported` (strings), `limit`.
Tensor load_tensor(const std::string& path, std::string* name = nullptr);

/// The same for a sequence (SequenceProto) or an optional value (OptionalProto): what the file holds, its reader must know.
Datum load_datum(const std::string& path, ValueKind kind, std::string* name = nullptr);

}  // namespace linnet
