// Operators that order, mirror or mask elements along their axes: TopK, ReverseSequence, Trilu, CumSum, CumProd.
#include <algorithm>
#include <cmath>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

// Sorted as a whole, stably, so that equals keep the order of their indices; NaN is the greatest of all.
Outputs top_k(const Call& call) {
  const Tensor& x = call.in(0);
  const std::int64_t axis = call.axis(call.attribute("axis", std::int64_t{-1}), x.rank());
  const std::int64_t k = call.opset() < 10 ? call.attribute("k", std::int64_t{-1}) : call.in(1).integer(0);
  const bool largest = call.attribute("largest", std::int64_t{1}) != 0;
  Shape shape = x.shape;
  shape[static_cast<std::size_t>(axis)] = k;
  Tensor values = call.make(x.type, shape);
  Tensor indices = call.make(Type::int64, shape);
  Shape rest = x.shape;
  rest[static_cast<std::size_t>(axis)] = 1;
  for (Index at(rest); at.valid(); at.next()) {
    std::vector<std::int64_t> order;
    const auto place = [&](std::int64_t i) {
      Shape tuple = at.tuple();
      tuple[static_cast<std::size_t>(axis)] = i;
      return tuple;
    };
    const auto comes_first = [&](std::int64_t i, std::int64_t j) {
      const std::int64_t a = flatten(x.shape, place(i)), b = flatten(x.shape, place(j));
      if (!is_real(x.type)) {
        const std::int64_t p = x.integer(a), q = x.integer(b);
        if (x.type == Type::uint64)
          return largest ? static_cast<std::uint64_t>(p) > static_cast<std::uint64_t>(q)
                         : static_cast<std::uint64_t>(p) < static_cast<std::uint64_t>(q);
        return largest ? p > q : p < q;
      }
      const double p = x.number(a), q = x.number(b);
      if (std::isnan(p) || std::isnan(q)) return largest ? !std::isnan(q) : !std::isnan(p);
      return largest ? p > q : p < q;
    };
    for (std::int64_t i = 0; i < x.shape[static_cast<std::size_t>(axis)]; ++i) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), comes_first);
    // Errors may exchange neighbours, but no order statistic moves farther than the largest error.
    double error = 0;
    for (const std::int64_t i : order) error = std::max(error, x.error(flatten(x.shape, place(i))));
    for (std::int64_t i = 0; i < k; ++i) {
      const std::int64_t to = flatten(shape, place(i)), from = order[static_cast<std::size_t>(i)];
      values.copy_element(to, x, flatten(x.shape, place(from)));
      values.set_error(to, error);
      indices.set_integer(to, from);
    }
  }
  return {values, indices};
}

Outputs reverse_sequence(const Call& call) {
  const Tensor& x = call.in(0);
  const auto time = static_cast<std::size_t>(call.attribute("time_axis", std::int64_t{0}));
  const auto batch = static_cast<std::size_t>(call.attribute("batch_axis", std::int64_t{1}));
  Tensor y = call.make(x.type, x.shape);
  for (Index at(x.shape); at.valid(); at.next()) {
    Shape source = at.tuple();
    const std::int64_t length = call.in(1).integer(source[batch]);
    call.require(length >= 0 && length <= x.shape[time], "a length is out of range");
    if (source[time] < length) source[time] = length - 1 - source[time];
    y.copy_element(at.flat(), x, flatten(x.shape, source));
  }
  return {y};
}

Outputs trilu(const Call& call) {
  const Tensor& x = call.in(0);
  const bool upper = call.attribute("upper", std::int64_t{1}) != 0;
  const std::int64_t k = call.has(1) ? call.in(1).integer(0) : 0;
  const std::size_t row = x.shape.size() - 2;
  Tensor y = call.make(x.type, x.shape);
  for (Index at(x.shape); at.valid(); at.next()) {
    const std::int64_t diagonal = at[row + 1] - at[row];
    if (upper ? diagonal >= k : diagonal <= k) y.copy_element(at.flat(), x, at.flat());
  }
  return {y};
}

// Every element afresh, from all that lie before it.
Outputs cumulative(const Call& call) {
  const Tensor& x = call.in(0);
  const bool product = call.node().op_type == "CumProd";
  const auto axis = static_cast<std::size_t>(call.axis(call.in(1).integer(0), x.rank()));
  const bool exclusive = call.attribute("exclusive", std::int64_t{0}) != 0;
  const bool reverse = call.attribute("reverse", std::int64_t{0}) != 0;
  Tensor y = call.make(x.type, x.shape);
  for (Index at(x.shape); at.valid(); at.next()) {
    double real = product ? 1 : 0, magnitude = 0, propagated = 0;
    std::int64_t integer = product ? 1 : 0;
    for (std::int64_t i = 0; i < x.shape[axis]; ++i) {
      const bool before = reverse ? i > at[axis] : i < at[axis];
      if (!before && (exclusive || i != at[axis])) continue;
      Shape source = at.tuple();
      source[axis] = i;
      const std::int64_t from = flatten(x.shape, source);
      if (!is_real(x.type)) {
        const std::int64_t term = x.integer(from);
        integer = wrap_to(x.type, product ? integer * term : integer + term);
        continue;
      }
      propagated =
          product ? product_error(real, propagated, x.number(from), x.error(from)) : propagated + x.error(from);
      real = product ? real * x.number(from) : real + x.number(from);
      magnitude = product ? std::fabs(real) : magnitude + std::fabs(x.number(from));
    }
    if (!is_real(x.type)) {
      y.set_integer(at.flat(), integer);
      continue;
    }
    y.set(at.flat(), real);
    if (!y.errors.empty())
      y.errors[static_cast<std::size_t>(at.flat())] =
          propagated + sum_factor(static_cast<double>(x.shape[axis])) * (magnitude + propagated);
  }
  return {y};
}

}  // namespace linnet::reference
