// Views of activations in the blocked layout NCHW16c, and the part of one that a kernel call works on.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels {

/// Channels in a block; also the floats between two pixels of a row.
inline constexpr int kBlock = 16;

/// Where a blocked tensor [N][C/16][H][W][16] lies. `data` is pixel (0,0) of block 0 of image 0; the strides are in
/// floats. A halo is outside the view: its pixels have coordinates below 0 or beyond the height and width.
/// Neighbouring pixels are kBlock floats apart. Any alignment is right, 64 bytes is fast.
template <class Float>
struct BlockedView {
  Float* data = nullptr;
  ptrdiff_t image = 0;
  ptrdiff_t plane = 0;  // from one channel block to the next
  ptrdiff_t row = 0;
};
using BlockedSource = BlockedView<const float>;
using BlockedTarget = BlockedView<float>;

/// The part of a result that one call computes: rows [row_begin, row_end) of the planes [plane_begin, plane_end).
/// A plane is one channel block of one image, numbered image * blocks + block. How a result is cut into parts never
/// changes its bits.
struct PlaneRange {
  int64_t plane_begin = 0, plane_end = 0;
  int row_begin = 0, row_end = 0;
};

/// The last step of many kernels, as min(hi, max(lo, x)): a NaN stays, max(0, -0) is -0.
struct Clamp {
  float lo = -__builtin_inff();
  float hi = __builtin_inff();
};

}  // namespace linnet::kernels
