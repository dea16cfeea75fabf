// Bounds the memory of the objects made of a file, by what the file has spent on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace linnet {
struct LoadOptions;
}

namespace linnet::onnx {

struct Message;

/// What the allocator takes for an allocation of so many bytes.
constexpr std::size_t block_bytes(std::size_t bytes) {
  constexpr std::size_t kHeader = 8, kStep = 16, kLeast = 32;
  const std::size_t rounded = (bytes + kHeader + kStep - 1) / kStep * kStep;
  return bytes == 0 ? 0 : rounded < kLeast ? kLeast : rounded;
}

/// What a std::string of so many bytes takes beside itself.
constexpr std::size_t text_bytes(std::size_t size) {
  constexpr std::size_t kInside = 15;
  return size <= kInside ? 0 : block_bytes(size + 1);
}

class Budget {
 public:
  Budget() = default;
  Budget(const LoadOptions& options, std::size_t file_bytes);

  /// Bytes of the file that are about to become objects.
  void credit(std::size_t file_bytes) { credit_ += static_cast<std::int64_t>(file_bytes); }
  /// Some of them pay as they are read, which may be never.
  void exclude(std::size_t file_bytes) { credit_ -= static_cast<std::int64_t>(file_bytes); }
  /// Objects of so many bytes are about to be made. Throws Error(limit), which tells where the message stands.
  void charge(std::size_t object_bytes, const Message& message);
  /// The same for what no one message asks for.
  void charge(std::size_t object_bytes, const std::string& file);
  /// All that has been made is about to be copied. What that takes, for release().
  std::size_t charge_copy(const std::string& file) {
    const auto bytes = static_cast<std::size_t>(charged_);
    charge(bytes, file);
    return bytes;
  }
  /// Objects that were charged are gone.
  void release(std::size_t object_bytes) { charged_ -= static_cast<std::int64_t>(object_bytes); }
  void add_nodes(std::size_t count, const Message& message);
  /// A node that a call of a function writes out. A few functions that call each other twice ask for any number of them,
  /// and where they make nothing it is time that they take. Throws Error(limit).
  void add_call_node(const Message& message);
  /// Bytes that another call of a function reads again. Throws Error(limit).
  void reread(std::size_t file_bytes, const Message& message);

 private:
  [[nodiscard]] std::int64_t allowed() const;
  [[nodiscard]] bool take(std::size_t object_bytes);

  std::int64_t free_bytes_ = 0;
  std::int64_t max_nodes_ = 0;
  std::int64_t max_call_nodes_ = 0;
  std::int64_t call_nodes_ = 0;
  std::int64_t max_reread_bytes_ = 0;
  std::int64_t reread_bytes_ = 0;
  std::int64_t nodes_ = 0;
  std::int64_t credit_ = 0;
  std::int64_t charged_ = 0;
};

}  // namespace linnet::onnx
