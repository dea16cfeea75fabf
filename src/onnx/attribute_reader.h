// AttributeProto to graph::Attribute.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "graph/attribute.h"
#include "onnx/context.h"

namespace linnet::onnx {

struct NamedAttribute {
  std::string_view name;
  std::optional<graph::Attribute> value;
  std::shared_ptr<graph::Graph> body;  // of a graph attribute, whose captures are still to be connected
  std::string unsupported;             // why there is neither; empty for a reference to what the call leaves out
};

/// Throws `format`, `model`, `limit`. Makes a nested Graph of a graph attribute (the body of an If or Loop), with the names of
/// the outer scope as values that nobody produces.
NamedAttribute read_attribute(const Message& message, LoadContext& context);

}  // namespace linnet::onnx
