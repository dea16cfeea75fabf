#include "support/tensor_adapter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace linnet::test {

namespace {

/// The number that a half (exponent of 5 bits, bias 15) or a bfloat16 (8 bits, bias 127) stands for.
double decode_16(std::uint16_t bits, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const int fraction = bits & ((1 << fraction_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fraction_bits);
  return sign * std::ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

/// The inverse, for a value that the format can hold.
std::uint16_t encode_16(double value, int exponent_bits) {
  const int fraction_bits = 15 - exponent_bits;
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const unsigned sign = std::signbit(value) ? 0x8000U : 0U;
  const unsigned infinity = ((1U << exponent_bits) - 1) << fraction_bits;
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | infinity | 1U);
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | infinity);
  if (value == 0) return static_cast<std::uint16_t>(sign);
  const int exponent = std::max(std::ilogb(value), 1 - bias);
  const auto scaled = static_cast<unsigned>(std::ldexp(std::fabs(value), fraction_bits - exponent));
  if (scaled < (1U << fraction_bits)) return static_cast<std::uint16_t>(sign | scaled);  // subnormal
  const unsigned stored = static_cast<unsigned>(exponent + bias) << fraction_bits;
  return static_cast<std::uint16_t>(sign | (stored + (scaled - (1U << fraction_bits))));
}

template <typename T>
T load(const void* data, std::size_t i) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(data) + i * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void store(void* data, std::size_t i, T value) {
  std::memcpy(static_cast<std::byte*>(data) + i * sizeof(T), &value, sizeof(T));
}

double load_real(DataType type, const void* data, std::size_t i) {
  switch (type) {
    case DataType::float32: return static_cast<double>(load<float>(data, i));
    case DataType::float64: return load<double>(data, i);
    case DataType::float16: return decode_16(load<std::uint16_t>(data, i), 5);
    default: return decode_16(load<std::uint16_t>(data, i), 8);
  }
}

void store_real(DataType type, void* data, std::size_t i, double value) {
  const double rounded = reference::round_to(static_cast<reference::Type>(type), value);
  switch (type) {
    case DataType::float32: return store(data, i, static_cast<float>(rounded));
    case DataType::float64: return store(data, i, rounded);
    case DataType::float16: return store(data, i, encode_16(rounded, 5));
    default: return store(data, i, encode_16(rounded, 8));
  }
}

std::int64_t load_integer(DataType type, const void* data, std::size_t i) {
  switch (type) {
    case DataType::uint8:
    case DataType::boolean: return load<std::uint8_t>(data, i);
    case DataType::int8: return load<std::int8_t>(data, i);
    case DataType::uint16: return load<std::uint16_t>(data, i);
    case DataType::int16: return load<std::int16_t>(data, i);
    case DataType::int32: return load<std::int32_t>(data, i);
    case DataType::uint32: return load<std::uint32_t>(data, i);
    case DataType::int64:
    case DataType::uint64: return load<std::int64_t>(data, i);
    default: throw std::invalid_argument("the oracle has no tensors of " + std::string(to_string(type)));
  }
}

void store_integer(DataType type, void* data, std::size_t i, std::int64_t value) {
  switch (element_bytes(type)) {
    case 1: return store(data, i, static_cast<std::uint8_t>(value));
    case 2: return store(data, i, static_cast<std::uint16_t>(value));
    case 4: return store(data, i, static_cast<std::uint32_t>(value));
    default: return store(data, i, value);
  }
}

}  // namespace

reference::Tensor to_reference(const Tensor& tensor) {
  if (tensor.type() == DataType::undefined) return {};
  reference::Tensor result = reference::Tensor::make(static_cast<reference::Type>(tensor.type()), tensor.shape());
  for (std::size_t i = 0; i < result.reals.size(); ++i) result.reals[i] = load_real(tensor.type(), tensor.raw(), i);
  for (std::size_t i = 0; i < result.integers.size(); ++i) {
    result.integers[i] = load_integer(tensor.type(), tensor.raw(), i);
  }
  return result;
}

Tensor from_reference(const reference::Tensor& tensor) {
  const auto type = static_cast<DataType>(tensor.type);
  Tensor result(type, tensor.shape);
  for (std::size_t i = 0; i < tensor.reals.size(); ++i) store_real(type, result.mutable_raw(), i, tensor.reals[i]);
  for (std::size_t i = 0; i < tensor.integers.size(); ++i) {
    store_integer(type, result.mutable_raw(), i, tensor.integers[i]);
  }
  return result;
}

}  // namespace linnet::test
