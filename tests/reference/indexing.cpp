// Operators whose elements are chosen by the values of index tensors.

#include "reference/call.h"

namespace linnet::reference {

namespace {

std::int64_t wrap_index(const Call& call, std::int64_t index, std::int64_t extent) {
  call.require(index >= -extent && index < extent, "an index is outside its axis");
  return index < 0 ? index + extent : index;
}

}  // namespace

// The result has the shape of the indices; each replaces the coordinate of its own position on the axis.
Outputs gather_elements(const Call& call) {
  const Tensor& x = call.in(0);
  const Tensor& indices = call.in(1);
  const auto axis = static_cast<std::size_t>(call.axis(call.attribute("axis", std::int64_t{0}), x.rank()));
  Tensor y = call.make(x.type, indices.shape);
  for (Index at(indices.shape); at.valid(); at.next()) {
    Shape source = at.tuple();
    source[axis] = wrap_index(call, indices.integer(at.flat()), x.shape[axis]);
    y.copy_element(at.flat(), x, flatten(x.shape, source));
  }
  return {y};
}

// The last axis of the indices holds coordinates of x, after `batch_dims` axes that both have.
Outputs gather_nd(const Call& call) {
  const Tensor& x = call.in(0);
  const Tensor& indices = call.in(1);
  const std::int64_t batch = call.attribute("batch_dims", std::int64_t{0});
  const std::int64_t depth = indices.shape.back();
  const std::int64_t first_free = batch + depth;
  call.require(first_free <= x.rank() && batch < indices.rank(), "the indices are deeper than the data");
  const Shape outer(indices.shape.begin(), indices.shape.end() - 1);
  Shape shape = outer;
  shape.insert(shape.end(), x.shape.begin() + first_free, x.shape.end());
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    Shape tuple(at.tuple().begin(), at.tuple().begin() + static_cast<std::ptrdiff_t>(outer.size()));
    Shape source(tuple.begin(), tuple.begin() + batch);
    for (std::int64_t k = 0; k < depth; ++k) {
      const std::int64_t index = indices.integer(flatten(outer, tuple) * depth + k);
      source.push_back(wrap_index(call, index, x.shape[static_cast<std::size_t>(batch + k)]));
    }
    source.insert(source.end(), at.tuple().begin() + static_cast<std::ptrdiff_t>(outer.size()), at.tuple().end());
    y.copy_element(at.flat(), x, flatten(x.shape, source));
  }
  return {y};
}

Outputs one_hot(const Call& call) {
  const Tensor& indices = call.in(0);
  const std::int64_t depth = call.in(1).integer(0);
  const std::int64_t axis = call.axis(call.attribute("axis", std::int64_t{-1}), indices.rank() + 1);
  Shape shape = indices.shape;
  shape.insert(shape.begin() + axis, depth);
  Tensor y = call.make(call.in(2).type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    Shape place = at.tuple();
    place.erase(place.begin() + axis);
    std::int64_t index = indices.integer(flatten(indices.shape, place));
    if (index < 0 && call.opset() >= 11) index += depth;
    y.copy_element(at.flat(), call.in(2), at[static_cast<std::size_t>(axis)] == index ? 1 : 0);
  }
  return {y};
}

Outputs eye_like(const Call& call) {
  const Tensor& x = call.in(0);
  call.require(x.rank() == 2, "needs a matrix");
  const auto type = static_cast<Type>(call.attribute("dtype", static_cast<std::int64_t>(x.type)));
  const std::int64_t diagonal = call.attribute("k", std::int64_t{0});
  Tensor y = call.make(type, x.shape);
  for (Index at(x.shape); at.valid(); at.next()) {
    if (at[1] - at[0] != diagonal) continue;
    if (is_real(type)) y.set(at.flat(), 1);
    else y.set_integer(at.flat(), 1);
  }
  return {y};
}

}  // namespace linnet::reference
