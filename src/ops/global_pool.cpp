// GlobalAveragePool, GlobalMaxPool: one number a plane.
#include "ops/elementwise.h"
#include "ops/op_def.h"
#include "ops/pool.h"

namespace linnet::ops {

namespace {

bool is_average(const NodeContext& c) { return c.op_type() == "GlobalAveragePool"; }

void plan_blocked(PlanContext& c) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  const BlockedExtent extent = blocked_extent(c, in);
  kernels::GlobalPoolArguments k;
  k.op = is_average(c) ? kernels::PoolOp::average : kernels::PoolOp::max;
  k.blocks = extent.blocks;
  k.height = extent.height;
  k.width = extent.width;
  c.step().run = [k, in, out, extent, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, extent.planes(), extent.elements());
    kernels::GlobalPoolArguments call = k;
    call.x = source_view(in, args.in<float>(0));
    call.y = target_view(out, args.out<float>(0));
    call.plane_begin = mine.first;
    call.plane_end = mine.last;
    table->global_pool(call);
  };
}

void plan_plain(PlanContext& c) {
  const Shape& x = c.placement_in(0).shape;
  const std::int64_t n = c.placement_in(0).elements(), planes = x[0] * x[1];
  kernels::ReduceArguments k;
  k.op = is_average(c) ? kernels::ReduceOp::mean : kernels::ReduceOp::max;
  k.n = planes == 0 ? 1 : n / planes;
  c.step().run = [k, n, planes, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, planes, n);
    kernels::ReduceArguments call = k;
    call.x = args.in<float>(0);
    call.y = args.out<float>(0);
    call.begin = mine.first;
    call.end = mine.last;
    table->reduce(call);
  };
}

}  // namespace

void infer_global_pool(InferContext& c) {
  require_types(c, 0, kRealTypes);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  check_spatial(c, x);
  graph::DimList y(x.shape->size(), graph::Dim(1));
  for (std::size_t i = 0; i < x.shape->size(); ++i) {
    const graph::Dim& extent = (*x.shape)[i];
    if (i < 2) y[i] = extent;
    else if (extent.known() && extent.value == 0) {
      c.fail(ErrorCode::model, "a plane without pixels has neither mean nor maximum", c.input_label(0), {},
             graph::to_string(x));
    }
  }
  c.set_output(0, x.type, std::move(y));
}

void plan_global_pool(PlanContext& c) {
  if (c.placement_in(0).type != DataType::float32) return plan_global_pool_loops(c);
  c.step().algorithm = "global_pool";
  c.step().kernel = isa_label(c);
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_plain(c);
  plan_blocked(c);
}

LayoutRule layout_global_pool(const NodeContext& c) {
  if (!can_be_blocked(c.input(0))) return {};
  return {LayoutRule::Preference::follow, 1};
}

}  // namespace linnet::ops
