// The pools that have no kernel: MaxPool and AveragePool of other types and ranks, LpPool, GlobalLpPool.
#include <algorithm>
#include <cmath>
#include <string>

#include "base/checked_math.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"
#include "ops/pool.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// One window of a plane after another: f(plane's first element, window, output's index).
template <typename T, typename F>
void each_window(const RunArgs& args, const WindowWalk& walk, std::int64_t planes, const F& f) {
  const std::int64_t n = planes * walk.windows();
  const Range mine = thread_share(args, n, n * walk.taps(), kElementUnit);
  for (std::int64_t i = mine.first; i < mine.last; ++i)
    f(args.in<T>(0) + i / walk.windows() * walk.in_pixels(), i % walk.windows(), i);
}

/// The position of an element in its plane with the first spatial axis innermost: storage_order = 1.
std::int64_t column_major(const WindowWalk& walk, const std::vector<std::int64_t>& extents, std::int64_t offset) {
  std::int64_t position = 0, stride = 1;
  for (std::size_t axis = 0; axis < extents.size(); ++axis) {
    position += walk.coordinate(offset, axis) * stride;
    stride *= extents[axis];
  }
  return position;
}

std::int64_t planes_of(const PlanContext& c) {
  const Shape& x = c.placement_in(0).shape;
  return base::checked_mul(x[0], x[1], "planes");
}

void plan_max(PlanContext& c, const WindowWalk& walk) {
  const Shape& shape = c.placement_in(0).shape;
  c.step().algorithm = "window";
  c.step().run = [walk, planes = planes_of(c), type = c.placement_in(0).type,
                  extents = std::vector<std::int64_t>(shape.begin() + 2, shape.end()), indices = c.has_output(1),
                  columns = c.attribute_int("storage_order", 0) != 0](const RunArgs& args) {
    visit_type<kRealTypes | types({DataType::int8, DataType::uint8})>(type, [&](auto element) {
      using T = decltype(element);
      each_window<T>(args, walk, planes, [&](const T* x, std::int64_t window, std::int64_t to) {
        std::int64_t best = -1;
        walk.each_inside(window, [&](std::int64_t, std::int64_t offset) {
          const bool nan = x[offset] != x[offset] && best >= 0 && x[best] == x[best];
          if (best < 0 || x[offset] > x[best] || nan) best = offset;
        });
        args.out<T>(0)[to] = x[best];
        if (!indices) return;
        const std::int64_t at = columns ? column_major(walk, extents, best) : best;
        args.out<std::int64_t>(1)[to] = to / walk.windows() * walk.in_pixels() + at;
      });
    });
  };
}

/// finish(sum of term(x) over the window, elements in it, window), in double.
template <typename Term, typename Finish>
void plan_sum(PlanContext& c, const WindowWalk& walk, const Term& term, const Finish& finish) {
  c.step().algorithm = "window";
  c.step().run = [walk, term, finish, planes = planes_of(c), type = c.placement_in(0).type](const RunArgs& args) {
    visit_type<kRealTypes>(type, [&](auto element) {
      using T = decltype(element);
      each_window<T>(args, walk, planes, [&](const T* x, std::int64_t window, std::int64_t to) {
        double sum = 0;
        std::int64_t count = 0;
        walk.each_inside(window, [&](std::int64_t, std::int64_t offset) {
          sum += term(static_cast<double>(x[offset]));
          ++count;
        });
        args.out<T>(0)[to] = static_cast<T>(finish(sum, count, window));
      });
    });
  };
}

void plan_norm(PlanContext& c, const WindowWalk& walk) {
  const auto p = static_cast<double>(c.attribute_int("p", 2));
  plan_sum(
      c, walk, [p](double x) { return std::pow(std::abs(x), p); },
      [p](double sum, std::int64_t, std::int64_t) { return std::pow(sum, 1 / p); });
}

void check_power(const NodeContext& c) {
  if (c.attribute_int("p", 2) >= 1) return;
  c.fail(ErrorCode::model, "p is the power of a norm", "attribute 'p'", "at least 1",
         std::to_string(c.attribute_int("p", 2)));
}

/// One window for all of a plane.
WindowWalk whole_plane(const PlanContext& c) {
  const Shape& x = c.placement_in(0).shape;
  const std::vector<std::int64_t> extents(x.begin() + 2, x.end()), ones(extents.size(), 1), zeros(extents.size(), 0);
  return {{extents, ones, ones, zeros, zeros}, extents, ones};
}

}  // namespace

WindowWalk pool_walk(const PlanContext& c, std::size_t first) {
  const Shape &x = c.placement_in(0).shape, &y = c.placement_out(0).shape;
  const auto spatial = [&](const Shape& shape) {
    const auto begin = shape.begin() + static_cast<std::ptrdiff_t>(first);
    return std::vector<std::int64_t>(begin, begin + static_cast<std::ptrdiff_t>(shape.size() - 2));
  };
  const std::vector<std::int64_t> in = spatial(x), out = spatial(y);
  return {pool_window(c, DimList(in.begin(), in.end())), in, out};
}

void plan_pool_loops(PlanContext& c) {
  const WindowWalk walk = pool_walk(c);
  if (c.op_type() == "MaxPool") return plan_max(c, walk);
  const bool count_padding = c.attribute_int("count_include_pad", 0) != 0;
  plan_sum(
      c, walk, [](double x) { return x; },
      [walk, count_padding](double sum, std::int64_t count, std::int64_t window) {
        return sum / static_cast<double>(count_padding ? walk.taps_with_padding(window) : count);
      });
}

void plan_global_pool_loops(PlanContext& c) {
  const WindowWalk walk = whole_plane(c);
  if (c.op_type() == "GlobalMaxPool") return plan_max(c, walk);
  plan_sum(
      c, walk, [](double x) { return x; },
      [](double sum, std::int64_t count, std::int64_t) { return sum / static_cast<double>(count); });
}

void infer_lp_pool(InferContext& c) {
  check_power(c);
  infer_pool(c);
}

void plan_lp_pool(PlanContext& c) { plan_norm(c, pool_walk(c)); }

void infer_global_lp_pool(InferContext& c) {
  require_types(c, 0, kRealTypes);
  check_power(c);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  check_spatial(c, x);
  DimList y(x.shape->size(), Dim(1));
  std::copy_n(x.shape->begin(), 2, y.begin());
  c.set_output(0, x.type, std::move(y));
}

void plan_global_lp_pool(PlanContext& c) { plan_norm(c, whole_plane(c)); }

}  // namespace linnet::ops
