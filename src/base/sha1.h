// SHA-1, for the checksums that ONNX puts beside external data. It tells damage, not malice: SHA-1 is broken as a signature.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace linnet::base {

class Sha1 {
 public:
  void update(std::span<const std::byte> bytes) noexcept;
  /// The digest in 40 lower-case hexadecimal digits. Nothing may follow it.
  [[nodiscard]] std::string finish();

 private:
  void add_block(const std::byte* block) noexcept;

  std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  std::array<std::byte, 64> pending_{};
  std::uint64_t total_ = 0;  // bytes; total_ % 64 of them are pending
};

}  // namespace linnet::base
