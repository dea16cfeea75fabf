// The 16-float vector type on AVX-512: one zmm register.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

struct f32x16 {
  __m512 v;

#define LINNET_FN static inline __attribute__((always_inline))
  LINNET_FN f32x16 zero() { return {_mm512_setzero_ps()}; }
  LINNET_FN f32x16 set(float x) { return {_mm512_set1_ps(x)}; }
  LINNET_FN f32x16 broadcast(const float* p) { return {_mm512_set1_ps(*p)}; }
  LINNET_FN f32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  LINNET_FN void store(float* p, const f32x16& a) { _mm512_storeu_ps(p, a.v); }
  LINNET_FN __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
  LINNET_FN f32x16 load_first(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  LINNET_FN void store_first(float* p, const f32x16& a, int n) { _mm512_mask_storeu_ps(p, first(n), a.v); }
  LINNET_FN f32x16 add(const f32x16& a, const f32x16& b) { return {_mm512_add_ps(a.v, b.v)}; }
  LINNET_FN f32x16 sub(const f32x16& a, const f32x16& b) { return {_mm512_sub_ps(a.v, b.v)}; }
  LINNET_FN f32x16 mul(const f32x16& a, const f32x16& b) { return {_mm512_mul_ps(a.v, b.v)}; }
  LINNET_FN f32x16 div(const f32x16& a, const f32x16& b) { return {_mm512_div_ps(a.v, b.v)}; }
  LINNET_FN f32x16 max(const f32x16& a, const f32x16& b) { return {_mm512_max_ps(a.v, b.v)}; }
  LINNET_FN f32x16 min(const f32x16& a, const f32x16& b) { return {_mm512_min_ps(a.v, b.v)}; }
  LINNET_FN f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  LINNET_FN f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
#undef LINNET_FN
};

}  // namespace linnet::kernels::LINNET_ISA
