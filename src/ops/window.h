// The sliding window of convolutions and pools: kernel, strides, dilations and pads, with auto_pad resolved.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/node_context.h"

namespace linnet::ops {

struct Window {
  std::vector<std::int64_t> kernel, strides, dilations, pads_begin, pads_end;  // one entry a spatial axis
};

/// Reads strides, dilations, pads and auto_pad for `kernel`. `spatial` are the input's spatial extents: auto_pad
/// SAME_UPPER/SAME_LOWER needs them known, and leaves the pads of an unknown extent at zero (its output is then unknown too).
/// Throws Error(model) for wrong counts, non-positive strides or dilations, or negative pads.
Window read_window(const NodeContext& context, std::vector<std::int64_t> kernel, const graph::DimList& spatial);

/// Output extent of one axis: floor or ceil of (in + pads - effective kernel) / stride + 1, where with `ceil_mode` a window
/// that would begin in the end padding is dropped. Throws through `context` if the window does not fit.
std::int64_t window_extent(const NodeContext& context, const Window& window, std::size_t axis, std::int64_t in,
                           bool ceil_mode = false);

/// The extents of all axes; unknown where the input's is.
graph::DimList window_extents(const NodeContext& context, const Window& window, const graph::DimList& spatial,
                              bool ceil_mode = false);

/// For the kernels, which count pixels in an int. Throws Error(limit) unless they can count those of each axis of the input `in`,
/// its padding included, and a stride and a dilation beyond them.
void require_countable(const NodeContext& context, const Window& window, std::span<const std::int64_t> in);

}  // namespace linnet::ops
