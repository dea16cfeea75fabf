// MaxPool and AveragePool of float over 1 to 3 spatial axes, which have kernels; and the inference of all pools.
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/checked_math.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"
#include "ops/pool.h"

namespace linnet::ops {

namespace {

using graph::DimList;

constexpr std::size_t kMostSpatialAxes = 3;

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
  // Of those that begin before the input the first reaches least far into it; where in it the others' taps begin to fall repeats
  // itself after as many as the dilation.
  const std::int64_t differ = std::min({out, base::ceil_div(pad, stride), dilation});
  constexpr std::int64_t kMostWindows = 1 << 20;
  if (differ > kMostWindows) {
    c.fail(ErrorCode::unsupported, "too many windows begin in the padding", "spatial axis " + std::to_string(axis),
           "at most " + std::to_string(kMostWindows), std::to_string(differ));
  }
  for (std::int64_t i = 0; all && i < differ; ++i) all = touches(i);
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
  require_countable(c, w, std::span(x).subspan(2));
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
    extent.each_share(args, [&](const kernels::PlaneRange& range) {
      call.range = range;
      table->pool(call);
    });
  };
  const kernels::PoolAxis& h = k.h;
  c.step().rows_read = {h.stride, (h.kernel - 1) * std::int64_t{h.dilation} + 1, h.pad_before,
                        [k, out, table = &c.kernels()](const RunArgs& args, std::int64_t image, Range rows,
                                                       const kernels::BlockedSource& from) {
                          kernels::PoolArguments call = k;
                          call.x = from;
                          call.y = target_view(out, args.out<float>(0));
                          call.y.data += image * call.y.image;
                          call.range = {0, k.blocks, static_cast<int>(rows.first), static_cast<int>(rows.last)};
                          table->pool(call);
                        }};
}

void plan_plain(PlanContext& c, const PoolProblem& p) {
  kernels::PlainPoolArguments k;
  k.op = p.op;
  std::copy_n(p.axis, kMostSpatialAxes, k.axis);
  k.indices_column_major = c.attribute_int("storage_order", 0) != 0;
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

}  // namespace

Window pool_window(const NodeContext& c, const DimList& spatial) {
  std::vector<std::int64_t> kernel = c.attribute_ints("kernel_shape");
  if (kernel.size() != spatial.size()) {
    c.fail(ErrorCode::model, "kernel_shape needs one entry a spatial axis", "attribute 'kernel_shape'",
           std::to_string(spatial.size()), std::to_string(kernel.size()));
  }
  return read_window(c, std::move(kernel), spatial);
}

DimList pool_extents(const NodeContext& c, const DimList& spatial) {
  const Window window = pool_window(c, spatial);
  DimList extents = window_extents(c, window, spatial, c.attribute_int("ceil_mode", 0) != 0);
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i].known()) check_touches(c, window, i, spatial[i].value, extents[i].value);
  }
  return extents;
}

void check_spatial(const NodeContext& c, const graph::TensorDesc& x) {
  if (x.shape->size() < 3) {
    c.fail(ErrorCode::model, "the input needs a batch, channels and at least one spatial axis", c.input_label(0),
           "3-D or more", graph::to_string(x));
  }
}

void infer_pool(InferContext& c) {
  constexpr TypeSet kBytes = types({DataType::int8, DataType::uint8});
  require_types(c, 0, c.op_type() == "MaxPool" ? kRealTypes | kBytes : kRealTypes);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) {
    c.set_output_unknown_rank(0, x.type);
    return c.set_output_unknown_rank(1, DataType::int64);
  }
  check_spatial(c, x);
  const DimList extents = pool_extents(c, DimList(x.shape->begin() + 2, x.shape->end()));
  DimList y{(*x.shape)[0], (*x.shape)[1]};
  y.insert(y.end(), extents.begin(), extents.end());
  c.set_output(0, x.type, y);
  c.set_output(1, DataType::int64, std::move(y));
}

void plan_pool(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  if (x.type != DataType::float32 || x.shape.size() > kMostSpatialAxes + 2) return plan_pool_loops(c);
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

}  // namespace linnet::ops
