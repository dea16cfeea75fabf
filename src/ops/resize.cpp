// Resize and Upsample. Nearest is a table of positions; linear and cubic are one pass an axis over tables of weights.
#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/resize.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

template <typename Real>
std::int64_t nearest(ResizeRounding rounding, const ResizeAxis& axis, Real at) {
  constexpr Real half = 0.5;
  switch (rounding) {
    case ResizeRounding::round_prefer_floor: return static_cast<std::int64_t>(std::ceil(at - half));
    case ResizeRounding::round_prefer_ceil: return static_cast<std::int64_t>(std::floor(at + half));
    case ResizeRounding::floor: return static_cast<std::int64_t>(std::floor(at));
    case ResizeRounding::ceil: return static_cast<std::int64_t>(std::ceil(at));
    case ResizeRounding::towards_grid:
      return static_cast<std::int64_t>(axis.scale < 1 ? std::ceil(at) : std::floor(at));
  }
  return 0;
}

std::vector<std::int64_t> nearest_table(const ResizeOptions& o, const ResizeAxis& axis, std::int64_t stride) {
  std::vector<std::int64_t> table(static_cast<std::size_t>(axis.out));
  const auto pixel_of = [&](float at, std::int64_t x) {
    const std::optional<double> exact = axis.exact_source(o.transform, x);
    return exact ? nearest(o.rounding, axis, *exact) : nearest(o.rounding, axis, at);
  };
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto x = static_cast<std::int64_t>(i);
    const float at = axis.active(o.transform) ? axis.source<float>(o.transform, x) : static_cast<float>(x);
    if (!axis.active(o.transform)) table[i] = x * stride;
    else if (!axis.covers(o.transform, at)) table[i] = TableCopy::kFill;
    else table[i] = std::clamp<std::int64_t>(pixel_of(at, x), 0, axis.in - 1) * stride;
  }
  return table;
}

void plan_nearest(PlanContext& c, const ResizeOptions& o, const std::vector<ResizeAxis>& axes) {
  const Placement& in = c.placement_in(0);
  const std::vector<std::int64_t> strides = dense_strides(in.shape);
  TableCopy::require_room(c, c.placement_out(0).shape);
  std::vector<std::vector<std::int64_t>> tables;
  for (std::size_t i = 0; i < axes.size(); ++i) tables.push_back(nearest_table(o, axes[i], strides[i]));
  c.step().algorithm = "table_copy";
  c.step().run = [copy = TableCopy(c, element_bytes(in.type), std::move(tables)),
                  fill = element_of(in.type, static_cast<double>(o.extrapolation))](const RunArgs& args) {
    copy.run(args, args.inputs[0], args.outputs[0], fill.data());
  };
}

double filter(const ResizeOptions& o, double distance) {
  const double x = std::abs(distance), a = o.cubic_a;
  if (o.mode == ResizeMode::linear) return std::max(0.0, 1 - x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

/// One axis resized by weighted sums: [outer][in][inner] -> [outer][out][inner].
struct Pass {
  std::int64_t outer = 1, in = 0, out = 0, inner = 1;
  std::int64_t taps = 0;
  std::vector<std::int64_t> index;  // [out][taps], within the axis
  std::vector<float> weight;        // [out][taps]
  std::vector<char> outside;        // [out]: 1 for the extrapolation value instead

  std::int64_t final_outer = 1;  // `outer` in the result, when all axes are resized

  [[nodiscard]] std::int64_t elements() const { return outer * out * inner; }
  [[nodiscard]] bool reaches_outside() const { return std::find(outside.begin(), outside.end(), 1) != outside.end(); }

  template <typename T>
  void run(const RunArgs& args, const T* from, T* to) const {
    const Range rows = thread_share(args, outer * out, elements());
    for (std::int64_t row = rows.first; row < rows.last; ++row) {
      const std::int64_t x = row % out;
      const T* const source = from + row / out * in * inner;
      sum(source, to + row * inner, x);
    }
  }

  /// Over the finished result: where a weighted sum of the same value again and again would no longer be that value.
  template <typename T>
  void fill_outside(T* result, T extrapolation) const {
    for (std::int64_t row = 0; row < final_outer * out; ++row) {
      if (outside[static_cast<std::size_t>(row % out)] != 0) std::fill_n(result + row * inner, inner, extrapolation);
    }
  }

  template <typename T>
  void sum(const T* source, T* target, std::int64_t x) const {
    for (std::int64_t k = 0; k < taps; ++k) {
      const auto entry = static_cast<std::size_t>(x * taps + k);
      const T* const line = source + index[entry] * inner;
      const T w = static_cast<T>(weight[entry]);
      if (k == 0) {
        for (std::int64_t i = 0; i < inner; ++i) target[i] = line[i] * w;
      } else {
        for (std::int64_t i = 0; i < inner; ++i) target[i] += line[i] * w;
      }
    }
  }
};

/// The weights of one position. Computed in double, in `weights`, and rounded once.
void add_taps(const ResizeOptions& o, const ResizeAxis& axis, double at, std::span<double> weights, Pass& pass) {
  const double stretch = o.antialias ? std::min(1.0, static_cast<double>(axis.scale)) : 1.0;
  const auto first = static_cast<std::int64_t>(std::floor(at)) + 1 - pass.taps / 2;
  double total = 0;
  for (std::int64_t k = 0; k < pass.taps; ++k) {
    const std::int64_t position = first + k;
    const bool inside = position >= 0 && position < axis.in;
    double& w = weights[static_cast<std::size_t>(k)];
    w = o.exclude_outside && !inside ? 0 : filter(o, (static_cast<double>(position) - at) * stretch);
    total += w;
    pass.index.push_back(std::clamp<std::int64_t>(position, 0, axis.in - 1));
  }
  const bool normalised = (o.antialias || o.exclude_outside) && total != 0;
  for (const double w : weights) pass.weight.push_back(static_cast<float>(normalised ? w / total : w));
}

/// Pixels that each pixel of the result is a sum of. A region wider than the input may ask for any number of them.
std::int64_t taps_of(const PlanContext& c, const ResizeOptions& o, const ResizeAxis& axis) {
  constexpr double kMostWeights = 1 << 22;  // beyond what the extents explain
  const double support = o.mode == ResizeMode::linear ? 1 : 2;
  const double stretch = o.antialias ? std::min(1.0, static_cast<double>(axis.scale)) : 1.0;
  const double taps = -2 * std::floor(-support / stretch);
  const double weights = taps * static_cast<double>(axis.out),
               most = kMostWeights + 16.0 * static_cast<double>(axis.in + axis.out);
  if (weights > most) {
    c.fail(ErrorCode::limit, "too many pixels make one of the result", "scales",
           "at most " + std::to_string(static_cast<std::int64_t>(most)) + " weights", std::to_string(weights));
  }
  return static_cast<std::int64_t>(taps);
}

Pass make_pass(const PlanContext& c, const ResizeOptions& o, const ResizeAxis& axis, const Shape& shape,
               std::size_t position) {
  Pass pass;
  pass.in = axis.in;
  pass.out = axis.out;
  pass.outer = base::checked_product(std::span(shape).first(position), "a resized tensor");
  pass.inner = base::checked_product(std::span(shape).subspan(position + 1), "a resized tensor");
  pass.taps = taps_of(c, o, axis);
  // Of each position, and once while the weights of one are made.
  const std::int64_t entries =
      base::checked_mul(pass.taps, base::checked_add(axis.out, 1, "a table of weights"), "a table of weights");
  c.require_table_room(entries, sizeof(std::int64_t) + sizeof(float));
  const auto size = static_cast<std::size_t>(axis.out);
  pass.outside.reserve(size);
  pass.index.reserve(size * static_cast<std::size_t>(pass.taps));
  pass.weight.reserve(size * static_cast<std::size_t>(pass.taps));
  std::vector<double> weights(static_cast<std::size_t>(pass.taps));
  for (std::int64_t x = 0; x < axis.out; ++x) {
    const auto at = axis.source<double>(o.transform, x);
    const bool covered = axis.covers(o.transform, axis.source<float>(o.transform, x));
    pass.outside.push_back(covered ? 0 : 1);
    add_taps(o, axis, covered ? at : 0, weights, pass);
  }
  return pass;
}

template <typename T>
void plan_passes(PlanContext& c, std::vector<Pass> passes, float extrapolation) {
  // What lies between two passes takes turns in two halves of the scratch.
  std::int64_t largest = 0;
  for (std::size_t i = 0; i + 1 < passes.size(); ++i) largest = std::max(largest, passes[i].elements());
  const std::size_t half =
      base::to_size(base::round_up(base::checked_mul(largest, sizeof(T), "scratch"), 64), "scratch");
  Step& step = c.step();
  const bool fills = std::any_of(passes.begin(), passes.end(), [](const Pass& pass) { return pass.reaches_outside(); });
  step.phases = static_cast<int>(passes.size()) + (fills ? 1 : 0);
  step.shared_scratch_bytes = half * std::min<std::size_t>(passes.size() - 1, 2);
  step.run = [passes = std::move(passes), half, extrapolation](const RunArgs& args) {
    const auto phase = static_cast<std::size_t>(args.phase);
    if (phase == passes.size()) {  // rare, and of several axes: one thread, so that no element is written twice at once
      for (const Pass& pass : passes) {
        if (args.thread == 0) pass.fill_outside(args.out<T>(0), static_cast<T>(extrapolation));
      }
      return;
    }
    const auto between = [&](std::size_t i) { return reinterpret_cast<T*>(args.shared_scratch + i % 2 * half); };
    const T* from = phase == 0 ? args.in<T>(0) : between(phase - 1);
    T* to = phase + 1 == passes.size() ? args.out<T>(0) : between(phase);
    passes[phase].run(args, from, to);
  };
}

void plan_weighted(PlanContext& c, const ResizeOptions& o, const std::vector<ResizeAxis>& axes) {
  std::vector<Pass> passes;
  Shape shape = c.placement_in(0).shape;
  for (std::size_t i = axes.size(); i-- > 0;) {
    if (!axes[i].active(o.transform)) continue;
    passes.push_back(make_pass(c, o, axes[i], shape, i));
    shape[i] = axes[i].out;
    const std::span<const std::int64_t> result(c.placement_out(0).shape);
    passes.back().final_outer = base::checked_product(result.first(i), "a resized tensor");
  }
  if (passes.empty()) return plan_view(c);
  c.step().algorithm = o.mode == ResizeMode::linear ? "linear" : "cubic";
  if (c.placement_in(0).type == DataType::float64) plan_passes<double>(c, std::move(passes), o.extrapolation);
  else plan_passes<float>(c, std::move(passes), o.extrapolation);
}

/// Nearest is one tap of weight 1; so is an axis that stays, and an axis whose positions are the pixels' own.
Pass nearest_pass(const ResizeOptions& o, const ResizeAxis& axis) {
  Pass pass;
  pass.taps = 1;
  pass.index = nearest_table(o, axis, 1);
  pass.weight.assign(pass.index.size(), 1.0f);
  return pass;
}

/// Rows and columns of an nchw16c tensor: the sums of the passes, column after column, without anything in between.
struct BlockedResize {
  Placement in, out;
  Pass rows, columns;

  void run(const RunArgs& args) const {
    const std::int64_t blocks = out.channel_blocks(), height = out.shape[2], units = out.shape[0] * blocks * height;
    const Range mine = thread_share(args, units, units * out.shape[3] * kernels::kBlock);
    for (std::int64_t unit = mine.first; unit < mine.last; ++unit) {
      const std::int64_t plane = unit / height, image = plane / blocks, block = plane % blocks, y = unit % height;
      const float* const from = args.in<float>(0) + in.origin + image * in.image_stride + block * in.plane_stride;
      float* to =
          args.out<float>(0) + out.origin + image * out.image_stride + block * out.plane_stride + y * out.row_stride;
      if (rows.taps == 1 && columns.taps == 1) {  // of weight 1
        const float* const line = from + rows.index[static_cast<std::size_t>(y)] * in.row_stride;
        for (const std::int64_t x : columns.index) to = std::copy_n(line + x * kernels::kBlock, kernels::kBlock, to);
        continue;
      }
      for (std::int64_t x = 0; x < out.shape[3]; ++x, to += kernels::kBlock) sum(from, y, x, to);
    }
  }

  void sum(const float* plane, std::int64_t y, std::int64_t x, float* to) const {
    constexpr int kLanes = kernels::kBlock;
    float result[kLanes], row[kLanes];
    for (std::int64_t i = 0; i < rows.taps; ++i) {
      const auto row_entry = static_cast<std::size_t>(y * rows.taps + i);
      const float* const line = plane + rows.index[row_entry] * in.row_stride;
      for (std::int64_t k = 0; k < columns.taps; ++k) {
        const auto entry = static_cast<std::size_t>(x * columns.taps + k);
        const float* const pixel = line + columns.index[entry] * kLanes;
        const float w = columns.weight[entry];
        for (int lane = 0; lane < kLanes; ++lane) row[lane] = k == 0 ? pixel[lane] * w : row[lane] + pixel[lane] * w;
      }
      const float w = rows.weight[row_entry];
      for (int lane = 0; lane < kLanes; ++lane) result[lane] = i == 0 ? row[lane] * w : result[lane] + row[lane] * w;
    }
    std::copy_n(result, kLanes, to);
  }
};

void plan_blocked(PlanContext& c, const ResizeOptions& o, const std::vector<ResizeAxis>& axes) {
  BlockedResize resize{c.placement_in(0), c.placement_out(0), {}, {}};
  const auto pass = [&](std::size_t axis) {
    const bool weighted = o.mode != ResizeMode::nearest && axes[axis].active(o.transform);
    return weighted ? make_pass(c, o, axes[axis], resize.in.shape, axis) : nearest_pass(o, axes[axis]);
  };
  resize.rows = pass(2);
  resize.columns = pass(3);
  c.step().algorithm = o.mode == ResizeMode::nearest ? "nearest" : (o.mode == ResizeMode::linear ? "linear" : "cubic");
  c.step().run = [resize = std::move(resize)](const RunArgs& args) { resize.run(args); };
}

}  // namespace

/// Batch and channels must stay, and all positions lie inside.
LayoutRule layout_resize(const NodeContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!can_be_blocked(input) || !input.is_static() || input.shape->size() != 4 || !resize_is_known(c)) return {};
  const ResizeOptions options = read_resize_options(c);
  const std::vector<ResizeAxis> axes = read_resize_axes(c, *input.shape);
  const auto stays = [&](const ResizeAxis& axis) { return axis.in == axis.out && !axis.active(options.transform); };
  if (!stays(axes[0]) || !stays(axes[1]) || options.transform == ResizeTransform::tf_crop_and_resize) return {};
  return {LayoutRule::Preference::follow, 1};
}

/// Resize and Upsample.
void infer_resize(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  const ResizeOptions options = read_resize_options(c);
  const bool weighted = options.mode != ResizeMode::nearest;
  if (weighted && input.type != DataType::float32 && input.type != DataType::float64 &&
      input.type != DataType::undefined)
    c.fail(ErrorCode::unsupported, "only floats are interpolated", c.input_label(0), "float or double",
           std::string(to_string(input.type)));
  if (!input.has_rank()) return c.set_output_unknown_rank(0, input.type);
  DimList out = *input.shape;
  if (!resize_is_known(c)) return c.set_output(0, input.type, unknown_dims(out.size()));
  const std::vector<ResizeAxis> axes = read_resize_axes(c, out);
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (axes[i].in == axes[i].out && (out[i].known() || axes[i].scale == 1))
      continue;  // the symbol stays, if there is one
    if (axes[i].in == 0 && axes[i].out > 0)
      c.fail(ErrorCode::model, "nothing cannot be resized", c.input_label(0), "an extent of 1 or more", "0");
    out[i] = axes[i].out < 0 ? Dim() : Dim(axes[i].out);
  }
  c.set_output(0, input.type, std::move(out));
}

void plan_resize(PlanContext& c) {
  const ResizeOptions options = read_resize_options(c);
  const Shape& shape = c.placement_in(0).shape;
  const std::vector<ResizeAxis> axes = read_resize_axes(c, DimList(shape.begin(), shape.end()));
  for (std::size_t i = 1; i < c.input_count(); ++i) c.consumed(i);
  if (c.placement_in(0).layout == graph::Layout::nchw16c) {
    plan_blocked(c, options, axes);
  } else if (options.mode == ResizeMode::nearest) {
    plan_nearest(c, options, axes);
  } else {
    plan_weighted(c, options, axes);
  }
}

}  // namespace linnet::ops
