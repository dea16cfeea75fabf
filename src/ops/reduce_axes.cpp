#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/reduce.h"

namespace linnet::ops {

std::optional<std::vector<bool>> reduced_axes(const NodeContext& c, std::size_t rank) {
  std::vector<std::int64_t> axes;
  if (c.has_attribute("axes")) {
    axes = c.attribute_ints("axes");
  } else if (is_runtime_input(c, 1)) {
    return std::nullopt;
  } else if (c.has_input(1)) {
    axes = c.constant_ints(1);
  }
  // No axes at all mean every axis, unless the node says that they mean none.
  if (axes.empty()) return std::vector<bool>(rank, c.attribute_int("noop_with_empty_axes", 0) == 0);
  std::vector<bool> reduced(rank, false);
  for (const std::size_t axis : unique_axes(c, axes, rank)) reduced[axis] = true;
  return reduced;
}

graph::DimList reduced_shape(const graph::DimList& shape, const std::vector<bool>& reduced, bool keep) {
  graph::DimList result;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (!reduced[axis]) result.push_back(shape[axis]);
    else if (keep) result.emplace_back(1);
  }
  return result;
}

std::vector<AxisGroup> group_axes(const Shape& shape, const std::vector<bool>& reduced) {
  std::vector<AxisGroup> groups;  // innermost first, until the end
  std::int64_t stride = 1;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (shape[axis] == 1) continue;
    if (!groups.empty() && groups.back().reduced == reduced[axis]) {
      groups.back().size = base::checked_mul(groups.back().size, shape[axis], "a reduction");
    } else {
      groups.push_back({shape[axis], stride, reduced[axis]});
    }
    stride = base::checked_mul(stride, shape[axis], "a reduction");
  }
  return {groups.rbegin(), groups.rend()};
}

ReductionWalk::ReductionWalk(const Shape& shape, const std::vector<bool>& reduced) {
  for (const AxisGroup& group : group_axes(shape, reduced)) {
    (group.reduced ? reduced_ : kept_).push_back(group);
    std::int64_t& count = group.reduced ? terms_ : results_;
    count = base::checked_mul(count, group.size, "a reduction");
  }
}

std::int64_t ReductionWalk::offset(const std::vector<AxisGroup>& groups, std::int64_t index) {
  std::int64_t at = 0;
  for (std::size_t i = groups.size(); i-- > 0;) {
    at += index % groups[i].size * groups[i].stride;
    index /= groups[i].size;
  }
  return at;
}

}  // namespace linnet::ops
