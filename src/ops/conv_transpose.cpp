// ConvTranspose: the gradient of a convolution with respect to its input.
#include <algorithm>
#include <array>
#include <numeric>
#include <string>

#include "base/checked_math.h"
#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// The filter [C, M/group, k...]; empty if its rank is not known.
DimList filter_shape(const NodeContext& c, std::size_t rank) {
  const graph::TensorDesc& w = c.input(kConvW);
  if (rank < 3 || (w.has_rank() && w.shape->size() != rank)) {
    c.fail(ErrorCode::model, "the filter needs the input's rank, 3 or more", c.input_label(kConvW),
           std::to_string(rank) + "-D", graph::to_string(w));
  }
  return w.has_rank() ? *w.shape : DimList();
}

/// kernel_shape, or what the filter says of it; empty while an extent is not known.
std::vector<std::int64_t> kernel_of(const NodeContext& c, const DimList& w, std::size_t spatial) {
  const std::vector<std::int64_t> stated = c.attribute_ints("kernel_shape");
  std::vector<std::int64_t> kernel = stated;
  kernel.resize(spatial, -1);
  bool fits = stated.empty() || stated.size() == spatial;
  for (std::size_t i = 2; i < w.size(); ++i) {
    if (!w[i].known()) continue;
    fits = fits && (stated.empty() || kernel[i - 2] == w[i].value);
    kernel[i - 2] = w[i].value;
  }
  if (!fits) {
    c.fail(ErrorCode::model, "kernel_shape is not the filter's shape", "attribute 'kernel_shape'",
           graph::to_string(c.input(kConvW)), to_string(stated));
  }
  return std::find(kernel.begin(), kernel.end(), -1) == kernel.end() ? kernel : std::vector<std::int64_t>();
}

/// Pads of one axis for a required output extent (ONNX: the odd pixel goes to the end with SAME_UPPER, else to the beginning).
void pads_for_output(Window& w, std::size_t axis, std::int64_t total, bool upper) {
  w.pads_begin[axis] = upper ? total / 2 : total - total / 2;
  w.pads_end[axis] = total - w.pads_begin[axis];
}

struct TransposedWindow {
  Window window;
  std::vector<std::int64_t> out;  // -1: unknown
};

TransposedWindow transposed_window(const NodeContext& c, const std::vector<std::int64_t>& kernel,
                                   const DimList& spatial) {
  const std::size_t n = kernel.size();
  // SAME padding of a transposed convolution is defined by the output, not the input, so it is worked out below.
  TransposedWindow t{read_window(c, kernel, DimList(n)), std::vector<std::int64_t>(n, -1)};
  const std::vector<std::int64_t> padding = c.attribute_ints("output_padding", std::vector<std::int64_t>(n, 0));
  const std::vector<std::int64_t> wanted = c.attribute_ints("output_shape");
  if (padding.size() != n) {
    c.fail(ErrorCode::model, "an attribute has the wrong number of entries", "attribute 'output_padding'",
           std::to_string(n), std::to_string(padding.size()));
  }
  if (!wanted.empty() && wanted.size() != n && wanted.size() != n + 2) {
    c.fail(ErrorCode::model, "an attribute has the wrong number of entries", "attribute 'output_shape'",
           std::to_string(n), std::to_string(wanted.size()));
  }
  const std::string auto_pad = c.attribute_string("auto_pad", "NOTSET");
  for (std::size_t axis = 0; axis < n; ++axis) {
    if (!spatial[axis].known()) continue;
    if (padding[axis] < 0) {
      c.fail(ErrorCode::model, "output_padding is negative", "attribute 'output_padding'", "0 or more",
             std::to_string(padding[axis]));
    }
    constexpr const char* kWhat = "an output extent";
    const std::int64_t reach = base::checked_mul(kernel[axis] - 1, t.window.dilations[axis], kWhat);
    const std::int64_t full =
        base::checked_add(base::checked_mul(t.window.strides[axis], spatial[axis].value - 1, kWhat),
                          base::checked_add(padding[axis], base::checked_add(reach, 1, kWhat), kWhat), kWhat);
    const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
    if (!wanted.empty() || same) {
      const std::int64_t out = wanted.empty() ? base::checked_mul(spatial[axis].value, t.window.strides[axis], kWhat)
                                              : wanted[axis + wanted.size() - n];
      if (out < 0) c.fail(ErrorCode::model, "the output extent is negative", "spatial axis " + std::to_string(axis));
      pads_for_output(t.window, axis, std::max<std::int64_t>(0, base::checked_sub(full, out, kWhat)),
                      auto_pad == "SAME_UPPER");
      t.out[axis] = out;
    } else {
      t.out[axis] = full - t.window.pads_begin[axis] - t.window.pads_end[axis];
    }
    if (t.out[axis] < 0)
      c.fail(ErrorCode::model, "the output extent is negative", "spatial axis " + std::to_string(axis));
  }
  return t;
}

}  // namespace

void infer_conv_transpose(InferContext& c) {
  const graph::TensorDesc &x = c.input(kConvX), &w = c.input(kConvW);
  require_types(c, kConvX, kRealTypes);
  require_same_type(c, kConvX, kConvW);
  if (c.has_input(kConvB)) require_same_type(c, kConvX, kConvB);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  const std::size_t rank = x.shape->size();
  const DimList filter = filter_shape(c, rank);
  const std::int64_t groups = c.attribute_int("group", 1);
  const Dim& channels = (*x.shape)[1];
  const Dim filters = filter.empty() ? Dim() : filter[0];  // as many as input channels
  if (groups < 1 || (channels.known() && channels.value % groups != 0) ||
      (channels.known() && filters.known() && channels.value != filters.value)) {
    c.fail(ErrorCode::model, "the filter does not fit the input's channels", c.input_label(kConvW), graph::to_string(x),
           graph::to_string(w));
  }
  DimList out(rank);
  out[0] = (*x.shape)[0];
  if (!filter.empty() && filter[1].known()) out[1] = base::checked_mul(filter[1].value, groups, "output channels");
  check_channel_vector(c, kConvB, out[1]);
  const std::vector<std::int64_t> kernel = kernel_of(c, filter, rank - 2);
  if (!kernel.empty()) {
    const TransposedWindow t = transposed_window(c, kernel, {x.shape->begin() + 2, x.shape->end()});
    for (std::size_t axis = 0; axis < kernel.size(); ++axis) out[axis + 2] = Dim(t.out[axis]);
  }
  c.set_output(0, x.type, std::move(out));
}

namespace {

/// The pixels around the input that some output pixel reads: rows before, columns before, rows after, columns after.
std::array<std::int64_t, 4> reach(const NodeContext& c) {
  const Shape x = c.input(kConvX).static_shape();
  const std::vector<std::int64_t> kernel = kernel_of(c, *c.input(kConvW).shape, 2);
  const TransposedWindow t = transposed_window(c, kernel, {Dim(x[2]), Dim(x[3])});
  std::array<std::int64_t, 4> pixels = {};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t stride = t.window.strides[axis], pad = t.window.pads_begin[axis];
    const std::int64_t before = (kernel[axis] - 1) * t.window.dilations[axis] - pad;
    pixels[axis] = base::ceil_div(std::max<std::int64_t>(0, before), stride);
    pixels[axis + 2] = std::max<std::int64_t>(0, (t.out[axis] - 1 + pad) / stride - x[axis + 2] + 1);
  }
  return pixels;
}

}  // namespace

/// Blocked where every output pixel has a tap: the phases of a stride wider than the window would be empty.
LayoutRule layout_conv_transpose(const NodeContext& c) {
  constexpr std::int64_t kMostReach = 256;
  const Tensor* w = c.constant(kConvW);
  if (w == nullptr || w->rank() != 4 || c.input(kConvX).type != DataType::float32 || !c.input(kConvX).is_static())
    return {};
  if (c.has_input(kConvB) && c.constant(kConvB) == nullptr) return {};
  const std::int64_t groups = c.attribute_int("group", 1), in = w->shape()[0] / groups, out = w->shape()[1];
  if (groups > 1 && (in % kBlock != 0 || out % kBlock != 0)) return {};
  const Window window = read_window(c, {w->shape()[2], w->shape()[3]}, DimList(2));
  for (std::size_t axis = 0; axis < 2; ++axis) {
    // Taps a dilation apart meet every phase if the two have no common divisor and there are as many taps as phases.
    const std::int64_t stride = window.strides[axis];
    if (stride > w->shape()[axis + 2] || std::gcd(stride, window.dilations[axis]) != 1) return {};
  }
  const std::array<std::int64_t, 4> pixels = reach(c);
  if (*std::max_element(pixels.begin(), pixels.end()) > kMostReach) return {};
  return {LayoutRule::Preference::blocked, 1u << kConvX, out < kBlock};
}

Halo halo_conv_transpose(const NodeContext& c, std::size_t input) {
  if (input != kConvX || !c.input(kConvX).is_static()) return {};
  const std::array<std::int64_t, 4> pixels = reach(c);
  return {static_cast<std::int32_t>(pixels[0]), static_cast<std::int32_t>(pixels[1]),
          static_cast<std::int32_t>(pixels[2]), static_cast<std::int32_t>(pixels[3])};
}

void plan_conv_transpose(PlanContext& c) {
  const Shape &x = c.placement_in(kConvX).shape, &y = c.placement_out(0).shape, &w = c.placement_in(kConvW).shape;
  ConvProblem p;
  p.images = x[0];
  p.in_channels = x[1];
  p.out_channels = y[1];
  p.groups = c.attribute_int("group", 1);
  p.in_extent.assign(x.begin() + 2, x.end());
  p.out_extent.assign(y.begin() + 2, y.end());
  p.window = transposed_window(c, {w.begin() + 2, w.end()}, DimList(p.in_extent.begin(), p.in_extent.end())).window;
  p.lo = -std::numeric_limits<float>::infinity();
  p.hi = std::numeric_limits<float>::infinity();
  c.step().macs = p.images * p.out_channels * (p.in_channels / p.groups) * p.taps();
  for (const std::int64_t extent : p.in_extent) c.step().macs *= extent;
  if (c.placement_in(kConvX).type == DataType::float64) return plan_conv_double(c, p, true);
  if (c.placement_in(kConvX).layout == graph::Layout::nchw16c) return plan_conv_transpose_phases(c, p);
  plan_conv_gather(c, p, true);
}

}  // namespace linnet::ops
