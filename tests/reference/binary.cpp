// Operators of two or more tensors, element by element, with broadcasting.
#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

Shape broadcast(const Call& call, const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    call.require(x == y || x == 1 || y == 1, to_string(a) + " and " + to_string(b) + " do not broadcast");
    result[result.size() - 1 - i] = x == 1 ? y : x;
  }
  return result;
}

std::int64_t broadcast_position(const Shape& shape, const Shape& index) {
  std::int64_t flat = 0;
  const std::size_t skipped = index.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) flat = flat * shape[i] + (shape[i] == 1 ? 0 : index[skipped + i]);
  return flat;
}

namespace {

/// Before opset 7, B broadcasts only where the attribute says so, and its axes begin at the attribute `axis` of A.
Shape second_shape(const Call& call) {
  const Shape& a = call.in(0).shape;
  Shape b = call.in(1).shape;
  if (call.opset() >= 7 || call.attribute("broadcast", std::int64_t{0}) == 0 || !call.has_attribute("axis")) return b;
  const auto axis = call.axis(call.attribute("axis", std::int64_t{0}), static_cast<std::int64_t>(a.size()));
  while (axis + static_cast<std::int64_t>(b.size()) < static_cast<std::int64_t>(a.size())) b.push_back(1);
  return b;
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : (base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0);
  std::uint64_t result = 1;
  for (std::int64_t i = 0; i < exponent; ++i) result *= static_cast<std::uint64_t>(base);
  return static_cast<std::int64_t>(result);
}

std::int64_t integer_result(const Call& call, std::int64_t a, std::int64_t b) {
  const std::string& name = call.node().op_type;
  // Modulo 2^64, which is the modulo of every narrower type too.
  const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
  if (name == "Add") return static_cast<std::int64_t>(x + y);
  if (name == "Sub") return static_cast<std::int64_t>(x - y);
  if (name == "Mul") return static_cast<std::int64_t>(x * y);
  if (name == "Pow") return integer_power(a, b);
  call.require(b != 0, "integer division by zero");
  if (name == "Div") {
    if (call.in(0).type == Type::uint64)
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) / static_cast<std::uint64_t>(b));
    return a / b;
  }
  const std::int64_t remainder = a % b;  // C's, which is fmod's
  if (call.attribute("fmod", std::int64_t{0}) != 0) return remainder;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

double real_result(const Call& call, double a, double b) {
  const std::string& name = call.node().op_type;
  if (name == "Add") return a + b;
  if (name == "Sub") return a - b;
  if (name == "Mul") return a * b;
  if (name == "Div") return a / b;
  if (name == "Pow") return std::pow(a, b);
  const double remainder = std::fmod(a, b);
  if (call.attribute("fmod", std::int64_t{0}) != 0) return remainder;
  call.require(call.opset() >= 28, "Mod of real numbers needs fmod = 1");
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

/// Of a power: over the corners of the box around (a, b).
double power_error(double a, double ea, double b, double eb, double y) {
  double spread = 0;
  for (const double x : {a - ea, a + ea}) {
    for (const double e : {b - eb, b + eb}) spread = std::max(spread, std::fabs(std::pow(x, e) - y));
  }
  const double logarithm = a > 0 ? std::fabs(std::log(a) * b) : std::fabs(b);
  const double own = (16 + 2 * logarithm) * kUnitRoundoff * std::fabs(y);
  return std::isnan(spread) ? std::numeric_limits<double>::infinity() : spread + own;
}

double real_error(const Call& call, const Tensor& a, std::int64_t i, const Tensor& b, std::int64_t j, double y) {
  const std::string& name = call.node().op_type;
  const double x = a.number(i), ea = a.error(i), w = b.number(j), eb = b.error(j);
  if (name == "Add" || name == "Sub") {
    // One of the two may be a convolution whose sum the other is added into.
    const double terms = std::max(a.terms, b.terms);
    if (terms == 0) return ea + eb + kUnitRoundoff * (std::fabs(y) + ea + eb);
    return ea + eb + sum_factor(terms) * (std::fabs(x) + std::fabs(w) + ea + eb);
  }
  if (name == "Mul") {
    const double off = product_error(x, ea, w, eb);
    return off + 2 * kUnitRoundoff * (std::fabs(y) + off);
  }
  if (name == "Div") {
    const double smallest = std::fabs(w) - eb;
    if (smallest <= 0) return std::numeric_limits<double>::infinity();
    const double off = (ea + std::fabs(y) * eb) / smallest;
    return off + 4 * kUnitRoundoff * (std::fabs(y) + off);
  }
  if (name == "Pow") return power_error(x, ea, w, eb, y);
  return ea == 0 && eb == 0 ? 0 : std::numeric_limits<double>::infinity();
}

}  // namespace

Outputs arithmetic(const Call& call) {
  const Tensor& a = call.in(0);
  const Tensor& b = call.in(1);
  const Shape b_shape = second_shape(call);
  const Shape shape = broadcast(call, a.shape, b_shape);
  Tensor y = call.make(a.type, shape);
  y.terms = std::max(a.terms, b.terms);
  for (Index at(shape); at.valid(); at.next()) {
    const std::int64_t i = broadcast_position(a.shape, at.tuple());
    const std::int64_t j = broadcast_position(b_shape, at.tuple());
    if (!is_real(a.type)) {
      const std::int64_t value = is_real(b.type) ? static_cast<std::int64_t>(std::pow(a.number(i), b.number(j)))
                                                 : integer_result(call, a.integer(i), b.integer(j));
      y.set_integer(at.flat(), wrap_to(a.type, value));
      continue;
    }
    const double value = real_result(call, a.number(i), b.number(j));
    y.set(at.flat(), value);
    if (!y.errors.empty()) y.set_error(at.flat(), real_error(call, a, i, b, j, value));
  }
  return {y};
}

// Sum, Mean, Max and Min of any number of tensors.
Outputs variadic(const Call& call) {
  const std::string& name = call.node().op_type;
  Shape shape = call.in(0).shape;
  double terms = 0;
  for (const Tensor& input : call.inputs()) {
    shape = broadcast(call, shape, input.shape);
    terms = std::max(terms, input.terms);
  }
  const Type type = call.in(0).type;
  const bool extreme = name == "Max" || name == "Min";
  const double count = static_cast<double>(call.count());
  Tensor y = call.make(type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    double value = 0, magnitude = 0, errors = 0, largest_error = 0;
    std::int64_t integer = 0;
    for (std::size_t k = 0; k < call.count(); ++k) {
      const Tensor& input = call.in(k);
      const std::int64_t i = broadcast_position(input.shape, at.tuple());
      const double x = input.number(i);
      magnitude += std::fabs(x) + input.error(i);
      errors += input.error(i);
      largest_error = std::max(largest_error, input.error(i));
      if (!extreme) {
        value += x;
        integer += is_real(type) ? 0 : input.integer(i);
        continue;
      }
      if (!is_real(type)) {
        const bool is_unsigned = type == Type::uint64;
        const std::int64_t n = input.integer(i);
        const bool less =
            is_unsigned ? static_cast<std::uint64_t>(n) < static_cast<std::uint64_t>(integer) : n < integer;
        if (k == 0 || (n != integer && less == (name == "Min"))) integer = n;
      } else if (k == 0 || std::isnan(x) || (!std::isnan(value) && (name == "Max" ? x > value : x < value))) {
        value = x;
      }
    }
    if (!is_real(type)) {
      y.set_integer(at.flat(), wrap_to(type, integer));
      continue;
    }
    const double divisor = name == "Mean" ? count : 1;
    y.set(at.flat(), value / divisor);
    if (y.errors.empty()) continue;
    y.errors[static_cast<std::size_t>(at.flat())] =
        extreme ? largest_error : (errors + sum_factor(terms + count) * magnitude) / divisor;
  }
  return {y};
}

namespace {

bool holds(const std::string& name, double a, double b) {
  if (name == "Equal") return a == b;
  if (name == "Less") return a < b;
  if (name == "LessOrEqual") return a <= b;
  if (name == "Greater") return a > b;
  if (name == "GreaterOrEqual") return a >= b;
  if (name == "And") return a != 0 && b != 0;
  if (name == "Or") return a != 0 || b != 0;
  return (a != 0) != (b != 0);
}

}  // namespace

Outputs compare(const Call& call) {
  const Tensor& a = call.in(0);
  const Tensor& b = call.in(1);
  const std::string& name = call.node().op_type;
  const bool logic = name == "And" || name == "Or" || name == "Xor";
  const Shape b_shape = second_shape(call);
  const Shape shape = broadcast(call, a.shape, b_shape);
  Tensor y = call.make(Type::boolean, shape);
  for (Index at(shape); at.valid(); at.next()) {
    const std::int64_t i = broadcast_position(a.shape, at.tuple());
    const std::int64_t j = broadcast_position(b_shape, at.tuple());
    bool result = false;
    if (is_real(a.type) || logic) {
      result = holds(name, a.number(i), b.number(j));
    } else {  // an int64 may not fit a double: which is larger does
      result = holds(name, static_cast<double>((a.integer(i) > b.integer(j)) - (a.integer(i) < b.integer(j))), 0);
    }
    y.set_integer(at.flat(), result ? 1 : 0);
  }
  return {y};
}

Outputs where(const Call& call) {
  const Tensor& condition = call.in(0);
  const Tensor& x = call.in(1);
  const Tensor& w = call.in(2);
  const Shape shape = broadcast(call, broadcast(call, condition.shape, x.shape), w.shape);
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    const bool first = condition.integer(broadcast_position(condition.shape, at.tuple())) != 0;
    const Tensor& from = first ? x : w;
    y.copy_element(at.flat(), from, broadcast_position(from.shape, at.tuple()));
  }
  return {y};
}

Outputs expand(const Call& call) {
  const Tensor& x = call.in(0);
  const Shape shape = broadcast(call, x.shape, call.integers(1));
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) y.copy_element(at.flat(), x, broadcast_position(x.shape, at.tuple()));
  return {y};
}

}  // namespace linnet::reference
