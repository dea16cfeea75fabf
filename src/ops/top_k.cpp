// TopK: the k greatest (least) elements along an axis, in order, and where they are. Equals come in the order of their
// indices; a NaN counts as greater than every number, as where numpy sorts.
#include <algorithm>

#include "base/checked_math.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/reduce.h"

namespace linnet::ops {

namespace {

bool k_is_input(const NodeContext& c) { return c.opset() >= 10; }

std::size_t top_k_axis(const NodeContext& c, std::size_t rank) { return c.axis(c.attribute_int("axis", -1), rank); }

std::int64_t read_k(const NodeContext& c) {
  const std::int64_t k = k_is_input(c) ? c.constant_int(1) : c.attribute_int("k", -1);
  if (k < 0) c.fail(ErrorCode::model, "k is not a number of 0 or more", "k", "0 or more", std::to_string(k));
  return k;
}

template <typename T>
bool less(T a, T b) {
  const bool a_is_nan = a != a, b_is_nan = b != b;
  return a_is_nan || b_is_nan ? !a_is_nan && b_is_nan : a < b;
}

/// Orders the n terms of one result as `order` and writes the first k of them.
template <typename T>
void select(const T* x, const ReductionWalk& walk, bool greatest, std::int64_t k, std::int64_t* order, T* values,
            std::int64_t* indices, std::int64_t stride) {
  const std::int64_t n = walk.terms();
  for (std::int64_t i = 0; i < n; ++i) order[i] = i;
  // A total order, so that the result is the same whatever the algorithm. Neither std function allocates.
  std::partial_sort(order, order + k, order + n, [&](std::int64_t i, std::int64_t j) {
    const T a = x[walk.term(i)], b = x[walk.term(j)];
    if (less(a, b)) return !greatest;
    if (less(b, a)) return greatest;
    return i < j;
  });
  for (std::int64_t i = 0; i < k; ++i) {
    if (values != nullptr) values[i * stride] = x[walk.term(order[i])];
    if (indices != nullptr) indices[i * stride] = order[i];
  }
}

}  // namespace

void infer_top_k(InferContext& c) {
  require_types(c, 0, kNumberTypes);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) {
    c.set_output_unknown_rank(0, x.type);
    return c.set_output_unknown_rank(1, DataType::int64);
  }
  graph::DimList shape = *x.shape;
  graph::Dim& extent = shape[top_k_axis(c, shape.size())];
  if (k_is_input(c) && is_runtime_input(c, 1)) {
    extent = graph::Dim();
  } else {
    const std::int64_t k = read_k(c);
    if (extent.known() && k > extent.value)
      c.fail(ErrorCode::model, "k is more than there are", "k", std::to_string(extent.value), std::to_string(k));
    extent = graph::Dim(k);
  }
  c.set_output(1, DataType::int64, shape);
  c.set_output(0, x.type, std::move(shape));
}

void plan_top_k(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  const std::size_t axis = top_k_axis(c, x.shape.size());
  const std::int64_t k = read_k(c);
  const bool greatest = c.attribute_int("largest", 1) != 0;
  if (k_is_input(c)) c.consumed(1);
  std::vector<bool> along(x.shape.size(), false);
  along[axis] = true;
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < x.shape.size(); ++i) inner *= x.shape[i];
  c.step().algorithm = "sort";
  c.step().thread_scratch_bytes = base::to_size(base::checked_mul(x.shape[axis], 8, "TopK"), "TopK");
  c.step().run = [=, walk = ReductionWalk(x.shape, along), type = x.type,
                  with_indices = c.output_count() > 1](const RunArgs& args) {
    if (k == 0) return;
    auto* const order = reinterpret_cast<std::int64_t*>(args.thread_scratch);
    const Range mine = thread_share(args, walk.results(), walk.results() * walk.terms());
    visit_type<kNumberTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        const std::int64_t to = i / inner * inner * k + i % inner;
        T* const values = args.outputs[0] == nullptr ? nullptr : args.out<T>(0) + to;
        std::int64_t* const indices =
            with_indices && args.outputs[1] != nullptr ? args.out<std::int64_t>(1) + to : nullptr;
        select(args.in<T>(0) + walk.start(i), walk, greatest, k, order, values, indices, inner);
      }
    });
  };
}

}  // namespace linnet::ops
