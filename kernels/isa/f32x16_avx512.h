// The 16-float vector type on AVX-512 (F, BW, DQ, VL): one zmm register. f32x16_scalar.h defines what each function
// means.
#pragma once

// gcc 12's own header warns once its functions are inlined: _mm512_undefined_ps reads what nobody wrote (gcc PR
// 105593).
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#pragma GCC diagnostic pop
#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

#define LINNET_FN static inline __attribute__((always_inline))
#define LINNET_UNARY(Type, name, fn) \
  LINNET_FN Type name(const Type& a) { return {fn(a.v)}; }
#define LINNET_BINARY(Type, name, fn) \
  LINNET_FN Type name(const Type& a, const Type& b) { return {fn(a.v, b.v)}; }

struct i32x16 {
  __m512i v;

  LINNET_FN i32x16 set(int32_t x) { return {_mm512_set1_epi32(x)}; }
  LINNET_BINARY(i32x16, add, _mm512_add_epi32)
  LINNET_BINARY(i32x16, sub, _mm512_sub_epi32)
  LINNET_BINARY(i32x16, bit_and, _mm512_and_si512)
  LINNET_BINARY(i32x16, bit_or, _mm512_or_si512)
  LINNET_BINARY(i32x16, bit_xor, _mm512_xor_si512)
  template <int count>
  LINNET_FN i32x16 shift_left(const i32x16& a) {
    return {_mm512_slli_epi32(a.v, count)};
  }
  template <int count>
  LINNET_FN i32x16 shift_right(const i32x16& a) {
    return {_mm512_srai_epi32(a.v, count)};
  }
};

struct mask16 {
  __mmask16 v;

  LINNET_FN mask16 bit_and(const mask16& a, const mask16& b) { return {static_cast<__mmask16>(a.v & b.v)}; }
  LINNET_FN mask16 bit_or(const mask16& a, const mask16& b) { return {static_cast<__mmask16>(a.v | b.v)}; }
  LINNET_FN mask16 bit_xor(const mask16& a, const mask16& b) { return {static_cast<__mmask16>(a.v ^ b.v)}; }
  LINNET_FN mask16 and_not(const mask16& a, const mask16& b) { return {static_cast<__mmask16>(a.v & ~b.v)}; }
};

struct f32x16 {
  __m512 v;

  LINNET_FN f32x16 zero() { return {_mm512_setzero_ps()}; }
  LINNET_FN f32x16 set(float x) { return {_mm512_set1_ps(x)}; }
  LINNET_FN f32x16 broadcast(const float* p) { return {_mm512_set1_ps(*p)}; }
  template <int G, int K>
  LINNET_FN f32x16 broadcast_in_groups(const float* p) {
    static_assert(G == 4 || G == 8);
    if constexpr (G == 8) return {_mm512_mask_broadcastss_ps(_mm512_set1_ps(p[K]), 0xff00, _mm_load_ss(p + 8 + K))};
    return {_mm512_permute_ps(_mm512_loadu_ps(p), K * 0x55)};
  }
  LINNET_FN f32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
  /// Once for several uses: where registers are nearly all in use, gcc 12 loads again for each.
  LINNET_FN f32x16 load_once(const float* p) {
    __m512 v = _mm512_loadu_ps(p);
#if !defined(LINNET_EMULATE_AVX512)
    asm("" : "+v"(v));
#endif
    return {v};
  }
  LINNET_FN void store(float* p, const f32x16& a) { _mm512_storeu_ps(p, a.v); }
  LINNET_FN __mmask16 first(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
  LINNET_FN f32x16 load_first(const float* p, int n) { return {_mm512_maskz_loadu_ps(first(n), p)}; }
  LINNET_FN void store_first(float* p, const f32x16& a, int n) { _mm512_mask_storeu_ps(p, first(n), a.v); }

  LINNET_BINARY(f32x16, add, _mm512_add_ps)
  LINNET_BINARY(f32x16, sub, _mm512_sub_ps)
  LINNET_BINARY(f32x16, mul, _mm512_mul_ps)
  LINNET_BINARY(f32x16, div, _mm512_div_ps)
  LINNET_BINARY(f32x16, max, _mm512_max_ps)
  LINNET_BINARY(f32x16, min, _mm512_min_ps)
  LINNET_UNARY(f32x16, sqrt, _mm512_sqrt_ps)
  LINNET_UNARY(f32x16, abs, _mm512_abs_ps)
  LINNET_FN f32x16 neg(const f32x16& a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
#define LINNET_ROUND(name, mode) \
  LINNET_FN f32x16 name(const f32x16& a) { return {_mm512_roundscale_ps(a.v, ((mode) | _MM_FROUND_NO_EXC))}; }
  LINNET_ROUND(floor, _MM_FROUND_TO_NEG_INF)
  LINNET_ROUND(ceil, _MM_FROUND_TO_POS_INF)
  LINNET_ROUND(round, _MM_FROUND_TO_NEAREST_INT)
#undef LINNET_ROUND
  LINNET_FN f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
  LINNET_FN f32x16 fnma(const f32x16& a, const f32x16& b, const f32x16& c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }

  LINNET_FN mask16 less(const f32x16& a, const f32x16& b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
  LINNET_FN mask16 less_equal(const f32x16& a, const f32x16& b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
  LINNET_FN mask16 equal(const f32x16& a, const f32x16& b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
  LINNET_FN mask16 is_nan(const f32x16& a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
  LINNET_FN f32x16 select(const mask16& m, const f32x16& a, const f32x16& b) {
    return {_mm512_mask_blend_ps(m.v, b.v, a.v)};
  }
  LINNET_FN i32x16 bits(const f32x16& a) { return {_mm512_castps_si512(a.v)}; }
  LINNET_FN f32x16 from_bits(const i32x16& a) { return {_mm512_castsi512_ps(a.v)}; }
  LINNET_FN f32x16 from_int(const i32x16& a) { return {_mm512_cvtepi32_ps(a.v)}; }
  LINNET_FN float sum(const f32x16& a) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
};

#undef LINNET_UNARY
#undef LINNET_BINARY

LINNET_FN void transpose16(const float* x, ptrdiff_t x_row, float* y, ptrdiff_t y_row) {
  // 4x4 blocks first: after the shuffles, quarter q of t[4 * g + j] is column 4 * q + j of rows 4 * g .. 4 * g + 3.
  __m512 t[16];
#pragma GCC unroll 4
  for (int g = 0; g < 16; g += 4) {
    const float* p = x + g * x_row;
    const __m512 r0 = _mm512_loadu_ps(p), r1 = _mm512_loadu_ps(p + x_row);
    const __m512 r2 = _mm512_loadu_ps(p + 2 * x_row), r3 = _mm512_loadu_ps(p + 3 * x_row);
    const __m512 a = _mm512_unpacklo_ps(r0, r1), b = _mm512_unpackhi_ps(r0, r1);
    const __m512 c = _mm512_unpacklo_ps(r2, r3), d = _mm512_unpackhi_ps(r2, r3);
    t[g] = _mm512_shuffle_ps(a, c, 0x44);
    t[g + 1] = _mm512_shuffle_ps(a, c, 0xee);
    t[g + 2] = _mm512_shuffle_ps(b, d, 0x44);
    t[g + 3] = _mm512_shuffle_ps(b, d, 0xee);
  }
  // Then the same on quarters: y's row 4 * q + j is quarter q of t[j], t[4 + j], t[8 + j], t[12 + j].
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const __m512 a = _mm512_shuffle_f32x4(t[j], t[j + 4], 0x88), b = _mm512_shuffle_f32x4(t[j], t[j + 4], 0xdd);
    const __m512 c = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0x88),
                 d = _mm512_shuffle_f32x4(t[j + 8], t[j + 12], 0xdd);
    float* p = y + j * y_row;
    _mm512_storeu_ps(p, _mm512_shuffle_f32x4(a, c, 0x88));
    _mm512_storeu_ps(p + 4 * y_row, _mm512_shuffle_f32x4(b, d, 0x88));
    _mm512_storeu_ps(p + 8 * y_row, _mm512_shuffle_f32x4(a, c, 0xdd));
    _mm512_storeu_ps(p + 12 * y_row, _mm512_shuffle_f32x4(b, d, 0xdd));
  }
}

#undef LINNET_FN

}  // namespace linnet::kernels::LINNET_ISA
