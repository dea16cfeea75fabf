// The oracle's own tensor: double or int64 elements, whatever the ONNX type, and how far a float32 engine may be off.
//
//   Tensor x = Tensor::of_reals(Type::float32, {2, 2}, {1, 2, 3, 4});
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace linnet::reference {

/// Numbered as TensorProto.DataType of ONNX.
enum class Type : std::uint8_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  bfloat16 = 16,
};

using Shape = std::vector<std::int64_t>;

bool is_real(Type type);
/// Half the distance from 1 to the next number of the type; 0 for integers.
double unit_roundoff(Type type);
/// The number of the type nearest to `value`, ties to even; too large becomes infinite.
double round_to(Type type, double value);
/// What a float attribute or tensor would hold of it.
inline double to_float(double value) { return round_to(Type::float32, value); }
/// Two's complement wrap-around to the width of an integer type; 0 or 1 for bool.
std::int64_t wrap_to(Type type, std::int64_t value);

std::int64_t element_count(const Shape& shape);
std::string to_string(const Shape& shape);

struct Tensor {
  Type type = Type::undefined;  // undefined: an omitted input or output
  Shape shape;
  std::vector<double> reals;           // of the floating-point types
  std::vector<std::int64_t> integers;  // of the integer types and bool
  /// How far each of `reals` may be from what a float32 engine computes, whatever its order of summation. Empty: nothing.
  std::vector<double> errors;
  /// How many products the longest sum behind an element has: what is added to it may be rounded as many times.
  double terms = 0;

  static Tensor of_reals(Type type, Shape shape, std::vector<double> values);
  static Tensor of_integers(Type type, Shape shape, std::vector<std::int64_t> values);
  /// Zeros.
  static Tensor make(Type type, Shape shape);

  [[nodiscard]] bool given() const { return type != Type::undefined; }
  [[nodiscard]] std::int64_t size() const { return element_count(shape); }
  [[nodiscard]] std::int64_t rank() const { return static_cast<std::int64_t>(shape.size()); }
  [[nodiscard]] double error(std::int64_t i) const {
    return errors.empty() ? 0.0 : errors[static_cast<std::size_t>(i)];
  }
  /// Element i as a number, whichever the type.
  [[nodiscard]] double number(std::int64_t i) const;
  /// Element i truncated to an integer.
  [[nodiscard]] std::int64_t integer(std::int64_t i) const;
  /// Nothing where no errors are carried. Zero times an error without a bound, which is NaN, has none either.
  void set_error(std::int64_t i, double error) {
    if (!errors.empty())
      errors[static_cast<std::size_t>(i)] = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
  }
  void set(std::int64_t i, double value) { reals[static_cast<std::size_t>(i)] = value; }
  void set_integer(std::int64_t i, std::int64_t value) { integers[static_cast<std::size_t>(i)] = value; }
  /// Element i becomes element j of `from`, error included.
  void copy_element(std::int64_t i, const Tensor& from, std::int64_t j);
  /// Room for errors, zeros.
  void carry_errors() { errors.assign(reals.size(), 0.0); }
};

/// Walks the index tuples of a shape in row-major order: for (Index at(shape); at.valid(); at.next()) at[0] ...
class Index {
 public:
  explicit Index(Shape shape);
  [[nodiscard]] bool valid() const { return valid_; }
  void next();
  std::int64_t operator[](std::size_t axis) const { return at_[axis]; }
  [[nodiscard]] const Shape& tuple() const { return at_; }
  [[nodiscard]] std::int64_t flat() const { return flat_; }

 private:
  Shape shape_;
  Shape at_;
  std::int64_t flat_ = 0;
  bool valid_ = true;
};

/// Row-major position of an index tuple.
std::int64_t flatten(const Shape& shape, const Shape& index);

}  // namespace linnet::reference
