#include "onnx/budget.h"

#include <algorithm>
#include <limits>

#include "base/checked_math.h"
#include "linnet/model.h"
#include "onnx/wire.h"

namespace linnet::onnx {

namespace {

constexpr std::int64_t kObjectBytesPerFileByte = 3;
// Honest files write out a few nodes a call, and a call takes more bytes than that.
constexpr std::size_t kBytesPerCallNode = 8;
// Their nodes have about a hundred bytes, tensors aside.
constexpr std::int64_t kRereadBytesPerCallNode = 256;
constexpr std::size_t kRereadBytesPerFileByte = 16;
constexpr const char* kTooLarge = "the model's objects would take memory out of proportion to the file";

// So that a bound of "any" can be added to.
constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max() / 2;

std::string at_most(std::int64_t bytes) {
  return "at most " + std::to_string(bytes) + " bytes (max_object_bytes and " +
         std::to_string(kObjectBytesPerFileByte) + " for each byte of the file that is no tensor's)";
}

}  // namespace

Budget::Budget(const LoadOptions& options, std::size_t file_bytes)
    : free_bytes_(std::min(options.max_object_bytes, kAny)),
      max_nodes_(options.max_nodes),
      max_call_nodes_(std::min(options.max_call_nodes, kAny) +
                      static_cast<std::int64_t>(file_bytes / kBytesPerCallNode)),
      max_reread_bytes_(std::min(options.max_call_nodes, kAny / kRereadBytesPerCallNode) * kRereadBytesPerCallNode +
                        static_cast<std::int64_t>(kRereadBytesPerFileByte * file_bytes)) {}

std::int64_t Budget::allowed() const { return free_bytes_ + kObjectBytesPerFileByte * credit_; }

bool Budget::take(std::size_t object_bytes) {
  charged_ = base::checked_add(charged_, static_cast<std::int64_t>(object_bytes), "the loader's memory");
  return charged_ <= allowed();
}

void Budget::charge(std::size_t object_bytes, const Message& message) {
  if (!take(object_bytes)) message.fail(ErrorCode::limit, kTooLarge, at_most(allowed()));
}

void Budget::charge(std::size_t object_bytes, const std::string& file) {
  if (!take(object_bytes)) throw Error(ErrorCode::limit, kTooLarge, {.file = file, .expected = at_most(allowed())});
}

void Budget::add_nodes(std::size_t count, const Message& message) {
  nodes_ += static_cast<std::int64_t>(count);
  if (nodes_ > max_nodes_) {
    message.fail(ErrorCode::limit, "the model has too many nodes",
                 "at most " + std::to_string(max_nodes_) + " (max_nodes)");
  }
}

void Budget::add_call_node(const Message& message) {
  if (++call_nodes_ > max_call_nodes_) {
    message.fail(ErrorCode::limit, "the model's functions would write out nodes out of proportion to the file",
                 "at most " + std::to_string(max_call_nodes_) + " (max_call_nodes and one for each " +
                     std::to_string(kBytesPerCallNode) + " bytes)");
  }
}

void Budget::reread(std::size_t file_bytes, const Message& message) {
  reread_bytes_ += static_cast<std::int64_t>(file_bytes);
  if (reread_bytes_ > max_reread_bytes_) {
    message.fail(ErrorCode::limit, "calls of the model's functions would take time out of proportion to the file",
                 "at most " + std::to_string(max_reread_bytes_) + " bytes read again (" +
                     std::to_string(kRereadBytesPerCallNode) + " for each of max_call_nodes and " +
                     std::to_string(kRereadBytesPerFileByte) + " for each byte of the file)");
  }
}

}  // namespace linnet::onnx
