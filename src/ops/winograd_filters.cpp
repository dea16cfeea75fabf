#include "ops/winograd_filters.h"

#include <cmath>

namespace linnet::ops {

namespace {

/// The rows of G, the filter transform of 3 or 4 taps, are (1,0,..), pairs (even_0, +-odd_1, even_2, +-odd_3), and (..,0,1).
struct FilterPair {
  double even_0, odd_1, even_2, odd_3;
};
struct FilterTransform {
  std::array<FilterPair, 2> pairs;
  int count;
};
FilterTransform filter_transform(kernels::Winograd form) {
  if (form == kernels::Winograd::f2x2_3x3) return {{{{0.5, 0.5, 0.5, 0}, {}}}, 1};
  const double s = std::sqrt(2.0);
  return {{{{-2.0 / 3, -s / 3, -1.0 / 3, -s / 6}, {1.0 / 6, s / 6, 1.0 / 3, s / 3}}}, 2};
}

/// Along one edge of a filter. By value, so that the compiler knows them apart from `to`.
using Taps = std::array<FilterLanes, kMostWinogradTaps>;

/// D g, so that what is left of G is sums: see kernels/conv/winograd_filters.h.
void scale_taps(const Taps& g, FilterLanes* to) {
  to[0] = g[0];
  for (std::size_t lane = 0; lane < kFilterLanes; ++lane) {
    to[1][lane] = std::sqrt(0.5) * g[1][lane];
    to[2][lane] = 0.5 * g[2][lane];
  }
}

/// What is left of G.
void sum_taps(const Taps& g, FilterLanes* to) {
  to[0] = g[0];
  for (std::size_t lane = 0; lane < kFilterLanes; ++lane) {
    const double even = g[0][lane] + g[2][lane], far_even = g[0][lane] + 4 * g[2][lane];
    to[1][lane] = even + g[1][lane];
    to[2][lane] = even - g[1][lane];
    to[3][lane] = far_even + 2 * g[1][lane];
    to[4][lane] = far_even - 2 * g[1][lane];
  }
  to[5] = g[2];
}

/// G g.
void transform_taps(kernels::Winograd form, const Taps& g, FilterLanes* to) {
  if (form == kernels::Winograd::f2x2_3x3_stride2) {  // even rows or columns by F(2,2) with the points 0, 1 and inf
    to[0] = g[0];
    for (std::size_t lane = 0; lane < kFilterLanes; ++lane) to[1][lane] = g[0][lane] + g[2][lane];
    to[2] = g[2];
    to[3] = g[1];
    return;
  }
  const FilterTransform transform = filter_transform(form);
  const int taps = kernels::winograd_edge(form).taps;
  *to++ = g[0];
  for (int i = 0; i < transform.count; ++i, to += 2) {
    const FilterPair pair = transform.pairs[static_cast<std::size_t>(i)];
    for (std::size_t lane = 0; lane < kFilterLanes; ++lane) {
      const double even = pair.even_0 * g[0][lane] + pair.even_2 * g[2][lane];
      const double odd = pair.odd_1 * g[1][lane] + (taps == 4 ? pair.odd_3 * g[3][lane] : 0.0);
      to[0][lane] = even + odd;
      to[1][lane] = even - odd;
    }
  }
  *to = g[static_cast<std::size_t>(taps - 1)];
}

}  // namespace

void transform_winograd_filters(kernels::Winograd form, const FilterLanes (&g)[kMostWinogradTaps * kMostWinogradTaps],
                                FilterLanes (&u)[kMostWinogradFilters * kMostWinogradFilters]) {
  const kernels::WinogradEdge edge = kernels::winograd_edge(form);
  const int taps = edge.taps, filter_rows = edge.filter_rows, filter_columns = edge.filter_columns;
  const auto transform = [&](bool rows, const Taps& of, FilterLanes* to) {
    if (kernels::winograd_stores_points(form)) {
      transform_taps(form, of, to);
    } else if (rows && form == kernels::Winograd::f4x4_3x3_rows) {
      Taps scaled;
      scale_taps(of, scaled.data());
      sum_taps(scaled, to);
    } else {
      scale_taps(of, to);
    }
  };
  FilterLanes half[kMostWinogradTaps][kMostWinogradFilters];
  const auto edge_of = [taps](const auto& at) {
    Taps values;
    for (int i = 0; i < taps; ++i) values[static_cast<std::size_t>(i)] = at(i);
    return values;
  };
  for (int j = 0; j < taps; ++j) transform(true, edge_of([&](int i) { return g[i * taps + j]; }), half[j]);
  for (int i = 0; i < filter_rows; ++i)
    transform(false, edge_of([&](int j) { return half[j][i]; }), u + i * filter_columns);
}

}  // namespace linnet::ops
