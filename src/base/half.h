// float16 and bfloat16: to float exactly, and from double rounded once, to the nearest and in ties to even.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "linnet/tensor.h"

namespace linnet::base {

inline float to_float(Float16 half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000u) << 16;
  const std::uint32_t exponent = (half.bits >> 10) & 0x1fu;
  const std::uint32_t fraction = half.bits & 0x3ffu;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;  // zero and subnormals: exact
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
}

inline float to_float(BFloat16 half) { return std::bit_cast<float>(static_cast<std::uint32_t>(half.bits) << 16); }

/// The bits of `value` in a format of 16 bits with `kFraction` bits of fraction. Taking the double, which holds every float
/// exactly, is what makes it one rounding. NaN becomes the quiet NaN, too large a magnitude infinity.
template <int kFraction>
std::uint16_t narrowed(double value) {
  constexpr int kBias = (1 << (14 - kFraction)) - 1;
  constexpr auto kInfinity = static_cast<std::uint16_t>(((1u << (15 - kFraction)) - 1) << kFraction);
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000u : 0u);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | kInfinity | (1u << (kFraction - 1)));
  const auto bits = std::bit_cast<std::uint64_t>(value) & ~(std::uint64_t{1} << 63);
  const int exponent = static_cast<int>(bits >> 52) - 1023 + kBias;  // biased as in the result
  if (exponent >= (1 << (15 - kFraction)) - 1) return static_cast<std::uint16_t>(sign | kInfinity);
  std::uint64_t mantissa = (bits & ((std::uint64_t{1} << 52) - 1)) | std::uint64_t{1} << 52;
  int drop = 52 - kFraction;
  std::uint64_t base = 0;
  if (exponent > 0) {
    base = static_cast<std::uint64_t>(exponent - 1) << kFraction;  // the leading bit of the mantissa adds the last one
  } else {
    drop += 1 - exponent;  // subnormal: no leading bit
    if (drop > 54) return sign;
  }
  const std::uint64_t kept = mantissa >> drop, rest = mantissa & ((std::uint64_t{1} << drop) - 1);
  const std::uint64_t half = std::uint64_t{1} << (drop - 1);
  const bool up = rest > half || (rest == half && (kept & 1) != 0);
  return static_cast<std::uint16_t>(sign |
                                    (base + kept + (up ? 1 : 0)));  // a carry runs into the exponent, as it should
}

inline Float16 to_float16(double value) { return {narrowed<10>(value)}; }
inline BFloat16 to_bfloat16(double value) { return {narrowed<7>(value)}; }

/// to_float(to_bfloat16(value)), without a branch, for long rows.
inline float rounded_to_bfloat16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits & 0x80000000u, magnitude = bits & 0x7fffffffu;
  const std::uint32_t rounded = (magnitude + 0x7fffu + (magnitude >> 16 & 1u)) & 0xffff0000u;
  return std::bit_cast<float>(sign | (magnitude > 0x7f800000u ? 0x7fc00000u : rounded));
}

/// to_float(to_float16(value)).
inline float rounded_to_float16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits & 0x80000000u, magnitude = bits & 0x7fffffffu;
  std::uint32_t rounded = (magnitude + 0xfffu + (magnitude >> 13 & 1u)) & 0xffffe000u;
  rounded = rounded >= 0x47800000u ? 0x7f800000u : rounded;  // 2^16 and beyond
  // Below 2^-14 numbers are 2^-24 apart, as float's are from 0.5 to 1: there the sum is rounded as it should be.
  const auto subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f - 0.5f);
  rounded = magnitude < 0x38800000u ? subnormal : rounded;
  return std::bit_cast<float>(sign | (magnitude > 0x7f800000u ? 0x7fc00000u : rounded));
}

}  // namespace linnet::base
