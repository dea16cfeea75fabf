// linnet.RoundTo: float32 numbers rounded to those of float16 or bfloat16, to the nearest and in ties to even. The result
// is float32 still.
#include "base/half.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr auto kHalf = static_cast<std::int64_t>(DataType::float16),
               kBrain = static_cast<std::int64_t>(DataType::bfloat16);

template <float (*kRound)(float)>
void round_row(const float* x, float* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = kRound(x[i]);
}

using RoundRow = void (*)(const float* x, float* y, std::int64_t n);

void plan_blocked(PlanContext& c, RoundRow round) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  const WalkExtent extent = walk_extent(c, {&in, &out});
  c.step().run = [=](const RunArgs& args) {
    const kernels::BlockedSource from = source_view(in, args.in<float>(0), extent.merged);
    const kernels::BlockedTarget to = target_view(out, args.out<float>(0), extent.merged);
    extent.each_share(args, [&](const kernels::PlaneRange& range) {
      for (std::int64_t plane = range.plane_begin; plane < range.plane_end; ++plane) {
        for (int row = range.row_begin; row < range.row_end; ++row) {
          round(row_of(from, extent.blocks, plane, row), row_of(to, extent.blocks, plane, row),
                std::int64_t{extent.width} * kernels::kBlock);
        }
      }
    });
  };
}

}  // namespace

void infer_round_to(InferContext& c) {
  require_types(c, 0, types({DataType::float32}));
  const std::int64_t type = c.attribute_int("to", 0);
  if (type != kHalf && type != kBrain)
    c.fail(ErrorCode::internal, "a type to round to", "attribute 'to'", "float16 or bfloat16", std::to_string(type));
  c.set(0, c.input(0));
}

void plan_round_to(PlanContext& c) {
  const RoundRow round =
      c.attribute_int("to", 0) == kHalf ? round_row<base::rounded_to_float16> : round_row<base::rounded_to_bfloat16>;
  c.step().algorithm = "elementwise";
  c.step().in_place = may_share_buffer(c, 0) ? 0 : -1;
  if (c.placement_out(0).layout != graph::Layout::plain) return plan_blocked(c, round);
  c.step().run = [round, n = c.placement_in(0).elements()](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    round(args.in<float>(0) + mine.first, args.out<float>(0) + mine.first, mine.last - mine.first);
  };
}

LayoutRule layout_round_to(const NodeContext& c) {
  if (!can_be_blocked(c.input(0))) return {};
  return {LayoutRule::Preference::follow, 1};
}

}  // namespace linnet::ops
