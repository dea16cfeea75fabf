#include "ops/conv.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::int64_t kMostPads = 1 << 20;  // of one side, where they are a halo

/// All operands are of the input's type.
void require_floats(const NodeContext& c) {
  require_types(c, kConvX, kRealTypes);
  for (const std::size_t i : {kConvW, kConvB, kConvResidual}) {
    if (c.has_input(i)) require_same_type(c, kConvX, i);
  }
}

/// Shape of the filter [M, C/group, k...], checked against kernel_shape and the input's rank.
DimList filter_shape(const NodeContext& c, std::size_t filter, std::size_t rank) {
  const graph::TensorDesc& w = c.input(filter);
  if (!w.has_rank()) return {};
  if (w.shape->size() != rank) {
    c.fail(ErrorCode::model, "the filter's rank is not the input's", c.input_label(filter), std::to_string(rank) + "-D",
           graph::to_string(w));
  }
  return *w.shape;
}

std::vector<std::int64_t> kernel_extents(const NodeContext& c, const DimList& filter) {
  std::vector<std::int64_t> kernel = c.attribute_ints("kernel_shape");
  std::vector<std::int64_t> from_filter;
  for (std::size_t i = 2; i < filter.size(); ++i) {
    if (filter[i].known()) from_filter.push_back(filter[i].value);
  }
  const bool filter_known = filter.size() >= 3 && from_filter.size() == filter.size() - 2;
  if (kernel.empty()) return filter_known ? from_filter : kernel;
  if (filter_known && kernel != from_filter) {
    c.fail(ErrorCode::model, "kernel_shape is not the filter's shape", "attribute 'kernel_shape'",
           to_string(from_filter), to_string(kernel));
  }
  return kernel;
}

void check_channels(const NodeContext& c, std::size_t filter, const DimList& x, const DimList& w, std::int64_t groups) {
  if (groups < 1)
    c.fail(ErrorCode::model, "group is not positive", "attribute 'group'", "at least 1", std::to_string(groups));
  if (w.size() < 2) return;
  if (x[1].known() && w[1].known() &&
      x[1].value != base::checked_mul(w[1].value, groups, "channels of a convolution")) {
    c.fail(ErrorCode::model, "the filter does not fit the input's channels", c.input_label(filter),
           std::to_string(x[1].value) + " channels", std::to_string(w[1].value) + " x group " + std::to_string(groups));
  }
  if (w[0].known() && w[0].value % groups != 0) {
    c.fail(ErrorCode::model, "the output channels are not a multiple of group", c.input_label(filter),
           "a multiple of " + std::to_string(groups), std::to_string(w[0].value));
  }
}

}  // namespace

void check_channel_vector(const NodeContext& c, std::size_t i, const Dim& length) {
  if (!c.has_input(i) || !c.input(i).has_rank()) return;
  const DimList& shape = *c.input(i).shape;
  if (shape.size() != 1 || (shape[0].known() && length.known() && shape[0].value != length.value)) {
    c.fail(ErrorCode::model, "one value an output channel is needed", c.input_label(i),
           "[" + std::to_string(length.value) + "]", graph::to_string(c.input(i)));
  }
}

void infer_conv(InferContext& c) {
  require_floats(c);
  const Dim channels = infer_conv_shape(c, c.input(kConvX).type, kConvW);
  check_channel_vector(c, kConvB, channels);
}

Dim infer_conv_shape(InferContext& c, DataType type, std::size_t filter) {
  const graph::TensorDesc& x = c.input(kConvX);
  if (!x.has_rank()) {
    c.set_output_unknown_rank(0, type);
    return {};
  }
  const std::size_t rank = x.shape->size();
  if (rank < 3)
    c.fail(ErrorCode::model, "the input needs a batch, channels and at least one spatial axis", c.input_label(kConvX),
           "3-D or more", graph::to_string(x));
  const DimList w = filter_shape(c, filter, rank);
  const std::int64_t groups = c.attribute_int("group", 1);
  check_channels(c, filter, *x.shape, w, groups);
  const std::vector<std::int64_t> kernel = kernel_extents(c, w);
  DimList out(rank);
  out[0] = (*x.shape)[0];
  if (!w.empty()) out[1] = w[0];
  if (!kernel.empty()) {
    if (kernel.size() != rank - 2) {
      c.fail(ErrorCode::model, "kernel_shape has the wrong number of entries", "attribute 'kernel_shape'",
             std::to_string(rank - 2), std::to_string(kernel.size()));
    }
    const DimList spatial(x.shape->begin() + 2, x.shape->end());
    const Window window = read_window(c, kernel, spatial);
    const DimList extents = window_extents(c, window, spatial);
    std::copy(extents.begin(), extents.end(), out.begin() + 2);
  }
  Dim channels = out[1];
  c.set_output(0, type, std::move(out));
  return channels;
}

LayoutRule layout_conv(const NodeContext& c) {
  const Tensor* w = c.constant(kConvW);
  if (w == nullptr || !can_be_blocked(c.input(kConvX)) || w->rank() != 4) return {};
  if (c.has_input(kConvB) && c.constant(kConvB) == nullptr) return {};
  const std::int64_t groups = c.attribute_int("group", 1);
  const std::int64_t in_channels = w->shape()[1] * groups, out_channels = w->shape()[0];
  if (groups < 1 || out_channels % groups != 0) return {};
  if (out_channels % kBlock != 0 && !keeps_zero(read_activation(c))) return {};
  LayoutRule rule;
  rule.preference = LayoutRule::Preference::blocked;
  const bool plain_input = groups == 1 && in_channels <= kMostPlainChannels;
  if (!plain_input) rule.blocked_inputs |= 1u << kConvX;
  if (c.has_input(kConvResidual)) rule.blocked_inputs |= 1u << kConvResidual;
  return rule;
}

Halo halo_conv(const NodeContext& c, std::size_t input) {
  if (input != kConvX || !c.input(kConvX).is_static()) return {};
  const Tensor* w = c.constant(kConvW);
  const std::int64_t groups = c.attribute_int("group", 1);
  if (w == nullptr || (groups > 1 && groups == w->shape()[0] && w->shape()[1] == 1))
    return {};  // depthwise skips taps itself
  const Shape shape = c.input(kConvX).static_shape();
  const Window window = read_window(c, {w->shape()[2], w->shape()[3]}, {Dim(shape[2]), Dim(shape[3])});
  // Larger ones are refused when the convolution is planned, or have made the arena too large before.
  const auto clip = [](std::int64_t x) { return static_cast<std::int32_t>(std::min(x, kMostPads)); };
  return {clip(window.pads_begin[0]), clip(window.pads_begin[1]), clip(window.pads_end[0]), clip(window.pads_end[1])};
}

std::int64_t ConvProblem::taps() const {
  return std::accumulate(window.kernel.begin(), window.kernel.end(), std::int64_t{1}, std::multiplies<>());
}
std::int64_t ConvProblem::out_pixels() const {
  return std::accumulate(out_extent.begin(), out_extent.end(), std::int64_t{1}, std::multiplies<>());
}
std::int64_t ConvProblem::macs() const {
  return images * out_channels * out_pixels() * (in_channels / groups) * taps();
}

std::string tuning_shape(const ConvProblem& p, const std::string& algorithm, bool has_residual) {
  const auto list = [](const std::vector<std::int64_t>& values) {
    std::string text;
    for (const std::int64_t value : values) text += (text.empty() ? "" : "x") + std::to_string(value);
    return text;
  };
  Shape input = {p.images, p.in_channels};
  input.insert(input.end(), p.in_extent.begin(), p.in_extent.end());
  std::string text = algorithm + ' ' + list(input) + " to " + std::to_string(p.out_channels) + ", kernel " +
                     list(p.window.kernel) + ", strides " + list(p.window.strides);
  text += ", pads " + list(p.window.pads_begin) + ' ' + list(p.window.pads_end);
  text += ", dilations " + list(p.window.dilations) + ", group " + std::to_string(p.groups);
  return has_residual ? text + ", residual" : text;
}

ConvProblem conv_problem(PlanContext& c, std::size_t filter) {
  const Shape& x = c.placement_in(kConvX).shape;
  const Shape& y = c.placement_out(0).shape;
  const Shape& w = c.placement_in(filter).shape;
  ConvProblem p;
  p.images = x[0];
  p.in_channels = x[1];
  p.out_channels = y[1];
  p.groups = c.attribute_int("group", 1);
  p.in_extent.assign(x.begin() + 2, x.end());
  p.out_extent.assign(y.begin() + 2, y.end());
  p.window = read_window(c, {w.begin() + 2, w.end()}, DimList(p.in_extent.begin(), p.in_extent.end()));
  p.activation = read_activation(c);
  const std::optional<kernels::Clamp> clamp = clamp_bounds(p.activation);
  p.late_activation = !clamp.has_value();
  p.lo = clamp ? clamp->lo : -std::numeric_limits<float>::infinity();
  p.hi = clamp ? clamp->hi : std::numeric_limits<float>::infinity();
  return p;
}

ConvFilter::ConvFilter(const NodeContext& c) {
  const Tensor* w = c.constant(kConvW);
  w_ = w->data<float>().data();
  channels_ = w->shape()[1];
  taps_ = 1;
  for (std::size_t i = 2; i < w->rank(); ++i) taps_ *= w->shape()[i];
  if (const Tensor* scale = c.constant(kConvScale)) scale_ = scale->data<double>().data();
}

WeightStore::Buffer pack_conv_bias(PlanContext& c, std::int64_t out_channels) {
  const std::size_t bytes = static_cast<std::size_t>(base::round_up(out_channels, kBlock)) * sizeof(float);
  const Tensor* bias = c.constant(kConvB);
  return c.pack({kConvB}, "bias", bytes, [bias](std::byte* to) {
    if (bias != nullptr) std::copy_n(static_cast<const std::byte*>(bias->raw()), bias->bytes(), to);
  });
}

BlockedOperands blocked_operands(PlanContext& c) {
  BlockedOperands o;
  o.in = c.placement_in(kConvX);
  o.out = c.placement_out(0);
  o.has_residual = c.has_input(kConvResidual);
  if (o.has_residual) o.residual = c.placement_in(kConvResidual);
  return o;
}

void finish_blocked(PlanContext& c, const BlockedOperands& o) {
  c.packed({kConvW, kConvScale});
  c.packed({kConvB});
  if (o.has_residual && o.residual.halo == o.out.halo) c.step().in_place = static_cast<int>(kConvResidual);
}

void apply_late_activation(const ConvProblem& p, const kernels::Table& table, const kernels::BlockedTarget& y,
                           std::int64_t blocks, std::int64_t rows, std::int64_t pixels) {
  if (!p.late_activation) return;
  for (std::int64_t b = 0; b < blocks; ++b) {
    for (std::int64_t row = 0; row < rows; ++row)
      apply_activation(table, p.activation, y.data + b * y.plane + row * y.row, pixels * kBlock);
  }
}

namespace {

/// The kernels count pixels in an int, and read as much of the padding as there is halo.
void require_reach(const NodeContext& c, const ConvProblem& p) {
  require_countable(c, p.window, p.in_extent);
  (void)kernel_int(c, p.out_pixels());
  for (const std::vector<std::int64_t>& pads : {p.window.pads_begin, p.window.pads_end}) {
    const std::int64_t most = *std::max_element(pads.begin(), pads.end());
    if (most > kMostPads)
      c.fail(ErrorCode::limit, "a convolution has too much padding", "attribute 'pads'",
             "at most " + std::to_string(kMostPads), std::to_string(most));
  }
}

}  // namespace

void plan_conv(PlanContext& c) {
  const ConvProblem p = conv_problem(c);
  // Kernels read it at the output's addresses.
  if (c.has_input(kConvResidual) && c.placement_in(kConvResidual).shape != c.placement_out(0).shape) {
    c.fail(ErrorCode::internal, "a residual has another shape than the sum", c.input_label(kConvResidual),
           to_string(c.placement_out(0).shape), to_string(c.placement_in(kConvResidual).shape));
  }
  c.step().macs = p.macs();
  if (c.placement_in(kConvX).type == DataType::float64) return plan_conv_double(c, p, false);
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_conv_gather(c, p, false);
  require_reach(c, p);
  if (p.groups > 1 && p.groups == p.in_channels && p.groups == p.out_channels) return plan_conv_depthwise(c, p);
  const bool plain_input = c.placement_in(kConvX).layout == graph::Layout::plain;
  const std::optional<WinogradForm> form = c.options().winograd ? winograd_form(p, plain_input) : std::nullopt;
  if (form) return plan_conv_winograd(c, p, *form);
  plan_conv_direct(c, p);
}

}  // namespace linnet::ops
