// LRN: local response normalization across channels.
#include <algorithm>
#include <cmath>
#include <string>

#include "base/checked_math.h"
#include "ops/normalization.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// Both kernels' parameters.
template <typename Arguments>
void read_parameters(const NodeContext& c, Arguments& k) {
  k.size = kernel_int(c, c.attribute_int("size", 0));
  k.alpha = c.attribute_float("alpha", 1e-4f);
  k.beta = c.attribute_float("beta", 0.75f);
  k.bias = c.attribute_float("bias", 1.0f);
}

void plan_plain(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  const std::int64_t n = c.placement_in(0).elements();
  kernels::LrnArguments k;
  read_parameters(c, k);
  k.channels = shape[1];
  k.pixels = norm_rows(shape, 2).n;
  const std::int64_t pixels = k.channels == 0 ? 0 : shape[0] * k.pixels;
  c.step().run = [k, n, pixels, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, pixels, n, kElementUnit);
    kernels::LrnArguments call = k;
    call.x = args.in<float>(0);
    call.y = args.out<float>(0);
    call.begin = mine.first;
    call.end = mine.last;
    table->lrn(call);
  };
}

/// x / (bias + alpha / size * sum of the neighbours' squares)^beta.
void plan_double(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  const std::int64_t n = c.placement_in(0).elements(), channels = shape[1], pixels = norm_rows(shape, 2).n;
  kernels::LrnArguments k;
  read_parameters(c, k);
  c.step().run = [=](const RunArgs& args) {
    const Range mine = thread_share(args, n, n * k.size, kElementUnit);
    const double factor = static_cast<double>(k.alpha) / static_cast<double>(k.size);
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      const std::int64_t channel = i / pixels % channels;
      const double* const pixel = args.in<double>(0) + i - channel * pixels;
      const std::int64_t first = std::max<std::int64_t>(0, channel - (k.size - 1) / 2);
      const std::int64_t last = std::min<std::int64_t>(channels - 1, channel + k.size / 2);
      double squares = 0;
      for (std::int64_t at = first; at <= last; ++at) squares += pixel[at * pixels] * pixel[at * pixels];
      args.out<double>(0)[i] = pixel[channel * pixels] /
                               std::pow(static_cast<double>(k.bias) + factor * squares, static_cast<double>(k.beta));
    }
  };
}

void plan_blocked(PlanContext& c) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  const BlockedExtent e = blocked_extent(c, in);
  kernels::BlockedLrnArguments k;
  read_parameters(c, k);
  k.blocks = e.blocks;
  k.width = e.width;
  c.step().in_place = may_share_buffer(c, 0) ? 0 : -1;
  c.step().thread_scratch_bytes = static_cast<std::size_t>(kernels::lrn_scratch(k.blocks, k.size)) * sizeof(float);
  c.step().run = [k, in, out, e, table = &c.kernels()](const RunArgs& args) {
    kernels::BlockedLrnArguments call = k;
    call.x = source_view(in, args.in<float>(0));
    call.y = target_view(out, args.out<float>(0));
    call.scratch = reinterpret_cast<float*>(args.thread_scratch);
    // A window reaches over all blocks: images take the place of planes.
    each_plane_range(thread_share(args, e.images * e.height, e.elements()), e.height,
                     [&](const kernels::PlaneRange& range) {
                       call.image_begin = range.plane_begin;
                       call.image_end = range.plane_end;
                       call.row_begin = range.row_begin;
                       call.row_end = range.row_end;
                       table->blocked_lrn(call);
                     });
  };
}

}  // namespace

void infer_lrn(InferContext& c) {
  require_channels(c);
  const std::int64_t size = c.attribute_int("size", 0);
  if (size < 1 || size > (std::int64_t{1} << 20)) {
    c.fail(ErrorCode::model, "the window of channels is out of range", "attribute 'size'", "1 to 1048576",
           std::to_string(size));
  }
  c.set(0, c.input(0));
}

void plan_lrn(PlanContext& c) {
  c.step().algorithm = "lrn";
  if (c.placement_in(0).type == DataType::float64) return plan_double(c);
  c.step().kernel = isa_label(c);
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_plain(c);
  plan_blocked(c);
}

LayoutRule layout_lrn(const NodeContext& c) {
  // 0 * (bias + 0)^-beta is 0 only for a positive bias.
  const bool padding_stays = c.attribute_float("bias", 1.0f) > 0.0f;
  if (!can_be_blocked(c.input(0)) || (!padding_stays && !has_whole_blocks(c.input(0)))) return {};
  return {LayoutRule::Preference::follow, 1};
}

}  // namespace linnet::ops
