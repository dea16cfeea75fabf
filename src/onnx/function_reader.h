// FunctionProto: a model's own operator, which the graph reader writes out at each call.
#pragma once

#include <compare>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graph/attribute.h"
#include "graph/graph.h"
#include "onnx/wire.h"

namespace linnet::onnx {

struct LoadContext;

struct FunctionId {
  std::string domain, name, overload;
  auto operator<=>(const FunctionId&) const = default;
};

struct Function {
  std::vector<std::string> inputs, outputs;  // their names inside
  std::vector<Message> nodes;
  std::vector<Message> defaults;      // attributes that a call may leave out
  std::map<std::string, int> opsets;  // domain -> version
  bool called = false;                // from then on its bytes have paid for what is made of them
};

/// What names inside a function mean in one call; kNoValue for an input that the call leaves out.
using CallNames = std::map<std::string, graph::ValueId, std::less<>>;

/// Adds the function to the context. Throws `format`, `model`, `limit`.
void read_function(const Message& message, LoadContext& context);

/// One OperatorSetIdProto, into `opsets`.
void read_opset(const Message& message, LoadContext& context, std::map<std::string, int>& opsets);

}  // namespace linnet::onnx
