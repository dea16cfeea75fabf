// Reductions along one axis: argument structs.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels {

enum class ReduceOp : uint8_t {
  sum,
  mean,
  max,  // a NaN gives NaN
  min,
  prod,
  sum_square,
  l1,  // sum of |x|
  l2,  // sqrt(sum of x^2)
};

/// y[outer][inner] = op along the middle axis of a contiguous x[outer][n][inner], n > 0. Merge neighbouring axes;
/// several reduced axes that are no neighbours take one call each. y must not overlap x.
///
/// Order of a sum, inner == 1: pieces of 1024 elements. In a piece, of each 64 elements number e goes to lane e % 16 of
/// the sum e / 16 of four, what is left at the end of the piece to the first sum; then (s0 + s1) + (s2 + s3), the lanes
/// by f32x16::sum's tree, and the pieces' results in double. inner > 1: pieces of 64 rows, one row after the other;
/// then the pieces' results. Products likewise.
struct ReduceArguments {
  ReduceOp op = ReduceOp::sum;
  const float* x = nullptr;
  float* y = nullptr;
  int64_t n = 0;
  int64_t inner = 1;
  int64_t begin = 0, end = 0;  // results: outer * inner of them, outer-major
};

}  // namespace linnet::kernels
