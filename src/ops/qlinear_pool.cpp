// com.microsoft QLinearGlobalAveragePool and QLinearAveragePool. Inputs: X, x_scale, x_zero_point, y_scale, y_zero_point.
#include "base/checked_math.h"
#include "ops/op_def.h"
#include "ops/pool.h"
#include "ops/quantization.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kX = 0, kXScale = 1, kYScale = 3;

bool channels_last(const NodeContext& c) { return c.attribute_int("channels_last", 0) != 0; }

/// A plane is every `step`-th element.
struct Planes {
  std::int64_t images = 0, channels = 0, in_pixels = 1, out_pixels = 1;
  bool last = false;

  explicit Planes(const PlanContext& c) : last(channels_last(c)) {
    const Shape &x = c.placement_in(kX).shape, &y = c.placement_out(0).shape;
    images = x[0];
    channels = last ? x.back() : x[1];
    for (std::size_t i = last ? 1 : 2; i < x.size() - (last ? 1 : 0); ++i) {
      in_pixels *= x[i];
      out_pixels *= y[i];
    }
  }
  [[nodiscard]] std::int64_t count() const { return images * channels; }
  [[nodiscard]] std::int64_t step() const { return last ? channels : 1; }
  [[nodiscard]] std::int64_t start(std::int64_t plane, std::int64_t pixels) const {
    return last ? plane / channels * channels * pixels + plane % channels : plane * pixels;
  }
};

void check_inputs(const NodeContext& c) {
  require_types(c, kX, kByteTypes);
  require_quant_scalars(c, kXScale, c.input(kX).type);
  require_quant_scalars(c, kYScale, c.input(kX).type);
  if (c.input(kX).has_rank()) check_spatial(c, c.input(kX));
}

/// The spatial axes' place in a shape.
Range spatial_axes(const NodeContext& c, std::size_t rank) {
  const auto n = static_cast<std::int64_t>(rank);
  return channels_last(c) ? Range{1, n - 1} : Range{2, n};
}

}  // namespace

void infer_qlinear_global_average_pool(InferContext& c) {
  check_inputs(c);
  const graph::TensorDesc& x = c.input(kX);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  DimList y = *x.shape;
  const Range spatial = spatial_axes(c, y.size());
  for (std::int64_t i = spatial.first; i < spatial.last; ++i) y[static_cast<std::size_t>(i)] = Dim(1);
  c.set_output(0, x.type, std::move(y));
}

/// The sum in integers, times x_scale / (y_scale * pixels).
void plan_qlinear_global_average_pool(PlanContext& c) {
  c.step().algorithm = "window";
  c.step().run = [planes = Planes(c), type = c.placement_in(kX).type, of_x = quant_inputs(c, kXScale),
                  of_y = quant_inputs(c, kYScale)](const RunArgs& args) {
    const float scale = of_x.scale_of(args) / (of_y.scale_of(args) * static_cast<float>(planes.in_pixels));
    const std::int64_t zero = of_x.zero_of(args);
    const Range mine = thread_share(args, planes.count(), planes.count() * planes.in_pixels);
    visit_type<kByteTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t plane = mine.first; plane < mine.last; ++plane) {
        const T* const x = args.in<T>(kX) + planes.start(plane, planes.in_pixels);
        std::int64_t sum = 0;
        for (std::int64_t i = 0; i < planes.in_pixels; ++i) sum += x[i * planes.step()] - zero;
        args.out<T>(0)[plane] = quantized<T>(static_cast<float>(sum) * scale, of_y.zero_of(args));
      }
    });
  };
}

void infer_qlinear_average_pool(InferContext& c) {
  check_inputs(c);
  const graph::TensorDesc& x = c.input(kX);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  DimList y = *x.shape;
  const Range spatial = spatial_axes(c, y.size());
  const DimList extents = pool_extents(c, DimList(y.begin() + spatial.first, y.begin() + spatial.last));
  std::copy(extents.begin(), extents.end(), y.begin() + spatial.first);
  c.set_output(0, x.type, std::move(y));
}

/// The mean of the dequantised elements in float, summed in row-major order; the zero point is added before it is rounded.
void plan_qlinear_average_pool(PlanContext& c) {
  const WindowWalk walk = pool_walk(c, channels_last(c) ? 1 : 2);
  const bool count_padding = c.attribute_int("count_include_pad", 0) != 0;
  c.step().algorithm = "window";
  c.step().run = [walk, count_padding, planes = Planes(c), type = c.placement_in(kX).type,
                  of_x = quant_inputs(c, kXScale), of_y = quant_inputs(c, kYScale)](const RunArgs& args) {
    const float x_scale = of_x.scale_of(args), y_scale = of_y.scale_of(args);
    const std::int32_t x_zero = of_x.zero_of(args), y_zero = of_y.zero_of(args);
    const std::int64_t n = planes.count() * planes.out_pixels;
    const Range mine = thread_share(args, n, n, kElementUnit);
    visit_type<kByteTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        const std::int64_t plane = i / planes.out_pixels, window = i % planes.out_pixels;
        const T* const x = args.in<T>(kX) + planes.start(plane, planes.in_pixels);
        float sum = 0;
        std::int64_t taps = 0;
        walk.each_inside(window, [&](std::int64_t, std::int64_t offset) {
          sum += x_scale * static_cast<float>(x[offset * planes.step()] - x_zero);
          ++taps;
        });
        if (count_padding) taps = walk.taps();
        const float scaled = sum / static_cast<float>(taps) / y_scale + static_cast<float>(y_zero);
        args.out<T>(0)[planes.start(plane, planes.out_pixels) + window * planes.step()] = quantized<T>(scaled, 0);
      }
    });
  };
}

}  // namespace linnet::ops
