// Matrix products of element types that have no kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/elementwise.h"

namespace linnet::ops {

/// The types that MatMul and Gemm have beside float32.
constexpr TypeSet kLoopProductTypes =
    types({DataType::float64, DataType::int32, DataType::int64, DataType::uint32, DataType::uint64});

/// C[b] = alpha * A[b] B[b] (+ beta * C0), for each b of a batch.
struct ProductShape {
  std::int64_t m = 0, n = 0, k = 0;
  std::vector<std::int64_t> a_offset, b_offset;  // elements, of each batch
  std::int64_t a_row = 0, a_column = 0;          // strides of A (m x k)
  std::int64_t b_row = 0, b_column = 0;          // strides of B (k x n)
  float alpha = 1, beta = 1;
  bool has_c = false;
  std::int64_t c_row = 0, c_column = 0;  // strides of C0, 0 where it is broadcast

  [[nodiscard]] std::int64_t batches() const { return static_cast<std::int64_t>(a_offset.size()); }
};

/// Integers are exact modulo 2^bits; with an alpha or beta other than 1 the result is scaled in double and cut.
void plan_product_loops(PlanContext& context, ProductShape product);

}  // namespace linnet::ops
