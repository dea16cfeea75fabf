#include "ops/norm_loops.h"

#include <cmath>
#include <string>

#include "ops/binary.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/reduce.h"

namespace linnet::ops {

namespace {

/// y = (x - subtract) / divide for the elements of one reduction.
struct Affine {
  double subtract = 0, divide = 1;
};

/// The sum of f(x) over the terms.
template <typename T, typename F>
double sum_over(const T* x, const ReductionWalk& walk, const F& f) {
  double sum = 0;
  for (std::int64_t i = 0; i < walk.terms(); ++i) sum += f(static_cast<double>(x[walk.term(i)]));
  return sum;
}

template <typename T>
Affine find_affine(const NormLoops& n, const T* x, const ReductionWalk& walk) {
  const auto terms = static_cast<double>(walk.terms());
  const auto magnitude = [](double v) { return std::abs(v); };
  const auto square = [](double v) { return v * v; };
  if (n.norm == Norm::rms) return {0, std::sqrt(sum_over(x, walk, square) / terms + n.epsilon)};
  if (n.norm == Norm::l1 || n.norm == Norm::l2) {
    const double length = n.norm == Norm::l1 ? sum_over(x, walk, magnitude) : std::sqrt(sum_over(x, walk, square));
    return {0, length == 0 ? 1 : length};  // a vector of zeros stays one
  }
  const double mean = sum_over(x, walk, [](double v) { return v; }) / terms;
  const double variance = sum_over(x, walk, [mean](double v) { return (v - mean) * (v - mean); }) / terms;
  if (n.norm == Norm::mean_variance) return {mean, std::sqrt(variance) + 1e-9};  // as ONNX defines it
  return {mean, std::sqrt(variance + n.epsilon)};
}

template <typename T>
void normalize(const NormLoops& n, const ReductionWalk& walk, const RunArgs& args) {
  const Range mine = thread_share(args, walk.results(), walk.results() * walk.terms());
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    const T* const x = args.in<T>(0) + walk.start(i);
    T* const y = args.out<T>(0) + walk.start(i);
    const Affine affine = find_affine(n, x, walk);
    for (std::int64_t k = 0; k < walk.terms(); ++k) {
      const std::int64_t at = walk.term(k);
      y[at] = static_cast<T>((static_cast<double>(x[at]) - affine.subtract) / affine.divide);
    }
    const double statistics[] = {affine.subtract, 1 / affine.divide};
    for (std::size_t k = 0; k < n.statistics; ++k) {
      if (float* const to = args.out<float>(k + 1)) to[i] = static_cast<float>(statistics[k]);
    }
  }
}

}  // namespace

void plan_norm_loops(PlanContext& c, NormLoops n) {
  Broadcast scale, bias;
  if (n.scale) scale = make_broadcast(c, n.shape, *n.scale, n.shape);
  if (n.bias) bias = make_broadcast(c, n.shape, *n.bias, n.shape);
  const std::int64_t count = c.placement_in(0).elements();
  c.step().algorithm = "loops";
  c.step().in_place = 0;
  c.step().phases = n.scale || n.bias ? 2 : 1;
  const ReductionWalk walk(n.shape, n.reduced);
  c.step().run = [=, n = std::move(n), type = c.placement_in(0).type](const RunArgs& args) {
    visit_type<kRealTypes>(type, [&](auto element) {
      using T = decltype(element);
      if (args.phase == 0) return normalize<T>(n, walk, args);
      const Range mine = thread_share(args, count, count, kElementUnit);
      T* const y = args.out<T>(0);
      if (n.scale) broadcast_loop(scale, y, args.in<T>(1), y, mine, [](T a, T b) { return a * b; });
      if (n.bias) broadcast_loop(bias, y, args.in<T>(2), y, mine, [](T a, T b) { return a + b; });
    });
  };
}

namespace {

std::vector<bool> mean_axes(const NodeContext& c, std::size_t rank) {
  std::vector<bool> reduced(rank, false);
  for (const std::size_t axis : unique_axes(c, c.attribute_ints("axes", {0, 2, 3}), rank)) reduced[axis] = true;
  return reduced;
}

}  // namespace

void infer_mean_variance_normalization(InferContext& c) {
  require_types(c, 0, kRealTypes);
  if (c.input(0).has_rank()) (void)mean_axes(c, c.input(0).shape->size());
  c.set(0, c.input(0));
}

void plan_mean_variance_normalization(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  plan_norm_loops(c, {Norm::mean_variance, shape, mean_axes(c, shape.size()), 0, {}, {}});
}

void infer_lp_normalization(InferContext& c) {
  require_types(c, 0, kRealTypes);
  const std::int64_t p = c.attribute_int("p", 2);
  if (p != 1 && p != 2) c.fail(ErrorCode::model, "there is no such norm", "attribute 'p'", "1 or 2", std::to_string(p));
  if (c.input(0).has_rank()) (void)c.axis(c.attribute_int("axis", -1), c.input(0).shape->size());
  c.set(0, c.input(0));
}

void plan_lp_normalization(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  std::vector<bool> reduced(shape.size(), false);
  reduced[c.axis(c.attribute_int("axis", -1), shape.size())] = true;
  plan_norm_loops(c, {c.attribute_int("p", 2) == 1 ? Norm::l1 : Norm::l2, shape, reduced, 0, {}, {}});
}

}  // namespace linnet::ops
