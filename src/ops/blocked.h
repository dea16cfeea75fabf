// Walking over nchw16c tensors: their extents, views for the kernels, and how a step's rows are split over threads.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/view.h"
#include "ops/node_context.h"
#include "ops/plan_context.h"
#include "ops/step.h"

namespace linnet::ops {

/// Below so many elements a second thread costs more than it saves.
constexpr std::int64_t kLeastElementsToShare = 16384;

/// Of a plane, for each thread: at a seam a core fetches what the other writes, by windows and by its prefetchers.
constexpr std::int64_t kLeastPixelsToSplit = 64;

/// This thread's part of `n` items that hold `elements` elements in all. `unit`: items that stay together.
Range thread_share(const RunArgs& args, std::int64_t n, std::int64_t elements, std::int64_t unit = 1);

/// The extents of an nchw16c tensor as the kernels count them.
struct BlockedExtent {
  std::int64_t images = 0;
  int blocks = 0, height = 0, width = 0;
  bool whole_planes = false;  // a step beside this one needs them: threads do not share out rows

  [[nodiscard]] std::int64_t planes() const { return images * blocks; }
  [[nodiscard]] std::int64_t elements() const { return planes() * height * width * kernels::kBlock; }
  /// visit(kernels::PlaneRange) for this thread's share: the same rows of all planes, as convolutions split pixels, so that a
  /// thread goes on with what it has written itself; planes of its own where such rows would be few or uneven.
  template <typename Visit>
  void each_share(const RunArgs& args, const Visit& visit) const;
};
/// Throws Error(limit) for an extent, or pixels of a plane, that the kernels cannot count.
BlockedExtent blocked_extent(const NodeContext& context, const Placement& placement);
/// The extent of the last operand, for walking over all of them together element by element: short rows count as one
/// where they follow each other without a gap in every operand.
struct WalkExtent : BlockedExtent {
  int merged = 1;  // rows that count as one
};
WalkExtent walk_extent(const PlanContext& context, const std::vector<const Placement*>& operands);
/// An extent as the kernels' int; throws Error(limit) if it does not fit.
int kernel_int(const NodeContext& context, std::int64_t extent);

inline kernels::BlockedSource source_view(const Placement& p, const float* buffer, int merged = 1) {
  return {buffer + p.origin, p.image_stride, p.plane_stride, p.row_stride * merged};
}
inline kernels::BlockedTarget target_view(const Placement& p, float* buffer, int merged = 1) {
  return {buffer + p.origin, p.image_stride, p.plane_stride, p.row_stride * merged};
}

/// Row `row` of a plane, counted over all images of so many channel blocks.
template <typename Float>
Float* row_of(const kernels::BlockedView<Float>& view, int blocks, std::int64_t plane, std::int64_t row) {
  return view.data + plane / blocks * view.image + plane % blocks * view.plane + row * view.row;
}

/// visit(kernels::PlaneRange) for the rows [rows.first, rows.last) of all planes, counted plane by plane: whole planes
/// together, and what is left of the first and the last.
template <typename Visit>
void each_plane_range(Range rows, int height, const Visit& visit) {
  while (rows.first < rows.last) {
    const std::int64_t plane = rows.first / height, row = rows.first % height, left = rows.last - rows.first;
    kernels::PlaneRange range;
    range.plane_begin = plane;
    range.row_begin = static_cast<int>(row);
    if (row == 0 && left >= height) {
      range.plane_end = plane + left / height;
      range.row_end = height;
      rows.first += left / height * height;
    } else {
      range.plane_end = plane + 1;
      range.row_end = static_cast<int>(row + left < height ? row + left : height);
      rows.first += range.row_end - row;
    }
    visit(range);
  }
}

template <typename Visit>
void BlockedExtent::each_share(const RunArgs& args, const Visit& visit) const {
  const std::int64_t rows = images * height, most = (rows + args.threads - 1) / args.threads;
  const bool even = most * args.threads * 7 <= rows * 8;
  if (whole_planes || !even || most * width < kLeastPixelsToSplit)
    return each_plane_range(thread_share(args, planes() * height, elements()), height, visit);
  each_plane_range(thread_share(args, rows, elements()), height, [&](kernels::PlaneRange range) {
    range.plane_begin *= blocks;
    range.plane_end *= blocks;
    visit(range);
  });
}

// Facts for layout rules.

/// A float32 tensor that may lie in nchw16c: of rank 4, its channels known.
bool can_be_blocked(const graph::TensorDesc& desc);
/// Blocked without padded channels.
bool has_whole_blocks(const graph::TensorDesc& desc);

}  // namespace linnet::ops
