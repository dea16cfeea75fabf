// What the fuzz targets share. A target is a function of bytes that must come back: with a result, or with a linnet::Error
// that such bytes can earn. Anything else ends the program, and that is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

#include "linnet/error.h"
#include "linnet/model.h"
#include "linnet/session.h"

namespace linnet::fuzz {

using Bytes = std::span<const std::byte>;

inline Bytes bytes_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Runs `action`, which may refuse. A refusal that claims to be a defect of Linnet is one.
template <typename Action>
void may_refuse(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::internal) return;
    std::fprintf(stderr, "an internal error: %s\n", error.what());
    std::abort();
  }
}

/// Budgets that keep one input to milliseconds, so that a target can try many.
inline LoadOptions small_load() {
  LoadOptions options;
  options.max_nodes = 2000;
  options.max_tensor_bytes = std::int64_t{8} << 20;
  options.external_data_dir = "/nonexistent";
  return options;
}

inline SessionOptions small_session() {
  SessionOptions options;
  options.threads = 1;
  options.max_arena_bytes = std::int64_t{32} << 20;
  return options;
}

/// Numbers taken from the input, zeros when it has ended.
class ByteSource {
 public:
  explicit ByteSource(Bytes bytes) : bytes_(bytes) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return value;
  }
  /// 0 to count - 1.
  int below(int count) { return byte() % count; }
  std::int64_t number() {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return static_cast<std::int64_t>(value);
  }

 private:
  Bytes bytes_;
};

}  // namespace linnet::fuzz
