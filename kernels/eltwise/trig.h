// sin and cos of a float, at most 1 ULP off over the whole range. One element at a time and in double: no CNN spends
// time here.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

/// x = quadrants * pi/2 + rest, |rest| <= pi/4; only the last two bits of `quadrants` count.
struct Angle {
  double rest;
  int64_t quadrants;
};

/// For |x| < 2^20: pi/2 = kHigh + kLow, where kHigh has 33 bits, so that its product with the quotient is exact.
static inline Angle reduce_small(double x) {
  constexpr double kHigh = 1.5707963267341256, kLow = 6.077100506506192e-11, kTwoOverPi = 0.6366197723675814;
  constexpr double kMagic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer
  const double n = (x * kTwoOverPi + kMagic) - kMagic;
  return {(x - n * kHigh) - n * kLow, static_cast<int64_t>(n)};
}

/// For 2^20 <= |x| < infinity, after Payne and Hanek: of 2/pi only the 96 bits are multiplied that decide the quotient
/// modulo 4 and its fraction.
static inline Angle reduce_large(float x) {
  static constexpr uint32_t kTwoOverPi[9] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0,
                                             0xdb629599, 0x3c439041, 0xfe5163ab, 0xdebbc561};
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const uint64_t mantissa = (bits & 0x7fffff) | 0x800000;
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 150;  // |x| = mantissa * 2^exponent
  const int skip = exponent - 2 + 32;  // bits that give multiples of 4; the table begins with 32 zeros
  const int word = skip / 32, shift = skip % 32;
  uint64_t w[3];
  for (int i = 0; i < 3; ++i) {
    const uint64_t two_words = static_cast<uint64_t>(kTwoOverPi[word + i]) << 32 | kTwoOverPi[word + i + 1];
    w[i] = two_words << shift >> 32;
  }
  const uint64_t fraction = (mantissa * w[0] << 32) + mantissa * w[1] + (mantissa * w[2] >> 32);  // of a turn, * 2^64
  const uint64_t quadrants = (fraction + (uint64_t{1} << 61)) >> 62;
  const double rest = static_cast<double>(static_cast<int64_t>(fraction - (quadrants << 62))) * 0x1.921fb54442d18p-62;
  const bool negative = bits >> 31;
  return {negative ? -rest : rest, negative ? -static_cast<int64_t>(quadrants) : static_cast<int64_t>(quadrants)};
}

/// sin(x) for quarter_turns 0, cos(x) for 1.
static inline float sine(float x, int quarter_turns) {
  const float size = __builtin_fabsf(x);
  if (!(size < __builtin_inff())) return x - x;
  const Angle angle = size < 1048576.0f ? reduce_small(static_cast<double>(x)) : reduce_large(x);
  const double r = angle.rest, r2 = r * r;
  const uint64_t quadrant = static_cast<uint64_t>(angle.quadrants + quarter_turns);
  double y;
  if (quadrant & 1) {
    y = 1.0 + r2 * (-1.0 / 2 + r2 * (1.0 / 24 + r2 * (-1.0 / 720 + r2 * (1.0 / 40320 + r2 * (-1.0 / 3628800)))));
  } else {
    y = r + r * r2 * (-1.0 / 6 + r2 * (1.0 / 120 + r2 * (-1.0 / 5040 + r2 * (1.0 / 362880 + r2 * (-1.0 / 39916800)))));
  }
  return static_cast<float>(quadrant & 2 ? -y : y);
}

[[gnu::always_inline]] static inline V sine(const V& x, int quarter_turns) {
  float lanes[16];
  V::store(lanes, x);
  for (int i = 0; i < 16; ++i) lanes[i] = sine(lanes[i], quarter_turns);
  return V::load(lanes);
}

}  // namespace linnet::kernels::LINNET_ISA
