// Packing for the matrix kernel, and its call: what Gemm, MatMul and the gathered convolutions share.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/table.h"
#include "ops/node_context.h"
#include "ops/step.h"

namespace linnet::ops {

constexpr std::int64_t kLanes = 16;

/// Floats of a packed B [k][n].
std::int64_t packed_matrix_floats(std::int64_t k, std::int64_t n);

/// Throws Error(limit) unless the kernel can count the rows and columns of A [m][k] and B [k][n].
void require_countable_matrix(const NodeContext& context, std::int64_t m, std::int64_t k, std::int64_t n);

/// Packs panels [panels.first, panels.last) of B into `to` (zeroed or not): B's element (row, column) is
/// b[row * row_stride + column * column_stride].
void pack_matrix(const kernels::Table& table, const float* b, std::int64_t row_stride, std::int64_t column_stride,
                 std::int64_t k, std::int64_t n, Range panels, float* to);

/// The shape of NumPy's matmul of two inputs; none where a rank is not known. Throws Error(model).
std::optional<graph::DimList> matmul_shape(const NodeContext& context, std::size_t a, std::size_t b);
/// What is left of the shapes of two operands of matmul, 2-D at least, without their matrices, broadcast.
Shape batch_shape(const Shape& a, const Shape& b);
/// Offsets, in elements, of each batch of `shape` (all but its last two axes) under broadcasting to `batch`.
std::vector<std::int64_t> batch_offsets(const Shape& shape, const Shape& batch);

/// How many panels B has.
std::int64_t matrix_panels(const kernels::Table& table, std::int64_t n);

}  // namespace linnet::ops
