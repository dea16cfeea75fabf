// Checked size arithmetic: every product or sum of numbers that come from a file or a caller goes through here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "linnet/error.h"

namespace linnet::base {

[[noreturn]] inline void overflow(std::string_view what) {
  throw Error(ErrorCode::limit, "a size does not fit 63 bits: " + std::string(what));
}

inline std::int64_t checked_mul(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t r = 0;
  if (__builtin_mul_overflow(a, b, &r)) overflow(what);
  return r;
}

inline std::int64_t checked_add(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t r = 0;
  if (__builtin_add_overflow(a, b, &r)) overflow(what);
  return r;
}

inline std::int64_t checked_sub(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t r = 0;
  if (__builtin_sub_overflow(a, b, &r)) overflow(what);
  return r;
}

/// Product of the extents (1 for none). Negative extents are the caller's bug or a hostile file: refused as `model`.
inline std::int64_t checked_product(std::span<const std::int64_t> extents, std::string_view what) {
  std::int64_t product = 1;
  bool zero = false;
  for (const std::int64_t extent : extents) {
    if (extent < 0) throw Error(ErrorCode::model, "a negative extent: " + std::string(what));
    if (extent == 0) {
      zero = true;
    } else {
      product = checked_mul(product, extent, what);
    }
  }
  return zero ? 0 : product;
}

/// A non-negative int64 as size_t.
inline std::size_t to_size(std::int64_t value, std::string_view what) {
  if (value < 0) throw Error(ErrorCode::model, "a negative size: " + std::string(what));
  return static_cast<std::size_t>(value);
}

/// ceil(a / b) for a >= 0, b > 0.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }
/// The multiple of b at or above a, for a >= 0, b > 0.
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }
/// The same for bytes in memory. Beyond the largest size it wraps around, to less than a.
constexpr std::size_t round_up(std::size_t a, std::size_t b) { return (a + b - 1) / b * b; }

}  // namespace linnet::base
