// Depthwise convolution: argument struct.
#pragma once

#include "kernels/view.h"

namespace linnet::kernels {

/// One filter a channel, blocked: y = clamp(bias + residual + sum of x * w).
/// The input's halo, if there is one, is neither needed nor read: taps outside the input are skipped.
/// Order of the sum: it starts at bias (+ residual), then kh, kw ascending by fma.
struct DepthwiseArguments {
  BlockedSource x;
  BlockedTarget y;
  BlockedSource residual;          // data null: none; may be y
  const float* weights = nullptr;  // [blocks][kernel_h][kernel_w][16], zero in padded channels
  const float* bias = nullptr;     // [blocks][16], or null
  int blocks = 0;
  int in_h = 0, in_w = 0;
  int out_w = 0;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int dilation_h = 1, dilation_w = 1;
  int pad_top = 0, pad_left = 0;
  Clamp clamp;
  PlaneRange range;  // output rows
};

}  // namespace linnet::kernels
