#include "support/compare.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <sstream>

namespace linnet::test {

namespace {

/// The distance from |value| to the next larger number of the type.
double ulp_of(reference::Type type, double value) {
  const double unit = 2 * reference::unit_roundoff(type);
  const int exponent = value == 0 ? -126 : std::max(std::ilogb(value), type == reference::Type::float16 ? -14 : -126);
  return std::ldexp(unit, exponent);
}

std::string position_of(const reference::Shape& shape, std::int64_t i) {
  reference::Shape index(shape.size());
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    index[axis] = i % shape[axis];
    i /= shape[axis];
  }
  return reference::to_string(index);
}

Comparison compare_elements(const reference::Tensor& actual, const reference::Tensor& expected,
                            const std::function<double(std::int64_t)>& allowed) {
  Comparison result;
  std::ostringstream text;
  text.precision(9);
  if (actual.type != expected.type || actual.shape != expected.shape) {
    text << "found type " << static_cast<int>(actual.type) << " " << reference::to_string(actual.shape)
         << ", expected type " << static_cast<int>(expected.type) << " " << reference::to_string(expected.shape);
    result.text = text.str();
    return result;
  }
  std::int64_t worst = -1;
  double worst_excess = -1;
  const double infinity = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const double a = actual.number(i);
    const double e = expected.number(i);
    const bool real = reference::is_real(expected.type);
    if (real ? (a == e || (std::isnan(a) && std::isnan(e))) : actual.integer(i) == expected.integer(i)) continue;
    const double difference = std::isnan(a - e) ? infinity : std::fabs(a - e);
    const double limit = real ? allowed(i) : 0;
    result.max_abs = std::max(result.max_abs, difference);
    if (real) result.max_ulp = std::max(result.max_ulp, difference / ulp_of(expected.type, e));
    result.max_of_bound = std::max(result.max_of_bound, limit > 0 ? difference / limit : infinity);
    // An infinite limit allows any number, but no NaN.
    if (difference <= limit && !std::isnan(a)) continue;
    ++result.mismatches;
    if (difference - limit > worst_excess || worst < 0) {
      worst_excess = difference - limit;
      worst = i;
    }
  }
  result.ok = result.mismatches == 0;
  if (result.ok) {
    text << "all " << expected.size() << " elements agree; the greatest difference is " << result.max_abs;
  } else {
    text << result.mismatches << " of " << expected.size() << " elements of " << reference::to_string(expected.shape)
         << " differ, the worst at " << position_of(expected.shape, worst) << ": found " << actual.number(worst)
         << ", expected " << expected.number(worst) << ", allowed " << allowed(worst);
  }
  result.text = text.str();
  return result;
}

}  // namespace

Comparison compare(const reference::Tensor& actual, const reference::Tensor& expected, Tolerance tolerance) {
  return compare_elements(actual, expected, [&](std::int64_t i) {
    return tolerance.absolute + tolerance.relative * std::fabs(expected.number(i));
  });
}

Comparison compare_within_errors(const reference::Tensor& actual, const reference::Tensor& expected) {
  return compare_elements(actual, expected, [&](std::int64_t i) { return allowed_error(expected, i); });
}

double allowed_error(const reference::Tensor& expected, std::int64_t i) {
  return expected.error(i) + ulp_of(expected.type, expected.number(i)) / 2;
}

std::string bit_difference(const Tensor& a, const Tensor& b) {
  if (a.type() != b.type() || a.shape() != b.shape()) {
    return std::string(to_string(a.type())) + to_string(a.shape()) + " and " + std::string(to_string(b.type())) +
           to_string(b.shape());
  }
  if (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0) return {};
  const std::size_t width = element_bytes(a.type());
  std::int64_t first = -1;
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i) * width;
    if (std::memcmp(static_cast<const std::byte*>(a.raw()) + at, static_cast<const std::byte*>(b.raw()) + at, width) ==
        0) {
      continue;
    }
    if (first < 0) first = i;
    ++count;
  }
  std::ostringstream text;
  text.precision(9);
  text << count << " of " << a.size() << " elements differ in their bits, the first at "
       << position_of(a.shape(), first);
  if (a.type() == DataType::float32) {
    const auto at = static_cast<std::size_t>(first);
    text << ": " << a.data<float>()[at] << " and " << b.data<float>()[at];
  }
  return text.str();
}

bool same_bits(const Tensor& a, const Tensor& b) { return bit_difference(a, b).empty(); }

Tensor image_of(const Tensor& batch, std::int64_t n) {
  Shape shape = batch.shape();
  const std::size_t bytes = batch.bytes() / static_cast<std::size_t>(shape[0]);
  shape[0] = 1;
  const auto* first = static_cast<const std::byte*>(batch.raw()) + static_cast<std::size_t>(n) * bytes;
  return Tensor::view(batch.type(), shape, first).clone();
}

}  // namespace linnet::test
