#include "ops/matrix.h"

#include <algorithm>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/node_context.h"

namespace linnet::ops {

std::int64_t packed_matrix_floats(std::int64_t k, std::int64_t n) {
  return base::checked_mul(k, base::round_up(n, kLanes), "a packed matrix");
}

void require_countable_matrix(const NodeContext& context, std::int64_t m, std::int64_t k, std::int64_t n) {
  constexpr std::int64_t kTogether = 256;  // a group of rows or columns, to which it rounds up
  for (const std::int64_t extent : {m, k, n})
    (void)kernel_int(context, base::checked_add(extent, kTogether, "a matrix"));
}

std::int64_t matrix_panels(const kernels::Table& table, std::int64_t n) {
  return base::ceil_div(n, table.tile.channels);
}

void pack_matrix(const kernels::Table& table, const float* b, std::int64_t row_stride, std::int64_t column_stride,
                 std::int64_t k, std::int64_t n, Range panels, float* to) {
  const std::int64_t wide = table.tile.channels, padded = base::round_up(n, kLanes);
  for (std::int64_t panel = panels.first; panel < panels.last; ++panel) {
    const std::int64_t first = panel * wide, width = std::min(wide, padded - first), valid = std::min(width, n - first);
    float* out = to + first * k;
    for (std::int64_t row = 0; row < k; ++row, out += width) {
      const float* from = b + row * row_stride + first * column_stride;
      for (std::int64_t lane = 0; lane < valid; ++lane) out[lane] = from[lane * column_stride];
      for (std::int64_t lane = valid; lane < width; ++lane) out[lane] = 0.0f;
    }
  }
}

std::optional<graph::DimList> matmul_shape(const NodeContext& c, std::size_t a_input, std::size_t b_input) {
  const graph::TensorDesc &a = c.input(a_input), &b = c.input(b_input);
  if (!a.has_rank() || !b.has_rank()) return std::nullopt;
  graph::DimList x = *a.shape, y = *b.shape;
  if (x.empty() || y.empty()) {
    c.fail(ErrorCode::model, "a matrix product takes no scalars", c.input_label(x.empty() ? a_input : b_input),
           "1-D or more", "a scalar");
  }
  const bool row_vector = x.size() == 1, column_vector = y.size() == 1;
  if (row_vector) x.insert(x.begin(), graph::Dim(1));
  if (column_vector) y.emplace_back(1);
  const graph::Dim &k = x.back(), &other = y[y.size() - 2];
  if (k.known() && other.known() && k.value != other.value) {
    c.fail(ErrorCode::model, "the inner extents of a matrix product differ", {}, {},
           graph::to_string(a) + " and " + graph::to_string(b));
  }
  graph::DimList out = broadcast(c, {x.begin(), x.end() - 2}, {y.begin(), y.end() - 2});
  if (!row_vector) out.push_back(x[x.size() - 2]);
  if (!column_vector) out.push_back(y.back());
  return out;
}

Shape batch_shape(const Shape& a, const Shape& b) {
  Shape batch(std::max(a.size(), b.size()) - 2, 1);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto extent = [&](const Shape& s) {
      return i + s.size() < batch.size() + 2 ? 1 : s[i + s.size() - batch.size() - 2];
    };
    batch[i] = extent(a) == 1 ? extent(b) : extent(a);
  }
  return batch;
}

std::vector<std::int64_t> batch_offsets(const Shape& shape, const Shape& batch) {
  std::int64_t count = 1;
  for (const std::int64_t extent : batch) count *= extent;
  const std::size_t own = shape.size() >= 2 ? shape.size() - 2 : 0;
  const std::int64_t matrix = shape.size() >= 2 ? shape[shape.size() - 1] * shape[shape.size() - 2] : 0;
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, offset = 0, stride = matrix;
    for (std::size_t axis = batch.size(); axis-- > 0;) {
      const std::int64_t at = rest % batch[axis];
      rest /= batch[axis];
      const std::size_t from_end = batch.size() - axis;
      if (from_end > own) continue;
      const std::int64_t extent = shape[own - from_end];
      if (extent != 1) offset += at * stride;
      stride *= extent;
    }
    offsets.push_back(offset);
  }
  return offsets;
}

}  // namespace linnet::ops
