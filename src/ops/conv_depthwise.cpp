// Depthwise convolution on NCHW16c: one filter a channel.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/conv.h"

namespace linnet::ops {

namespace {

struct DepthwiseConv {
  const kernels::Table* table = nullptr;
  ConvProblem problem;
  BlockedOperands operands;
  BlockedExtent extent;  // of the output
  WeightStore::Buffer weights, bias;
  void run(const RunArgs& args) const;
};

void DepthwiseConv::run(const RunArgs& args) const {
  const Placement& out = operands.out;
  kernels::DepthwiseArguments a;
  a.x = source_view(operands.in, args.in<float>(kConvX));
  a.y = target_view(out, args.out<float>(0));
  if (operands.has_residual) a.residual = source_view(operands.residual, args.in<float>(kConvResidual));
  a.weights = weights->as<float>();
  a.bias = bias->as<float>();
  a.blocks = extent.blocks;
  a.in_h = static_cast<int>(problem.in_extent[0]);
  a.in_w = static_cast<int>(problem.in_extent[1]);
  a.out_w = static_cast<int>(problem.out_extent[1]);
  const Window& w = problem.window;
  a.kernel_h = static_cast<int>(w.kernel[0]);
  a.kernel_w = static_cast<int>(w.kernel[1]);
  a.stride_h = static_cast<int>(w.strides[0]);
  a.stride_w = static_cast<int>(w.strides[1]);
  a.dilation_h = static_cast<int>(w.dilations[0]);
  a.dilation_w = static_cast<int>(w.dilations[1]);
  a.pad_top = static_cast<int>(w.pads_begin[0]);
  a.pad_left = static_cast<int>(w.pads_begin[1]);
  a.clamp = {problem.lo, problem.hi};
  extent.each_share(args, [&](const kernels::PlaneRange& range) {
    // Plane by plane, so that the activation finds each in the cache.
    for (std::int64_t plane = range.plane_begin; plane < range.plane_end; ++plane) {
      a.range = {plane, plane + 1, range.row_begin, range.row_end};
      table->depthwise(a);
      kernels::BlockedTarget y = a.y;
      y.data = row_of(a.y, extent.blocks, plane, range.row_begin);
      apply_late_activation(problem, *table, y, 1, range.row_end - range.row_begin, problem.out_extent[1]);
    }
  });
}

/// As in the squeeze-and-excitation blocks of MobileNetV3 and EfficientNet.
bool feeds_global_pool(const NodeContext& c) {
  const std::vector<graph::NodeId>& consumers = c.graph().value(c.graph().node(c.id()).outputs[0]).consumers;
  return std::any_of(consumers.begin(), consumers.end(), [&](graph::NodeId id) {
    const std::string& type = c.graph().node(id).op_type;
    return type == "GlobalAveragePool" || type == "GlobalMaxPool";
  });
}

}  // namespace

void plan_conv_depthwise(PlanContext& c, const ConvProblem& problem) {
  auto d = std::make_shared<DepthwiseConv>();
  d->table = &c.kernels();
  d->problem = problem;
  d->operands = blocked_operands(c);
  d->extent = blocked_extent(c, d->operands.out);
  d->extent.whole_planes = feeds_global_pool(c);
  const std::int64_t taps = problem.taps(), padded = base::round_up(problem.out_channels, kBlock);
  const std::size_t bytes = base::to_size(base::checked_mul(padded * taps, 4, "packed weights"), "packed weights");
  d->weights = c.pack({kConvW, kConvScale}, "depthwise", bytes, [&](std::byte* raw) {
    const ConvFilter filter(c);
    float* const to = reinterpret_cast<float*>(raw);  // [C/16][tap][16]
    for (std::int64_t m = 0; m < problem.out_channels; ++m) {
      for (std::int64_t tap = 0; tap < taps; ++tap)
        to[(m / kBlock * taps + tap) * kBlock + m % kBlock] = filter.at(m, 0, tap);
    }
  });
  d->bias = pack_conv_bias(c, problem.out_channels);
  Step& step = c.step();
  step.weight_bytes = d->weights->bytes() + d->bias->bytes();
  step.algorithm = "depthwise";
  step.kernel = "row";
  finish_blocked(c, d->operands);
  step.run = [d](const RunArgs& args) { d->run(args); };
}

}  // namespace linnet::ops
