// The operators that Linnet runs.
//
//   for (const linnet::OperatorInfo& op : linnet::supported_operators())
//     std::cout << op.name << ", opset " << op.first_opset << " to " << op.last_opset << '\n';
#pragma once

#include <string>
#include <vector>

namespace linnet {

/// One operator with the semantics that it has in a range of opset versions; others of its ranges are entries of their own.
struct OperatorInfo {
  std::string domain;  ///< "ai.onnx" for the default one
  std::string name;
  int first_opset = 0, last_opset = 0;
  std::vector<std::string> attributes;  ///< those that are read, or known to be without effect; any other is refused
  std::string types;   ///< of its tensors by ONNX's type parameters: "T floats int32; I int64"; may be empty
  std::string limits;  ///< what else is refused, for people; may be empty
};

/// Sorted by domain, name and opset. Types are checked node by node: a model that uses one beyond Linnet is refused.
std::vector<OperatorInfo> supported_operators();

}  // namespace linnet
