// Changes of layout: argument structs. Strides are in floats; nothing may overlap; no alignment is needed.
#pragma once

#include "kernels/view.h"

namespace linnet::kernels {

/// A plain tensor, NCHW. Its columns lie side by side.
template <class Float>
struct PlainView {
  Float* data = nullptr;
  ptrdiff_t image = 0;
  ptrdiff_t row = 0;
  ptrdiff_t step = 0;  // from one channel to the next
};

/// NCHW -> NCHW16c. Channels beyond `channels` are written as zero; a halo is not touched.
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

}  // namespace linnet::kernels
