// CumSum: running sums along an axis, in the element's own type.
#include "ops/binary.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/reduce.h"

namespace linnet::ops {

namespace {

constexpr TypeSet kSummable =
    kRealTypes | types({DataType::int32, DataType::int64, DataType::uint32, DataType::uint64});

struct Order {
  bool exclusive = false, reverse = false;
};

template <typename T>
void running_sums(const T* x, T* y, const ReductionWalk& walk, const Order& order) {
  T total = 0;
  for (std::int64_t i = 0; i < walk.terms(); ++i) {
    const std::int64_t at = walk.term(order.reverse ? walk.terms() - 1 - i : i);
    const T before = total;
    total = wrapping_add(total, x[at]);
    y[at] = order.exclusive ? before : total;
  }
}

}  // namespace

void infer_cumsum(InferContext& c) {
  require_types(c, 0, kSummable);
  require_integers(c, 1);
  require_scalar(c, 1);
  c.set(0, c.input(0));
}

void plan_cumsum(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  std::vector<bool> along(x.shape.size(), false);
  along[c.axis(c.constant_ints(1).at(0), x.shape.size(), "input 1 'axis'")] = true;
  const Order order{c.attribute_int("exclusive", 0) != 0, c.attribute_int("reverse", 0) != 0};
  c.step().algorithm = "loops";
  c.step().in_place = 0;
  c.step().run = [walk = ReductionWalk(x.shape, along), order, type = x.type](const RunArgs& args) {
    const Range mine = thread_share(args, walk.results(), walk.results() * walk.terms());
    visit_type<kSummable>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        const std::int64_t start = walk.start(i);
        running_sums(args.in<T>(0) + start, args.out<T>(0) + start, walk, order);
      }
    });
  };
}

}  // namespace linnet::ops
