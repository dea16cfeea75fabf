// The 16-float vector type on AArch64 NEON: four q registers. f32x16_scalar.h defines what each function means.
#pragma once

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

#define LINNET_FN static inline __attribute__((always_inline))
#define LINNET_UNARY(Type, name, fn) \
  LINNET_FN Type name(const Type& a) { return {fn(a.q0), fn(a.q1), fn(a.q2), fn(a.q3)}; }
#define LINNET_BINARY(Result, Type, name, fn)                                \
  LINNET_FN Result name(const Type& a, const Type& b) {                      \
    return {fn(a.q0, b.q0), fn(a.q1, b.q1), fn(a.q2, b.q2), fn(a.q3, b.q3)}; \
  }

struct i32x16 {
  int32x4_t q0, q1, q2, q3;

  LINNET_FN i32x16 set(int32_t x) {
    const int32x4_t v = vdupq_n_s32(x);
    return {v, v, v, v};
  }
  LINNET_BINARY(i32x16, i32x16, add, vaddq_s32)
  LINNET_BINARY(i32x16, i32x16, sub, vsubq_s32)
  LINNET_BINARY(i32x16, i32x16, bit_and, vandq_s32)
  LINNET_BINARY(i32x16, i32x16, bit_or, vorrq_s32)
  LINNET_BINARY(i32x16, i32x16, bit_xor, veorq_s32)
  template <int count>
  LINNET_FN i32x16 shift_left(const i32x16& a) {
    return {vshlq_n_s32(a.q0, count), vshlq_n_s32(a.q1, count), vshlq_n_s32(a.q2, count), vshlq_n_s32(a.q3, count)};
  }
  template <int count>
  LINNET_FN i32x16 shift_right(const i32x16& a) {
    return {vshrq_n_s32(a.q0, count), vshrq_n_s32(a.q1, count), vshrq_n_s32(a.q2, count), vshrq_n_s32(a.q3, count)};
  }
};

struct mask16 {
  uint32x4_t q0, q1, q2, q3;

  LINNET_BINARY(mask16, mask16, bit_and, vandq_u32)
  LINNET_BINARY(mask16, mask16, bit_or, vorrq_u32)
  LINNET_BINARY(mask16, mask16, bit_xor, veorq_u32)
  LINNET_BINARY(mask16, mask16, and_not, vbicq_u32)
};

struct f32x16 {
  float32x4_t q0, q1, q2, q3;

  LINNET_FN f32x16 zero() { return set(0.0f); }
  LINNET_FN f32x16 set(float x) {
    const float32x4_t v = vdupq_n_f32(x);
    return {v, v, v, v};
  }
  LINNET_FN f32x16 broadcast(const float* p) {
    const float32x4_t v = vld1q_dup_f32(p);
    return {v, v, v, v};
  }
  template <int G, int K>
  LINNET_FN f32x16 broadcast_in_groups(const float* p) {
    static_assert(G == 4 || G == 8);
    if constexpr (G == 8) {
      const float32x4_t low = vld1q_dup_f32(p + K), high = vld1q_dup_f32(p + 8 + K);
      return {low, low, high, high};
    }
    return {vld1q_dup_f32(p + K), vld1q_dup_f32(p + 4 + K), vld1q_dup_f32(p + 8 + K), vld1q_dup_f32(p + 12 + K)};
  }
  LINNET_FN f32x16 load(const float* p) {
    return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
  }
  LINNET_FN void store(float* p, const f32x16& a) {
    vst1q_f32(p, a.q0);
    vst1q_f32(p + 4, a.q1);
    vst1q_f32(p + 8, a.q2);
    vst1q_f32(p + 12, a.q3);
  }
  LINNET_FN f32x16 load_first(const float* p, int n) {
    float lanes[16] = {};
    for (int i = 0; i < n; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  LINNET_FN void store_first(float* p, const f32x16& a, int n) {
    float lanes[16];
    store(lanes, a);
    for (int i = 0; i < n; ++i) p[i] = lanes[i];
  }

  LINNET_BINARY(f32x16, f32x16, add, vaddq_f32)
  LINNET_BINARY(f32x16, f32x16, sub, vsubq_f32)
  LINNET_BINARY(f32x16, f32x16, mul, vmulq_f32)
  LINNET_BINARY(f32x16, f32x16, div, vdivq_f32)
  // Compare and select: FMAX and FMIN treat NaN and -0 in another way than the rule of f32x16_scalar.h.
  LINNET_FN float32x4_t greater(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  LINNET_FN float32x4_t smaller(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  LINNET_BINARY(f32x16, f32x16, max, greater)
  LINNET_BINARY(f32x16, f32x16, min, smaller)
  LINNET_UNARY(f32x16, abs, vabsq_f32)
  LINNET_UNARY(f32x16, neg, vnegq_f32)
  LINNET_UNARY(f32x16, sqrt, vsqrtq_f32)
  LINNET_UNARY(f32x16, floor, vrndmq_f32)
  LINNET_UNARY(f32x16, ceil, vrndpq_f32)
  LINNET_UNARY(f32x16, round, vrndnq_f32)
  LINNET_FN f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {vfmaq_f32(c.q0, a.q0, b.q0), vfmaq_f32(c.q1, a.q1, b.q1), vfmaq_f32(c.q2, a.q2, b.q2),
            vfmaq_f32(c.q3, a.q3, b.q3)};
  }
  LINNET_FN f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {vfmsq_f32(c.q0, a.q0, b.q0), vfmsq_f32(c.q1, a.q1, b.q1), vfmsq_f32(c.q2, a.q2, b.q2),
            vfmsq_f32(c.q3, a.q3, b.q3)};
  }

  LINNET_BINARY(mask16, f32x16, less, vcltq_f32)
  LINNET_BINARY(mask16, f32x16, less_equal, vcleq_f32)
  LINNET_BINARY(mask16, f32x16, equal, vceqq_f32)
  LINNET_FN uint32x4_t not_equal_itself(float32x4_t a) { return vmvnq_u32(vceqq_f32(a, a)); }
  LINNET_FN mask16 is_nan(const f32x16& a) {
    return {not_equal_itself(a.q0), not_equal_itself(a.q1), not_equal_itself(a.q2), not_equal_itself(a.q3)};
  }
  LINNET_FN f32x16 select(const mask16& m, const f32x16& a, const f32x16& b) {
    return {vbslq_f32(m.q0, a.q0, b.q0), vbslq_f32(m.q1, a.q1, b.q1), vbslq_f32(m.q2, a.q2, b.q2),
            vbslq_f32(m.q3, a.q3, b.q3)};
  }
  LINNET_FN i32x16 bits(const f32x16& a) {
    return {vreinterpretq_s32_f32(a.q0), vreinterpretq_s32_f32(a.q1), vreinterpretq_s32_f32(a.q2),
            vreinterpretq_s32_f32(a.q3)};
  }
  LINNET_FN f32x16 from_bits(const i32x16& a) {
    return {vreinterpretq_f32_s32(a.q0), vreinterpretq_f32_s32(a.q1), vreinterpretq_f32_s32(a.q2),
            vreinterpretq_f32_s32(a.q3)};
  }
  LINNET_FN f32x16 from_int(const i32x16& a) {
    return {vcvtq_f32_s32(a.q0), vcvtq_f32_s32(a.q1), vcvtq_f32_s32(a.q2), vcvtq_f32_s32(a.q3)};
  }
  LINNET_FN float sum(const f32x16& a) {
    const float32x4_t four = vaddq_f32(vaddq_f32(a.q0, a.q2), vaddq_f32(a.q1, a.q3));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
  }
};

#undef LINNET_UNARY
#undef LINNET_BINARY

/// One 4x4 sixteenth of transpose16.
LINNET_FN void transpose4(const float* x, ptrdiff_t x_row, float* y, ptrdiff_t y_row) {
  const float32x4_t r0 = vld1q_f32(x), r1 = vld1q_f32(x + x_row);
  const float32x4_t r2 = vld1q_f32(x + 2 * x_row), r3 = vld1q_f32(x + 3 * x_row);
  const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1)), b = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));
  const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3)), d = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
  vst1q_f32(y, vreinterpretq_f32_f64(vtrn1q_f64(a, c)));
  vst1q_f32(y + y_row, vreinterpretq_f32_f64(vtrn1q_f64(b, d)));
  vst1q_f32(y + 2 * y_row, vreinterpretq_f32_f64(vtrn2q_f64(a, c)));
  vst1q_f32(y + 3 * y_row, vreinterpretq_f32_f64(vtrn2q_f64(b, d)));
}

LINNET_FN void transpose16(const float* x, ptrdiff_t x_row, float* y, ptrdiff_t y_row) {
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 16; j += 4) transpose4(x + i * x_row + j, x_row, y + j * y_row + i, y_row);
  }
}

#undef LINNET_FN

}  // namespace linnet::kernels::LINNET_ISA
