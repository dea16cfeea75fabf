#include "ops/matrix.h"

#include <algorithm>

#include "base/checked_math.h"

namespace linnet::ops {

std::int64_t packed_matrix_floats(std::int64_t k, std::int64_t n) {
  return base::checked_mul(k, base::round_up(n, kLanes), "a packed matrix");
}

std::int64_t matrix_panels(const kernels::Table& table, std::int64_t n) { return base::ceil_div(n, table.tile.channels); }

void pack_matrix(const kernels::Table& table, const float* b, std::int64_t row_stride, std::int64_t column_stride, std::int64_t k, std::int64_t n,
                 Range panels, float* to) {
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

}  // namespace linnet::ops
