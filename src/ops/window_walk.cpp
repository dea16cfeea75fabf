#include "ops/window_walk.h"

namespace linnet::ops {

WindowWalk::WindowWalk(const Window& w, const std::vector<std::int64_t>& in, const std::vector<std::int64_t>& out,
                       bool transposed)
    : axes_(in.size()), transposed_(transposed) {
  for (std::size_t i = in.size(); i-- > 0;) {
    Axis& axis = axes_[i];
    axis = {in[i],           out[i],        w.kernel[i], w.strides[i], w.dilations[i],
            w.pads_begin[i], w.pads_end[i], in_pixels_,  windows_,     taps_};
    in_pixels_ = base::checked_mul(in_pixels_, axis.in, "a plane");
    windows_ = base::checked_mul(windows_, axis.out, "a plane");
    taps_ = base::checked_mul(taps_, axis.kernel, "a kernel");
  }
}

std::int64_t WindowWalk::taps_with_padding(std::int64_t index) const {
  std::int64_t product = 1;
  for (const Axis& a : axes_) {
    const std::int64_t start = index / a.out_stride % a.out * a.stride - a.pad;
    product *= std::min(a.kernel, base::ceil_div(a.in + a.pad_end - start, a.dilation));
  }
  return product;
}

}  // namespace linnet::ops
