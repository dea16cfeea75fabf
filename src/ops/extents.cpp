#include "ops/extents.h"

#include <numeric>
#include <string>

#include "base/checked_math.h"

namespace linnet::ops {

graph::Dim product(std::span<const graph::Dim> dims) {
  std::int64_t known = 1;
  const graph::Dim* unknown = nullptr;
  bool several = false;
  for (const graph::Dim& dim : dims) {
    if (dim.known() && dim.value == 0) return graph::Dim(0);
    if (dim.known()) {
      known = base::checked_mul(known, dim.value, "a product of extents");
    } else {
      several = several || unknown != nullptr;
      unknown = &dim;
    }
  }
  if (unknown == nullptr) return graph::Dim(known);
  return known == 1 && !several ? *unknown : graph::Dim();
}

graph::Dim joined_extent(const NodeContext& context, std::size_t input, const graph::Dim& before,
                         const graph::Dim& here) {
  if (before.known() && here.known() && before.value != here.value) {
    context.fail(ErrorCode::model, "the inputs differ beside the axis", context.input_label(input),
                 std::to_string(before.value), std::to_string(here.value));
  }
  if (before.known() || here.known()) return before.known() ? before : here;
  return before.same_as(here) ? before : graph::Dim();
}

graph::Dim summed_extent(const graph::Dim& a, const graph::Dim& b) {
  return a.known() && b.known() ? graph::Dim(base::checked_add(a.value, b.value, "a concatenation")) : graph::Dim();
}

std::vector<std::size_t> unique_axes(const NodeContext& context, const std::vector<std::int64_t>& axes,
                                     std::size_t rank) {
  std::vector<std::size_t> result;
  std::vector<char> seen(rank, 0);
  for (const std::int64_t value : axes) {
    const std::size_t axis = context.axis(value, rank, "axes");
    if (seen[axis] != 0) context.fail(ErrorCode::model, "an axis is named twice", "axes", {}, std::to_string(value));
    seen[axis] = 1;
    result.push_back(axis);
  }
  return result;
}

std::vector<std::size_t> named_axes(const NodeContext& context, std::size_t rank) {
  if (context.has_attribute("axes")) return unique_axes(context, context.attribute_ints("axes"), rank);
  std::vector<std::size_t> all(rank);
  std::iota(all.begin(), all.end(), std::size_t{0});
  return all;
}

Tensor int64_list(const std::vector<std::int64_t>& values) {
  return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

void require_integers(const NodeContext& context, std::size_t i) {
  const DataType type = context.input(i).type;
  if (type == DataType::int64 || type == DataType::int32 || type == DataType::undefined) return;
  context.fail(ErrorCode::model, "an input is of the wrong type", context.input_label(i), "int64 or int32",
               std::string(to_string(type)));
}

void require_scalar(const NodeContext& context, std::size_t i) {
  const graph::TensorDesc& desc = context.input(i);
  if (!desc.is_static() || base::checked_product(desc.static_shape(), "an input") == 1) return;
  context.fail(ErrorCode::model, "an input has more than one element", context.input_label(i), "a scalar",
               graph::to_string(desc));
}

}  // namespace linnet::ops
