// AVX-512 for processors without it: the intrinsics that kernels/isa/f32x16_avx512.h uses, as plain functions that do what
// the operation sections of Intel's Intrinsics Guide say. The preset avx512-emulated compiles kernels/avx512.cpp against this
// header in place of the compiler's own, and its tests then show that the AVX-512 form gives the bits of the scalar one.
#pragma once

#include <stdint.h>

#define LINNET_EMULATED static inline __attribute__((always_inline, unused))

using __mmask16 = uint16_t;

template <typename T, int lanes>
struct EmulatedVector {
  T lane[lanes];
};
using __m512 = EmulatedVector<float, 16>;
using __m512i = EmulatedVector<int32_t, 16>;
using __m256 = EmulatedVector<float, 8>;
using __m128 = EmulatedVector<float, 4>;

enum { _CMP_LT_OQ = 0x11, _CMP_LE_OQ = 0x12, _CMP_EQ_OQ = 0x00, _CMP_UNORD_Q = 0x03 };
enum { _MM_FROUND_TO_NEAREST_INT = 0, _MM_FROUND_TO_NEG_INF = 1, _MM_FROUND_TO_POS_INF = 2, _MM_FROUND_NO_EXC = 8 };

// result.lane[i] = (expression), for every lane.
#define LINNET_LANES(Type, count, expression)                      \
  Type result;                                                     \
  for (int i = 0; i < (count); ++i) result.lane[i] = (expression); \
  return result

LINNET_EMULATED __m512 _mm512_setzero_ps() { LINNET_LANES(__m512, 16, 0.0f); }
LINNET_EMULATED __m512 _mm512_set1_ps(float x) { LINNET_LANES(__m512, 16, x); }
LINNET_EMULATED __m512i _mm512_set1_epi32(int32_t x) { LINNET_LANES(__m512i, 16, x); }
LINNET_EMULATED __m512 _mm512_loadu_ps(const void* p) {
  __m512 result;
  __builtin_memcpy(&result, p, sizeof result);
  return result;
}
LINNET_EMULATED void _mm512_storeu_ps(void* p, __m512 a) { __builtin_memcpy(p, &a, sizeof a); }
LINNET_EMULATED bool emulated_bit(__mmask16 mask, int i) { return (mask >> i & 1) != 0; }
LINNET_EMULATED __m512 _mm512_maskz_loadu_ps(__mmask16 mask, const void* p) {
  LINNET_LANES(__m512, 16, emulated_bit(mask, i) ? static_cast<const float*>(p)[i] : 0.0f);
}
LINNET_EMULATED void _mm512_mask_storeu_ps(void* p, __mmask16 mask, __m512 a) {
  for (int i = 0; i < 16; ++i) {
    if (emulated_bit(mask, i)) static_cast<float*>(p)[i] = a.lane[i];
  }
}

LINNET_EMULATED __m512 _mm512_add_ps(__m512 a, __m512 b) { LINNET_LANES(__m512, 16, a.lane[i] + b.lane[i]); }
LINNET_EMULATED __m512 _mm512_sub_ps(__m512 a, __m512 b) { LINNET_LANES(__m512, 16, a.lane[i] - b.lane[i]); }
LINNET_EMULATED __m512 _mm512_mul_ps(__m512 a, __m512 b) { LINNET_LANES(__m512, 16, a.lane[i] * b.lane[i]); }
LINNET_EMULATED __m512 _mm512_div_ps(__m512 a, __m512 b) { LINNET_LANES(__m512, 16, a.lane[i] / b.lane[i]); }
// The second operand where either is a NaN, or both are zeros.
LINNET_EMULATED __m512 _mm512_max_ps(__m512 a, __m512 b) {
  LINNET_LANES(__m512, 16, a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]);
}
LINNET_EMULATED __m512 _mm512_min_ps(__m512 a, __m512 b) {
  LINNET_LANES(__m512, 16, a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]);
}
LINNET_EMULATED __m512 _mm512_sqrt_ps(__m512 a) { LINNET_LANES(__m512, 16, __builtin_sqrtf(a.lane[i])); }
LINNET_EMULATED __m512 _mm512_abs_ps(__m512 a) { LINNET_LANES(__m512, 16, __builtin_fabsf(a.lane[i])); }
LINNET_EMULATED __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) {
  LINNET_LANES(__m512, 16, __builtin_fmaf(a.lane[i], b.lane[i], c.lane[i]));
}
LINNET_EMULATED __m512 _mm512_fnmadd_ps(__m512 a, __m512 b, __m512 c) {
  LINNET_LANES(__m512, 16, __builtin_fmaf(-a.lane[i], b.lane[i], c.lane[i]));
}
// Scale 0: to whole numbers, in the direction of the two low bits.
LINNET_EMULATED __m512 _mm512_roundscale_ps(__m512 a, int control) {
  LINNET_LANES(__m512, 16,
               (control & 3) == _MM_FROUND_TO_NEG_INF   ? __builtin_floorf(a.lane[i])
               : (control & 3) == _MM_FROUND_TO_POS_INF ? __builtin_ceilf(a.lane[i])
                                                        : __builtin_rintf(a.lane[i]));
}

LINNET_EMULATED __m512i _mm512_castps_si512(__m512 a) {
  __m512i result;
  __builtin_memcpy(&result, &a, sizeof a);
  return result;
}
LINNET_EMULATED __m512 _mm512_castsi512_ps(__m512i a) { return _mm512_loadu_ps(&a); }
LINNET_EMULATED __m512 _mm512_cvtepi32_ps(__m512i a) { LINNET_LANES(__m512, 16, static_cast<float>(a.lane[i])); }

LINNET_EMULATED uint32_t emulated_bits(int32_t x) { return static_cast<uint32_t>(x); }
#define LINNET_INTEGERS(expression) LINNET_LANES(__m512i, 16, static_cast<int32_t>(expression))
LINNET_EMULATED __m512i _mm512_add_epi32(__m512i a, __m512i b) {
  LINNET_INTEGERS(emulated_bits(a.lane[i]) + emulated_bits(b.lane[i]));
}
LINNET_EMULATED __m512i _mm512_sub_epi32(__m512i a, __m512i b) {
  LINNET_INTEGERS(emulated_bits(a.lane[i]) - emulated_bits(b.lane[i]));
}
LINNET_EMULATED __m512i _mm512_and_si512(__m512i a, __m512i b) { LINNET_INTEGERS(a.lane[i] & b.lane[i]); }
LINNET_EMULATED __m512i _mm512_or_si512(__m512i a, __m512i b) { LINNET_INTEGERS(a.lane[i] | b.lane[i]); }
LINNET_EMULATED __m512i _mm512_xor_si512(__m512i a, __m512i b) { LINNET_INTEGERS(a.lane[i] ^ b.lane[i]); }
LINNET_EMULATED __m512i _mm512_slli_epi32(__m512i a, unsigned count) {
  LINNET_INTEGERS(emulated_bits(a.lane[i]) << count);
}
LINNET_EMULATED __m512i _mm512_srai_epi32(__m512i a, unsigned count) { LINNET_INTEGERS(a.lane[i] >> count); }
#undef LINNET_INTEGERS
LINNET_EMULATED __m512 _mm512_xor_ps(__m512 a, __m512 b) {
  return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(a), _mm512_castps_si512(b)));
}

LINNET_EMULATED bool emulated_compare(float a, float b, int predicate) {
  switch (predicate) {
    case _CMP_LT_OQ: return a < b;
    case _CMP_LE_OQ: return a <= b;
    case _CMP_EQ_OQ: return a == b;
    default: return __builtin_isunordered(a, b) != 0;
  }
}
LINNET_EMULATED __mmask16 _mm512_cmp_ps_mask(__m512 a, __m512 b, int predicate) {
  unsigned mask = 0;
  for (int i = 0; i < 16; ++i) mask |= emulated_compare(a.lane[i], b.lane[i], predicate) ? 1u << i : 0u;
  return static_cast<__mmask16>(mask);
}
LINNET_EMULATED __m512 _mm512_mask_blend_ps(__mmask16 mask, __m512 a, __m512 b) {
  LINNET_LANES(__m512, 16, emulated_bit(mask, i) ? b.lane[i] : a.lane[i]);
}

// Within each quarter of four floats.
LINNET_EMULATED __m512 _mm512_unpacklo_ps(__m512 a, __m512 b) {
  LINNET_LANES(__m512, 16, (i % 2 == 0 ? a : b).lane[i / 4 * 4 + i % 4 / 2]);
}
LINNET_EMULATED __m512 _mm512_unpackhi_ps(__m512 a, __m512 b) {
  LINNET_LANES(__m512, 16, (i % 2 == 0 ? a : b).lane[i / 4 * 4 + 2 + i % 4 / 2]);
}
LINNET_EMULATED __m512 _mm512_shuffle_ps(__m512 a, __m512 b, int control) {
  LINNET_LANES(__m512, 16, (i % 4 < 2 ? a : b).lane[i / 4 * 4 + (control >> i % 4 * 2 & 3)]);
}
LINNET_EMULATED __m512 _mm512_permute_ps(__m512 a, int control) {
  LINNET_LANES(__m512, 16, a.lane[i / 4 * 4 + (control >> i % 4 * 2 & 3)]);
}
// Of whole quarters.
LINNET_EMULATED __m512 _mm512_shuffle_f32x4(__m512 a, __m512 b, int control) {
  LINNET_LANES(__m512, 16, (i < 8 ? a : b).lane[(control >> i / 4 * 2 & 3) * 4 + i % 4]);
}

LINNET_EMULATED __m256 _mm512_castps512_ps256(__m512 a) { LINNET_LANES(__m256, 8, a.lane[i]); }
LINNET_EMULATED __m256 _mm512_extractf32x8_ps(__m512 a, int half) { LINNET_LANES(__m256, 8, a.lane[half * 8 + i]); }
LINNET_EMULATED __m256 _mm256_add_ps(__m256 a, __m256 b) { LINNET_LANES(__m256, 8, a.lane[i] + b.lane[i]); }
LINNET_EMULATED __m128 _mm256_castps256_ps128(__m256 a) { LINNET_LANES(__m128, 4, a.lane[i]); }
LINNET_EMULATED __m128 _mm256_extractf128_ps(__m256 a, int half) { LINNET_LANES(__m128, 4, a.lane[half * 4 + i]); }
LINNET_EMULATED __m128 _mm_add_ps(__m128 a, __m128 b) { LINNET_LANES(__m128, 4, a.lane[i] + b.lane[i]); }
LINNET_EMULATED __m128 _mm_add_ss(__m128 a, __m128 b) {
  LINNET_LANES(__m128, 4, i == 0 ? a.lane[0] + b.lane[0] : a.lane[i]);
}
LINNET_EMULATED __m128 _mm_movehl_ps(__m128 a, __m128 b) { LINNET_LANES(__m128, 4, i < 2 ? b.lane[i + 2] : a.lane[i]); }
LINNET_EMULATED __m128 _mm_movehdup_ps(__m128 a) { LINNET_LANES(__m128, 4, a.lane[i | 1]); }
LINNET_EMULATED __m128 _mm_load_ss(const float* p) { LINNET_LANES(__m128, 4, i == 0 ? *p : 0.0f); }
LINNET_EMULATED __m512 _mm512_mask_broadcastss_ps(__m512 a, __mmask16 mask, __m128 b) {
  LINNET_LANES(__m512, 16, emulated_bit(mask, i) ? b.lane[0] : a.lane[i]);
}
LINNET_EMULATED float _mm_cvtss_f32(__m128 a) { return a.lane[0]; }

#undef LINNET_LANES
#undef LINNET_EMULATED
