// ONNX bytes to a Graph: the only code that sees protobuf.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "graph/graph.h"
#include "linnet/model.h"

namespace linnet::onnx {

/// Parses under the budget of `options`. Tensors are views of `bytes`, which `owner` keeps alive. `path` serves messages and
/// external data; it is empty for bytes from memory. The graph is sorted and every node's operator is known; shapes are not inferred.
graph::Graph load_graph(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& path,
                        const LoadOptions& options);

/// One TensorProto (the .pb files of ONNX test data sets). The tensor owns its bytes. `name` receives the proto's name if not null.
Tensor load_tensor(std::span<const std::byte> bytes, const std::string& path, std::string* name = nullptr);

}  // namespace linnet::onnx
