// CumSum and CumProd: running sums and products along an axis, in the element's own type.
#include "ops/binary.h"
#include "ops/extents.h"
#include "ops/indices.h"
#include "ops/op_def.h"
#include "ops/reduce.h"

namespace linnet::ops {

namespace {

constexpr TypeSet kSummable =
    kRealTypes | types({DataType::int32, DataType::int64, DataType::uint32, DataType::uint64});

struct Order {
  bool exclusive = false, reverse = false;
};

template <typename T, typename F>
void accumulate(const T* x, T* y, const ReductionWalk& walk, const Order& order, T total, const F& f) {
  for (std::int64_t i = 0; i < walk.terms(); ++i) {
    const std::int64_t at = walk.term(order.reverse ? walk.terms() - 1 - i : i);
    const T before = total;
    total = f(total, x[at]);
    y[at] = order.exclusive ? before : total;
  }
}

/// One walk for each axis: which one it is may be known only when the model runs.
std::vector<ReductionWalk> walks(const Shape& shape) {
  std::vector<ReductionWalk> result;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    std::vector<bool> along(shape.size(), false);
    along[axis] = true;
    result.emplace_back(shape, along);
  }
  return result;
}

}  // namespace

void infer_cumulative(InferContext& c) {
  require_types(c, 0, kSummable);
  require_integers(c, 1);
  require_scalar(c, 1);
  const graph::TensorDesc& x = c.input(0);
  if (x.has_rank() && x.shape->empty())
    c.fail(ErrorCode::model, "a scalar has no axis", c.input_label(0), "1-D or more", "a scalar");
  if (x.has_rank() && c.constant(1) != nullptr) (void)c.axis(c.constant_int(1), x.shape->size(), "input 1 'axis'");
  c.set(0, x);
}

void plan_cumulative(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  const Order order{c.attribute_int("exclusive", 0) != 0, c.attribute_int("reverse", 0) != 0};
  const bool product = c.op_type() == "CumProd";
  c.step().algorithm = "loops";
  c.step().in_place = 0;
  c.step().run = [walks = walks(x.shape), order, product, type = x.type,
                  axis_type = c.placement_in(1).type](const RunArgs& args) {
    const auto rank = static_cast<std::int64_t>(walks.size());
    const std::int64_t axis = Indices(args.inputs[1], axis_type).position(0, rank, args);
    const ReductionWalk& walk = walks[static_cast<std::size_t>(axis < 0 ? 0 : axis)];
    const Range mine = thread_share(args, walk.results(), walk.results() * walk.terms());
    visit_type<kSummable>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        const T* const from = args.in<T>(0) + walk.start(i);
        T* const to = args.out<T>(0) + walk.start(i);
        if (product) accumulate(from, to, walk, order, T{1}, [](T a, T b) { return wrapping_mul(a, b); });
        else accumulate(from, to, walk, order, T{0}, [](T a, T b) { return wrapping_add(a, b); });
      }
    });
  };
}

}  // namespace linnet::ops
