#include "plan/memory_plan.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <utility>
#include <vector>

namespace linnet::plan {

namespace {

/// The largest buffer first, each at the lowest offset where nothing alive at the same time lies: close to the least that
/// is possible, in time that is quadratic.
MemoryPlan plan_by_size(std::span<const BufferUse> buffers) {
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<std::size_t> placed;  // by offset
  for (const std::size_t id : order) {
    const BufferUse& use = buffers[id];
    if (use.bytes == 0) continue;
    std::size_t offset = 0;
    for (const std::size_t other : placed) {
      const BufferUse& o = buffers[other];
      if (o.last < use.first || use.last < o.first) continue;
      if (offset + use.bytes <= plan.offsets[other]) break;  // the gap before it is large enough
      offset = std::max(offset, arena_aligned(plan.offsets[other] + o.bytes));
    }
    plan.offsets[id] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, arena_aligned(offset + use.bytes));
    const auto at = std::upper_bound(placed.begin(), placed.end(), offset,
                                     [&](std::size_t value, std::size_t p) { return value < plan.offsets[p]; });
    placed.insert(at, id);
  }
  return plan;
}

/// The free stretches of an arena that grows.
class FreeList {
 public:
  std::size_t take(std::size_t bytes) {
    const auto fit = by_size_.lower_bound({bytes, 0});
    std::size_t offset = end_;
    if (fit != by_size_.end()) {
      offset = fit->second;
    } else if (!by_offset_.empty() &&
               std::prev(by_offset_.end())->first + std::prev(by_offset_.end())->second == end_) {
      offset = std::prev(by_offset_.end())->first;  // the last stretch, grown
    }
    const auto stretch = by_offset_.find(offset);
    if (stretch != by_offset_.end()) {
      const std::size_t size = stretch->second;
      erase(stretch);
      if (size > bytes) insert(offset + bytes, size - bytes);
    }
    end_ = std::max(end_, offset + bytes);
    return offset;
  }
  void give(std::size_t offset, std::size_t bytes) {
    auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.end() && next->first == offset + bytes) {
      bytes += next->second;
      next = erase(next);
    }
    if (next != by_offset_.begin()) {
      const auto before = std::prev(next);
      if (before->first + before->second == offset) {
        offset = before->first;
        bytes += before->second;
        erase(before);
      }
    }
    insert(offset, bytes);
  }
  [[nodiscard]] std::size_t end() const { return end_; }

 private:
  using Offsets = std::map<std::size_t, std::size_t>;
  Offsets::iterator erase(Offsets::iterator at) {
    by_size_.erase({at->second, at->first});
    return by_offset_.erase(at);
  }
  void insert(std::size_t offset, std::size_t bytes) {
    by_offset_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
  }
  Offsets by_offset_;                                      // offset -> bytes
  std::set<std::pair<std::size_t, std::size_t>> by_size_;  // bytes, offset
  std::size_t end_ = 0;
};

/// In the order in which they come to life, each in the smallest stretch that is free then: n log n.
MemoryPlan plan_by_time(std::span<const BufferUse> buffers) {
  MemoryPlan plan;
  plan.offsets.assign(buffers.size(), 0);
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return buffers[a].first < buffers[b].first; });
  using End = std::pair<std::int32_t, std::size_t>;  // last step, buffer
  std::priority_queue<End, std::vector<End>, std::greater<>> alive;
  FreeList memory;
  for (const std::size_t id : order) {
    if (buffers[id].bytes == 0) continue;
    for (; !alive.empty() && alive.top().first < buffers[id].first; alive.pop()) {
      const std::size_t over = alive.top().second;
      memory.give(plan.offsets[over], arena_aligned(buffers[over].bytes));
    }
    plan.offsets[id] = memory.take(arena_aligned(buffers[id].bytes));
    alive.emplace(buffers[id].last, id);
  }
  plan.arena_bytes = memory.end();
  return plan;
}

/// No network for vision has so many; a file that has may not keep the planner busy for minutes.
constexpr std::size_t kMostBySize = 8192;

}  // namespace

MemoryPlan plan_memory(std::span<const BufferUse> buffers) {
  return buffers.size() <= kMostBySize ? plan_by_size(buffers) : plan_by_time(buffers);
}

}  // namespace linnet::plan
