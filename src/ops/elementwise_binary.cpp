// Broadcasting of two operands, in both layouts and all element types.
#include <algorithm>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "ops/binary.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;
using Op = kernels::BinaryOp;

bool is_one(const Dim& d) { return d.known() && d.value == 1; }

/// Before opset 7: B as it stands, or stretched to A's rank from `axis` on.
DimList stretched(const NodeContext& c, DimList b, std::size_t rank) {
  if (c.attribute_int("broadcast", 0) == 0 || !c.has_attribute("axis")) return b;
  const std::size_t axis = c.axis(c.attribute_int("axis", 0), rank);
  if (axis + b.size() > rank) {
    c.fail(ErrorCode::model, "the second operand has too many axes", c.input_label(1),
           "at most " + std::to_string(rank - axis), std::to_string(b.size()));
  }
  b.resize(rank - axis, Dim(1));
  return b;
}

/// Where one operand of a blocked operator comes from.
struct BlockedOperand {
  Placement placement;
  int pixel = kernels::kBlock;   // floats between pixels: 0 where one pixel serves a plane
  WeightStore::Buffer channels;  // a constant, one float a channel, padded
  std::int64_t one_image = 1;    // 0: one image serves all

  [[nodiscard]] kernels::BlockedSource view(const float* buffer, int merged) const {
    if (channels != nullptr) return {channels->as<float>(), 0, kernels::kBlock, 0};
    kernels::BlockedSource v = source_view(placement, buffer, merged);
    if (pixel == 0) v.row = 0;
    if (one_image == 0) v.image = 0;
    return v;
  }
};

/// The constant operand i as one float a channel. Padded channels get `padding`, with which the operator leaves a zero there.
WeightStore::Buffer pack_channels(PlanContext& c, std::size_t i, std::int64_t channels, float padding) {
  const Tensor& tensor = *c.constant(i);
  const std::int64_t padded = base::round_up(channels, kernels::kBlock);
  const std::string what = "channels " + std::to_string(channels) + " padded with " + std::to_string(padding);
  WeightStore::Buffer packed = c.pack({i}, what, static_cast<std::size_t>(padded) * sizeof(float), [&](std::byte* to) {
    const std::span<const float> from = tensor.data<float>();
    for (std::int64_t channel = 0; channel < padded; ++channel) {
      const float value = from[from.size() == 1 ? 0 : static_cast<std::size_t>(std::min(channel, channels - 1))];
      reinterpret_cast<float*>(to)[channel] = channel < channels ? value : padding;
    }
  });
  c.step().weight_bytes += packed->bytes();
  c.consumed(i);
  return packed;
}

BlockedOperand blocked_operand(PlanContext& c, std::size_t i, kernels::BinaryOp op) {
  const Placement &x = c.placement_in(i), &y = c.placement_out(0);
  BlockedOperand operand;
  if (x.layout == graph::Layout::plain) {
    const bool divisor = i == 1 && (op == Op::div || op == Op::pow);
    operand.channels = pack_channels(c, i, y.shape[1], divisor ? 1.0f : 0.0f);
    operand.pixel = 0;
    return operand;
  }
  operand.placement = x;
  if (x.shape[2] == 1 && x.shape[3] == 1 && (y.shape[2] != 1 || y.shape[3] != 1)) operand.pixel = 0;
  if (x.shape[0] == 1 && y.shape[0] != 1) operand.one_image = 0;
  return operand;
}

void plan_blocked(PlanContext& c, kernels::BinaryOp op) {
  const BlockedOperand a = blocked_operand(c, 0, op), b = blocked_operand(c, 1, op);
  const Placement& out = c.placement_out(0);
  WalkExtent extent = walk_extent(c, {a.pixel != 0 ? &a.placement : &out, b.pixel != 0 ? &b.placement : &out, &out});
  // A number a plane that is not constant comes from a pool over whole planes.
  extent.whole_planes = (a.pixel == 0 && a.channels == nullptr) || (b.pixel == 0 && b.channels == nullptr);
  kernels::BlockedBinaryArguments k;
  k.op = op;
  k.a_pixel = a.pixel;
  k.b_pixel = b.pixel;
  k.blocks = extent.blocks;
  k.width = extent.width;
  c.step().run = [k, a, b, out, extent, table = &c.kernels()](const RunArgs& args) {
    kernels::BlockedBinaryArguments call = k;
    call.a = a.view(args.in<float>(0), extent.merged);
    call.b = b.view(args.in<float>(1), extent.merged);
    call.y = target_view(out, args.out<float>(0), extent.merged);
    extent.each_share(args, [&](const kernels::PlaneRange& range) {
      call.range = range;
      table->blocked_binary(call);
    });
  };
}

void plan_plain(PlanContext& c, kernels::BinaryOp op) {
  const Broadcast plan = broadcast_operands(c);
  c.step().run = [k = binary_arguments(plan, op), n = plan.count, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    kernels::BinaryArguments call = k;
    call.a = args.in<float>(0);
    call.b = args.in<float>(1);
    call.y = args.out<float>(0);
    call.begin = mine.first;
    call.end = mine.last;
    table->binary(call);
  };
}

/// Whether a constant operand is one number, or one a channel of a tensor of rank 4.
bool is_channel_constant(const NodeContext& c, std::size_t i, std::int64_t channels) {
  const Tensor* tensor = c.constant(i);
  if (tensor == nullptr) return false;
  if (tensor->size() == 1) return tensor->rank() <= 4;
  DimList shape(tensor->shape().begin(), tensor->shape().end());
  if (i == 1) shape = second_operand_shape(c);
  if (shape.size() != 3 && shape.size() != 4) return false;
  const std::size_t axis = shape.size() - 3;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    if (shape[k].value != (k == axis ? channels : 1)) return false;
  }
  return true;
}

/// Whether `x` is one pixel a plane of `whole`: [N,C,1,1] or [1,C,1,1] beside [N,C,H,W].
bool is_pixel_of(const graph::TensorDesc& x, const graph::TensorDesc& whole) {
  const DimList &a = *x.shape, &b = *whole.shape;
  return (is_one(a[0]) || a[0].same_as(b[0])) && a[1].same_as(b[1]) && is_one(a[2]) && is_one(a[3]);
}

std::uint32_t operands_of_shapes(const NodeContext& c, bool padding_stays) {
  const graph::TensorDesc &a = c.input(0), &b = c.input(1);
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    const graph::TensorDesc& whole = c.input(1 - i);
    if (!can_be_blocked(whole) || (!padding_stays && !has_whole_blocks(whole))) continue;
    if (is_channel_constant(c, i, (*whole.shape)[1].value)) return 1u << (1 - i);
  }
  if (!can_be_blocked(a) || !can_be_blocked(b) || (!padding_stays && !has_whole_blocks(a))) return 0;
  return same_shape(a, b) || is_pixel_of(a, b) || is_pixel_of(b, a) ? 3u : 0u;
}

}  // namespace

graph::DimList second_operand_shape(const NodeContext& c) {
  const DimList &a = *c.input(0).shape, &b = *c.input(1).shape;
  if (c.opset() >= 7 || !c.node().domain.empty()) return b;
  if (c.op_type() == "PRelu") {
    if (b.size() != 1 || is_one(b[0]) || a.size() < 2) return b;
    DimList channels(a.size() - 1, Dim(1));
    channels[0] = b[0];
    return channels;
  }
  return stretched(c, b, a.size());
}

void infer_broadcast(InferContext& c, DataType type) {
  if (!c.input(0).has_rank() || !c.input(1).has_rank()) return c.set_output_unknown_rank(0, type);
  const DimList &a = *c.input(0).shape, b = second_operand_shape(c);
  DimList y = broadcast(c, a, b);
  const bool one_way = c.op_type() == "PRelu" || c.opset() < 7;  // only the second operand is stretched
  bool fits = !one_way || y.size() == a.size();
  for (std::size_t i = 0; fits && one_way && i < y.size(); ++i)
    fits = !y[i].known() || !a[i].known() || y[i].value == a[i].value;
  if (!fits) {
    c.fail(ErrorCode::model, "the second operand does not broadcast to the first", c.input_label(1),
           graph::to_string(c.input(0)), graph::to_string(c.input(1)));
  }
  if (one_way) y = a;
  c.set_output(0, type, std::move(y));
}

Broadcast broadcast_operands(const PlanContext& c) {
  Shape b;
  for (const Dim& d : second_operand_shape(c)) b.push_back(d.value);
  return make_broadcast(c, c.placement_in(0).shape, b, c.placement_out(0).shape);
}

kernels::BinaryArguments binary_arguments(const Broadcast& plan, kernels::BinaryOp op) {
  kernels::BinaryArguments k;
  k.op = op;
  k.rank = plan.rank;
  std::copy_n(plan.size, kernels::kMaxRank, k.size);
  std::copy_n(plan.a_stride, kernels::kMaxRank, k.a_stride);
  std::copy_n(plan.b_stride, kernels::kMaxRank, k.b_stride);
  return k;
}

std::uint32_t blocked_input_mask(const NodeContext& c, kernels::BinaryOp op) {
  if (c.input(0).type != DataType::float32 || c.input(1).type != DataType::float32) return 0;
  if (!c.input(0).has_rank() || !c.input(1).has_rank()) return 0;
  // 0 / 0 and 0 ^ 0 are not zero. A constant divisor or exponent is padded with ones, but not so a dividend.
  const bool undefined_at_zero = op == Op::div || op == Op::pow;
  const std::uint32_t operands = operands_of_shapes(c, true);
  if (!undefined_at_zero || operands == 1) return operands;
  return operands_of_shapes(c, false);
}

void plan_binary_kernel(PlanContext& c, kernels::BinaryOp op) {
  Step& step = c.step();
  step.algorithm = "elementwise";
  step.kernel = isa_label(c);
  step.in_place = may_share_buffer(c, 0) ? 0 : (may_share_buffer(c, 1) ? 1 : -1);
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_plain(c, op);
  plan_blocked(c, op);
}

void plan_typed(PlanContext& c, const TypedBinary& entry) {
  const Broadcast plan = broadcast_operands(c);
  c.step().algorithm = "elementwise";
  c.step().run = [run = entry.run, plan, type = c.placement_in(0).type](const RunArgs& args) {
    run(type, plan, args.inputs[0], args.inputs[1], args.outputs[0],
        thread_share(args, plan.count, plan.count, kElementUnit));
  };
}

}  // namespace linnet::ops
