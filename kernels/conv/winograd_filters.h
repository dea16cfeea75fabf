// The transforms of Winograd's filters where they are multiplied: of f4x4_3x3_rows and f4x4_3x3_taps.
#pragma once

#include "kernels/conv/winograd.h"
#include "kernels/isa.h"

namespace linnet::kernels::LINNET_ISA {

/// Row `point` of G, which `D` makes sums of the taps and small powers of two; the rest of the scale is in B^T.
template <int point>
[[gnu::always_inline]] static inline f32x16 transform_taps(const f32x16& g0, const f32x16& g1, const f32x16& g2) {
  if constexpr (point == 0) return g0;
  if constexpr (point == 5) return g2;
  // Of sums alone, for which many processors have units beside those that multiply.
  const f32x16 twice = f32x16::add(g2, g2);
  const f32x16 even = f32x16::add(g0, point < 3 ? g2 : f32x16::add(twice, twice));
  const f32x16 odd = point < 3 ? g1 : f32x16::add(g1, g1);
  return point % 2 == 1 ? f32x16::add(even, odd) : f32x16::sub(even, odd);
}

/// Row `row` of the points of 16 filters of a channel from their taps: over the rows of taps, for column `column` of them.
template <int row>
[[gnu::always_inline]] static inline f32x16 transform_taps_column(const float* taps, int column) {
  const auto tap = [&](int i) { return f32x16::load(taps + (3 * i + column) * 16); };
  if constexpr (row == 0) return tap(0);
  else if constexpr (row == 5) return tap(2);
  else return transform_taps<row>(tap(0), tap(1), tap(2));
}

/// Neighbouring points of a row which a tile either has all or has not, and whose filters are made of the same numbers.
enum class WinogradColumns : unsigned char { first, inner, outer, last };

[[gnu::always_inline]] constexpr inline int winograd_points_of(WinogradColumns columns) {
  return columns == WinogradColumns::first || columns == WinogradColumns::last ? 1 : 2;
}

/// The filters of these points from the three numbers `g(0)` to `g(2)`.
template <WinogradColumns columns, class Stored>
[[gnu::always_inline]] static inline void transform_columns(const Stored& g,
                                                            f32x16 (&filters)[winograd_points_of(columns)]) {
  if constexpr (columns == WinogradColumns::first) {
    filters[0] = g(0);
  } else if constexpr (columns == WinogradColumns::last) {
    filters[0] = g(2);
  } else {
    const f32x16 g0 = g(0), g1 = g(1), g2 = g(2);
    constexpr int point = columns == WinogradColumns::inner ? 1 : 3;
    filters[0] = transform_taps<point>(g0, g1, g2);
    filters[1] = transform_taps<point + 1>(g0, g1, g2);
  }
}

/// Calls f.template operator()<columns, point>() for the groups of points of a row; `point` is the first.
template <class F>
[[gnu::always_inline]] static inline void for_each_columns(const F& f) {
  using enum WinogradColumns;
  f.template operator()<first, 0>();
  f.template operator()<inner, 1>();
  f.template operator()<outer, 3>();
  f.template operator()<last, 5>();
}

}  // namespace linnet::kernels::LINNET_ISA
