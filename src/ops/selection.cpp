// Operators that keep as many elements as the elements say: NonZero, Compress, Unique.
#include <algorithm>
#include <cmath>
#include <compare>
#include <cstring>
#include <numeric>
#include <optional>
#include <string>

#include "base/checked_math.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// A tensor as [outer][along][inner bytes], where `along` is the extent of an axis.
struct Slabs {
  std::int64_t outer = 1, along = 1;
  std::size_t inner_bytes = 0;

  Slabs(const Tensor& x, std::size_t axis) : along(x.shape()[axis]), inner_bytes(element_bytes(x.type())) {
    for (std::size_t i = 0; i < axis; ++i) outer *= x.shape()[i];
    for (std::size_t i = axis + 1; i < x.rank(); ++i) inner_bytes *= static_cast<std::size_t>(x.shape()[i]);
  }
};

/// The slices of x along the axis that `kept` names, in its order.
Tensor take(const Tensor& x, std::size_t axis, const std::vector<std::int64_t>& kept) {
  Shape shape = x.shape();
  shape[axis] = static_cast<std::int64_t>(kept.size());
  Tensor result(x.type(), std::move(shape));
  if (result.bytes() == 0) return result;
  const Slabs slabs(x, axis);
  const auto* in = static_cast<const std::byte*>(x.raw());
  auto* out = static_cast<std::byte*>(result.mutable_raw());
  for (std::int64_t o = 0; o < slabs.outer; ++o) {
    for (const std::int64_t slice : kept) {
      std::memcpy(out, in + static_cast<std::size_t>(o * slabs.along + slice) * slabs.inner_bytes, slabs.inner_bytes);
      out += slabs.inner_bytes;
    }
  }
  return result;
}

/// The order of Unique: that of numbers, with NaN behind all of them.
template <typename T>
std::weak_ordering compare(T a, T b) {
  if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return compare(base::to_float(a), base::to_float(b));
  } else {
    if (a < b) return std::weak_ordering::less;
    if (b < a) return std::weak_ordering::greater;
    if constexpr (std::is_floating_point_v<T>) {
      if (a != b) return std::isnan(a) <=> std::isnan(b);
    }
    return std::weak_ordering::equivalent;
  }
}

/// Slices along an axis, ordered element by element.
template <typename T>
class SliceOrder {
 public:
  SliceOrder(const Tensor& x, std::size_t axis) : data_(x.data<T>().data()), slabs_(x, axis) {}

  std::weak_ordering operator()(std::int64_t a, std::int64_t b) const {
    const auto inner = static_cast<std::int64_t>(slabs_.inner_bytes / sizeof(T));
    if (inner == 0) return std::weak_ordering::equivalent;  // of 2^40 rows of nothing, perhaps
    for (std::int64_t o = 0; o < slabs_.outer; ++o) {
      const T *x = data_ + (o * slabs_.along + a) * inner, *y = data_ + (o * slabs_.along + b) * inner;
      for (std::int64_t i = 0; i < inner; ++i) {
        if (const auto order = compare(x[i], y[i]); std::is_neq(order)) return order;
      }
    }
    return std::weak_ordering::equivalent;
  }

 private:
  const T* data_;
  Slabs slabs_;
};

struct Groups {
  std::vector<std::int64_t> first;    // of each distinct slice: where it stands first
  std::vector<std::int64_t> inverse;  // of each slice: its place in `first`
  std::vector<std::int64_t> counts;
};

template <typename Order>
Groups group_slices(std::int64_t count, const Order& order, bool sorted) {
  std::vector<std::int64_t> slices(static_cast<std::size_t>(count));
  std::iota(slices.begin(), slices.end(), std::int64_t{0});
  std::stable_sort(slices.begin(), slices.end(),
                   [&](std::int64_t a, std::int64_t b) { return std::is_lt(order(a, b)); });
  std::vector<std::vector<std::int64_t>> groups;
  for (const std::int64_t slice : slices) {
    if (groups.empty() || std::is_neq(order(groups.back().front(), slice))) groups.emplace_back();
    groups.back().push_back(slice);
  }
  if (!sorted) std::sort(groups.begin(), groups.end());  // by where each stands first
  Groups result;
  result.inverse.resize(slices.size());
  for (const std::vector<std::int64_t>& group : groups) {
    for (const std::int64_t slice : group)
      result.inverse[static_cast<std::size_t>(slice)] = static_cast<std::int64_t>(result.first.size());
    result.first.push_back(group.front());
    result.counts.push_back(static_cast<std::int64_t>(group.size()));
  }
  return result;
}

/// The axis, if the node names one and the input's rank is known.
std::optional<std::size_t> named_axis(const NodeContext& c, std::size_t rank) {
  if (!c.has_attribute("axis")) return std::nullopt;
  return c.axis(c.attribute_int("axis", 0), rank);
}

Tensor flat(const Tensor& x) { return x.reshaped({x.size()}); }

void infer_kept(InferContext& c) {
  const graph::TensorDesc& x = c.input(0);
  if (!c.has_attribute("axis")) return c.set_output(0, x.type, {Dim()});
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  DimList dims = *x.shape;
  dims[*named_axis(c, dims.size())] = Dim();
  c.set_output(0, x.type, std::move(dims));
}

}  // namespace

void infer_nonzero(InferContext& c) {
  const graph::TensorDesc& x = c.input(0);
  c.set_output(0, DataType::int64, {x.has_rank() ? Dim(static_cast<std::int64_t>(x.shape->size())) : Dim(), Dim()});
}

std::vector<Datum> run_nonzero(const EagerContext& c) {
  const Tensor& x = c.tensor(0);
  std::vector<std::int64_t> found;
  visit_element_type(x.type(), [&](auto element) {
    const auto data = x.data<decltype(element)>();
    for (std::size_t i = 0; i < data.size(); ++i) {
      if (convert<bool>(data[i])) found.push_back(static_cast<std::int64_t>(i));
    }
  });
  const Shape& extents = x.shape();  // of a scalar, none: ONNX's result has no rows then, unlike numpy's
  const std::size_t count = found.size();
  Tensor result(DataType::int64, {static_cast<std::int64_t>(extents.size()), static_cast<std::int64_t>(count)});
  const auto out = result.mutable_data<std::int64_t>();
  for (std::size_t axis = extents.size(); axis-- > 0;) {
    for (std::size_t i = 0; i < count; ++i) {
      out[axis * count + i] = found[i] % extents[axis];
      found[i] /= extents[axis];
    }
  }
  return {result};
}

void infer_compress(InferContext& c) {
  (void)c.input(1);
  infer_kept(c);
}

std::vector<Datum> run_compress(const EagerContext& c) {
  const Tensor& condition = c.tensor(1);
  if (condition.type() != DataType::boolean || condition.rank() != 1)
    c.fail(ErrorCode::input, "the condition is not a list of truth values", c.input_label(1), "bool[?]",
           to_string(c.datum(1)));
  const std::optional<std::size_t> axis = named_axis(c, c.tensor(0).rank());
  const Tensor x = axis ? c.tensor(0) : flat(c.tensor(0));
  if (condition.size() > x.shape()[axis.value_or(0)])
    c.fail(ErrorCode::input, "the condition is longer than the axis", c.input_label(1),
           std::to_string(x.shape()[axis.value_or(0)]), std::to_string(condition.size()));
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < condition.size(); ++i) {
    if (condition.data<bool>()[static_cast<std::size_t>(i)]) kept.push_back(i);
  }
  return {take(x, axis.value_or(0), kept)};
}

void infer_unique(InferContext& c) {
  infer_kept(c);
  for (std::size_t i = 1; i < c.output_count(); ++i) c.set_output(i, DataType::int64, {Dim()});
}

std::vector<Datum> run_unique(const EagerContext& c) {
  const std::optional<std::size_t> axis = named_axis(c, c.tensor(0).rank());
  const Tensor x = axis ? c.tensor(0) : flat(c.tensor(0));
  if (const std::int64_t slices = x.shape()[axis.value_or(0)]; x.size() == 0 && slices > kMostOfNothing) {
    c.fail(ErrorCode::limit, "so many slices without elements", c.input_label(0),
           "at most " + std::to_string(kMostOfNothing), std::to_string(slices));
  }
  const bool sorted = c.attribute_int("sorted", 1) != 0;
  Groups groups;
  visit_element_type(x.type(), [&](auto element) {
    groups = group_slices(x.shape()[axis.value_or(0)], SliceOrder<decltype(element)>(x, axis.value_or(0)), sorted);
  });
  return {take(x, axis.value_or(0), groups.first), int64_list(groups.first), int64_list(groups.inverse),
          int64_list(groups.counts)};
}

}  // namespace linnet::ops
