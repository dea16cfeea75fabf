#include "plan/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "base/checked_math.h"

namespace linnet::plan {

namespace {
std::size_t aligned(std::size_t bytes) { return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; }
}  // namespace

MemoryPlan plan_memory(std::span<const BufferUse> buffers) {
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t id : order) {
    const BufferUse& use = buffers[id];
    if (use.bytes == 0) continue;
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      const BufferUse& o = buffers[other];
      if (o.last < use.first || use.last < o.first) continue;
      if (offset + use.bytes <= plan.offsets[other]) break;  // the gap before it is large enough
      offset = std::max(offset, aligned(plan.offsets[other] + o.bytes));
    }
    plan.offsets[id] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, aligned(offset + use.bytes));
    const auto at = std::upper_bound(placed.begin(), placed.end(), offset, [&](std::size_t value, std::size_t p) { return value < plan.offsets[p]; });
    placed.insert(at, id);
  }
  return plan;
}

}  // namespace linnet::plan
