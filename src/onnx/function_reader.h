// FunctionProto: a model's own operator, which the graph reader writes out at each call.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/attribute.h"
#include "onnx/wire.h"

namespace linnet::onnx {

struct LoadContext;

struct Function {
  std::vector<std::string> inputs, outputs;  // their names inside
  std::vector<Message> nodes;
  std::vector<Message> defaults;      // attributes that a call may leave out
  std::map<std::string, int> opsets;  // domain -> version
};

/// Adds the function to the context. Throws `format`, `model`, `limit`.
void read_function(const Message& message, LoadContext& context);

/// One OperatorSetIdProto, into `opsets`.
void read_opset(const Message& message, LoadContext& context, std::map<std::string, int>& opsets);

}  // namespace linnet::onnx
