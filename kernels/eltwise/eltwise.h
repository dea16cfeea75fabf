// Elementwise operators: argument structs. All lengths and strides are in floats; no alignment is needed.
#pragma once

#include "kernels/view.h"

namespace linnet::kernels {

/// y = op(x), ONNX semantics. `alpha` and `beta` are UnaryArguments'. NaN in gives NaN out, without exception.
enum class UnaryOp : uint8_t {
  relu,              // max(0, x); relu(-0) = -0
  leaky_relu,        // x >= 0 ? x : alpha * x
  thresholded_relu,  // x > alpha ? x : 0
  clip,              // min(beta, max(alpha, x))
  sigmoid,
  hard_sigmoid,  // max(0, min(1, alpha * x + beta))
  hard_swish,    // x * max(0, min(1, x / 6 + 1/2))
  swish,         // x * sigmoid(alpha * x)
  tanh,
  elu,   // x >= 0 ? x : alpha * (exp(x) - 1)
  selu,  // beta * (x >= 0 ? x : alpha * (exp(x) - 1)); beta is ONNX's gamma
  celu,  // x >= 0 ? x : alpha * (exp(x / alpha) - 1)
  softplus,
  softsign,
  mish,
  gelu,       // x/2 * (1 + erf(x / sqrt(2)))
  gelu_tanh,  // the same by way of tanh
  exp,
  log,
  sqrt,
  reciprocal,
  neg,
  abs,
  erf,
  floor,
  ceil,
  round,  // half to even
  sign,
  sin,
  cos,
};

/// Contiguous; y == x is allowed, other overlap is not.
struct UnaryArguments {
  UnaryOp op = UnaryOp::relu;
  const float* x = nullptr;
  float* y = nullptr;
  float alpha = 0, beta = 0;
  int64_t begin = 0, end = 0;  // elements
};

/// The same over the rows of a blocked tensor. Padded channels become op(0), so an op that is not 0 there takes whole blocks.
struct BlockedUnaryArguments {
  UnaryOp op = UnaryOp::relu;
  BlockedSource x;
  BlockedTarget y;  // may be x
  float alpha = 0, beta = 0;
  int blocks = 0;
  int width = 0;
  PlaneRange range;
};

/// y = op(a, b). max and min: a NaN in either operand gives NaN.
enum class BinaryOp : uint8_t {
  add,
  sub,
  mul,
  div,
  max,
  min,
  pow,    // C's pow
  prelu,  // a >= 0 ? a : a * b
};

inline constexpr int kMaxRank = 8;

/// With numpy's broadcasting: y is contiguous of shape `size`, an operand's stride is 0 along an axis that it is
/// broadcast over. Fast when the innermost strides are 0 or 1: merge axes where that is possible. y may be an operand
/// that is not broadcast; other overlap is not allowed.
struct BinaryArguments {
  BinaryOp op = BinaryOp::add;
  const float* a = nullptr;
  const float* b = nullptr;
  float* y = nullptr;
  int rank = 1;                 // 1..kMaxRank
  int64_t size[kMaxRank] = {};  // outermost first
  ptrdiff_t a_stride[kMaxRank] = {};
  ptrdiff_t b_stride[kMaxRank] = {};
  Clamp clamp;
  int64_t begin = 0, end = 0;  // elements of y, counted in its order
};

/// Blocked: y = clamp(op(a, b)). An operand of shape [N,C,1,1] or [1,C,1,1] has pixel stride 0, row stride 0 and image
/// stride C or 0. y may be an operand that is not broadcast.
struct BlockedBinaryArguments {
  BinaryOp op = BinaryOp::add;
  BlockedSource a, b;
  BlockedTarget y;
  int a_pixel = kBlock, b_pixel = kBlock;  // pixel strides: kBlock or 0
  int blocks = 0;                          // channel blocks of an image
  int width = 0;
  Clamp clamp;
  PlaneRange range;
};

/// Blocked: y = clamp(fma(x, scale[c], shift[c])). scale and shift have 16 * blocks floats, zero in padded channels.
/// y may be x.
struct ScaleShiftArguments {
  BlockedSource x;
  BlockedTarget y;
  const float* scale = nullptr;
  const float* shift = nullptr;
  int blocks = 0;
  int width = 0;
  Clamp clamp;
  PlaneRange range;
};

}  // namespace linnet::kernels
