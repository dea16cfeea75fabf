// Packed constants: what kernels read of a model's weights.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"

namespace linnet::ops {

/// One packed constant, 64-byte aligned, in a block of memory that others may share.
class PackedConstant {
 public:
  PackedConstant(std::shared_ptr<const base::AlignedBuffer> block, std::size_t offset, std::size_t bytes)
      : block_(std::move(block)), offset_(offset), bytes_(bytes) {}

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  template <typename T>
  [[nodiscard]] const T* as() const noexcept {
    return reinterpret_cast<const T*>(block_->data() + offset_);
  }

 private:
  std::shared_ptr<const base::AlignedBuffer> block_;
  std::size_t offset_, bytes_;
};

/// The packed constants of one shape-bound plan, or those shared by all of a model. Thread-safe.
///
/// They lie side by side in blocks that are large enough for huge pages: a run goes through all of a network's weights, and
/// looking up a small page for every 4 KB of them would hold the kernels up.
class WeightStore {
 public:
  using Buffer = std::shared_ptr<const PackedConstant>;
  /// The constant under `key`, made by `fill` (given memory of `bytes`, zeroed or not) the first time.
  Buffer get(const std::string& key, std::size_t bytes, const std::function<void(std::byte*)>& fill,
             base::AlignedBuffer::Fill memory);
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Place {
    std::shared_ptr<base::AlignedBuffer> block;
    std::size_t offset = 0;
  };
  Place place(std::size_t bytes);

  mutable std::mutex mutex_;
  std::map<std::string, Buffer> buffers_;
  std::size_t bytes_ = 0;
  std::vector<Place> blocks_;  // of huge pages, each at where its room begins
};

}  // namespace linnet::ops
