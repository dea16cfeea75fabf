#include "onnx/context.h"

#include <string>

namespace linnet::onnx {

Nesting::Nesting(LoadContext& context, const Message& message) : context_(context) {
  if (context.nesting == context.options.max_depth) {
    message.fail(ErrorCode::limit, "functions and subgraphs nest too deep",
                 "at most " + std::to_string(context.options.max_depth) + " (max_depth)");
  }
  ++context.nesting;
}

Nesting::~Nesting() { --context_.nesting; }

}  // namespace linnet::onnx
