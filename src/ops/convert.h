// Conversions between element types, as ONNX's Cast has them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/half.h"
#include "linnet/tensor.h"

namespace linnet::ops {

/// One element of another type. Integer to integer wraps modulo 2^n; to bool is "not zero". A float that an integer cannot
/// hold, which ONNX leaves open, becomes the nearest one that it can, and NaN becomes 0: the same on every processor.
template <typename To, typename From>
To convert(From value) {
  if constexpr (std::is_same_v<From, Float16> || std::is_same_v<From, BFloat16>) {
    if constexpr (std::is_same_v<To, From>) return value;
    else return convert<To>(base::to_float(value));
  } else if constexpr (std::is_same_v<To, Float16>) {
    return base::to_float16(static_cast<double>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return base::to_bfloat16(static_cast<double>(value));
  } else if constexpr (std::is_same_v<To, bool>) {
    return value != From{};
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    // 2^n is exact where 2^n - 1 may not be: compared with it, rounding cannot let a value through.
    constexpr From kAbove = static_cast<From>(std::uint64_t{1} << (std::numeric_limits<To>::digits - 1)) * From{2};
    constexpr From kBelow = std::is_signed_v<To> ? -kAbove : From{0};
    if (std::isnan(value)) return To{0};
    if (value >= kAbove) return std::numeric_limits<To>::max();
    if (value <= kBelow) return std::numeric_limits<To>::lowest();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

/// visit(T{}) with the C++ type of `type`; nothing happens for a type without elements.
template <typename Visit>
void visit_element_type(DataType type, const Visit& visit) {
  switch (type) {
    case DataType::float32: return visit(float{});
    case DataType::float64: return visit(double{});
    case DataType::float16: return visit(Float16{});
    case DataType::bfloat16: return visit(BFloat16{});
    case DataType::boolean: return visit(bool{});
    case DataType::uint8: return visit(std::uint8_t{});
    case DataType::int8: return visit(std::int8_t{});
    case DataType::uint16: return visit(std::uint16_t{});
    case DataType::int16: return visit(std::int16_t{});
    case DataType::uint32: return visit(std::uint32_t{});
    case DataType::int32: return visit(std::int32_t{});
    case DataType::uint64: return visit(std::uint64_t{});
    case DataType::int64: return visit(std::int64_t{});
    case DataType::undefined:
    case DataType::string:
    case DataType::complex64:
    case DataType::complex128: return;
  }
}

/// The bytes of one element of the given value.
std::vector<std::byte> element_of(DataType type, double value);

}  // namespace linnet::ops
