// Offsets of buffers in one arena, from their lifetimes. A pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/checked_math.h"

namespace linnet::plan {

/// A buffer that holds its bytes from step `first` to step `last`, both included.
struct BufferUse {
  std::size_t bytes = 0;
  std::int32_t first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // one a buffer, multiples of kArenaAlignment
  std::size_t arena_bytes = 0;
};

/// Of the arena and every offset: two cache lines, which processors fetch in pairs.
constexpr std::size_t kArenaAlignment = 128;
constexpr std::size_t arena_aligned(std::size_t bytes) { return base::round_up(bytes, kArenaAlignment); }

/// Greedy by size: the largest buffers are placed first, each at the lowest offset where no buffer alive at the same time is.
/// Beyond a few thousand buffers, where that takes too long, greedy by time.
MemoryPlan plan_memory(std::span<const BufferUse> buffers);

}  // namespace linnet::plan
