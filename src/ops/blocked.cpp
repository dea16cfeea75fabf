#include "ops/blocked.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/checked_math.h"

namespace linnet::ops {

namespace {
constexpr int kPixelsOfARow = 64;
}

Range thread_share(const RunArgs& args, std::int64_t n, std::int64_t elements, std::int64_t unit) {
  if (args.threads == 1 || elements < kLeastElementsToShare) return args.thread == 0 ? Range{0, n} : Range{};
  const Range units = split(base::ceil_div(n, unit), args.threads, args.thread);
  return {std::min(n, units.first * unit), std::min(n, units.last * unit)};
}

int kernel_int(const NodeContext& context, std::int64_t extent) {
  if (extent < std::numeric_limits<int>::min() || extent > std::numeric_limits<int>::max()) {
    context.fail(ErrorCode::limit, "an extent is too large", {}, "less than 2^31", std::to_string(extent));
  }
  return static_cast<int>(extent);
}

BlockedExtent blocked_extent(const NodeContext& context, const Placement& p) {
  BlockedExtent e;
  e.images = p.shape[0];
  e.blocks = kernel_int(context, p.channel_blocks());
  e.height = kernel_int(context, p.shape.size() == 4 ? p.shape[2] : 1);
  e.width = kernel_int(context, p.shape.back());
  if (p.elements() > 0) (void)kernel_int(context, std::int64_t{e.height} * e.width);
  return e;
}

WalkExtent walk_extent(const PlanContext& context, const std::vector<const Placement*>& operands) {
  WalkExtent e{blocked_extent(context, *operands.back())};
  const bool dense = std::all_of(operands.begin(), operands.end(), [&](const Placement* p) {
    return p->row_stride == std::int64_t{e.width} * kernels::kBlock;
  });
  if (!dense || e.height <= 1 || e.width == 0) return e;
  // Enough pixels that the start of a row costs nothing, and no more, for rows are what threads share: evenly, if they can.
  const auto fits = [&](int rows, int threads) {
    return e.height % rows == 0 && rows * e.width >= kPixelsOfARow && e.height / rows % threads == 0;
  };
  const auto fewest = [&](int threads) {
    int rows = 1;
    while (rows < e.height && !fits(rows, threads)) ++rows;
    return rows;
  };
  e.merged = fewest(context.options().threads);
  if (e.merged == e.height) e.merged = fewest(1);
  e.height /= e.merged;
  e.width *= e.merged;
  return e;
}

bool can_be_blocked(const graph::TensorDesc& desc) {
  return desc.type == DataType::float32 && desc.has_rank() && desc.shape->size() == 4 && (*desc.shape)[1].known();
}

bool has_whole_blocks(const graph::TensorDesc& desc) {
  return can_be_blocked(desc) && (*desc.shape)[1].value % kernels::kBlock == 0;
}

}  // namespace linnet::ops
