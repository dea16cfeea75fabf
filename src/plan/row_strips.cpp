#include "plan/row_strips.h"

#include <algorithm>
#include <cstring>

#include "base/checked_math.h"
#include "kernels/view.h"
#include "plan/memory_plan.h"

namespace linnet::plan {

namespace {

using ops::Placement;
using ops::Range;
using ops::RunArgs;

constexpr std::int64_t kStripBytes = 384 * 1024;  // of the value between: stay in L2 beside what the first step needs
constexpr std::int64_t kMostStripBytes = 2 * kStripBytes;  // of as few rows as it takes
// What the busiest thread makes of the value between, to its even share: neighbours both make some rows.
constexpr double kMostOfShare = 1.25;

struct RowStrips {
  ops::RowsWritten first;
  ops::RowsRead second;
  std::int64_t blocks = 0, height = 0;  // of the value between
  std::int64_t row = 0;                 // its floats in a row
  std::int64_t images = 0, out_height = 0;
  std::int64_t strip = 0;     // rows of the output at a time
  std::int64_t capacity = 0;  // rows of the value between that are at hand
  std::size_t scratch = 0;    // of a thread, before its strip

  /// Rows of the value between for rows `out` of the output, in whole units.
  [[nodiscard]] Range made_for(Range out) const {
    const std::int64_t begin = std::max<std::int64_t>(0, out.first * second.stride - second.before);
    const std::int64_t end = (out.last - 1) * second.stride - second.before + second.span;
    return {begin / first.unit * first.unit, std::min(height, base::round_up(end, first.unit))};
  }
  /// The most that so many rows of the output are made from.
  [[nodiscard]] std::int64_t most_made(std::int64_t out_rows) const {
    return std::min(height, (out_rows - 1) * second.stride + second.span + 2 * (first.unit - 1));
  }
  /// Of the value between, by a thread: together more than there are, as neighbours both make some.
  [[nodiscard]] std::int64_t rows_made(int thread, int threads) const;
  void run(const RunArgs& args) const;
  template <typename Visit>
  void each_image(int thread, int threads, const Visit& visit) const;
  void run_image(const RunArgs& args, std::int64_t image, Range mine) const;
};

/// visit(image, rows of its output) for a thread's share.
template <typename Visit>
void RowStrips::each_image(int thread, int threads, const Visit& visit) const {
  const Range mine = ops::split(images * out_height, threads, thread);
  for (std::int64_t at = mine.first; at < mine.last;) {
    const std::int64_t image = at / out_height, before = image * out_height;
    const std::int64_t last = std::min(mine.last, before + out_height);
    visit(image, Range{at - before, last - before});
    at = last;
  }
}

void RowStrips::run(const RunArgs& args) const {
  each_image(args.thread, args.threads, [&](std::int64_t image, Range rows) { run_image(args, image, rows); });
}

std::int64_t RowStrips::rows_made(int thread, int threads) const {
  std::int64_t made = 0;
  each_image(thread, threads, [&](std::int64_t, Range rows) { made += made_for(rows).count(); });
  return made;
}

void RowStrips::run_image(const RunArgs& args, std::int64_t image, Range mine) const {
  float* const held_rows = reinterpret_cast<float*>(args.thread_scratch + scratch);
  const std::int64_t plane = capacity * row;
  Range held;  // rows of the value between
  for (Range out = {mine.first, mine.first}; out.first < mine.last; out.first = out.last) {
    out.last = std::min(mine.last, out.first + strip);
    const Range wanted = made_for(out);
    const std::int64_t kept = std::max<std::int64_t>(0, held.last - wanted.first);
    for (std::int64_t b = 0; kept > 0 && b < blocks; ++b) {
      float* const to = held_rows + b * plane;
      std::memmove(to, to + (wanted.first - held.first) * row, static_cast<std::size_t>(kept * row) * sizeof(float));
    }
    float* const origin = held_rows - wanted.first * row;
    if (wanted.count() > kept) first.run(args, image, {wanted.first + kept, wanted.last}, {origin, 0, plane, row});
    second.run(args, image, out, {origin, 0, plane, row});
    held = wanted;
  }
}

}  // namespace

std::optional<ops::Step> fuse_by_rows(const ops::Step& first, const ops::Step& second, const Placement& between,
                                      const Placement& out, int threads) {
  if (between.halo.any()) return {};
  RowStrips s;
  s.first = first.rows_written;
  s.second = second.rows_read;
  s.blocks = between.channel_blocks();
  s.height = between.shape[2];
  s.row = between.row_stride;
  s.images = out.shape[0];
  s.out_height = out.shape[2];
  const std::int64_t row_bytes = s.blocks * s.row * static_cast<std::int64_t>(sizeof(float));
  if (s.most_made(1) * row_bytes > kMostStripBytes) return {};
  std::int64_t most = 0;
  for (int thread = 0; thread < threads; ++thread) most = std::max(most, s.rows_made(thread, threads));
  if (static_cast<double>(most * threads) > kMostOfShare * static_cast<double>(s.images * s.height)) return {};
  const std::int64_t besides = s.second.span + 2 * (s.first.unit - 1);
  s.strip = std::clamp<std::int64_t>(
      (kStripBytes / std::max<std::int64_t>(1, row_bytes) - besides) / s.second.stride + 1, 1, s.out_height);
  s.capacity = s.most_made(s.strip);
  s.scratch = arena_aligned(std::max(first.thread_scratch_bytes, second.thread_scratch_bytes));

  ops::Step fused = first;
  fused.op += "+" + second.op;
  fused.algorithm += "+" + second.algorithm;
  fused.outputs = second.outputs;
  fused.macs += second.macs;
  fused.weight_bytes += second.weight_bytes;
  fused.blocking.panel_parts = 0;  // each thread has all panels
  fused.thread_scratch_bytes = s.scratch + static_cast<std::size_t>(s.capacity * row_bytes);
  fused.run = [s](const RunArgs& args) { s.run(args); };
  fused.load = [s, all = first.load](int thread, int of) {
    return all(0, 1) * static_cast<double>(s.rows_made(thread, of)) / static_cast<double>(s.images * s.height);
  };
  fused.rows_written = {};
  return fused;
}

}  // namespace linnet::plan
