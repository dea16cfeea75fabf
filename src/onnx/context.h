// What the parts of the loader share while one model is read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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
  explicit Budget(std::int64_t max_nodes) : max_nodes_(max_nodes) {}

  /// Bytes of the file that are about to become objects.
  void credit(std::size_t file_bytes) { credit_ += static_cast<std::int64_t>(file_bytes); }
  /// Some of them turned out to be a tensor's payload, which pays for nothing but itself.
  void exclude(std::size_t payload_bytes) { credit_ -= static_cast<std::int64_t>(payload_bytes); }
  /// Objects of so many bytes are about to be made. Throws Error(limit).
  void charge(std::size_t object_bytes, const Message& message);
  void add_node(const Message& message);

 private:
  std::int64_t max_nodes_;
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
  const std::map<std::string, int>* imports = nullptr;  // of what is being read: the model's, or a function's
  const graph::Attributes* call = nullptr;              // of the call whose function is being read
  bool read_again = false;  // what is being read belongs to a function, which the next call will read again
  std::int64_t ir_version = 0;
};

}  // namespace linnet::onnx
