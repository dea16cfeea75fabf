// Channels of nchw16c tensors in another order: Concat and Split where blocks are taken apart, ChannelShuffle.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/op_def.h"

namespace linnet::ops {

constexpr std::size_t kMostGatheredInputs = 32;  // bits of LayoutRule::blocked_inputs

/// float32 [N,C,H,W] with a known C above 0.
bool has_channels(const graph::TensorDesc& desc);

/// Of an operator that moves the channels of its first `inputs` inputs: nchw16c if they come so and all outputs can be, too, at no
/// more than twice the memory.
LayoutRule layout_channel_gather(const NodeContext& context, std::size_t inputs);

/// Makes the step write the channels of the first `inputs` inputs, joined, to the outputs one after the other: where there are C,
/// channel i * group + g of the outputs is channel g * (C / group) + i of the inputs. All are nchw16c, or all plain [N,C,H,W].
void plan_channel_gather(PlanContext& context, std::size_t inputs, std::int64_t group = 1);

}  // namespace linnet::ops
