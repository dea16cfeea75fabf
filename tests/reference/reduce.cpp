#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

namespace {

/// The elements of the input that belong to each element of the result.
struct Reduction {
  Shape kept;                                     // the result's shape with the reduced axes as 1
  Shape result;                                   // the result's shape
  std::vector<std::vector<std::int64_t>> groups;  // by element of the result, in row-major order of the input
};

/// Over `axes`, or where there are none over all axes, or none of them.
Reduction make_reduction(const Call& call, const Shape& shape, const std::vector<std::int64_t>& axes, bool keep,
                         bool none_is_all = true) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::vector<bool> reduced(shape.size(), axes.empty() && none_is_all);
  for (const std::int64_t axis : axes) reduced[static_cast<std::size_t>(call.axis(axis, rank))] = true;
  Reduction reduction;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    reduction.kept.push_back(reduced[axis] ? 1 : shape[axis]);
    if (!reduced[axis] || keep) reduction.result.push_back(reduction.kept.back());
  }
  reduction.groups.resize(static_cast<std::size_t>(element_count(reduction.kept)));
  for (Index at(shape); at.valid(); at.next()) {
    reduction.groups[static_cast<std::size_t>(broadcast_position(reduction.kept, at.tuple()))].push_back(at.flat());
  }
  return reduction;
}

struct Reduced {
  double value = 0;
  double error = 0;
};

using Group = std::vector<std::int64_t>;

Reduced sum_of(const Tensor& x, const Group& group, double (*f)(double), double slope_of_square) {
  Reduced sum;
  double magnitude = 0;
  for (const std::int64_t i : group) {
    const double term = f(x.number(i));
    const double slope = slope_of_square * (2 * std::fabs(x.number(i)) + x.error(i)) + (slope_of_square == 0 ? 1 : 0);
    sum.value += term;
    sum.error += slope * x.error(i);
    magnitude += std::fabs(term) + slope * x.error(i);
  }
  sum.error += sum_factor(static_cast<double>(group.size())) * magnitude;
  return sum;
}

Reduced extreme_of(const Tensor& x, const Group& group, bool greatest) {
  Reduced result;
  result.value = greatest ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
  for (const std::int64_t i : group) {
    const double value = x.number(i);
    result.error = std::max(result.error, x.error(i));
    if (std::isnan(value) || (!std::isnan(result.value) && (greatest ? value > result.value : value < result.value))) {
      result.value = value;
    }
  }
  return result;
}

Reduced log_sum_exp(const Tensor& x, const Group& group) {
  Reduced result = extreme_of(x, group, true);
  const double largest = std::isfinite(result.value) ? result.value : 0;
  double sum = 0;
  for (const std::int64_t i : group) sum += std::exp(x.number(i) - largest);
  result.value = std::log(sum) + largest;
  result.error += (sum_factor(static_cast<double>(group.size())) + 16 * kUnitRoundoff) * (1 + std::fabs(result.value));
  return result;
}

/// f of a sum whose bound is known: over the interval's ends.
Reduced after(double (*f)(double), Reduced sum) {
  const double value = f(sum.value);
  const double low = std::fabs(f(std::max(0.0, sum.value - sum.error)) - value);
  const double high = std::fabs(f(sum.value + sum.error) - value);
  return {value, std::max(low, high) + 16 * kUnitRoundoff * (1 + std::fabs(value))};
}

double same(double x) { return x; }
double absolute(double x) { return std::fabs(x); }
double square(double x) { return x * x; }
double square_root(double x) { return std::sqrt(x); }
double logarithm(double x) { return std::log(x); }

Reduced reduce_group(const std::string& name, const Tensor& x, const Group& group) {
  const auto count = static_cast<double>(group.size());
  if (name == "ReduceSum") return sum_of(x, group, same, 0);
  if (name == "ReduceMean") {
    const Reduced sum = sum_of(x, group, same, 0);
    return {sum.value / count, sum.error / count};
  }
  if (name == "ReduceL1") return sum_of(x, group, absolute, 0);
  if (name == "ReduceSumSquare") return sum_of(x, group, square, 1);
  if (name == "ReduceL2") return after(square_root, sum_of(x, group, square, 1));
  if (name == "ReduceLogSum") return after(logarithm, sum_of(x, group, same, 0));
  if (name == "ReduceLogSumExp") return log_sum_exp(x, group);
  if (name == "ReduceMax") return extreme_of(x, group, true);
  if (name == "ReduceMin") return extreme_of(x, group, false);
  Reduced product{1, 0};
  for (const std::int64_t i : group) {
    product.error = product_error(product.value, product.error, x.number(i), x.error(i));
    product.value *= x.number(i);
    product.error += 2 * kUnitRoundoff * (std::fabs(product.value) + product.error);
  }
  return product;
}

std::int64_t reduce_integers(const Call& call, const Tensor& x, const Group& group) {
  const std::string& name = call.node().op_type;
  std::int64_t sum = 0, squares = 0, absolutes = 0, product = 1;
  for (const std::int64_t i : group) {
    const std::int64_t value = x.integer(i);
    sum += value;
    squares += value * value;
    absolutes += std::abs(value);
    product *= value;
  }
  if (name == "ReduceSum") return sum;
  if (name == "ReduceSumSquare") return squares;
  if (name == "ReduceL1") return absolutes;
  if (name == "ReduceProd") return product;
  if (name == "ReduceL2") return static_cast<std::int64_t>(std::sqrt(static_cast<double>(squares)));
  call.require(!group.empty(), "an integer has no mean or extreme of nothing");
  if (name == "ReduceMean") return sum / static_cast<std::int64_t>(group.size());
  std::int64_t best = x.integer(group[0]);
  for (const std::int64_t i : group) {
    best = name == "ReduceMax" ? std::max(best, x.integer(i)) : std::min(best, x.integer(i));
  }
  call.require(name == "ReduceMax" || name == "ReduceMin", "is not defined on integers here");
  return best;
}

}  // namespace

Outputs reduce(const Call& call) {
  const Tensor& x = call.in(0);
  const std::vector<std::int64_t> axes = call.input_or_attribute(1, "axes");
  // Where nothing is reduced each element is still made what the operator makes of it, as by numpy's axis=().
  const Reduction reduction = make_reduction(call, x.shape, axes, call.attribute("keepdims", std::int64_t{1}) != 0,
                                             call.attribute("noop_with_empty_axes", std::int64_t{0}) == 0);
  Tensor y = call.make(x.type, reduction.result);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const Group& group = reduction.groups[static_cast<std::size_t>(i)];
    if (!is_real(x.type)) {
      y.set_integer(i, wrap_to(x.type, reduce_integers(call, x, group)));
      continue;
    }
    const Reduced reduced = reduce_group(call.node().op_type, x, group);
    y.set(i, reduced.value);
    y.set_error(i, reduced.error);
  }
  return {y};
}

Outputs arg_extreme(const Call& call) {
  const Tensor& x = call.in(0);
  const bool greatest = call.node().op_type == "ArgMax";
  const bool last = call.attribute("select_last_index", std::int64_t{0}) != 0;
  const std::int64_t axis = call.attribute("axis", std::int64_t{0});
  const Reduction reduction = make_reduction(call, x.shape, {axis}, call.attribute("keepdims", std::int64_t{1}) != 0);
  Tensor y = call.make(Type::int64, reduction.result);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const Group& group = reduction.groups[static_cast<std::size_t>(i)];
    std::size_t best = 0;
    for (std::size_t k = 1; k < group.size(); ++k) {
      const double value = x.number(group[k]);
      const double champion = x.number(group[best]);
      if (greatest ? value > champion : value < champion) best = k;
      if (last && value == champion) best = k;
    }
    y.set_integer(i, static_cast<std::int64_t>(best));
  }
  return {y};
}

}  // namespace linnet::reference
