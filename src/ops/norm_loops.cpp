// Normalizations along any axes, as plain loops in double: MeanVarianceNormalization and LpNormalization. No network we
// know spends time in them.
#include <cmath>
#include <string>

#include "ops/extents.h"
#include "ops/normalization.h"
#include "ops/op_def.h"
#include "ops/reduce.h"

namespace linnet::ops {

namespace {

/// y = (x - subtract) * factor for the elements of one reduction.
struct Affine {
  double subtract = 0, divide = 1;
};

/// (x - mean) / (standard deviation + 1e-9), as ONNX defines it.
Affine mean_and_deviation(const float* x, const ReductionWalk& walk) {
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < walk.terms(); ++i) sum += static_cast<double>(x[walk.term(i)]);
  const double mean = sum / static_cast<double>(walk.terms());
  for (std::int64_t i = 0; i < walk.terms(); ++i) {
    const double off = static_cast<double>(x[walk.term(i)]) - mean;
    squares += off * off;
  }
  return {mean, std::sqrt(squares / static_cast<double>(walk.terms())) + 1e-9};
}

/// x / norm; a vector of zeros stays one.
template <int kPower>
Affine norm(const float* x, const ReductionWalk& walk) {
  double sum = 0;
  for (std::int64_t i = 0; i < walk.terms(); ++i) {
    const double value = std::abs(static_cast<double>(x[walk.term(i)]));
    sum += kPower == 1 ? value : value * value;
  }
  const double length = kPower == 1 ? sum : std::sqrt(sum);
  return {0, length == 0 ? 1 : length};
}

void plan_loops(PlanContext& c, const std::vector<bool>& reduced, Affine (*find)(const float*, const ReductionWalk&)) {
  c.step().algorithm = "loops";
  c.step().in_place = 0;
  c.step().run = [walk = ReductionWalk(c.placement_in(0).shape, reduced), find](const RunArgs& args) {
    const Range mine = thread_share(args, walk.results(), walk.results() * walk.terms());
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      const float* const x = args.in<float>(0) + walk.start(i);
      float* const y = args.out<float>(0) + walk.start(i);
      const Affine affine = find(x, walk);
      for (std::int64_t k = 0; k < walk.terms(); ++k) {
        const std::int64_t at = walk.term(k);
        y[at] = static_cast<float>((static_cast<double>(x[at]) - affine.subtract) / affine.divide);
      }
    }
  };
}

std::vector<bool> mean_axes(const NodeContext& c, std::size_t rank) {
  std::vector<bool> reduced(rank, false);
  for (const std::size_t axis : unique_axes(c, c.attribute_ints("axes", {0, 2, 3}), rank)) reduced[axis] = true;
  return reduced;
}

}  // namespace

void infer_mean_variance_normalization(InferContext& c) {
  require_types(c, 0, types({DataType::float32}));
  if (c.input(0).has_rank()) (void)mean_axes(c, c.input(0).shape->size());
  c.set(0, c.input(0));
}

void plan_mean_variance_normalization(PlanContext& c) {
  plan_loops(c, mean_axes(c, c.placement_in(0).shape.size()), mean_and_deviation);
}

void infer_lp_normalization(InferContext& c) {
  require_types(c, 0, types({DataType::float32}));
  const std::int64_t p = c.attribute_int("p", 2);
  if (p != 1 && p != 2) c.fail(ErrorCode::model, "there is no such norm", "attribute 'p'", "1 or 2", std::to_string(p));
  if (c.input(0).has_rank()) (void)c.axis(c.attribute_int("axis", -1), c.input(0).shape->size());
  c.set(0, c.input(0));
}

void plan_lp_normalization(PlanContext& c) {
  const std::size_t rank = c.placement_in(0).shape.size();
  std::vector<bool> reduced(rank, false);
  reduced[c.axis(c.attribute_int("axis", -1), rank)] = true;
  plan_loops(c, reduced, c.attribute_int("p", 2) == 1 ? norm<1> : norm<2>);
}

}  // namespace linnet::ops
