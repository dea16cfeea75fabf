// 64-byte aligned, move-only memory: arenas and packed weights.
#pragma once

#include <cstddef>
#include <memory>

namespace linnet::base {

/// Throws Error(no_memory). Buffers of kHugeFrom bytes and more are asked to use huge pages where the system has them.
class AlignedBuffer {
 public:
  enum class Fill { none, zero };
  static constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20, kHugeFrom = 2 * kHugePage;

  AlignedBuffer() = default;
  AlignedBuffer(std::size_t bytes, Fill fill);

  [[nodiscard]] std::byte* data() noexcept { return data_.get(); }
  [[nodiscard]] const std::byte* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  template <typename T>
  [[nodiscard]] T* as() noexcept {
    return reinterpret_cast<T*>(data_.get());
  }
  template <typename T>
  [[nodiscard]] const T* as() const noexcept {
    return reinterpret_cast<const T*>(data_.get());
  }

 private:
  struct Free {
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t bytes_ = 0;
};

}  // namespace linnet::base
