#include "ops/elementwise.h"

#include <vector>

#include "base/checked_math.h"

namespace linnet::ops {

void require_types(const NodeContext& context, std::size_t i, TypeSet allowed) {
  const DataType type = context.input(i).type;
  if (type == DataType::undefined || contains(allowed, type)) return;
  std::string list;
  for (unsigned bit = 0; bit < 32; ++bit) {
    const auto candidate = static_cast<DataType>(bit);
    if (contains(allowed, candidate)) list += (list.empty() ? "" : ", ") + std::string(to_string(candidate));
  }
  context.fail(ErrorCode::unsupported, "the operator is not implemented for this element type", context.input_label(i),
               list, std::string(to_string(type)));
}

void require_same_type(const NodeContext& context, std::size_t i, std::size_t j) {
  const DataType a = context.input(i).type, b = context.input(j).type;
  if (a == b || a == DataType::undefined || b == DataType::undefined) return;
  context.fail(ErrorCode::model, "the inputs have different element types", context.input_label(j),
               std::string(to_string(a)), std::string(to_string(b)));
}

namespace {

/// Row-major strides of `shape`, aligned with the end of a result of `rank` axes; 0 along axes that are broadcast over.
std::vector<std::ptrdiff_t> aligned_strides(const Shape& shape, std::size_t rank) {
  std::vector<std::ptrdiff_t> strides(rank, 0);
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t extent = shape[shape.size() - 1 - i];
    if (extent != 1) strides[rank - 1 - i] = stride;
    stride = base::checked_mul(stride, extent, "a broadcast operand");
  }
  return strides;
}

}  // namespace

Broadcast make_broadcast(const NodeContext& context, const Shape& a, const Shape& b, const Shape& y) {
  const std::vector<std::ptrdiff_t> a_strides = aligned_strides(a, y.size()), b_strides = aligned_strides(b, y.size());
  Broadcast plan;
  plan.count = base::checked_product(y, "a broadcast result");
  int used = 0;
  for (std::size_t axis = 0; axis < y.size(); ++axis) {
    if (y[axis] == 1) continue;
    const std::ptrdiff_t sa = a_strides[axis], sb = b_strides[axis];
    const int outer = used - 1;
    if (used > 0 && plan.a_stride[outer] == sa * y[axis] && plan.b_stride[outer] == sb * y[axis]) {
      plan.size[outer] *= y[axis];
      plan.a_stride[outer] = sa;
      plan.b_stride[outer] = sb;
      continue;
    }
    if (used == kernels::kMaxRank) {
      context.fail(ErrorCode::limit, "too many axes to broadcast over", {}, std::to_string(kernels::kMaxRank),
                   to_string(y));
    }
    plan.size[used] = y[axis];
    plan.a_stride[used] = sa;
    plan.b_stride[used] = sb;
    ++used;
  }
  plan.rank = used == 0 ? 1 : used;
  return plan;
}

bool may_share_buffer(PlanContext& c, std::size_t i) {
  const Placement &x = c.placement_in(i), &y = c.placement_out(0);
  return element_bytes(x.type) == element_bytes(y.type) && x.shape == y.shape && x.layout == y.layout &&
         x.halo == y.halo;
}

}  // namespace linnet::ops
