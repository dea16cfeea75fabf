// ValueInfoProto to a name and a TensorDesc.
#pragma once

#include <string>
#include <string_view>

#include "graph/graph.h"
#include "onnx/context.h"

namespace linnet::onnx {

struct NamedDesc {
  std::string_view name;
  graph::TensorDesc desc;   // type undefined where the file gives none, or `unsupported` is set
  std::string unsupported;  // "sequences", "tensors of string": why Linnet has no such value
};

/// A TypeProto; the name stays empty. Throws `format`, `model`, `limit`.
NamedDesc read_value_type(const Message& message, LoadContext& context);
/// Throws `format`, `model`, `limit`.
NamedDesc read_value_info(const Message& message, LoadContext& context);

}  // namespace linnet::onnx
