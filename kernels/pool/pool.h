// Pooling: argument structs. Strides are in floats. The caller has resolved auto_pad and ceil_mode into the pads before
// the input and the output's size; every window must touch the input in at least one element.
#pragma once

#include "kernels/view.h"

namespace linnet::kernels {

enum class PoolOp : uint8_t {
  max,                  // a NaN in the window gives NaN
  average,              // of the elements inside the input
  average_include_pad,  // divisor counts the padding too, but not what ceil_mode adds beyond the padding
};

/// One spatial axis of a pooling window.
struct PoolAxis {
  int input = 1;  // elements of the input along this axis
  int output = 1;
  int kernel = 1;
  int stride = 1;
  int dilation = 1;
  int pad_before = 0;
  int pad_after = 0;  // only average_include_pad looks at it
};

/// Blocked, two-dimensional. The range is over output rows. y must not overlap x.
/// Order of a sum: kh, then kw, ascending, from the first element inside the input; then one division.
struct PoolArguments {
  PoolOp op = PoolOp::max;
  BlockedSource x;
  BlockedTarget y;
  int blocks = 0;
  PoolAxis h, w;
  PlaneRange range;
};

/// Blocked, over the whole plane: y[n][block][16], at y.image and y.plane. Order of a sum: each row ascending, then the
/// rows' sums ascending; then one division by height * width.
struct GlobalPoolArguments {
  PoolOp op = PoolOp::average;
  BlockedSource x;
  BlockedTarget y;  // y.row is not used
  int blocks = 0;
  int height = 0, width = 0;
  int64_t plane_begin = 0, plane_end = 0;
};

/// Plain [N*C][D][H][W], contiguous; axes that a 1-D or 2-D pooling lacks keep PoolAxis' defaults, outermost first.
/// The plane's input must have fewer than 2^63 elements. For global pooling use reduce.
struct PlainPoolArguments {
  PoolOp op = PoolOp::max;
  const float* x = nullptr;
  float* y = nullptr;
  int64_t* indices = nullptr;         // MaxPool's second output, or null: index of the first maximum in the whole x
  bool indices_column_major = false;  // MaxPool's storage_order: count the plane's axes in reverse order
  PoolAxis axis[3];                   // d, h, w
  int64_t begin = 0, end = 0;         // output rows: (plane * D + d) * H + h
};

}  // namespace linnet::kernels
