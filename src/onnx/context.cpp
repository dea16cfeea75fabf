#include "onnx/context.h"

#include "base/checked_math.h"

namespace linnet::onnx {

namespace {
// Any honest graph fits: 100,000 nodes with the shortest names take 50 MiB.
constexpr std::int64_t kFreeBytes = std::int64_t{60} << 20;
constexpr std::int64_t kObjectBytesPerFileByte = 3;
}  // namespace

void Budget::charge(std::size_t object_bytes, const Message& message) {
  charged_ = base::checked_add(charged_, static_cast<std::int64_t>(object_bytes), "the loader's memory");
  const std::int64_t allowed = kFreeBytes + kObjectBytesPerFileByte * credit_;
  if (charged_ > allowed) {
    message.fail(ErrorCode::limit, "the model's objects would take memory out of proportion to the file",
                 "at most " + std::to_string(allowed) + " bytes");
  }
}

void Budget::add_node(const Message& message) {
  if (++nodes_ > max_nodes_) {
    message.fail(ErrorCode::limit, "the model has too many nodes", "at most " + std::to_string(max_nodes_));
  }
}

void Budget::add_call_node(const Message& message) {
  if (--calls_left_ < 0) {
    message.fail(ErrorCode::limit, "the model's functions would write out nodes out of proportion to the file",
                 "at most " + std::to_string(kFreeCallNodes) + " and one for each " +
                     std::to_string(kBytesPerCallNode) + " bytes");
  }
}

Nesting::Nesting(LoadContext& context, const Message& message) : context_(context) {
  if (context.nesting == context.options.max_depth) {
    message.fail(ErrorCode::limit, "functions and subgraphs nest too deep",
                 "at most " + std::to_string(context.options.max_depth) + " (max_depth)");
  }
  ++context.nesting;
}

Nesting::~Nesting() { --context_.nesting; }

}  // namespace linnet::onnx
