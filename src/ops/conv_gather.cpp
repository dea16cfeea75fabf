#include "ops/conv_gather.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "base/checked_math.h"
#include "ops/matrix.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// The rows of a convolution or a transposed one: the input at a grid of places that is the same for all images.
class WindowRows final : public ConvRows {
 public:
  WindowRows(const ConvProblem& problem, bool transposed);
  [[nodiscard]] std::int64_t place_bytes() const override {
    return base::checked_mul(problem_.taps(), kPixels * 4, "scratch");
  }
  void locate(const RunArgs& args, std::int64_t image, std::int64_t first, std::int64_t count,
              std::byte* places) const override;
  void gather(const RunArgs& args, std::int64_t image, std::int64_t group, const std::byte* places, std::int64_t count,
              float* rows) const override;

 private:
  ConvProblem problem_;
  bool transposed_;
  std::int64_t in_pixels_;
};

struct GatherConv {
  const kernels::Table* table = nullptr;
  ConvProblem problem;
  ConvRowInputs inputs;
  bool transposed = false;
  bool packed_at_run = false;  // the filter is not a constant
  WeightStore::Buffer weights, bias;
  bool has_bias = false, has_residual = false;
  std::int64_t group_in = 0, group_out = 0, k = 0, group_floats = 0;
  std::shared_ptr<const ConvRows> rows;

  void pack_group(const float* w, const double* scale, std::int64_t group, Range panels, float* to) const;
  void run(const RunArgs& args) const;
  void run_pixels(const RunArgs& args, const float* packed, std::int64_t image, std::int64_t group, std::int64_t first,
                  std::int64_t count) const;
};

WindowRows::WindowRows(const ConvProblem& problem, bool transposed)
    : problem_(problem),
      transposed_(transposed),
      in_pixels_(base::checked_product(problem.in_extent, "a channel of a convolution's input")) {}

/// Where each tap lies in a channel of the input: [tap][pixel], -1 outside. An axis after the other: what an output and what a
/// tap contribute along it is told once, and a table of both would be as large as the filter times the output.
void WindowRows::locate(const RunArgs& /*args*/, std::int64_t /*image*/, std::int64_t first, std::int64_t count,
                        std::byte* places) const {
  auto* const offsets = reinterpret_cast<std::int32_t*>(places);
  const Window& w = problem_.window;
  const std::int64_t taps = problem_.taps();
  std::fill_n(offsets, taps * kPixels, 0);
  std::int64_t in_stride = 1, out_stride = 1, tap_stride = 1;
  for (std::size_t axis = w.kernel.size(); axis-- > 0;) {
    const std::int64_t in_extent = problem_.in_extent[axis], stride = w.strides[axis];
    // A transposed window moves against its taps, and only where the stride divides the difference is there an input.
    std::array<std::int64_t, kPixels> from = {}, rest = {};
    for (std::int64_t pixel = 0; pixel < count; ++pixel) {
      const std::int64_t out = (first + pixel) / out_stride % problem_.out_extent[axis];
      const auto i = static_cast<std::size_t>(pixel);
      from[i] = transposed_ ? (out + w.pads_begin[axis]) / stride : out * stride - w.pads_begin[axis];
      rest[i] = transposed_ ? (out + w.pads_begin[axis]) % stride : 0;
    }
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const std::int64_t moved = tap / tap_stride % w.kernel[axis] * w.dilations[axis];
      const std::int64_t step = transposed_ ? -(moved / stride) : moved, tap_rest = transposed_ ? moved % stride : 0;
      std::int32_t* const to = offsets + tap * kPixels;
      for (std::int64_t pixel = 0; pixel < count; ++pixel) {
        const auto i = static_cast<std::size_t>(pixel);
        const std::int64_t in = from[i] + step;
        const bool inside = to[pixel] >= 0 && rest[i] == tap_rest && in >= 0 && in < in_extent;
        to[pixel] = inside ? to[pixel] + static_cast<std::int32_t>(in * in_stride) : -1;
      }
    }
    in_stride *= in_extent;
    out_stride *= problem_.out_extent[axis];
    tap_stride *= w.kernel[axis];
  }
}

/// A channel at a time: its pixels are neighbours.
void WindowRows::gather(const RunArgs& args, std::int64_t image, std::int64_t group, const std::byte* places,
                        std::int64_t count, float* rows) const {
  const std::int64_t taps = problem_.taps(), channels = problem_.in_channels / problem_.groups, k = channels * taps;
  const float* x = args.in<float>(kConvX) + (image * problem_.groups + group) * channels * in_pixels_;
  for (std::int64_t c = 0; c < channels; ++c, x += in_pixels_) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const std::int32_t* const from = reinterpret_cast<const std::int32_t*>(places) + tap * kPixels;
      float* to = rows + c * taps + tap;
      for (std::int64_t pixel = 0; pixel < count; ++pixel, to += k) *to = from[pixel] >= 0 ? x[from[pixel]] : 0.0f;
    }
  }
}

/// Conv's filter is [M][C/g][taps], ConvTranspose's [C][M/g][taps]; K runs over (c, tap).
void GatherConv::pack_group(const float* w, const double* scale, std::int64_t group, Range panels, float* to) const {
  const std::int64_t taps = problem.taps(), wide = table->tile.channels, padded = base::round_up(group_out, kLanes);
  for (std::int64_t panel = panels.first; panel < panels.last; ++panel) {
    const std::int64_t first = panel * wide, width = std::min(wide, padded - first);
    for (std::int64_t lane = 0; lane < width; ++lane) {
      const std::int64_t m = first + lane, global = group * group_out + m;
      for (std::int64_t row = 0; row < k; ++row) {
        float value = 0;
        if (m < group_out) {
          const std::int64_t c = row / taps, tap = row % taps;
          value = transposed ? w[((group * group_in + c) * group_out + m) * taps + tap]
                             : w[(global * group_in + c) * taps + tap];
          if (scale != nullptr) value = static_cast<float>(static_cast<double>(value) * scale[global]);
        }
        to[(first * k) + row * width + lane] = value;
      }
    }
  }
}

void GatherConv::run_pixels(const RunArgs& args, const float* packed, std::int64_t image, std::int64_t group,
                            std::int64_t first, std::int64_t count) const {
  float* const matrix = reinterpret_cast<float*>(args.thread_scratch);
  const std::int64_t columns = base::round_up(group_out, kLanes);
  float* const product = matrix + ConvRows::kPixels * k;
  rows->gather(args, image, group, reinterpret_cast<const std::byte*>(product + ConvRows::kPixels * columns), count,
               matrix);
  const std::int64_t out_pixels = problem.out_pixels();
  const std::int64_t plane = (image * problem.groups + group) * group_out * out_pixels;
  kernels::GemmArguments g{};
  // A bias known at run time only comes last: there is nothing to pack, and its sum is then the one of a plain im2col GEMM.
  const float* const late_bias =
      has_bias && bias == nullptr ? args.in<float>(inputs.bias) + group * group_out : nullptr;
  if (has_residual) {
    const float* const residual = args.in<float>(*inputs.residual) + plane;
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::int64_t m = 0; m < group_out; ++m) product[p * columns + m] = residual[m * out_pixels + first + p];
    }
    g.residual = product;
    g.residual_row = columns;
  }
  g.a = matrix;
  g.a_row = k;
  g.weights = packed + group * group_floats;
  g.bias = bias != nullptr ? bias->as<float>() + group * columns : nullptr;
  g.c = product;
  g.c_row = columns;
  g.lo = late_bias != nullptr ? -std::numeric_limits<float>::infinity() : problem.lo;
  g.hi = late_bias != nullptr ? std::numeric_limits<float>::infinity() : problem.hi;
  g.rows = static_cast<int>(count);
  g.k = static_cast<int>(k);
  g.n = static_cast<int>(columns);
  g.panel_last = static_cast<int>(matrix_panels(*table, group_out));
  table->gemm(g);
  float* const out = args.out<float>(0) + plane;
  for (std::int64_t m = 0; m < group_out; ++m) {
    float* const to = out + m * out_pixels + first;
    for (std::int64_t p = 0; p < count; ++p) {
      float y = product[p * columns + m];
      if (late_bias != nullptr) {
        y += late_bias[m];
        y = problem.lo > y ? problem.lo : y;  // as the kernels clamp: a NaN stays
        y = problem.hi < y ? problem.hi : y;
      }
      to[p] = y;
    }
    if (problem.late_activation) apply_activation(*table, problem.activation, to, count);
  }
}

void GatherConv::run(const RunArgs& args) const {
  const std::int64_t panels = matrix_panels(*table, group_out);
  if (packed_at_run && args.phase == 0) {
    const Range mine = split(problem.groups * panels, args.threads, args.thread);
    float* const to = reinterpret_cast<float*>(args.shared_scratch);
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      pack_group(args.in<float>(kConvW), nullptr, i / panels, {i % panels, i % panels + 1},
                 to + i / panels * group_floats);
    }
    return;
  }
  const float* const packed =
      packed_at_run ? reinterpret_cast<const float*>(args.shared_scratch) : weights->as<float>();
  // All groups and images of the same pixels after each other: they share places.
  constexpr std::int64_t kPixels = ConvRows::kPixels;
  const std::int64_t chunks = base::ceil_div(problem.out_pixels(), kPixels), shares = problem.images * problem.groups;
  const std::int64_t sharing = rows->moves_with_image() ? problem.groups : shares;
  const Range mine = split(shares * chunks, args.threads, args.thread);
  std::byte* const places = args.thread_scratch + kPixels * (k + base::round_up(group_out, kLanes)) * 4;
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    const std::int64_t first = i / shares * kPixels, count = std::min(kPixels, problem.out_pixels() - first);
    const std::int64_t image = i % shares / problem.groups;
    if (k > 0 && (i == mine.first || i % sharing == 0)) rows->locate(args, image, first, count, places);
    run_pixels(args, packed, image, i % problem.groups, first, count);
  }
}

}  // namespace

void plan_conv_gather(PlanContext& c, const ConvProblem& problem, bool transposed) {
  plan_conv_rows(c, problem, {kConvB, kConvScale, kConvResidual},
                 std::make_shared<const WindowRows>(problem, transposed), transposed);
}

void plan_conv_rows(PlanContext& c, const ConvProblem& problem, const ConvRowInputs& inputs,
                    std::shared_ptr<const ConvRows> rows, bool transposed) {
  auto d = std::make_shared<GatherConv>();
  d->table = &c.kernels();
  d->problem = problem;
  d->inputs = inputs;
  d->rows = std::move(rows);
  d->transposed = transposed;
  d->group_in = problem.in_channels / problem.groups;
  d->group_out = problem.out_channels / problem.groups;
  d->k = base::checked_mul(d->group_in, problem.taps(), "a convolution's sum");
  d->group_floats = packed_matrix_floats(d->k, d->group_out);
  d->packed_at_run = c.constant(kConvW) == nullptr;
  d->has_bias = c.has_input(inputs.bias);
  d->has_residual = inputs.residual && c.has_input(*inputs.residual);
  const std::int64_t in_pixels = base::checked_product(problem.in_extent, "a channel of a convolution's input");
  if (in_pixels > std::numeric_limits<std::int32_t>::max())
    c.fail(ErrorCode::limit, "a channel of a convolution's input is too large", c.input_label(kConvX),
           "below 2^31 pixels", std::to_string(in_pixels));
  Step& step = c.step();
  step.algorithm = "im2col_gemm_gathered";
  require_countable_matrix(c, ConvRows::kPixels, d->k, d->group_out);
  const std::size_t bytes =
      base::to_size(base::checked_mul(d->group_floats * problem.groups, 4, "packed weights"), "packed weights");
  if (d->packed_at_run) {
    step.shared_scratch_bytes = bytes;
    step.phases = 2;
  } else {
    const Range all = {0, matrix_panels(*d->table, d->group_out)};
    const std::string what = (transposed ? "gather transposed " : "gather ") + std::to_string(problem.groups);
    const std::size_t scale_input = inputs.scale.value_or(kConvW);  // without one the filter is named twice
    d->weights = c.pack({kConvW, scale_input}, what, bytes, [&](std::byte* to) {
      const Tensor* scale = inputs.scale ? c.constant(*inputs.scale) : nullptr;
      for (std::int64_t g = 0; g < problem.groups; ++g) {
        d->pack_group(c.constant(kConvW)->data<float>().data(),
                      scale != nullptr ? scale->data<double>().data() : nullptr, g, all,
                      reinterpret_cast<float*>(to) + g * d->group_floats);
      }
    });
    step.weight_bytes = bytes;
    c.packed({kConvW, scale_input});
  }
  const Tensor* bias = c.constant(inputs.bias);
  if (bias != nullptr) {
    const std::int64_t columns = base::round_up(d->group_out, kLanes);
    const std::string what = "gather bias " + std::to_string(problem.groups);
    d->bias = c.pack({inputs.bias}, what, base::to_size(columns * problem.groups * 4, "a bias"), [&](std::byte* to) {
      for (std::int64_t g = 0; g < problem.groups; ++g) {
        std::copy_n(bias->data<float>().data() + g * d->group_out, d->group_out,
                    reinterpret_cast<float*>(to) + g * columns);
      }
    });
    c.packed({inputs.bias});
  }
  step.thread_scratch_bytes = base::to_size(
      base::checked_add(
          base::checked_mul(ConvRows::kPixels * 4, d->k + base::round_up(d->group_out, kLanes), "scratch"),
          d->k > 0 ? d->rows->place_bytes() : 0, "scratch"),
      "scratch");
  step.kernel = tile_label(c);
  step.run = [d](const RunArgs& args) { d->run(args); };
}

}  // namespace linnet::ops
