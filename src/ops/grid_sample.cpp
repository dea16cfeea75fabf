// GridSample: each output element is interpolated at a place that a grid names. AffineGrid: such a grid.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/checked_math.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr TypeSet kSampled = kNumberTypes | types({DataType::boolean});
constexpr std::size_t kMostAxes = 3;
constexpr int kMostTaps = 4;

enum class Padding : unsigned char { zeros, border, reflection };

struct Sampling {
  int taps = 2;  // an axis: 1 nearest, 2 linear, 4 cubic
  Padding padding = Padding::zeros;
  bool align_corners = false;
  std::size_t axes = 2;
  std::array<std::int64_t, kMostAxes> in{}, stride{};  // outermost first
  std::int64_t images = 0, channels = 0, in_pixels = 1, out_pixels = 1;
};

int taps_of(const NodeContext& c) {
  const bool renamed = c.opset() >= 20;  // which called bilinear linear and bicubic cubic, as there are volumes too
  const std::string mode = c.attribute_string("mode", renamed ? "linear" : "bilinear");
  if (mode == "nearest") return 1;
  if (mode == (renamed ? "linear" : "bilinear")) return 2;
  if (mode == (renamed ? "cubic" : "bicubic")) return 4;
  c.fail(ErrorCode::model, "an attribute has no such value", "attribute 'mode'",
         renamed ? "linear, nearest, cubic" : "bilinear, nearest, bicubic", mode);
}

Padding padding_of(const NodeContext& c) {
  const std::string mode = c.attribute_string("padding_mode", "zeros");
  if (mode == "zeros") return Padding::zeros;
  if (mode == "border") return Padding::border;
  if (mode == "reflection") return Padding::reflection;
  c.fail(ErrorCode::model, "an attribute has no such value", "attribute 'padding_mode'", "zeros, border, reflection",
         mode);
}

/// Folded back at both ends until it lies within.
template <typename T>
T reflected(T x, T low, T high) {
  const T span = high - low;
  if (!(span > 0)) return low;
  const T beyond = x < low ? low - x : x - high;
  if (!(beyond > 0)) return x;
  const T turns = std::floor(beyond / span), rest = beyond - turns * span;
  const bool even = std::fmod(turns, T{2}) == 0;
  return (x < low) == even ? low + rest : high - rest;
}

/// The taps of one axis at one place: their offsets, -1 for a zero of the padding, and weights.
template <typename G>
struct AxisTaps {
  std::array<std::int64_t, kMostTaps> offset{};
  std::array<double, kMostTaps> weight{};
};

std::array<double, kMostTaps> weights_of(int taps, double part) {
  if (taps == 1) return {1};
  if (taps == 2) return {1 - part, part};
  constexpr double kA = -0.75;
  const auto near = [](double x) { return ((kA + 2) * x - (kA + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((kA * x - 5 * kA) * x + 8 * kA) * x - 4 * kA; };
  return {far(part + 1), near(part), near(1 - part), far(2 - part)};
}

/// Coordinates are computed in the grid's own type, as the rounding of a place decides which elements are nearest.
template <typename G>
AxisTaps<G> axis_taps(const Sampling& s, std::size_t axis, G place) {
  const auto length = static_cast<G>(s.in[axis]);
  const G low = s.align_corners ? G{0} : G{-0.5}, high = s.align_corners ? length - 1 : length - G{0.5};
  G x = s.align_corners ? (place + 1) / 2 * (length - 1) : ((place + 1) * length - 1) / 2;
  if (s.taps == 1) x = std::nearbyint(x);
  if (s.padding == Padding::reflection && !(x >= low && x <= high)) x = reflected(x, low, high);
  // Beyond this all taps are of the padding; it also makes a NaN a place.
  if (!(x > -8)) x = -8;
  if (x > length + 8) x = length + 8;
  const G floor = s.taps == 1 ? x : std::floor(x);
  const auto first = static_cast<std::int64_t>(floor) - (s.taps == 4 ? 1 : 0);
  AxisTaps<G> result;
  result.weight = weights_of(s.taps, static_cast<double>(x - floor));
  for (int k = 0; k < s.taps; ++k) {
    std::int64_t at = first + k;
    if (s.padding == Padding::border) at = std::clamp<std::int64_t>(at, 0, s.in[axis] - 1);
    if (s.padding == Padding::reflection)
      at = static_cast<std::int64_t>(
          reflected(static_cast<double>(at), static_cast<double>(low), static_cast<double>(high)));
    const bool inside = at >= 0 && at < s.in[axis];
    result.offset[static_cast<std::size_t>(k)] = inside ? at * s.stride[axis] : -1;
  }
  return result;
}

template <typename X, typename G>
struct Sampler {
  const Sampling& s;
  std::array<AxisTaps<G>, kMostAxes> taps;

  /// The only tap's element, which a double may not hold.
  [[nodiscard]] X nearest(const X* plane) const {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < s.axes; ++axis) {
      if (taps[axis].offset[0] < 0) return X{};
      offset += taps[axis].offset[0];
    }
    return plane[offset];
  }

  /// The weighted sum of a plane's elements: along the innermost axis first.
  [[nodiscard]] double sum(const X* plane, std::size_t axis, std::int64_t offset) const {
    if (axis == s.axes) return static_cast<double>(plane[offset]);
    double total = 0;
    for (std::size_t k = 0; k < static_cast<std::size_t>(s.taps); ++k) {
      if (taps[axis].offset[k] >= 0)
        total += taps[axis].weight[k] * sum(plane, axis + 1, offset + taps[axis].offset[k]);
    }
    return total;
  }
};

template <typename X, typename G>
void sample(const RunArgs& args, const Sampling& s) {
  const std::int64_t places = s.images * s.out_pixels;
  const Range mine = thread_share(args, places, places * s.channels * s.taps * s.taps);
  Sampler<X, G> sampler{s, {}};
  for (std::int64_t place = mine.first; place < mine.last; ++place) {
    const G* const grid = args.in<G>(1) + place * static_cast<std::int64_t>(s.axes);
    for (std::size_t axis = 0; axis < s.axes; ++axis) sampler.taps[axis] = axis_taps(s, axis, grid[s.axes - 1 - axis]);
    const std::int64_t image = place / s.out_pixels, pixel = place % s.out_pixels;
    for (std::int64_t c = 0; c < s.channels; ++c) {
      const X* const plane = args.in<X>(0) + (image * s.channels + c) * s.in_pixels;
      X& y = args.out<X>(0)[(image * s.channels + c) * s.out_pixels + pixel];
      y = s.taps == 1 ? sampler.nearest(plane) : convert<X>(sampler.sum(plane, 0, 0));  // integers are cut, as numpy's
    }
  }
}

}  // namespace

void infer_grid_sample(InferContext& c) {
  (void)taps_of(c);
  require_types(c, 0, kSampled);
  require_types(c, 1, kRealTypes);
  (void)padding_of(c);
  const graph::TensorDesc &x = c.input(0), &grid = c.input(1);
  if (!x.has_rank() || !grid.has_rank()) return c.set_output_unknown_rank(0, x.type);
  const std::size_t rank = x.shape->size();
  const std::size_t most = c.opset() >= 20 ? kMostAxes + 2 : 4;
  const Dim& last = grid.shape->empty() ? Dim() : grid.shape->back();
  const bool fits = rank >= 4 && rank <= most && grid.shape->size() == rank &&
                    (!last.known() || last.value == static_cast<std::int64_t>(rank - 2));
  if (!fits) {
    c.fail(rank > most ? ErrorCode::unsupported : ErrorCode::model, "the grid does not fit the input", c.input_label(1),
           graph::to_string(x), graph::to_string(grid));
  }
  DimList y{(*x.shape)[0].known() ? (*x.shape)[0] : (*grid.shape)[0], (*x.shape)[1]};
  const Dim &images = (*x.shape)[0], &grids = (*grid.shape)[0];
  if (images.known() && grids.known() && images.value != grids.value) {
    c.fail(ErrorCode::model, "each image needs a grid", c.input_label(1), std::to_string(images.value),
           std::to_string(grids.value));
  }
  y.insert(y.end(), grid.shape->begin() + 1, grid.shape->end() - 1);
  c.set_output(0, x.type, std::move(y));
}

void plan_grid_sample(PlanContext& c) {
  const Shape &x = c.placement_in(0).shape, &y = c.placement_out(0).shape;
  Sampling s;
  s.taps = taps_of(c);
  s.padding = padding_of(c);
  s.align_corners = c.attribute_int("align_corners", 0) != 0;
  s.axes = x.size() - 2;
  s.images = x[0];
  s.channels = x[1];
  for (std::size_t axis = s.axes; axis-- > 0;) {
    s.in[axis] = x[axis + 2];
    s.stride[axis] = s.in_pixels;
    s.in_pixels *= x[axis + 2];
    s.out_pixels *= y[axis + 2];
  }
  if (s.in_pixels == 0 && s.out_pixels > 0) {
    c.fail(ErrorCode::model, "there is nothing to sample", c.input_label(0), "an extent of 1 or more", to_string(x));
  }
  c.step().algorithm = "grid";
  c.step().run = [s, type = c.placement_in(0).type, grid = c.placement_in(1).type](const RunArgs& args) {
    visit_type<kSampled>(type, [&](auto element) {
      using X = decltype(element);
      if (grid == DataType::float32) sample<X, float>(args, s);
      else sample<X, double>(args, s);
    });
  };
}

void infer_affine_grid(InferContext& c) {
  require_types(c, 0, kRealTypes);
  require_integers(c, 1);
  const graph::TensorDesc& theta = c.input(0);
  if (is_runtime_input(c, 1)) {
    if (!c.input(1).is_static()) return c.set_output_unknown_rank(0, theta.type);
    const Shape extents = c.input(1).static_shape();
    if (extents != Shape{4} && extents != Shape{5})
      c.fail(ErrorCode::model, "this is no shape of pictures", c.input_label(1), "4 or 5 extents", to_string(extents));
    return c.set_output(0, theta.type, unknown_dims(static_cast<std::size_t>(extents[0])));
  }
  const std::vector<std::int64_t> size = c.constant_ints(1);
  const bool valid = (size.size() == 4 || size.size() == 5) &&
                     std::all_of(size.begin(), size.end(), [](std::int64_t extent) { return extent >= 0; });
  if (!valid)
    c.fail(ErrorCode::model, "this is no shape of pictures", c.input_label(1), "4 or 5 extents", to_string(size));
  const auto axes = static_cast<std::int64_t>(size.size() - 2);
  if (theta.is_static() && theta.static_shape() != Shape{size[0], axes, axes + 1}) {
    c.fail(ErrorCode::model, "theta does not fit the size", c.input_label(0), to_string(Shape{size[0], axes, axes + 1}),
           graph::to_string(theta));
  }
  DimList y{Dim(size[0])};
  y.insert(y.end(), size.begin() + 2, size.end());
  y.emplace_back(axes);
  c.set_output(0, theta.type, std::move(y));
}

void plan_affine_grid(PlanContext& c) {
  const Shape& y = c.placement_out(0).shape;
  const std::size_t axes = y.size() - 2;
  const std::vector<std::int64_t> extents(y.begin() + 1, y.end() - 1);
  std::int64_t pixels = 1;
  for (const std::int64_t extent : extents) pixels = base::checked_mul(pixels, extent, "a grid");
  c.consumed(1);
  c.step().algorithm = "grid";
  c.step().run = [axes, extents, pixels, images = y[0], align = c.attribute_int("align_corners", 0) != 0,
                  type = c.placement_in(0).type](const RunArgs& args) {
    const Range mine = thread_share(args, images * pixels, images * pixels);
    visit_type<kRealTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        std::array<double, kMostAxes + 1> place{};  // x, y, (z,) 1: the innermost axis first
        std::int64_t rest = i % pixels;
        for (std::size_t k = 0; k < axes; ++k) {
          const std::int64_t extent = extents[axes - 1 - k];
          const auto at = static_cast<double>(rest % extent), n = static_cast<double>(extent);
          rest /= extent;
          // A single element stands in the middle of [-1, 1] or, with align_corners, at its beginning.
          if (align) place[k] = extent > 1 ? 2 * at / (n - 1) - 1 : -1;
          else place[k] = (2 * at + 1) / n - 1;
        }
        place[axes] = 1;
        const T* const theta = args.in<T>(0) + i / pixels * static_cast<std::int64_t>(axes * (axes + 1));
        for (std::size_t row = 0; row < axes; ++row) {
          double sum = 0;
          for (std::size_t k = 0; k <= axes; ++k) sum += static_cast<double>(theta[row * (axes + 1) + k]) * place[k];
          args.out<T>(0)[static_cast<std::size_t>(i) * axes + row] = static_cast<T>(sum);
        }
      }
    });
  };
}

}  // namespace linnet::ops
