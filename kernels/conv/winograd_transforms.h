// Winograd's one-dimensional transforms, for tiles of any number of outputs: of the input, B^T, and of the output, A^T. The
// filter's, G, is in src/ops/winograd_filters.cpp.
//
// F(4,3) and F(3,4) take the points {0, +-sqrt(1/2), +-sqrt(2), inf}, whose rounding error is less than half that of
// {0, +-1, +-2, inf}. A point's row of G depends on the point alone but for a scale; so a tile that has fewer outputs leaves out
// inf, +-sqrt(1/2) or both, takes the same transformed filters, and its B^T makes up for the scale.
#pragma once

#include "kernels/conv/winograd.h"
#include "kernels/isa.h"

namespace linnet::kernels::LINNET_ISA {

/// For tiles of n outputs. input: kPixels to the points of kSet; output: these points to n.
template <Winograd form, int n>
struct WinogradTransform {
  static constexpr unsigned kSet = winograd_points(form, n);
  static constexpr int kPixels = winograd_pixels(form, n), kPoints = winograd_edge(form).points;

  [[gnu::always_inline]] static constexpr bool has(int point) { return (kSet >> point & 1) != 0; }

  [[gnu::always_inline]] static inline void input(const f32x16 (&r)[kPixels], f32x16 (&t)[kPoints]) {
    if constexpr (form == Winograd::f2x2_3x3) {
      t[0] = f32x16::sub(r[0], r[2]);
      t[1] = f32x16::add(r[1], r[2]);
      t[2] = f32x16::sub(r[2], r[1]);
      if constexpr (has(3)) t[3] = f32x16::sub(r[1], r[3]);
    } else if constexpr (form == Winograd::f2x2_3x3_stride2) {
      t[0] = f32x16::sub(r[0], r[2]);
      t[1] = r[2];
      t[3] = r[1];
      if constexpr (has(4)) {
        t[2] = f32x16::sub(r[2], r[4]);
        t[4] = r[3];
      }
    } else if constexpr (has(1)) {
      const f32x16 sqrt2 = f32x16::set(1.41421356f), half = f32x16::set(0.5f), two = f32x16::set(2.0f);
      const f32x16 c = f32x16::set(2.5f);
      t[0] = f32x16::fnma(c, r[2], f32x16::add(r[0], r[4]));
      if constexpr (has(5)) t[5] = f32x16::fnma(c, r[3], f32x16::add(r[1], r[5]));
      const f32x16 even = f32x16::fnma(two, r[2], r[4]), odd = f32x16::fnma(half, r[3], r[1]);
      t[1] = f32x16::fnma(sqrt2, odd, even);
      t[2] = f32x16::fma(sqrt2, odd, even);
      const f32x16 even2 = f32x16::fnma(half, r[2], r[4]), odd2 = f32x16::fnma(half, r[1], r[3]);
      t[3] = f32x16::fma(sqrt2, odd2, even2);
      t[4] = f32x16::fnma(sqrt2, odd2, even2);
    } else {
      const f32x16 even = f32x16::mul(f32x16::set(1.5f), r[2]), c = f32x16::set(2.12132034f);  // 1.5 sqrt(2)
      t[0] = f32x16::fnma(f32x16::set(0.5f), r[2], r[0]);
      t[3] = f32x16::fma(c, r[1], even);
      t[4] = f32x16::fnma(c, r[1], even);
      if constexpr (has(5)) t[5] = f32x16::fnma(f32x16::set(2.0f), r[1], r[3]);
    }
    if constexpr (form == Winograd::f4x4_3x3_rows ||
                  form == Winograd::f4x4_3x3_taps) {  // the scale that the transform of the filters leaves out
      const float scale[] = {1, -2.0f / 3, -2.0f / 3, 1.0f / 6, 1.0f / 6, 2};
#pragma GCC unroll 6
      for (int i = 1; i < kPoints; ++i) {
        if (has(i)) t[i] = f32x16::mul(f32x16::set(scale[i]), t[i]);
      }
    }
  }

  [[gnu::always_inline]] static inline void output(const f32x16 (&p)[kPoints], f32x16 (&o)[n]) {
    if constexpr (form == Winograd::f2x2_3x3) {
      o[0] = f32x16::add(f32x16::add(p[0], p[1]), p[2]);
      if constexpr (n == 2) o[1] = f32x16::sub(f32x16::sub(p[1], p[2]), p[3]);
    } else if constexpr (form == Winograd::f2x2_3x3_stride2) {
      o[0] = f32x16::add(f32x16::add(p[0], p[1]), p[3]);
      if constexpr (n == 2) o[1] = f32x16::add(f32x16::sub(p[1], p[2]), p[4]);
    } else {
      const f32x16 half = f32x16::set(0.5f), two = f32x16::set(2.0f);
      const f32x16 root_half = f32x16::set(0.70710678f), sqrt2 = f32x16::set(1.41421356f);
      const f32x16 root_eighth = f32x16::set(0.35355339f), sqrt8 = f32x16::set(2.82842712f);
      const f32x16 s2 = f32x16::add(p[3], p[4]), d2 = f32x16::sub(p[3], p[4]);
      if constexpr (has(1)) {
        const f32x16 s1 = f32x16::add(p[1], p[2]), d1 = f32x16::sub(p[1], p[2]);
        o[0] = f32x16::add(f32x16::add(p[0], s1), s2);
        if constexpr (n > 1) o[1] = f32x16::fma(root_half, d1, f32x16::mul(sqrt2, d2));
        if constexpr (n > 2) o[2] = f32x16::fma(half, s1, f32x16::mul(two, s2));
        if constexpr (n > 3) o[3] = f32x16::fma(root_eighth, d1, f32x16::mul(sqrt8, d2));
      } else {
        o[0] = f32x16::add(p[0], s2);
        if constexpr (n > 1) o[1] = f32x16::mul(sqrt2, d2);
      }
      if constexpr (has(5)) o[n - 1] = f32x16::add(o[n - 1], p[5]);
    }
  }
};

/// Calls f.template run<n>(arguments) for n = count, which is 1 to `most`.
template <class F, int most, class... Arguments>
[[gnu::always_inline]] static inline void with_outputs(int count, Arguments&&... arguments) {
  if constexpr (most > 0) {
    if (count == most) {
      F::template run<most>(arguments...);
    } else {
      with_outputs<F, most - 1>(count, arguments...);
    }
  }
}

}  // namespace linnet::kernels::LINNET_ISA
