// Reorder (domain "linnet"): the same tensor in another memory layout.

#include "ops/elementwise.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

bool to_blocked(const NodeContext& c) { return c.attribute_string("to", "plain") == "nchw16c"; }

kernels::PlainView<const float> plain_source(const Placement& p, const BlockedExtent& e, const float* data) {
  const std::int64_t plane = std::int64_t{e.height} * e.width;
  return {data, p.shape[1] * plane, e.width, plane};
}

/// One pixel a plane and no padded channels: the bytes are the same in both layouts, if blocks and images follow each
/// other without a gap.
bool is_view(const Placement& p, const BlockedExtent& e) {
  return e.height == 1 && e.width == 1 && p.shape[1] % kernels::kBlock == 0 && !p.halo.any() &&
         p.plane_stride == kernels::kBlock && p.image_stride == p.shape[1];
}

void plan_to_blocked(PlanContext& c, const BlockedExtent& e) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  kernels::ToBlockedArguments k;
  k.channels = kernel_int(c, in.shape[1]);
  k.width = e.width;
  c.step().run = [k, in, out, e, table = &c.kernels()](const RunArgs& args) {
    kernels::ToBlockedArguments call = k;
    call.x = plain_source(in, e, args.in<float>(0));
    call.y = target_view(out, args.out<float>(0));
    e.each_share(args, [&](const kernels::PlaneRange& range) {
      call.range = range;
      table->nchw_to_blocked(call);
    });
  };
}

void plan_to_plain(PlanContext& c, const BlockedExtent& e) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  kernels::FromBlockedArguments k;
  k.channels = kernel_int(c, in.shape[1]);
  k.width = e.width;
  c.step().run = [k, in, out, e, table = &c.kernels()](const RunArgs& args) {
    kernels::FromBlockedArguments call = k;
    const kernels::PlainView<const float> target = plain_source(out, e, nullptr);
    call.x = source_view(in, args.in<float>(0));
    call.y = {args.out<float>(0), target.image, target.row, target.step};
    e.each_share(args, [&](const kernels::PlaneRange& range) {
      call.range = range;
      table->blocked_to_nchw(call);
    });
  };
}

}  // namespace

void infer_reorder(InferContext& c) {
  require_types(c, 0, types({DataType::float32}));
  graph::TensorDesc desc = c.input(0);
  if (desc.has_rank() && desc.shape->size() != 3 && desc.shape->size() != 4) {
    c.fail(ErrorCode::unsupported, "only tensors of rank 3 and 4 have a blocked layout", c.input_label(0), {},
           graph::to_string(desc));
  }
  desc.layout = to_blocked(c) ? graph::Layout::nchw16c : graph::Layout::plain;
  c.set(0, std::move(desc));
}

void plan_reorder(PlanContext& c) {
  const bool blocked = to_blocked(c);
  const Placement& p = blocked ? c.placement_out(0) : c.placement_in(0);
  const BlockedExtent e = blocked_extent(c, p);
  Step& step = c.step();
  if (is_view(p, e) && c.placement_out(0).within == graph::kNoValue) {
    step.algorithm = "view";
    step.view_of = 0;
    return;
  }
  step.algorithm = blocked ? "nchw_to_nchw16c" : "nchw16c_to_nchw";
  step.kernel = isa_label(c);
  if (blocked) plan_to_blocked(c, e);
  else plan_to_plain(c, e);
}

}  // namespace linnet::ops
