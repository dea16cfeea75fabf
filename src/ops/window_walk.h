// Which elements of the input lie under a window, for any number of spatial axes: the one walk of all convolutions, pools
// and their like that have no kernel of their own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/checked_math.h"
#include "ops/step.h"
#include "ops/window.h"

namespace linnet::ops {

class WindowWalk {
 public:
  WindowWalk() = default;
  /// `in` and `out` are the spatial extents. Transposed: window i is what of the input contributes to output i of a
  /// transposed convolution.
  WindowWalk(const Window& window, const std::vector<std::int64_t>& in, const std::vector<std::int64_t>& out,
             bool transposed = false);

  [[nodiscard]] std::int64_t windows() const noexcept { return windows_; }
  [[nodiscard]] std::int64_t taps() const noexcept { return taps_; }
  [[nodiscard]] std::int64_t in_pixels() const noexcept { return in_pixels_; }

  /// visit(tap, offset) for every tap of window `index` that lies inside the input, in row-major order of the taps.
  template <typename Visit>
  void each_inside(std::int64_t index, const Visit& visit) const {
    if (in_pixels_ > 0)
      descend(0, index, 0, 0, visit);  // else rows without a pixel would be gone through, 2^40 perhaps
  }
  /// The taps of window `index` that lie inside the input or its padding: what an average that counts the padding divides by.
  [[nodiscard]] std::int64_t taps_with_padding(std::int64_t index) const;
  /// The coordinate along `axis` of an offset that a visit was given.
  [[nodiscard]] std::int64_t coordinate(std::int64_t offset, std::size_t axis) const {
    return offset / axes_[axis].in_stride % axes_[axis].in;
  }

 private:
  struct Axis {
    std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0, pad_end = 0;
    std::int64_t in_stride = 1, out_stride = 1, tap_stride = 1;  // of the axis in the input, the windows and the taps
  };

  template <typename Visit>
  void descend(std::size_t depth, std::int64_t index, std::int64_t tap, std::int64_t offset, const Visit& visit) const {
    if (depth == axes_.size()) return visit(tap, offset);
    const Axis& a = axes_[depth];
    const std::int64_t at = index / a.out_stride % a.out;
    if (transposed_) {
      const std::int64_t reach = at + a.pad;
      const auto meet = [&](std::int64_t t, std::int64_t i) {
        descend(depth + 1, index, tap + t * a.tap_stride, offset + i * a.in_stride, visit);
      };
      // Each tap meets an input at most, and each input a tap: the fewer of the two are gone through.
      if (a.in < a.kernel) {
        for (std::int64_t i = std::min(a.in - 1, reach / a.stride); i >= 0; --i) {
          const std::int64_t beyond = reach - i * a.stride;
          if (beyond / a.dilation >= a.kernel) break;
          if (beyond % a.dilation == 0) meet(beyond / a.dilation, i);
        }
        return;
      }
      for (std::int64_t t = 0; t < a.kernel && t * a.dilation <= reach; ++t) {
        const std::int64_t scaled = reach - t * a.dilation;
        if (scaled % a.stride == 0 && scaled / a.stride < a.in) meet(t, scaled / a.stride);
      }
      return;
    }
    const std::int64_t start = at * a.stride - a.pad;
    const std::int64_t first = start >= 0 ? 0 : base::ceil_div(-start, a.dilation);
    const std::int64_t room = start < a.in ? base::ceil_div(a.in - start, a.dilation) : 0;
    for (std::int64_t t = first; t < std::min(a.kernel, room); ++t)
      descend(depth + 1, index, tap + t * a.tap_stride, offset + (start + t * a.dilation) * a.in_stride, visit);
  }

  std::vector<Axis> axes_;
  bool transposed_ = false;
  std::int64_t windows_ = 1, taps_ = 1, in_pixels_ = 1;
};

}  // namespace linnet::ops
