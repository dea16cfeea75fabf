#include "ops/channel_gather.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/elementwise.h"
#include "ops/extents.h"

namespace linnet::ops {

namespace {

constexpr std::int64_t kMostBlocks = 32;  // at a time

/// A tensor whose channels are [first, first + its own) of all inputs or outputs.
struct Part {
  Placement placement;
  std::int64_t first = 0;
};

/// Where the channels of the outputs come from, in their order.
class ChannelOrder {
 public:
  ChannelOrder(const PlanContext& c, std::size_t inputs, std::int64_t group) : group_(group) {
    for (std::size_t i = 0; i < inputs; ++i) {
      inputs_.push_back({c.placement_in(i), channels_});
      channels_ += inputs_.back().placement.shape[1];
    }
  }
  [[nodiscard]] const std::vector<Part>& inputs() const noexcept { return inputs_; }
  /// visit(l, number of the input, its channel) for channels first + l of the outputs, l < count.
  template <typename Visit>
  void each(std::int64_t first, std::int64_t count, const Visit& visit) const {
    std::int64_t lane = first % group_, row = first / group_;
    for (std::int64_t l = 0; l < count; ++l) {
      const std::int64_t channel = lane * (channels_ / group_) + row;
      const auto next = std::upper_bound(inputs_.begin(), inputs_.end(), channel,
                                         [](std::int64_t at, const Part& part) { return at < part.first; });
      visit(l, static_cast<std::size_t>(next - inputs_.begin()) - 1, channel - (next - 1)->first);
      if (++lane == group_) lane = 0, ++row;
    }
  }

 private:
  std::int64_t group_, channels_ = 0;
  std::vector<Part> inputs_;
};

struct BlockedChannelGather {
  struct Output : Part {
    WalkExtent extent;
  };
  const kernels::Table* table;
  ChannelOrder order;
  std::vector<Output> outputs;

  void run(const RunArgs& args) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i].extent.each_share(args, [&](const kernels::PlaneRange& range) { run_planes(args, i, range); });
    }
  }
  void run_planes(const RunArgs& args, std::size_t output, const kernels::PlaneRange& range) const {
    const Output& out = outputs[output];
    std::array<kernels::ChannelSource, kMostBlocks * kernels::kBlock> channels;
    const kernels::BlockedTarget y = target_view(out.placement, args.out<float>(output), out.extent.merged);
    kernels::GatherChannelsArguments k;
    k.x = channels.data();
    k.y = y;
    k.width = out.extent.width;
    k.row_begin = range.row_begin;
    k.row_end = range.row_end;
    for (std::int64_t plane = range.plane_begin; plane < range.plane_end; plane += k.blocks) {
      const std::int64_t image = plane / out.extent.blocks, block = plane % out.extent.blocks;
      k.blocks = static_cast<int>(std::min({kMostBlocks, out.extent.blocks - block, range.plane_end - plane}));
      const std::int64_t count =
          std::min(k.blocks * std::int64_t{kernels::kBlock}, out.placement.shape[1] - block * kernels::kBlock);
      std::fill_n(channels.begin(), k.blocks * kernels::kBlock, kernels::ChannelSource{});
      order.each(
          out.first + block * kernels::kBlock, count, [&](std::int64_t c, std::size_t input, std::int64_t channel) {
            const kernels::BlockedSource x =
                source_view(order.inputs()[input].placement, args.in<float>(input), out.extent.merged);
            channels[static_cast<std::size_t>(c)] = {
                x.data + image * x.image + channel / kernels::kBlock * x.plane + channel % kernels::kBlock, x.row};
          });
      k.y.data = row_of(y, out.extent.blocks, plane, 0);
      table->gather_channels(k);
    }
  }
};

struct PlainChannelGather {
  ChannelOrder order;
  std::vector<Part> outputs;
  std::int64_t images, pixels;

  void run(const RunArgs& args) const {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const std::int64_t channels = outputs[i].placement.shape[1];
      const Range mine = thread_share(args, images * channels, images * channels * pixels);
      for (std::int64_t plane = mine.first; plane < mine.last; ++plane) {
        order.each(outputs[i].first + plane % channels, 1, [&](std::int64_t, std::size_t input, std::int64_t channel) {
          const std::int64_t from = plane / channels * order.inputs()[input].placement.shape[1] + channel;
          std::copy_n(args.in<float>(input) + from * pixels, pixels, args.out<float>(i) + plane * pixels);
        });
      }
    }
  }
};

/// Channels, and those of whole blocks.
struct ChannelCount {
  std::int64_t own = 0, padded = 0;
  void add(const graph::TensorDesc& desc) {
    const std::int64_t channels = (*desc.shape)[1].value;
    own = base::checked_add(own, channels, "channels");
    padded = base::checked_add(padded, base::round_up(channels, std::int64_t{kernels::kBlock}), "channels");
  }
  [[nodiscard]] bool fills_blocks() const { return padded <= 2 * base::round_up(own, std::int64_t{kernels::kBlock}); }
};

}  // namespace

bool has_channels(const graph::TensorDesc& desc) { return can_be_blocked(desc) && (*desc.shape)[1].value > 0; }

LayoutRule layout_channel_gather(const NodeContext& c, std::size_t inputs) {
  if (inputs > kMostGatheredInputs) return {};
  LayoutRule rule;
  rule.preference = LayoutRule::Preference::follow;
  ChannelCount read, written;
  for (std::size_t i = 0; i < inputs; ++i) {
    if (!has_channels(c.input(i))) return {};
    rule.blocked_inputs |= 1u << i;
    read.add(c.input(i));
  }
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    if (!c.has_output(i) || !has_channels(c.graph().value(c.node().outputs[i]).desc)) return {};
    written.add(c.graph().value(c.node().outputs[i]).desc);
  }
  return read.fills_blocks() && written.fills_blocks() ? rule : LayoutRule{};
}

void plan_channel_gather(PlanContext& c, std::size_t inputs, std::int64_t group) {
  ChannelOrder order(c, inputs, group);
  std::vector<Part> outputs;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    outputs.push_back({c.placement_out(i), first});
    first += outputs.back().placement.shape[1];
  }
  c.step().algorithm = "gather_channels";
  if (outputs[0].placement.elements() == 0) return;
  if (outputs[0].placement.layout == graph::Layout::plain) {
    const Shape& shape = outputs[0].placement.shape;
    PlainChannelGather gather{std::move(order), std::move(outputs), shape[0], shape[2] * shape[3]};
    c.step().run = [gather = std::move(gather)](const RunArgs& args) { gather.run(args); };
    return;
  }
  BlockedChannelGather gather{&c.kernels(), std::move(order), {}};
  for (Part& output : outputs) {
    std::vector<const Placement*> operands;
    for (const Part& input : gather.order.inputs()) operands.push_back(&input.placement);
    operands.push_back(&output.placement);
    const WalkExtent extent = walk_extent(c, operands);
    gather.outputs.push_back({std::move(output), extent});
  }
  c.step().kernel = isa_label(c);
  c.step().run = [gather = std::move(gather)](const RunArgs& args) { gather.run(args); };
}

// ChannelShuffle (domain "linnet").

namespace {

std::int64_t group_of(const NodeContext& c) { return c.attribute_int("group", 1); }

}  // namespace

void infer_channel_shuffle(InferContext& c) {
  graph::DimList joined;
  std::int64_t channels = 0;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    const graph::TensorDesc& input = c.input(i);
    if (!has_channels(input))
      c.fail(ErrorCode::model, "its channels are not known", c.input_label(i), "float32 [N,C,H,W]",
             graph::to_string(input));
    channels = base::checked_add(channels, (*input.shape)[1].value, "channels");
    if (i == 0) joined = *input.shape;
    for (const std::size_t axis : {0U, 2U, 3U}) joined[axis] = joined_extent(c, i, joined[axis], (*input.shape)[axis]);
  }
  const std::vector<std::int64_t> split = c.attribute_ints("split");
  const std::int64_t dealt = std::accumulate(split.begin(), split.end(), std::int64_t{0});
  if (split.size() != c.output_count() || dealt != channels || group_of(c) < 1 || channels % group_of(c) != 0)
    c.fail(ErrorCode::model, "the channels cannot be dealt out so");
  for (std::size_t i = 0; i < split.size(); ++i) {
    joined[1] = graph::Dim(split[i]);
    c.set_output(i, DataType::float32, joined);
  }
}

LayoutRule layout_channel_shuffle(const NodeContext& c) { return layout_channel_gather(c, c.input_count()); }

void plan_channel_shuffle(PlanContext& c) { plan_channel_gather(c, c.input_count(), group_of(c)); }

}  // namespace linnet::ops
