// MaxPool, AveragePool, LpPool: sliding windows over 1 to 3 spatial axes.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/checked_math.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"
#include "ops/window.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kMostSpatialAxes = 3;

Window pool_window(const NodeContext& c, const DimList& spatial) {
  std::vector<std::int64_t> kernel = c.attribute_ints("kernel_shape");
  if (kernel.size() != spatial.size()) {
    c.fail(ErrorCode::model, "kernel_shape needs one entry a spatial axis", "attribute 'kernel_shape'",
           std::to_string(spatial.size()), std::to_string(kernel.size()));
  }
  return read_window(c, std::move(kernel), spatial);
}

/// A window that touches no element of the input has no maximum and no mean. Only one that begins before the input, or
/// the last one, can miss it.
void check_touches(const NodeContext& c, const Window& w, std::size_t axis, std::int64_t in, std::int64_t out) {
  const std::int64_t stride = w.strides[axis], dilation = w.dilations[axis], pad = w.pads_begin[axis];
  const auto touches = [&](std::int64_t i) {
    const std::int64_t start = i * stride - pad;
    const std::int64_t first = start >= 0 ? 0 : base::ceil_div(-start, dilation);
    return first < w.kernel[axis] && start + first * dilation < in;
  };
  bool all = out == 0 || touches(out - 1);
  for (std::int64_t i = 0; all && i < out && i * stride < pad; ++i) all = touches(i);
  if (!all) {
    c.fail(ErrorCode::unsupported, "a window lies in the padding altogether", "spatial axis " + std::to_string(axis),
           "pads smaller than the kernel",
           "pads of " + std::to_string(pad) + " and " + std::to_string(w.pads_end[axis]));
  }
}

struct PoolProblem {
  kernels::PoolOp op = kernels::PoolOp::max;
  kernels::PoolAxis axis[kMostSpatialAxes];  // d, h, w
  std::int64_t planes = 0;                   // images * channels
};

kernels::PoolOp pool_op(const NodeContext& c) {
  if (c.op_type() == "MaxPool") return kernels::PoolOp::max;
  const bool include = c.attribute_int("count_include_pad", 0) != 0;
  return include ? kernels::PoolOp::average_include_pad : kernels::PoolOp::average;
}

PoolProblem pool_problem(const PlanContext& c) {
  const Shape &x = c.placement_in(0).shape, &y = c.placement_out(0).shape;
  const Window w = pool_window(c, DimList(x.begin() + 2, x.end()));
  PoolProblem p;
  p.op = pool_op(c);
  p.planes = x[0] * x[1];
  for (std::size_t i = 0; i + 2 < x.size(); ++i) {
    kernels::PoolAxis& axis = p.axis[kMostSpatialAxes - (x.size() - 2) + i];
    axis.input = kernel_int(c, x[i + 2]);
    axis.output = kernel_int(c, y[i + 2]);
    axis.kernel = kernel_int(c, w.kernel[i]);
    axis.stride = kernel_int(c, w.strides[i]);
    axis.dilation = kernel_int(c, w.dilations[i]);
    axis.pad_before = kernel_int(c, w.pads_begin[i]);
    axis.pad_after = kernel_int(c, w.pads_end[i]);
  }
  return p;
}

void plan_blocked(PlanContext& c, const PoolProblem& p) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  const BlockedExtent extent = blocked_extent(c, out);
  kernels::PoolArguments k;
  k.op = p.op;
  k.blocks = extent.blocks;
  k.h = p.axis[1];
  k.w = p.axis[2];
  c.step().run = [k, in, out, extent, table = &c.kernels()](const RunArgs& args) {
    kernels::PoolArguments call = k;
    call.x = source_view(in, args.in<float>(0));
    call.y = target_view(out, args.out<float>(0));
    each_plane_range(extent.share(args), extent.height, [&](const kernels::PlaneRange& range) {
      call.range = range;
      table->pool(call);
    });
  };
}

void plan_plain(PlanContext& c, const PoolProblem& p) {
  kernels::PlainPoolArguments k;
  k.op = p.op;
  std::copy_n(p.axis, kMostSpatialAxes, k.axis);
  const std::int64_t rows = p.planes * p.axis[0].output * p.axis[1].output, n = c.placement_out(0).elements();
  const bool indices = c.has_output(1);
  c.step().run = [k, rows, n, indices, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, rows, n);
    kernels::PlainPoolArguments call = k;
    call.x = args.in<float>(0);
    call.y = args.out<float>(0);
    call.indices = indices ? args.out<std::int64_t>(1) : nullptr;
    call.begin = mine.first;
    call.end = mine.last;
    table->plain_pool(call);
  };
}

/// The taps of the window at output `at` that lie inside the input: first and one past the last.
Range taps_inside(const kernels::PoolAxis& axis, std::int64_t at) {
  const std::int64_t start = at * axis.stride - axis.pad_before;
  const std::int64_t first = start >= 0 ? 0 : base::ceil_div(-start, axis.dilation);
  const std::int64_t room = start < axis.input ? base::ceil_div(axis.input - start, axis.dilation) : 0;
  return {first, std::min<std::int64_t>(axis.kernel, room)};
}

/// (sum of |x|^p)^(1/p) over one window of a plane, in double.
float lp_window(const PoolProblem& problem, const float* plane, const std::int64_t (&at)[kMostSpatialAxes], double p) {
  const auto& axis = problem.axis;
  const auto position = [&](int i, std::int64_t tap) {
    return at[i] * axis[i].stride - axis[i].pad_before + tap * axis[i].dilation;
  };
  const Range d = taps_inside(axis[0], at[0]), h = taps_inside(axis[1], at[1]), w = taps_inside(axis[2], at[2]);
  double sum = 0;
  for (std::int64_t kd = d.first; kd < d.last; ++kd) {
    for (std::int64_t kh = h.first; kh < h.last; ++kh) {
      const float* const row = plane + (position(0, kd) * axis[1].input + position(1, kh)) * axis[2].input;
      for (std::int64_t kw = w.first; kw < w.last; ++kw)
        sum += std::pow(std::abs(static_cast<double>(row[position(2, kw)])), p);
    }
  }
  return static_cast<float>(std::pow(sum, 1 / p));
}

void check_spatial(const NodeContext& c, const graph::TensorDesc& x) {
  if (x.shape->size() < 3) {
    c.fail(ErrorCode::model, "the input needs a batch, channels and at least one spatial axis", c.input_label(0),
           "3-D or more", graph::to_string(x));
  }
  if (x.shape->size() > kMostSpatialAxes + 2) {
    c.fail(ErrorCode::unsupported, "pooling has at most 3 spatial axes", c.input_label(0), "at most 5-D",
           graph::to_string(x));
  }
}

}  // namespace

void infer_pool(InferContext& c) {
  require_types(c, 0, types({DataType::float32}));
  if (c.attribute_int("storage_order", 0) != 0) {
    c.fail(ErrorCode::unsupported, "column-major indices are not supported", "attribute 'storage_order'", "0",
           std::to_string(c.attribute_int("storage_order", 0)));
  }
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) {
    c.set_output_unknown_rank(0, x.type);
    return c.set_output_unknown_rank(1, DataType::int64);
  }
  check_spatial(c, x);
  const DimList spatial(x.shape->begin() + 2, x.shape->end());
  const Window window = pool_window(c, spatial);
  const DimList extents = window_extents(c, window, spatial, c.attribute_int("ceil_mode", 0) != 0);
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i].known()) check_touches(c, window, i, spatial[i].value, extents[i].value);
  }
  DimList y{(*x.shape)[0], (*x.shape)[1]};
  y.insert(y.end(), extents.begin(), extents.end());
  c.set_output(0, x.type, y);
  c.set_output(1, DataType::int64, std::move(y));
}

void plan_pool(PlanContext& c) {
  const PoolProblem p = pool_problem(c);
  c.step().algorithm = "window";
  c.step().kernel = isa_label(c);
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_plain(c, p);
  plan_blocked(c, p);
}

LayoutRule layout_pool(const NodeContext& c) {
  if (!can_be_blocked(c.input(0)) || c.has_output(1)) return {};
  return {LayoutRule::Preference::follow, 1};
}

void infer_lp_pool(InferContext& c) {
  if (c.attribute_int("p", 2) < 1) {
    c.fail(ErrorCode::model, "p is the power of a norm", "attribute 'p'", "at least 1",
           std::to_string(c.attribute_int("p", 2)));
  }
  infer_pool(c);
}

void plan_lp_pool(PlanContext& c) {
  const std::int64_t n = c.placement_out(0).elements();
  const auto p = static_cast<double>(c.attribute_int("p", 2));
  c.step().algorithm = "window";
  c.step().run = [problem = pool_problem(c), p, n](const RunArgs& args) {
    const auto& axis = problem.axis;
    const std::int64_t plane = std::int64_t{axis[0].input} * axis[1].input * axis[2].input;
    const Range mine = thread_share(args, n, n, kElementUnit);
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      const std::int64_t row = i / axis[2].output, slice = row / axis[1].output;
      const std::int64_t at[] = {slice % axis[0].output, row % axis[1].output, i % axis[2].output};
      args.out<float>(0)[i] = lp_window(problem, args.in<float>(0) + slice / axis[0].output * plane, at, p);
    }
  };
}

}  // namespace linnet::ops
