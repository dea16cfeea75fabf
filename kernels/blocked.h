// Walking over blocked tensors.
#pragma once

#include "kernels/view.h"

namespace linnet::kernels::LINNET_ISA {

/// Pixel (row, 0) of one channel block.
template <class Float>
[[gnu::always_inline]] static inline Float* pixel(const BlockedView<Float>& v, int64_t image, int64_t block,
                                                  int64_t row) {
  return v.data + image * v.image + block * v.plane + row * v.row;
}

/// visit(image, block) for each plane of a range, in order.
template <class Visit>
[[gnu::always_inline]] static inline void each_plane(int64_t begin, int64_t end, int64_t blocks, const Visit& visit) {
  for (int64_t plane = begin; plane < end; ++plane) visit(plane / blocks, plane % blocks);
}

/// visit(image, block, row) for each row of a range, in order.
template <class Visit>
[[gnu::always_inline]] static inline void each_row(const PlaneRange& range, int64_t blocks, const Visit& visit) {
  each_plane(
      range.plane_begin, range.plane_end, blocks, [&](int64_t image, int64_t block) __attribute__((always_inline)) {
        for (int row = range.row_begin; row < range.row_end; ++row) visit(image, block, row);
      });
}

}  // namespace linnet::kernels::LINNET_ISA
