#include "reference/tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace linnet::reference {

namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

struct Format {
  int digits;        // of the significand, the hidden one included
  int min_exponent;  // of the smallest normal number
  double largest;
};

Format format_of(Type type) {
  if (type == Type::float16) return {11, -14, 65504.0};
  if (type == Type::bfloat16) return {8, -126, 0x1.fep127};
  return {24, -126, static_cast<double>(std::numeric_limits<float>::max())};
}

}  // namespace

bool is_real(Type type) {
  return type == Type::float32 || type == Type::float64 || type == Type::float16 || type == Type::bfloat16;
}

double unit_roundoff(Type type) {
  if (!is_real(type)) return 0;
  if (type == Type::float64) return 0x1p-53;
  return std::ldexp(1.0, -format_of(type).digits);
}

double round_to(Type type, double value) {
  if (type == Type::float64 || !std::isfinite(value) || value == 0) return value;
  const Format format = format_of(type);
  int exponent = 0;
  std::frexp(value, &exponent);  // value in [0.5, 1) * 2^exponent
  const int ulp = std::max(exponent - 1, format.min_exponent) - (format.digits - 1);
  const double rounded = std::ldexp(std::nearbyint(std::ldexp(value, -ulp)), ulp);
  if (std::fabs(rounded) > format.largest) return std::copysign(std::numeric_limits<double>::infinity(), value);
  return rounded;
}

std::int64_t wrap_to(Type type, std::int64_t value) {
  switch (type) {
    case Type::uint8: return static_cast<std::uint8_t>(value);
    case Type::int8: return static_cast<std::int8_t>(value);
    case Type::uint16: return static_cast<std::uint16_t>(value);
    case Type::int16: return static_cast<std::int16_t>(value);
    case Type::uint32: return static_cast<std::uint32_t>(value);
    case Type::int32: return static_cast<std::int32_t>(value);
    case Type::boolean: return value != 0 ? 1 : 0;
    default: return value;
  }
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  return text + "]";
}

Tensor Tensor::of_reals(Type type, Shape shape, std::vector<double> values) {
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.reals = std::move(values);
  if (!is_real(type) || tensor.size() != static_cast<std::int64_t>(tensor.reals.size())) {
    throw std::invalid_argument("of_reals: " + to_string(tensor.shape) + " does not fit the values");
  }
  return tensor;
}

Tensor Tensor::of_integers(Type type, Shape shape, std::vector<std::int64_t> values) {
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.integers = std::move(values);
  if (is_real(type) || tensor.size() != static_cast<std::int64_t>(tensor.integers.size())) {
    throw std::invalid_argument("of_integers: " + to_string(tensor.shape) + " does not fit the values");
  }
  return tensor;
}

Tensor Tensor::make(Type type, Shape shape) {
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw std::invalid_argument("a negative extent in " + to_string(shape));
  }
  const auto count = at(element_count(shape));
  if (is_real(type)) return of_reals(type, std::move(shape), std::vector<double>(count, 0.0));
  return of_integers(type, std::move(shape), std::vector<std::int64_t>(count, 0));
}

double Tensor::number(std::int64_t i) const {
  if (is_real(type)) return reals[at(i)];
  if (type == Type::uint64) return static_cast<double>(static_cast<std::uint64_t>(integers[at(i)]));
  return static_cast<double>(integers[at(i)]);
}

std::int64_t Tensor::integer(std::int64_t i) const {
  return is_real(type) ? static_cast<std::int64_t>(reals[at(i)]) : integers[at(i)];
}

void Tensor::copy_element(std::int64_t i, const Tensor& from, std::int64_t j) {
  if (is_real(type)) {
    reals[at(i)] = from.reals[at(j)];
    if (!errors.empty()) errors[at(i)] = from.error(j);
  } else {
    integers[at(i)] = from.integers[at(j)];
  }
}

Index::Index(Shape shape) : shape_(std::move(shape)), at_(shape_.size(), 0) {
  for (const std::int64_t extent : shape_) valid_ = valid_ && extent > 0;
}

void Index::next() {
  ++flat_;
  for (std::size_t axis = shape_.size(); axis-- > 0;) {
    if (++at_[axis] < shape_[axis]) return;
    at_[axis] = 0;
  }
  valid_ = false;
}

std::int64_t flatten(const Shape& shape, const Shape& index) {
  std::int64_t flat = 0;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) flat = flat * shape[axis] + index[axis];
  return flat;
}

}  // namespace linnet::reference
