// The 16-float vector type on AArch64 NEON: four q registers.
#pragma once

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

struct f32x16 {
  float32x4_t q0, q1, q2, q3;

#define LINNET_FN static inline __attribute__((always_inline))
  LINNET_FN f32x16 zero() { return set(0.0f); }
  LINNET_FN f32x16 set(float x) {
    const float32x4_t v = vdupq_n_f32(x);
    return {v, v, v, v};
  }
  LINNET_FN f32x16 broadcast(const float* p) {
    const float32x4_t v = vld1q_dup_f32(p);
    return {v, v, v, v};
  }
  LINNET_FN f32x16 load(const float* p) { return {vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)}; }
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
#define LINNET_PER_QUAD(name, fn) \
  LINNET_FN f32x16 name(const f32x16& a, const f32x16& b) { return {fn(a.q0, b.q0), fn(a.q1, b.q1), fn(a.q2, b.q2), fn(a.q3, b.q3)}; }
  LINNET_PER_QUAD(add, vaddq_f32)
  LINNET_PER_QUAD(sub, vsubq_f32)
  LINNET_PER_QUAD(mul, vmulq_f32)
  LINNET_PER_QUAD(div, vdivq_f32)
  // Compare and select: FMAX and FMIN treat NaN and -0 in another way than the rule of f32x16_scalar.h.
  LINNET_FN float32x4_t greater(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  LINNET_FN float32x4_t smaller(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  LINNET_PER_QUAD(max, greater)
  LINNET_PER_QUAD(min, smaller)
#undef LINNET_PER_QUAD
  LINNET_FN f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {vfmaq_f32(c.q0, a.q0, b.q0), vfmaq_f32(c.q1, a.q1, b.q1), vfmaq_f32(c.q2, a.q2, b.q2), vfmaq_f32(c.q3, a.q3, b.q3)};
  }
  LINNET_FN f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {vfmsq_f32(c.q0, a.q0, b.q0), vfmsq_f32(c.q1, a.q1, b.q1), vfmsq_f32(c.q2, a.q2, b.q2), vfmsq_f32(c.q3, a.q3, b.q3)};
  }
#undef LINNET_FN
};

}  // namespace linnet::kernels::LINNET_ISA
