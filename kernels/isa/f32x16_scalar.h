// The 16-float vector type, portable form: an array. It defines the meaning; every other form must give the same bits.
// Included by exactly one ISA translation unit, which sets LINNET_ISA to its namespace.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

struct f32x16 {
  float lane[16];

  static inline __attribute__((always_inline)) f32x16 zero() { return set(0.0f); }
  static inline __attribute__((always_inline)) f32x16 set(float x) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = x;
    return r;
  }
  /// Every lane gets *p.
  static inline __attribute__((always_inline)) f32x16 broadcast(const float* p) { return set(*p); }
  /// p needs no alignment.
  static inline __attribute__((always_inline)) f32x16 load(const float* p) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = p[i];
    return r;
  }
  static inline __attribute__((always_inline)) void store(float* p, const f32x16& v) {
    for (int i = 0; i < 16; ++i) p[i] = v.lane[i];
  }
  /// The first n lanes, 0 <= n <= 16; the rest of the result is zero, and nothing beyond p[n-1] is touched.
  static inline __attribute__((always_inline)) f32x16 load_first(const float* p, int n) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = i < n ? p[i] : 0.0f;
    return r;
  }
  static inline __attribute__((always_inline)) void store_first(float* p, const f32x16& v, int n) {
    for (int i = 0; i < n; ++i) p[i] = v.lane[i];
  }
#define LINNET_LANEWISE(name, expression)                                                             \
  static inline __attribute__((always_inline)) f32x16 name(const f32x16& a, const f32x16& b) {        \
    f32x16 r;                                                                                         \
    for (int i = 0; i < 16; ++i) r.lane[i] = (expression);                                            \
    return r;                                                                                         \
  }
  LINNET_LANEWISE(add, a.lane[i] + b.lane[i])
  LINNET_LANEWISE(sub, a.lane[i] - b.lane[i])
  LINNET_LANEWISE(mul, a.lane[i] * b.lane[i])
  LINNET_LANEWISE(div, a.lane[i] / b.lane[i])
  /// a > b ? a : b, so that a NaN in b (the data) survives and max(0, -0) is -0: the rule of x86, kept everywhere.
  LINNET_LANEWISE(max, a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i])
  /// a < b ? a : b.
  LINNET_LANEWISE(min, a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i])
#undef LINNET_LANEWISE
  /// a * b + c, rounded once.
  static inline __attribute__((always_inline)) f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
  /// c - a * b, rounded once.
  static inline __attribute__((always_inline)) f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = __builtin_fmaf(-a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
};

}  // namespace linnet::kernels::LINNET_ISA
