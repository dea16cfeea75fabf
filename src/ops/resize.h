// Resize and Upsample: what the attributes and inputs say, axis by axis.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ops/plan_context.h"

namespace linnet::ops {

enum class ResizeMode : unsigned char { nearest, linear, cubic };
enum class ResizeTransform : unsigned char {
  half_pixel,
  half_pixel_symmetric,
  pytorch_half_pixel,
  align_corners,
  asymmetric,
  tf_half_pixel_for_nn,
  tf_crop_and_resize,
};
enum class ResizeRounding : unsigned char {
  round_prefer_floor,
  round_prefer_ceil,
  floor,
  ceil,
  towards_grid,  // before opset 11: down where the axis grows, up where it shrinks
};

struct ResizeOptions {
  ResizeMode mode = ResizeMode::nearest;
  ResizeTransform transform = ResizeTransform::half_pixel;
  ResizeRounding rounding = ResizeRounding::round_prefer_floor;
  double cubic_a = -0.75;
  bool exclude_outside = false, antialias = false;
  float extrapolation = 0;
};
ResizeOptions read_resize_options(const NodeContext& context);

/// One axis.
struct ResizeAxis {
  std::int64_t in = 0, out = 0;
  float scale = 1;
  float resized = 0;  // the length that the formulas use: of given scales the exact product, not its floor
  float roi_begin = 0, roi_end = 1;  // tf_crop_and_resize
  bool sized = false;                // `out` was given, and the scale is their ratio

  /// Whether it moves anything.
  [[nodiscard]] bool active(ResizeTransform transform) const {
    return in != out || scale != 1 || transform == ResizeTransform::tf_crop_and_resize;
  }
  /// Where position x of the result lies in the input, computed in float or double. Where a scale is given, pixels are
  /// chosen by float, as the models' authors saw them chosen: in double, 3 * 1/3 would round down to another one. Weights come from
  /// double.
  template <typename Real>
  [[nodiscard]] Real source(ResizeTransform transform, std::int64_t x) const;
  /// The same from the extents themselves, where they and not a scale were given: what lies halfway between two pixels is exactly
  /// there. None for transforms that use no scale.
  [[nodiscard]] std::optional<double> exact_source(ResizeTransform transform, std::int64_t x) const;
  /// False where the result is the extrapolation value.
  [[nodiscard]] bool covers(ResizeTransform transform, float at) const {
    return transform != ResizeTransform::tf_crop_and_resize || (at >= 0 && at <= static_cast<float>(in - 1));
  }
};

/// Whether scales or sizes are known, and the region if there is one. If not, only the rank of the result is.
bool resize_is_known(const NodeContext& context);
/// The axes of a known resizing; `out` alone is meaningful where the input's extent is not known (and -1 if it cannot be told).
std::vector<ResizeAxis> read_resize_axes(const NodeContext& context, const graph::DimList& dims);

}  // namespace linnet::ops
