#include "ops/weight_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked_math.h"

namespace linnet::ops {

namespace {

using base::AlignedBuffer;

constexpr std::size_t kMostBlock = 16 * AlignedBuffer::kHugePage;

}  // namespace

WeightStore::Buffer WeightStore::get(const std::string& key, std::size_t bytes,
                                     const std::function<void(std::byte*)>& fill, AlignedBuffer::Fill memory) {
  // Filling under the lock: two plans that are made at once for one model want the same buffers, and neither twice.
  const std::lock_guard lock(mutex_);
  Buffer& buffer = buffers_[key];
  if (buffer == nullptr) {
    const auto [block, offset] = place(bytes);
    std::byte* const to = block->data() + offset;
    if (memory == AlignedBuffer::Fill::zero) std::memset(to, 0, bytes);
    fill(to);
    buffer = std::make_shared<const PackedConstant>(block, offset, bytes);
    bytes_ += bytes;
  }
  return buffer;
}

// A new block is as large as all that there is already: a small model takes no more than it needs, a large one few blocks.
WeightStore::Place WeightStore::place(std::size_t bytes) {
  const auto has_room = [&](const Place& begun) { return begun.block->bytes() - begun.offset >= bytes; };
  auto found = std::find_if(blocks_.begin(), blocks_.end(), has_room);
  if (found == blocks_.end()) {
    const std::size_t wanted = std::max(bytes, std::min(bytes_, kMostBlock));
    const bool huge = wanted >= AlignedBuffer::kHugeFrom;
    const std::size_t size = huge ? base::round_up(wanted, AlignedBuffer::kHugePage) : bytes;
    auto block = std::make_shared<AlignedBuffer>(size, AlignedBuffer::Fill::none);
    if (!huge) return {std::move(block)};
    found = blocks_.insert(blocks_.end(), {std::move(block)});
  }
  return {found->block, std::exchange(found->offset, found->offset + base::round_up(bytes, AlignedBuffer::kLine))};
}

std::size_t WeightStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace linnet::ops
