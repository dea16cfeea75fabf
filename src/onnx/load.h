// ONNX bytes to a Graph: the only code that sees protobuf.
//
// What is accepted
//   files     one ModelProto of at most 2 GiB (protobuf's own limit), IR versions 3 to 14. Field by field it is read as
//             protobuf reads it, but stricter: a known field with another wire type, a group, and a second value for a
//             singular message or payload are Error(format), with the byte offset.
//   graph     nodes in any order (sorted here, stably); every name that is read must be an input, an initializer or some
//             node's output; a name is written once. Initializers that are also inputs are constants below IR 4 and may
//             be overridden from 4 on. value_info is a hint that inference does without, and is not read.
//   operators whatever the operator table has at the model's opset. All other nodes are listed in one Error(unsupported).
//             Strings are refused where a node uses them, sparse initializers always; a Constant's sparse tensor is
//             written out, and so are the nodes of a model-local function where it is called. What a subgraph reads of the
//             graphs around it becomes an input of its node and of itself (ops/control_flow.h).
//   tensors   raw or typed data of every numeric type and bool, of a rank up to LoadOptions::max_rank. External data: one relative path below
//             the folder, without "..", through no symbolic link, to a regular file with no second (hard) link.
//   dims      -1 stands for an unknown extent in an input or output, as exporters write it; any other negative one is refused.
//
// Memory: messages never become protobuf objects. Objects made for a model are charged against a budget of
// LoadOptions::max_object_bytes and 3 bytes for each byte of the file that is no tensor payload (budget.h), so a file of a
// million empty messages is refused (Error `limit`) before it hurts. Tensor payloads are views of the file's bytes; of a sparse tensor written out, what exceeds
// 16 times its values is charged.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "graph/graph.h"
#include "linnet/model.h"
#include "onnx/budget.h"
#include "onnx/refusals.h"

namespace linnet::onnx {

/// What is known of a load beside its graph.
struct LoadNotes {
  Refusals refusals;
  Budget budget;  // what is left of it pays for what is inferred
};

/// Reads the file; "-" is standard input. Large tensors are views of the file's bytes in memory, moved by a few bytes where
/// the file does not align them; when the last Tensor on one of them goes, its pages go back to the system.
/// What is not supported goes to `notes`, or is thrown where that is null.
graph::Graph load_graph(const std::string& path, const LoadOptions& options, LoadNotes* notes = nullptr);

/// Parses the caller's bytes, which `owner` keeps alive (or the caller, where it is null). Tensors that lie aligned for their
/// type are views, others copies. `path` serves messages only: external data needs options.external_data_dir.
graph::Graph load_graph(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& path,
                        const LoadOptions& options, LoadNotes* notes = nullptr);

/// One TensorProto (the .pb files of ONNX test data sets). The tensor owns its bytes. `name` receives the proto's name if not null.
Tensor load_tensor(std::span<const std::byte> bytes, const std::string& path, std::string* name = nullptr);

/// One TensorProto, SequenceProto or OptionalProto, by `kind`.
Datum load_datum(std::span<const std::byte> bytes, const std::string& path, ValueKind kind,
                 std::string* name = nullptr);

}  // namespace linnet::onnx
