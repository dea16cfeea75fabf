// Where the window of a convolution or a pooling lies in its input. The window's elements are called taps.
#pragma once

namespace linnet::kernels::LINNET_ISA {

/// Taps [begin, end), possibly none.
struct TapRange {
  int begin, end;
};

/// The taps inside [0, size): those k with 0 <= first + k * dilation < size.
static inline TapRange taps_inside(int first, int kernel, int dilation, int size) {
  int begin = first >= 0 ? 0 : (-first + dilation - 1) / dilation;
  int end = first >= size ? 0 : (size - first + dilation - 1) / dilation;
  begin = begin < kernel ? begin : kernel;
  end = end < kernel ? end : kernel;
  return {begin, end > begin ? end : begin};
}

/// The output columns [begin, end) whose windows lie inside the input entirely; those before and after are clipped.
struct InnerColumns {
  int begin, end;
};
static inline InnerColumns inner_columns(int in_w, int out_w, int kernel, int stride, int dilation, int pad) {
  const int begin = (pad + stride - 1) / stride;
  const int room =
      in_w + pad - ((kernel - 1) * dilation + 1);  // the last column whose window fits begins at or before this
  int end = room < 0 ? 0 : room / stride + 1;
  end = end < out_w ? end : out_w;
  return begin < end ? InnerColumns{begin, end} : InnerColumns{out_w, out_w};
}

}  // namespace linnet::kernels::LINNET_ISA
