// Operators that move nothing: other shapes of the same elements, shapes as values, and constants.
#include <algorithm>
#include <cmath>

#include "reference/call.h"

namespace linnet::reference {

namespace {

Tensor reshaped(const Call& call, const Tensor& x, Shape shape) {
  call.require(element_count(shape) == x.size(), to_string(x.shape) + " cannot become " + to_string(shape));
  Tensor y = x;
  y.shape = std::move(shape);
  y.terms = 0;
  return y;
}

}  // namespace

Outputs identity(const Call& call) { return {call.in(0)}; }

Outputs flatten_op(const Call& call) {
  const Tensor& x = call.in(0);
  std::int64_t axis = call.attribute("axis", std::int64_t{1});
  if (axis < 0) axis += x.rank();
  call.require(axis >= 0 && axis <= x.rank(), "axis is outside the rank");
  const Shape outer(x.shape.begin(), x.shape.begin() + axis);
  const Shape inner(x.shape.begin() + axis, x.shape.end());
  return {reshaped(call, x, {element_count(outer), element_count(inner)})};
}

Outputs reshape(const Call& call) {
  const Tensor& x = call.in(0);
  Shape shape = call.input_or_attribute(1, "shape");
  const bool allow_zero = call.attribute("allowzero", std::int64_t{0}) != 0;
  std::int64_t known = 1;
  std::size_t inferred = shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0 && !allow_zero) {
      call.require(i < x.shape.size(), "there is no extent to copy");
      shape[i] = x.shape[i];
    }
    if (shape[i] == -1) {
      call.require(inferred == shape.size(), "two extents are -1");
      inferred = i;
    } else {
      known *= shape[i];
    }
  }
  if (inferred < shape.size()) {
    call.require(known != 0 && x.size() % known == 0, "-1 cannot be inferred");
    shape[inferred] = x.size() / known;
  }
  return {reshaped(call, x, shape)};
}

Outputs squeeze(const Call& call) {
  const Tensor& x = call.in(0);
  std::vector<bool> removed(x.shape.size(), false);
  if (call.has_input_or_attribute(1, "axes")) {
    for (const std::int64_t axis : call.input_or_attribute(1, "axes")) {
      removed[static_cast<std::size_t>(call.axis(axis, x.rank()))] = true;
    }
  } else {
    for (std::size_t i = 0; i < x.shape.size(); ++i) removed[i] = x.shape[i] == 1;
  }
  Shape shape;
  for (std::size_t i = 0; i < x.shape.size(); ++i) {
    call.require(!removed[i] || x.shape[i] == 1, "a squeezed extent is not 1");
    if (!removed[i]) shape.push_back(x.shape[i]);
  }
  return {reshaped(call, x, shape)};
}

Outputs unsqueeze(const Call& call) {
  const Tensor& x = call.in(0);
  const std::vector<std::int64_t> axes = call.input_or_attribute(1, "axes");
  const std::int64_t rank = x.rank() + static_cast<std::int64_t>(axes.size());
  std::vector<bool> added(static_cast<std::size_t>(rank), false);
  for (const std::int64_t axis : axes) {
    const auto at = static_cast<std::size_t>(call.axis(axis, rank));
    call.require(!added[at], "an axis is named twice");
    added[at] = true;
  }
  Shape shape;
  auto next = x.shape.begin();
  for (const bool is_new : added) shape.push_back(is_new ? 1 : *next++);
  return {reshaped(call, x, shape)};
}

Outputs shape_of(const Call& call) {
  const Shape& shape = call.in(0).shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto clamp = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
  const std::int64_t start = clamp(call.attribute("start", std::int64_t{0}));
  const std::int64_t end = std::max(start, clamp(call.attribute("end", rank)));
  return {Tensor::of_integers(Type::int64, {end - start}, {shape.begin() + start, shape.begin() + end})};
}

Outputs size_of(const Call& call) { return {Tensor::of_integers(Type::int64, {}, {call.in(0).size()})}; }

Outputs constant(const Call& call) {
  if (const Tensor* value = call.tensor_attribute("value")) return {*value};
  if (call.has_attribute("value_float"))
    return {Tensor::of_reals(Type::float32, {}, {call.attribute("value_float", 0.0)})};
  if (call.has_attribute("value_int")) {
    return {Tensor::of_integers(Type::int64, {}, {call.attribute("value_int", std::int64_t{0})})};
  }
  if (call.has_attribute("value_floats")) {
    const std::vector<double> values = call.reals_attribute("value_floats");
    return {Tensor::of_reals(Type::float32, {static_cast<std::int64_t>(values.size())}, values)};
  }
  const std::vector<std::int64_t> values = call.attribute("value_ints", std::vector<std::int64_t>());
  call.require(call.has_attribute("value_ints"), "the value is of a kind that the interpreter does not know");
  return {Tensor::of_integers(Type::int64, {static_cast<std::int64_t>(values.size())}, values)};
}

Outputs constant_of_shape(const Call& call) {
  const Tensor* value = call.tensor_attribute("value");
  Tensor y = call.make(value == nullptr ? Type::float32 : value->type, call.integers(0));
  for (std::int64_t i = 0; value != nullptr && i < y.size(); ++i) y.copy_element(i, *value, 0);
  return {y};
}

Outputs range(const Call& call) {
  const Type type = call.in(0).type;
  const double start = call.in(0).number(0), delta = call.in(2).number(0);
  const double count = std::max(0.0, std::ceil((call.in(1).number(0) - start) / delta));
  Tensor y = call.make(type, {static_cast<std::int64_t>(count)});
  for (std::int64_t i = 0; i < y.size(); ++i) {
    if (is_real(type)) y.set(i, start + static_cast<double>(i) * delta);
    else y.set_integer(i, call.in(0).integer(0) + i * call.in(2).integer(0));
  }
  return {y};
}

}  // namespace linnet::reference
