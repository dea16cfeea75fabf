// Normalisations: argument structs. All lengths and strides are in floats; no alignment is needed.
#pragma once

#include "kernels/view.h"

namespace linnet::kernels {

/// Softmax along the middle axis of a contiguous [outer][n][inner]. y == x is allowed.
struct SoftmaxArguments {
  const float* x = nullptr;
  float* y = nullptr;
  int64_t n = 0;
  int64_t inner = 1;  // 1: the axis is the innermost one
  bool logarithm = false;
  int64_t begin = 0, end = 0;  // sums: outer * inner of them, numbered outer-major
};

/// y = (x - mean) / sqrt(variance + eps) * scale + bias over each row of n floats; the variance is the population's.
/// LayerNormalization: parameters have n floats, one for each element of a row (per_element).
/// InstanceNormalization: a row is a plane, parameters have `channels` floats, row r takes number r % channels.
/// GroupNormalization is a row normalisation without parameters, then a scale. y == x is allowed.
struct RowNormArguments {
  const float* x = nullptr;
  float* y = nullptr;
  const float* scale = nullptr;  // null: 1
  const float* bias = nullptr;   // null: 0
  bool per_element = false;
  int64_t channels = 1;
  int64_t n = 0;
  float eps = 0;
  int64_t begin = 0, end = 0;  // rows
};

/// Local response normalisation across channels:
/// y = x * (bias + alpha / size * sum of x^2 over channels c - (size-1)/2 .. c + size/2)^-beta.
/// Plain: [N][C][pixels], contiguous. y must not overlap x.
struct LrnArguments {
  const float* x = nullptr;
  float* y = nullptr;
  int64_t channels = 0;
  int64_t pixels = 0;  // of a plane
  int size = 1;
  float alpha = 0, beta = 0, bias = 1;
  int64_t begin = 0, end = 0;  // pixels of all images: n * pixels + pixel
};

/// The same on a blocked tensor. y may be x. `scratch` is this thread's own, lrn_scratch(blocks, size) floats.
struct BlockedLrnArguments {
  BlockedSource x;
  BlockedTarget y;
  int blocks = 0;
  int width = 0;
  int size = 1;
  float alpha = 0, beta = 0, bias = 1;
  float* scratch = nullptr;
  int64_t image_begin = 0, image_end = 0;
  int row_begin = 0, row_end = 0;
};
static constexpr int64_t lrn_scratch(int blocks, int size) { return int64_t{blocks} * kBlock + size + kBlock; }

}  // namespace linnet::kernels
