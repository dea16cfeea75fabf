// What the quantised operators share: q = saturate(round_to_even(x / scale) + zero_point), and the scales and zero points
// as the inputs that they are, which may be known at run time only.
#pragma once

#include <cstdint>
#include <limits>

#include "ops/elementwise.h"

namespace linnet::ops {

constexpr TypeSet kByteTypes = types({DataType::uint8, DataType::int8});
constexpr TypeSet kQuantizedTypes = kByteTypes | types({DataType::uint16, DataType::int16});

/// The nearest integer, ties to the even one. Only for |x| below 2^22, where adding 1.5 * 2^23 leaves no fraction bits.
inline std::int32_t round_small(float x) {
  constexpr float kNoFraction = 12582912.0f;
  return static_cast<std::int32_t>((x + kNoFraction) - kNoFraction);
}

/// saturate(round(scaled) + zero_point). NaN becomes the smallest value, as in ONNX Runtime.
template <typename T>
T quantized(float scaled, std::int32_t zero_point) {
  static_assert(sizeof(T) <= 2, "the bounds must be exact as floats");
  const auto low = static_cast<float>(std::numeric_limits<T>::lowest() - zero_point);
  const auto high = static_cast<float>(std::numeric_limits<T>::max() - zero_point);
  const float above = scaled > low ? scaled : low;
  return static_cast<T>(round_small(above < high ? above : high) + zero_point);
}

/// a + b modulo 2^32.
inline std::int32_t wrapped_sum(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

/// Element i of the zero point that is input `input`; 0 where it is omitted, for which `type` is undefined.
std::int32_t zero_point_at(const RunArgs& args, std::size_t input, DataType type, std::int64_t i);
/// The type of an optional input; undefined where it is omitted.
DataType optional_type(const NodeContext& context, std::size_t i);

/// Scale `i` and zero point `i + 1` of a tensor that has one of each: "x_scale", "x_zero_point".
struct QuantInputs {
  std::size_t scale = 0;
  DataType type = DataType::undefined;  // of the zero point

  [[nodiscard]] float scale_of(const RunArgs& args) const { return *args.in<float>(scale); }
  [[nodiscard]] std::int32_t zero_of(const RunArgs& args) const { return zero_point_at(args, scale + 1, type, 0); }
};
/// Reads inputs `scale` and `scale + 1` of a planned node.
QuantInputs quant_inputs(const PlanContext& context, std::size_t scale);

/// Throws Error(model) unless inputs `scale` (float) and `scale + 1` (of `type`, or omitted) hold one element each.
void require_quant_scalars(const NodeContext& context, std::size_t scale, DataType type);
/// Throws Error(model) unless input i is given and has one element, or `extent` in one axis.
void require_scalar_or_vector(const NodeContext& context, std::size_t i, const graph::Dim& extent);
/// Whether a planned input has more than one element.
bool is_vector(const PlanContext& context, std::size_t i);

}  // namespace linnet::ops
