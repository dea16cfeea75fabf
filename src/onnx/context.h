// What the parts of the loader share while one model is read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/file.h"
#include "linnet/model.h"
#include "onnx/external_data.h"
#include "onnx/function_reader.h"
#include "onnx/refusals.h"
#include "onnx/wire.h"

namespace linnet::onnx {

/// Bounds the memory of the objects made, by what the file has spent on them.
class Budget {
 public:
  Budget(std::int64_t max_nodes, std::size_t file_bytes)
      : max_nodes_(max_nodes),
        calls_left_(kFreeCallNodes + static_cast<std::int64_t>(file_bytes / kBytesPerCallNode)) {}

  /// Bytes of the file that are about to become objects.
  void credit(std::size_t file_bytes) { credit_ += static_cast<std::int64_t>(file_bytes); }
  /// Some of them turned out to be a tensor's payload, which pays for nothing but itself.
  void exclude(std::size_t payload_bytes) { credit_ -= static_cast<std::int64_t>(payload_bytes); }
  /// Objects of so many bytes are about to be made. Throws Error(limit).
  void charge(std::size_t object_bytes, const Message& message);
  void add_node(const Message& message);
  /// A node that a call of a function writes out. A few functions that call each other twice ask for any number of them,
  /// and where they make nothing it is time that they take. Throws Error(limit).
  void add_call_node(const Message& message);

 private:
  // Honest files write out a few nodes a call, and a call takes more bytes than that.
  static constexpr std::int64_t kFreeCallNodes = 1 << 15;
  static constexpr std::size_t kBytesPerCallNode = 8;
  std::int64_t max_nodes_;
  std::int64_t calls_left_;
  std::int64_t nodes_ = 0;
  std::int64_t credit_ = 0;
  std::int64_t charged_ = 0;
};

struct LoadContext {
  const LoadOptions& options;
  FileContext file;
  std::shared_ptr<base::FileBuffer> buffer;  // null: the bytes are the caller's and may not be moved
  std::shared_ptr<const void> owner;         // keeps the bytes alive; may be null
  Budget budget;
  ExternalData external;
  Refusals refusals;
  std::map<std::string, int> opsets;                                    // domain -> version
  std::map<std::pair<std::string, std::string>, Function> functions{};  // model-local: domain, name
  std::set<const std::byte*> function_payloads{};  // of tensors that a call has read: the next one reads them again
  const std::map<std::string, int>* imports = nullptr;  // of what is being read: the model's, or a function's
  const graph::Attributes* call = nullptr;              // of the call whose function is being read
  int nesting = 0;                                      // calls of functions, and bodies, around what is being read
  bool read_again = false;  // what is being read belongs to a function, which the next call will read again
  std::int64_t ir_version = 0;
};

/// One level of calls and bodies. What a function holds stands at one depth of the file however deep it is called, and a
/// function may call itself from a body of its own; so they are counted apart from messages. Throws Error(limit).
class Nesting {
 public:
  Nesting(LoadContext& context, const Message& message);
  ~Nesting();
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  LoadContext& context_;
};

}  // namespace linnet::onnx
