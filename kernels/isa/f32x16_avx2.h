// The 16-float vector type on AVX2 with FMA: two ymm registers.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

struct f32x16 {
  __m256 lo, hi;

#define LINNET_FN static inline __attribute__((always_inline))
  LINNET_FN f32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  LINNET_FN f32x16 set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  LINNET_FN f32x16 broadcast(const float* p) {
    const __m256 v = _mm256_broadcast_ss(p);
    return {v, v};
  }
  LINNET_FN f32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  LINNET_FN void store(float* p, const f32x16& v) {
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
  }
  LINNET_FN __m256i first(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  LINNET_FN f32x16 load_first(const float* p, int n) {
    return {_mm256_maskload_ps(p, first(n)), _mm256_maskload_ps(p + 8, first(n - 8))};
  }
  LINNET_FN void store_first(float* p, const f32x16& v, int n) {
    _mm256_maskstore_ps(p, first(n), v.lo);
    _mm256_maskstore_ps(p + 8, first(n - 8), v.hi);
  }
  LINNET_FN f32x16 add(const f32x16& a, const f32x16& b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
  LINNET_FN f32x16 sub(const f32x16& a, const f32x16& b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
  LINNET_FN f32x16 mul(const f32x16& a, const f32x16& b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
  LINNET_FN f32x16 div(const f32x16& a, const f32x16& b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
  LINNET_FN f32x16 max(const f32x16& a, const f32x16& b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
  LINNET_FN f32x16 min(const f32x16& a, const f32x16& b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
  LINNET_FN f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  LINNET_FN f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
  }
#undef LINNET_FN
};

}  // namespace linnet::kernels::LINNET_ISA
