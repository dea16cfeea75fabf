// The 16-float vector type, portable form: arrays. It defines the meaning; every other form must give the same bits.
// Included by exactly one ISA translation unit, which sets LINNET_ISA to its namespace.
//
// The one exception from "same bits": which NaN a NaN is. Its sign and payload differ between x86 and Arm already for
// 0/0.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

#define LINNET_FN static inline __attribute__((always_inline))

/// 16 integers of 32 bits; arithmetic wraps.
struct i32x16 {
  int32_t lane[16];

  LINNET_FN i32x16 set(int32_t x) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = x;
    return r;
  }
#define LINNET_LANEWISE(name, expression)                     \
  LINNET_FN i32x16 name(const i32x16& va, const i32x16& vb) { \
    i32x16 r;                                                 \
    for (int i = 0; i < 16; ++i) {                            \
      const auto a = static_cast<uint32_t>(va.lane[i]);       \
      const auto b = static_cast<uint32_t>(vb.lane[i]);       \
      r.lane[i] = static_cast<int32_t>(expression);           \
    }                                                         \
    return r;                                                 \
  }
  LINNET_LANEWISE(add, a + b)
  LINNET_LANEWISE(sub, a - b)
  LINNET_LANEWISE(bit_and, a& b)
  LINNET_LANEWISE(bit_or, a | b)
  LINNET_LANEWISE(bit_xor, a ^ b)
#undef LINNET_LANEWISE
  template <int count>
  LINNET_FN i32x16 shift_left(const i32x16& a) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = static_cast<int32_t>(static_cast<uint32_t>(a.lane[i]) << count);
    return r;
  }
  /// Copies of the sign come in from the left.
  template <int count>
  LINNET_FN i32x16 shift_right(const i32x16& a) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = a.lane[i] >> count;
    return r;
  }
};

/// 16 truth values.
struct mask16 {
  bool lane[16];

#define LINNET_LANEWISE(name, expression)                   \
  LINNET_FN mask16 name(const mask16& a, const mask16& b) { \
    mask16 r;                                               \
    for (int i = 0; i < 16; ++i) r.lane[i] = (expression);  \
    return r;                                               \
  }
  LINNET_LANEWISE(bit_and, a.lane[i] && b.lane[i])
  LINNET_LANEWISE(bit_or, a.lane[i] || b.lane[i])
  LINNET_LANEWISE(bit_xor, a.lane[i] != b.lane[i])
  /// a and not b.
  LINNET_LANEWISE(and_not, a.lane[i] && !b.lane[i])
#undef LINNET_LANEWISE
};

struct f32x16 {
  float lane[16];

  LINNET_FN f32x16 zero() { return set(0.0f); }
  LINNET_FN f32x16 set(float x) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = x;
    return r;
  }
  /// Every lane gets *p.
  LINNET_FN f32x16 broadcast(const float* p) { return set(*p); }
  /// Every lane of a group of G (4 or 8) lanes gets element K (0..3) of its group.
  template <int G, int K>
  LINNET_FN f32x16 broadcast_in_groups(const float* p) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = p[i / G * G + K];
    return r;
  }
  /// p needs no alignment.
  LINNET_FN f32x16 load(const float* p) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = p[i];
    return r;
  }
  LINNET_FN void store(float* p, const f32x16& v) {
    for (int i = 0; i < 16; ++i) p[i] = v.lane[i];
  }
  /// The first n lanes, 0 <= n <= 16; the rest of the result is zero, and nothing beyond p[n-1] is touched.
  LINNET_FN f32x16 load_first(const float* p, int n) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = i < n ? p[i] : 0.0f;
    return r;
  }
  LINNET_FN void store_first(float* p, const f32x16& v, int n) {
    for (int i = 0; i < n; ++i) p[i] = v.lane[i];
  }
#define LINNET_LANEWISE(name, expression)                   \
  LINNET_FN f32x16 name(const f32x16& a, const f32x16& b) { \
    f32x16 r;                                               \
    for (int i = 0; i < 16; ++i) r.lane[i] = (expression);  \
    return r;                                               \
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
#define LINNET_LANEWISE(name, expression)                  \
  LINNET_FN f32x16 name(const f32x16& a) {                 \
    f32x16 r;                                              \
    for (int i = 0; i < 16; ++i) r.lane[i] = (expression); \
    return r;                                              \
  }
  LINNET_LANEWISE(abs, __builtin_fabsf(a.lane[i]))
  LINNET_LANEWISE(neg, -a.lane[i])
  LINNET_LANEWISE(sqrt, __builtin_sqrtf(a.lane[i]))
  LINNET_LANEWISE(floor, __builtin_floorf(a.lane[i]))
  LINNET_LANEWISE(ceil, __builtin_ceilf(a.lane[i]))
  /// Half to even. From 2^23 on every float is a whole number; below, adding 2^23 pushes the fraction out and rounds as
  /// every sum does. Not __builtin_roundevenf: clang 14 has none, and gcc makes it a call a lane.
  LINNET_LANEWISE(round, __builtin_fabsf(a.lane[i]) < 0x1p23f
                             ? __builtin_copysignf((__builtin_fabsf(a.lane[i]) + 0x1p23f) - 0x1p23f, a.lane[i])
                             : a.lane[i])
#undef LINNET_LANEWISE
  /// a * b + c, rounded once.
  LINNET_FN f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
  /// c - a * b, rounded once.
  LINNET_FN f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = __builtin_fmaf(-a.lane[i], b.lane[i], c.lane[i]);
    return r;
  }
#define LINNET_LANEWISE(name, expression)                   \
  LINNET_FN mask16 name(const f32x16& a, const f32x16& b) { \
    mask16 r;                                               \
    for (int i = 0; i < 16; ++i) r.lane[i] = (expression);  \
    return r;                                               \
  }
  /// Comparisons with a NaN are false.
  LINNET_LANEWISE(less, a.lane[i] < b.lane[i])
  LINNET_LANEWISE(less_equal, a.lane[i] <= b.lane[i])
  LINNET_LANEWISE(equal, a.lane[i] == b.lane[i])
#undef LINNET_LANEWISE
  LINNET_FN mask16 is_nan(const f32x16& a) {
    mask16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = a.lane[i] != a.lane[i];
    return r;
  }
  /// m ? a : b
  LINNET_FN f32x16 select(const mask16& m, const f32x16& a, const f32x16& b) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = m.lane[i] ? a.lane[i] : b.lane[i];
    return r;
  }
  LINNET_FN i32x16 bits(const f32x16& a) {
    i32x16 r;
    for (int i = 0; i < 16; ++i) __builtin_memcpy(&r.lane[i], &a.lane[i], sizeof(float));
    return r;
  }
  LINNET_FN f32x16 from_bits(const i32x16& a) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) __builtin_memcpy(&r.lane[i], &a.lane[i], sizeof(float));
    return r;
  }
  /// The number that an integer is, rounded to nearest.
  LINNET_FN f32x16 from_int(const i32x16& a) {
    f32x16 r;
    for (int i = 0; i < 16; ++i) r.lane[i] = static_cast<float>(a.lane[i]);
    return r;
  }
  /// The sum of the lanes, as a tree: lane l + lane l+8, then l + l+4, l + l+2, l + l+1.
  LINNET_FN float sum(const f32x16& a) {
    f32x16 r = a;
    for (int half = 8; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) r.lane[i] = r.lane[i] + r.lane[i + half];
    }
    return r.lane[0];
  }
};

/// y[j][i] = x[i][j] for 16 rows of 16 floats; the strides between rows are in floats.
LINNET_FN void transpose16(const float* x, ptrdiff_t x_row, float* y, ptrdiff_t y_row) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) y[j * y_row + i] = x[i * x_row + j];
  }
}

#undef LINNET_FN

}  // namespace linnet::kernels::LINNET_ISA
