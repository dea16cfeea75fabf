// ScaleShift (domain "linnet"): y = activation(fma(x, scale[c], shift[c])), what is left of a BatchNormalization that no
// convolution could take. The activation is a clamp.

#include "base/checked_math.h"
#include "ops/activation.h"
#include "ops/channel_affine.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kScale = 1, kShift = 2;

/// A constant parameter with zeros in the padded channels, so that these stay zero.
WeightStore::Buffer pack_padded(PlanContext& c, std::size_t i, std::int64_t channels) {
  const Tensor& tensor = *c.constant(i);
  const auto bytes = static_cast<std::size_t>(base::round_up(channels, kernels::kBlock)) * sizeof(float);
  WeightStore::Buffer packed = c.pack({i}, "padded", bytes, [&](std::byte* to) {
    std::copy_n(static_cast<const std::byte*>(tensor.raw()), tensor.bytes(), to);
  });
  c.step().weight_bytes += bytes;
  c.consumed(i);
  return packed;
}

void plan_blocked(PlanContext& c, const kernels::Clamp& clamp) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  const WalkExtent extent = walk_extent(c, {&in, &out});
  const WeightStore::Buffer scale = pack_padded(c, kScale, in.shape[1]), shift = pack_padded(c, kShift, in.shape[1]);
  kernels::ScaleShiftArguments k;
  k.blocks = extent.blocks;
  k.width = extent.width;
  k.clamp = clamp;
  c.step().run = [k, in, out, extent, scale, shift, table = &c.kernels()](const RunArgs& args) {
    kernels::ScaleShiftArguments call = k;
    call.x = source_view(in, args.in<float>(0), extent.merged);
    call.y = target_view(out, args.out<float>(0), extent.merged);
    call.scale = scale->as<float>();
    call.shift = shift->as<float>();
    extent.each_share(args, [&](const kernels::PlaneRange& range) {
      call.range = range;
      table->scale_shift(call);
    });
  };
}

void plan_plain(PlanContext& c, const kernels::Clamp& clamp) {
  const Shape& shape = c.placement_in(0).shape;
  const std::int64_t n = c.placement_in(0).elements(), channels = shape[1], rows = shape[0] * channels;
  const std::int64_t pixels = rows == 0 ? 0 : n / rows;
  c.step().run = [clamp, n, channels, rows, pixels, table = &c.kernels()](const RunArgs& args) {
    const float *const scale = args.in<float>(kScale), *const shift = args.in<float>(kShift);
    const Range mine = thread_share(args, rows, n);
    for (std::int64_t row = mine.first; row < mine.last; ++row) {
      affine_row(*table, args.in<float>(0) + row * pixels, args.out<float>(0) + row * pixels, pixels,
                 scale[row % channels], shift[row % channels], clamp);
    }
  };
}

}  // namespace

void infer_scale_shift(InferContext& c) {
  const graph::TensorDesc& x = c.input(0);
  for (std::size_t i = 0; i < 3; ++i) require_types(c, i, types({DataType::float32}));
  if (x.has_rank() && x.shape->size() < 2) {
    c.fail(ErrorCode::model, "the input has no channels", c.input_label(0), "2-D or more", graph::to_string(x));
  }
  for (const std::size_t i : {kScale, kShift}) {
    const graph::TensorDesc& parameter = c.input(i);
    const bool vector = !parameter.has_rank() || parameter.shape->size() == 1;
    const bool known =
        vector && parameter.has_rank() && x.has_rank() && (*x.shape)[1].known() && (*parameter.shape)[0].known();
    if (!vector || (known && (*parameter.shape)[0].value != (*x.shape)[1].value)) {
      c.fail(ErrorCode::model, "the parameter needs one number a channel", c.input_label(i), graph::to_string(x),
             graph::to_string(parameter));
    }
  }
  (void)require_clamp(c);
  c.set(0, x);
}

void plan_scale_shift(PlanContext& c) {
  Step& step = c.step();
  step.algorithm = "elementwise";
  step.kernel = isa_label(c);
  step.in_place = may_share_buffer(c, 0) ? 0 : -1;
  const kernels::Clamp clamp = require_clamp(c);
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_plain(c, clamp);
  plan_blocked(c, clamp);
}

LayoutRule layout_scale_shift(const NodeContext& c) {
  const bool packable = c.constant(kScale) != nullptr && c.constant(kShift) != nullptr;
  if (!packable || !can_be_blocked(c.input(0))) return {};
  if (!keeps_zero(read_activation(c)) && !has_whole_blocks(c.input(0))) return {};
  return {LayoutRule::Preference::follow, 1};
}

}  // namespace linnet::ops
