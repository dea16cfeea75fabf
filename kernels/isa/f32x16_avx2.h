// The 16-float vector type on AVX2 with FMA: two ymm registers. f32x16_scalar.h defines what each function means.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

#define LINNET_FN static inline __attribute__((always_inline))
#define LINNET_UNARY(Type, name, fn) \
  LINNET_FN Type name(const Type& a) { return {fn(a.lo), fn(a.hi)}; }
#define LINNET_BINARY(Type, name, fn) \
  LINNET_FN Type name(const Type& a, const Type& b) { return {fn(a.lo, b.lo), fn(a.hi, b.hi)}; }

struct i32x16 {
  __m256i lo, hi;

  LINNET_FN i32x16 set(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  LINNET_BINARY(i32x16, add, _mm256_add_epi32)
  LINNET_BINARY(i32x16, sub, _mm256_sub_epi32)
  LINNET_BINARY(i32x16, bit_and, _mm256_and_si256)
  LINNET_BINARY(i32x16, bit_or, _mm256_or_si256)
  LINNET_BINARY(i32x16, bit_xor, _mm256_xor_si256)
  template <int count>
  LINNET_FN i32x16 shift_left(const i32x16& a) {
    return {_mm256_slli_epi32(a.lo, count), _mm256_slli_epi32(a.hi, count)};
  }
  template <int count>
  LINNET_FN i32x16 shift_right(const i32x16& a) {
    return {_mm256_srai_epi32(a.lo, count), _mm256_srai_epi32(a.hi, count)};
  }
};

struct mask16 {
  __m256 lo, hi;

  LINNET_BINARY(mask16, bit_and, _mm256_and_ps)
  LINNET_BINARY(mask16, bit_or, _mm256_or_ps)
  LINNET_BINARY(mask16, bit_xor, _mm256_xor_ps)
  LINNET_FN mask16 and_not(const mask16& a, const mask16& b) {
    return {_mm256_andnot_ps(b.lo, a.lo), _mm256_andnot_ps(b.hi, a.hi)};
  }
};

struct f32x16 {
  __m256 lo, hi;

  LINNET_FN f32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  LINNET_FN f32x16 set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  LINNET_FN f32x16 broadcast(const float* p) {
    const __m256 v = _mm256_broadcast_ss(p);
    return {v, v};
  }
  template <int G, int K>
  LINNET_FN f32x16 broadcast_in_groups(const float* p) {
    static_assert(G == 4 || G == 8);
    if constexpr (G == 8) return {_mm256_broadcast_ss(p + K), _mm256_broadcast_ss(p + 8 + K)};
    // Each from memory: the compiler would load the elements of all pixels once for all K, and run out of registers.
    f32x16 r;
    asm("vpermilps %2, %1, %0" : "=x"(r.lo) : "m"(*reinterpret_cast<const __m256_u*>(p)), "i"(K * 0x55));
    asm("vpermilps %2, %1, %0" : "=x"(r.hi) : "m"(*reinterpret_cast<const __m256_u*>(p + 8)), "i"(K * 0x55));
    return r;
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
  // Not maskstore: on AMD before Zen 4 that is microcode, 20 times slower than a handful of narrow stores.
  LINNET_FN void store_first(float* p, const f32x16& v, int n) {
    if (n >= 16) return store(p, v);
    __m256 eight = v.lo;
    if (n & 8) {
      _mm256_storeu_ps(p, eight);
      eight = v.hi;
      p += 8;
    }
    __m128 four = _mm256_castps256_ps128(eight);
    if (n & 4) {
      _mm_storeu_ps(p, four);
      four = _mm256_extractf128_ps(eight, 1);
      p += 4;
    }
    if (n & 2) {
      _mm_storel_pi(reinterpret_cast<__m64*>(p), four);
      four = _mm_movehl_ps(four, four);
      p += 2;
    }
    if (n & 1) _mm_store_ss(p, four);
  }

  LINNET_BINARY(f32x16, add, _mm256_add_ps)
  LINNET_BINARY(f32x16, sub, _mm256_sub_ps)
  LINNET_BINARY(f32x16, mul, _mm256_mul_ps)
  LINNET_BINARY(f32x16, div, _mm256_div_ps)
  LINNET_BINARY(f32x16, max, _mm256_max_ps)
  LINNET_BINARY(f32x16, min, _mm256_min_ps)
  LINNET_UNARY(f32x16, sqrt, _mm256_sqrt_ps)
  LINNET_UNARY(f32x16, floor, _mm256_floor_ps)
  LINNET_UNARY(f32x16, ceil, _mm256_ceil_ps)
  LINNET_FN f32x16 round(const f32x16& a) {
    constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(a.lo, kMode), _mm256_round_ps(a.hi, kMode)};
  }
  LINNET_FN f32x16 abs(const f32x16& a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
  }
  LINNET_FN f32x16 neg(const f32x16& a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(sign, a.lo), _mm256_xor_ps(sign, a.hi)};
  }
  LINNET_FN f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
  }
  LINNET_FN f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) {
    return {_mm256_fnmadd_ps(a.lo, b.lo, c.lo), _mm256_fnmadd_ps(a.hi, b.hi, c.hi)};
  }

#define LINNET_COMPARE(name, predicate)                                                  \
  LINNET_FN mask16 name(const f32x16& a, const f32x16& b) {                              \
    return {_mm256_cmp_ps(a.lo, b.lo, predicate), _mm256_cmp_ps(a.hi, b.hi, predicate)}; \
  }
  LINNET_COMPARE(less, _CMP_LT_OQ)
  LINNET_COMPARE(less_equal, _CMP_LE_OQ)
  LINNET_COMPARE(equal, _CMP_EQ_OQ)
#undef LINNET_COMPARE
  LINNET_FN mask16 is_nan(const f32x16& a) {
    return {_mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q), _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q)};
  }
  LINNET_FN f32x16 select(const mask16& m, const f32x16& a, const f32x16& b) {
    return {_mm256_blendv_ps(b.lo, a.lo, m.lo), _mm256_blendv_ps(b.hi, a.hi, m.hi)};
  }
  LINNET_FN i32x16 bits(const f32x16& a) { return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)}; }
  LINNET_FN f32x16 from_bits(const i32x16& a) { return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)}; }
  LINNET_FN f32x16 from_int(const i32x16& a) { return {_mm256_cvtepi32_ps(a.lo), _mm256_cvtepi32_ps(a.hi)}; }
  LINNET_FN float sum(const f32x16& a) {
    const __m256 eight = _mm256_add_ps(a.lo, a.hi);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

#undef LINNET_UNARY
#undef LINNET_BINARY

/// One 8x8 quarter of transpose16. The two halves of a register are joined by the loads, which costs a load port; doing
/// it with permutes after the shuffles would cost the one port that the shuffles need.
LINNET_FN void transpose8(const float* x, ptrdiff_t x_row, float* y, ptrdiff_t y_row) {
  __m256 r[8];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const float* p = x + i * x_row;
    const float* q = p + 4 * x_row;
    r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q), 1);
    r[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)), _mm_loadu_ps(q + 4), 1);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    const __m256 a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
    const __m256 c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
    float* p = y + i * y_row;
    _mm256_storeu_ps(p, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_storeu_ps(p + y_row, _mm256_shuffle_ps(a, c, 0xee));
    _mm256_storeu_ps(p + 2 * y_row, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_storeu_ps(p + 3 * y_row, _mm256_shuffle_ps(b, d, 0xee));
  }
}

LINNET_FN void transpose16(const float* x, ptrdiff_t x_row, float* y, ptrdiff_t y_row) {
  transpose8(x, x_row, y, y_row);
  transpose8(x + 8, x_row, y + 8 * y_row, y_row);
  transpose8(x + 8 * x_row, x_row, y + 8, y_row);
  transpose8(x + 8 * x_row + 8, x_row, y + 8 * y_row + 8, y_row);
}

#undef LINNET_FN

}  // namespace linnet::kernels::LINNET_ISA
