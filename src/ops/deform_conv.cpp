// DeformConv: a convolution whose taps are each moved by an offset that an input gives, and weighted by a mask (Dai et al.,
// "Deformable Convolutional Networks", 2017; Zhu et al., "Deformable ConvNets v2", 2019).
#include <array>
#include <cmath>
#include <memory>
#include <string>

#include "base/checked_math.h"
#include "ops/conv_gather.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

// Inputs: X, W, offset, B, mask.
constexpr std::size_t kOffset = 2, kBias = 3, kMask = 4;

/// A place between four pixels; what lies outside of the picture is 0.
struct Place {
  std::array<std::int32_t, 4> offset;  // -1: outside
  std::array<float, 4> weight;

  [[nodiscard]] float value(const float* plane) const {
    float sum = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      if (offset[i] >= 0) sum += weight[i] * plane[offset[i]];
    }
    return sum;
  }
};

class DeformedRows final : public ConvRows {
 public:
  DeformedRows(ConvProblem problem, std::int64_t offset_groups, bool masked)
      : problem_(std::move(problem)), offset_groups_(offset_groups), masked_(masked) {}

  [[nodiscard]] std::int64_t place_bytes() const override {
    return base::checked_mul(offset_groups_ * kPixels * static_cast<std::int64_t>(sizeof(Place)), problem_.taps(),
                             "scratch");
  }
  [[nodiscard]] bool moves_with_image() const override { return true; }

  /// [offset group][tap][pixel]
  void locate(const RunArgs& args, std::int64_t image, std::int64_t first, std::int64_t count,
              std::byte* places) const override {
    auto* to = reinterpret_cast<Place*>(places);
    const std::int64_t taps = problem_.taps(), pixels = problem_.out_pixels();
    for (std::int64_t i = image * offset_groups_ * taps; i < (image + 1) * offset_groups_ * taps; ++i, to += kPixels) {
      const float* const offset = args.in<float>(kOffset) + 2 * i * pixels + first;
      const float* const mask = masked_ ? args.in<float>(kMask) + i * pixels + first : nullptr;
      for (std::int64_t p = 0; p < count; ++p) {
        to[p] = place(i % taps, first + p, offset[p], offset[pixels + p]);
        for (float& weight : to[p].weight) weight *= mask != nullptr ? mask[p] : 1.0f;
      }
    }
  }

  void gather(const RunArgs& args, std::int64_t image, std::int64_t group, const std::byte* places, std::int64_t count,
              float* rows) const override {
    const std::int64_t taps = problem_.taps(), channels = problem_.in_channels / problem_.groups, k = channels * taps;
    const std::int64_t in_pixels = problem_.in_extent[0] * problem_.in_extent[1];
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t channel = group * channels + c;
      const float* const plane = args.in<float>(kConvX) + (image * problem_.in_channels + channel) * in_pixels;
      const auto* from =
          reinterpret_cast<const Place*>(places) + channel / (problem_.in_channels / offset_groups_) * taps * kPixels;
      for (std::int64_t tap = 0; tap < taps; ++tap, from += kPixels) {
        float* to = rows + c * taps + tap;
        for (std::int64_t p = 0; p < count; ++p, to += k) *to = from[p].value(plane);
      }
    }
  }

 private:
  [[nodiscard]] Place place(std::int64_t tap, std::int64_t pixel, float down, float right) const {
    const Window& w = problem_.window;
    const auto at = [&](std::size_t axis, std::int64_t out, std::int64_t t, float moved) {
      return static_cast<float>(out * w.strides[axis] - w.pads_begin[axis] + t * w.dilations[axis]) + moved;
    };
    const float y = at(0, pixel / problem_.out_extent[1], tap / w.kernel[1], down);
    const float x = at(1, pixel % problem_.out_extent[1], tap % w.kernel[1], right);
    const std::int64_t height = problem_.in_extent[0], width = problem_.in_extent[1];
    Place result{{-1, -1, -1, -1}, {}};
    // So written that a NaN is outside.
    if (!(y > -1 && y < static_cast<float>(height) && x > -1 && x < static_cast<float>(width))) return result;
    const float top = std::floor(y), left = std::floor(x), low = y - top, far = x - left;
    result.weight = {(1 - low) * (1 - far), (1 - low) * far, low * (1 - far), low * far};
    for (std::size_t i = 0; i < 4; ++i) {
      const std::int64_t row = static_cast<std::int64_t>(top) + static_cast<std::int64_t>(i / 2);
      const std::int64_t column = static_cast<std::int64_t>(left) + static_cast<std::int64_t>(i % 2);
      if (row >= 0 && row < height && column >= 0 && column < width)
        result.offset[i] = static_cast<std::int32_t>(row * width + column);
    }
    return result;
  }

  ConvProblem problem_;
  std::int64_t offset_groups_;
  bool masked_;
};

/// Offset or mask: `each` values an offset group and tap, for every output pixel.
void check_moves(const NodeContext& c, std::size_t input, std::int64_t each, const DimList& y) {
  const graph::TensorDesc& moves = c.input(input);
  if (!moves.has_rank()) return;
  const graph::TensorDesc& w = c.input(kConvW);
  DimList expected = {y[0], Dim(), y[2], y[3]};
  if (w.has_rank() && (*w.shape)[2].known() && (*w.shape)[3].known()) {
    const std::int64_t taps = base::checked_mul((*w.shape)[2].value, (*w.shape)[3].value, "the taps of a convolution");
    expected[1] = Dim(base::checked_mul(taps, each, "the offsets of a convolution"));
  }
  bool fits = moves.shape->size() == 4;
  for (std::size_t axis = 0; fits && axis < 4; ++axis) {
    const Dim& found = (*moves.shape)[axis];
    fits = !found.known() || !expected[axis].known() || found.value == expected[axis].value;
  }
  if (!fits) {
    c.fail(ErrorCode::model, "the offsets or the mask do not fit the output", c.input_label(input),
           graph::to_string(graph::TensorDesc{moves.type, expected, graph::Layout::plain}), graph::to_string(moves));
  }
}

}  // namespace

void infer_deform_conv(InferContext& c) {
  require_types(c, kConvX, types({DataType::float32}));
  for (const std::size_t i : {kConvW, kOffset, kBias, kMask}) {
    if (c.has_input(i)) require_same_type(c, kConvX, i);
  }
  const graph::TensorDesc& x = c.input(kConvX);
  if (x.has_rank() && x.shape->size() != 4)
    c.fail(ErrorCode::unsupported, "only pictures are sampled here", c.input_label(kConvX), "4-D", graph::to_string(x));
  const Dim channels = infer_conv_shape(c, x.type, kConvW);
  check_channel_vector(c, kBias, channels);
  const std::int64_t groups = c.attribute_int("offset_group", 1);
  const bool fits = groups >= 1 && (!x.has_rank() || !(*x.shape)[1].known() || (*x.shape)[1].value % groups == 0);
  if (!fits) {
    c.fail(ErrorCode::model, "the input's channels are not a multiple of offset_group", "attribute 'offset_group'",
           "a divisor of the channels", std::to_string(groups));
  }
  if (!x.has_rank() || c.outputs().empty()) return;
  const DimList& y = *c.outputs()[0].shape;
  check_moves(c, kOffset, base::checked_mul(groups, 2, "offsets"), y);
  if (c.has_input(kMask)) check_moves(c, kMask, groups, y);
}

void plan_deform_conv(PlanContext& c) {
  const ConvProblem problem = conv_problem(c);
  c.step().macs = problem.macs();
  const std::int64_t groups = c.attribute_int("offset_group", 1);
  plan_conv_rows(c, problem, {kBias, {}, {}},
                 std::make_shared<const DeformedRows>(problem, groups, c.has_input(kMask)));
}

}  // namespace linnet::ops
