// ArgMax, ArgMin: where along an axis the extreme is. A NaN is both, as in numpy.
#include "ops/elementwise.h"
#include "ops/op_def.h"
#include "ops/reduce.h"

namespace linnet::ops {

namespace {

std::vector<bool> only(std::size_t axis, std::size_t rank) {
  std::vector<bool> reduced(rank, false);
  reduced[axis] = true;
  return reduced;
}

struct Search {
  bool greatest = true;
  bool last = false;  // of equals
};

template <typename T>
std::int64_t find_extreme(const T* x, const ReductionWalk& walk, const Search& search) {
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < walk.terms(); ++i) {
    const T now = x[walk.term(i)], so_far = x[walk.term(best)];
    const bool now_nan = now != now, so_far_nan = so_far != so_far;
    const bool better = now_nan ? !so_far_nan : (search.greatest ? now > so_far : now < so_far);
    const bool equal = now == so_far || (now_nan && so_far_nan);
    if (better || (search.last && equal)) best = i;
  }
  return best;
}

}  // namespace

void infer_arg_extreme(InferContext& c) {
  require_types(c, 0, kNumberTypes);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, DataType::int64);
  const std::size_t rank = x.shape->size(), axis = c.axis(c.attribute_int("axis", 0), rank);
  const graph::Dim& extent = (*x.shape)[axis];
  if (extent.known() && extent.value == 0) {
    c.fail(ErrorCode::model, "an axis without elements has no extreme", c.input_label(0), {}, graph::to_string(x));
  }
  c.set_output(0, DataType::int64, reduced_shape(*x.shape, only(axis, rank), c.attribute_int("keepdims", 1) != 0));
}

void plan_arg_extreme(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  const std::size_t rank = x.shape.size(), axis = c.axis(c.attribute_int("axis", 0), rank);
  const Search search{c.op_type() == "ArgMax", c.attribute_int("select_last_index", 0) != 0};
  c.step().algorithm = "loops";
  c.step().run = [walk = ReductionWalk(x.shape, only(axis, rank)), search, type = x.type](const RunArgs& args) {
    const Range mine = thread_share(args, walk.results(), walk.results() * walk.terms(), kElementUnit);
    visit_type<kNumberTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        args.out<std::int64_t>(0)[i] = find_extreme(args.in<T>(0) + walk.start(i), walk, search);
      }
    });
  };
}

}  // namespace linnet::ops
