// Changes of layout and copies: argument structs. Strides are in floats; nothing may overlap; no alignment is needed.
#pragma once

#include "kernels/view.h"

namespace linnet::kernels {

/// A plain tensor, channels outermost (NCHW) or innermost (NHWC). The stride that is not given is 1: the column's in
/// NCHW, the channel's in NHWC.
template <class Float>
struct PlainView {
  Float* data = nullptr;
  ptrdiff_t image = 0;
  ptrdiff_t row = 0;
  ptrdiff_t step = 0;  // NCHW: from one channel to the next; NHWC: from one pixel of a row to the next
};

/// NCHW -> NCHW16c and NHWC -> NCHW16c. Channels beyond `channels` are written as zero; a halo is not touched.
struct ToBlockedArguments {
  PlainView<const float> x;
  BlockedTarget y;
  int channels = 0;
  int width = 0;
  PlaneRange range;
};

/// The way back. Channels beyond `channels` are dropped.
struct FromBlockedArguments {
  BlockedSource x;
  PlainView<float> y;
  int channels = 0;
  int width = 0;
  PlaneRange range;
};

/// Fills the halo of each plane with zeros: `top` rows above row 0, `bottom` rows below row height - 1, `left` and
/// `right` pixels of every row.
struct ZeroBorderArguments {
  BlockedTarget y;
  int blocks = 0;
  int height = 0, width = 0;
  int top = 0, left = 0, bottom = 0, right = 0;
  int64_t plane_begin = 0, plane_end = 0;
};

/// Zeroes the padded channels (channels % 16 ..) of the last block: needed after an operator with op(0) != 0, such as
/// sigmoid, because convolutions multiply those channels by zero weights and 0 * inf is NaN.
struct ZeroChannelTailArguments {
  BlockedTarget y;
  int channels = 0;
  int width = 0;
  int64_t image_begin = 0, image_end = 0;
  int row_begin = 0, row_end = 0;
};

/// A channel of an image in NCHW16c: its first pixel, the next one kBlock floats further.
struct ChannelSource {
  const float* data = nullptr;  // null: zeros, as the last channels of a block may be
  ptrdiff_t row = 0;
};

/// An image in NCHW16c whose channels come from anywhere: channel c is x[c].
struct GatherChannelsArguments {
  const ChannelSource* x = nullptr;  // [blocks * kBlock]
  BlockedTarget y;                   // from its first block on
  int blocks = 0;
  int width = 0;
  int row_begin = 0, row_end = 0;
};

/// Rows of `width` floats.
struct Copy2dArguments {
  const float* x = nullptr;
  float* y = nullptr;
  ptrdiff_t x_row = 0, y_row = 0;
  int64_t width = 0;
  int64_t row_begin = 0, row_end = 0;
};

/// Any strides, also 0 and negative: Transpose, Slice, Expand, and with an offset destination Concat and Pad. Elements
/// are 32 bits of anything. Fast when both innermost strides are 1; otherwise a loop over elements.
struct CopyStridedArguments {
  static constexpr int kRank = 8;
  const float* x = nullptr;
  float* y = nullptr;
  int rank = 1;  // 1..kRank
  int64_t size[kRank] = {};
  ptrdiff_t x_stride[kRank] = {};
  ptrdiff_t y_stride[kRank] = {};
  int64_t begin = 0, end = 0;  // of the outermost axis
};

/// y[begin..end) = value.
struct FillArguments {
  float* y = nullptr;
  float value = 0;
  int64_t begin = 0, end = 0;
};

}  // namespace linnet::kernels
