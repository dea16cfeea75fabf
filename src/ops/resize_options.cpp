// Reading Resize (opsets 10, 11, 13, 18, 19) and Upsample (7, 9).
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/checked_math.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/resize.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

/// Where the inputs are in this version.
struct Slots {
  std::size_t roi = kNone, scales = kNone, sizes = kNone;
};
Slots slots(const NodeContext& c) {
  if (c.op_type() == "Upsample" && c.opset() < 9) return {};
  if (c.opset() < 11) return {kNone, 1, kNone};
  return {1, 2, 3};
}

/// Given, and not the empty tensor by which opset 11 spells "omitted".
bool given(const NodeContext& c, std::size_t slot) {
  return slot != kNone && c.has_input(slot) && (c.constant(slot) == nullptr || c.constant(slot)->size() != 0);
}

std::vector<float> read_floats(const NodeContext& c, std::size_t slot) {
  const Tensor* tensor = c.constant(slot);
  if (tensor == nullptr)
    c.fail(ErrorCode::unsupported, "this input must be known before the model runs", c.input_label(slot), "a constant");
  std::vector<float> values;
  visit_element_type(tensor->type(), [&](auto element) {
    for (const auto x : tensor->data<decltype(element)>()) values.push_back(convert<float>(x));
  });
  return values;
}

template <typename E, std::size_t N>
E choice(const NodeContext& c, const char* name, const char* fallback, const std::pair<const char*, E> (&names)[N]) {
  const std::string text = c.attribute_string(name, fallback);
  std::string known;
  for (const auto& [key, value] : names) {
    if (text == key) return value;
    known += (known.empty() ? "" : ", ") + std::string(key);
  }
  c.fail(ErrorCode::model, "an attribute has no such value", "attribute '" + std::string(name) + "'", known, text);
}

enum class Policy : unsigned char { stretch, not_larger, not_smaller };

void require_entries(const NodeContext& c, const char* what, std::size_t count, std::size_t expected) {
  if (count == expected) return;
  c.fail(ErrorCode::model, "a list does not name every axis", what, std::to_string(expected), std::to_string(count));
}

/// One that an integer holds.
void require_extent(const NodeContext& c, float resized, const char* where) {
  if (resized >= 0 && resized < 0x1p62f) return;
  c.fail(ErrorCode::limit, "a resized extent is too large, or negative", where, "from 0 to 2^62",
         std::to_string(resized));
}

void apply_scales(const NodeContext& c, const std::vector<float>& scales, const std::vector<std::size_t>& named,
                  std::vector<ResizeAxis>& axes) {
  require_entries(c, "scales", scales.size(), named.size());
  const float least = c.op_type() == "Upsample" ? 1.0f : 0.0f;
  for (std::size_t i = 0; i < named.size(); ++i) {
    ResizeAxis& axis = axes[named[i]];
    const bool valid = scales[i] > 0 && scales[i] >= least && std::isfinite(scales[i]);
    if (!valid)
      c.fail(ErrorCode::model, "a scale is out of range", "scales", least > 0 ? "1 or more" : "more than 0",
             std::to_string(scales[i]));
    axis.scale = scales[i];
    if (axis.in < 0) {
      axis.out = -1;
      continue;
    }
    // Of a region only that is resized; without one it is the whole axis, from 0 to 1.
    axis.resized = static_cast<float>(axis.in) * (axis.roi_end - axis.roi_begin) * axis.scale;
    require_extent(c, axis.resized, "scales");
    axis.out = static_cast<std::int64_t>(std::floor(axis.resized));
  }
}

void apply_sizes(const NodeContext& c, const std::vector<std::int64_t>& sizes, const std::vector<std::size_t>& named,
                 std::vector<ResizeAxis>& axes) {
  static constexpr std::pair<const char*, Policy> kPolicies[] = {
      {"stretch", Policy::stretch}, {"not_larger", Policy::not_larger}, {"not_smaller", Policy::not_smaller}};
  const Policy policy = choice(c, "keep_aspect_ratio_policy", "stretch", kPolicies);
  require_entries(c, "sizes", sizes.size(), named.size());
  float common = policy == Policy::not_larger ? std::numeric_limits<float>::infinity() : 0;
  bool all_known = true;
  for (std::size_t i = 0; i < named.size(); ++i) {
    ResizeAxis& axis = axes[named[i]];
    if (sizes[i] < 0) c.fail(ErrorCode::model, "an extent is negative", "sizes", "0 or more", std::to_string(sizes[i]));
    axis.out = sizes[i];
    axis.resized = static_cast<float>(sizes[i]);
    all_known = all_known && axis.in > 0;
    axis.scale = axis.in > 0 ? axis.resized / static_cast<float>(axis.in) : 1;
    common = policy == Policy::not_larger ? std::min(common, axis.scale) : std::max(common, axis.scale);
  }
  for (const std::size_t position : named) axes[position].sized = policy == Policy::stretch;
  if (policy == Policy::stretch) return;
  for (const std::size_t position : named) {
    ResizeAxis& axis = axes[position];
    axis.scale = all_known ? common : 0;
    axis.resized = static_cast<float>(axis.in) * common;
    if (all_known) require_extent(c, axis.resized, "sizes");
    axis.out = all_known ? static_cast<std::int64_t>(std::floor(axis.resized + 0.5f)) : -1;
  }
}

void apply_roi(const NodeContext& c, const std::vector<std::size_t>& named, std::vector<ResizeAxis>& axes) {
  const Slots at = slots(c);
  if (!given(c, at.roi)) c.fail(ErrorCode::model, "tf_crop_and_resize needs a region", "input 1 'roi'");
  const std::vector<float> roi = read_floats(c, at.roi);
  require_entries(c, "roi", roi.size(), 2 * named.size());
  for (std::size_t i = 0; i < named.size(); ++i) {
    axes[named[i]].roi_begin = roi[i];
    axes[named[i]].roi_end = roi[i + named.size()];
  }
}

/// Coordinates that are fractions of the result's length less one: the operator's text divides by the length that the result
/// has, ONNX's reference implementation and its test data by the exact product of extent and scale. Where the two are not the
/// same, no answer is right.
void require_whole_lengths(const NodeContext& c, const std::vector<ResizeAxis>& axes) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const ResizeAxis& axis = axes[i];
    if (axis.in < 0 || axis.out <= 1) continue;
    const auto out = static_cast<float>(axis.out);
    if (std::fabs(axis.resized - out) <= out * 1e-5f) continue;  // the rounding of a product of floats
    c.fail(ErrorCode::unsupported,
           "the text of Resize and its reference implementation contradict each other on a scale that gives no whole "
           "extent",
           "axis " + std::to_string(i), "sizes, or scales that give whole extents", std::to_string(axis.resized));
  }
}

}  // namespace

ResizeOptions read_resize_options(const NodeContext& c) {
  static constexpr std::pair<const char*, ResizeMode> kModes[] = {
      {"nearest", ResizeMode::nearest}, {"linear", ResizeMode::linear}, {"cubic", ResizeMode::cubic}};
  static constexpr std::pair<const char*, ResizeTransform> kTransforms[] = {
      {"half_pixel", ResizeTransform::half_pixel},
      {"half_pixel_symmetric", ResizeTransform::half_pixel_symmetric},
      {"pytorch_half_pixel", ResizeTransform::pytorch_half_pixel},
      {"align_corners", ResizeTransform::align_corners},
      {"asymmetric", ResizeTransform::asymmetric},
      {"tf_half_pixel_for_nn", ResizeTransform::tf_half_pixel_for_nn},
      {"tf_crop_and_resize", ResizeTransform::tf_crop_and_resize}};
  static constexpr std::pair<const char*, ResizeRounding> kRoundings[] = {
      {"round_prefer_floor", ResizeRounding::round_prefer_floor},
      {"round_prefer_ceil", ResizeRounding::round_prefer_ceil},
      {"floor", ResizeRounding::floor},
      {"ceil", ResizeRounding::ceil}};
  ResizeOptions o;
  o.mode = choice(c, "mode", "nearest", kModes);
  if (c.opset() < 11) {
    if (o.mode == ResizeMode::cubic)
      c.fail(ErrorCode::model, "cubic came with opset 11", "attribute 'mode'", "nearest or linear", "cubic");
    o.transform = ResizeTransform::asymmetric;
    o.rounding = ResizeRounding::towards_grid;
    return o;
  }
  o.transform = choice(c, "coordinate_transformation_mode", "half_pixel", kTransforms);
  o.rounding = choice(c, "nearest_mode", "round_prefer_floor", kRoundings);
  o.cubic_a = static_cast<double>(c.attribute_float("cubic_coeff_a", -0.75f));
  o.exclude_outside = c.attribute_int("exclude_outside", 0) != 0;
  o.antialias = c.attribute_int("antialias", 0) != 0;
  o.extrapolation = c.attribute_float("extrapolation_value", 0);
  return o;
}

bool resize_is_known(const NodeContext& c) {
  const Slots at = slots(c);
  const auto known = [&](std::size_t slot) { return slot == kNone || !is_runtime_input(c, slot); };
  const bool crops = c.opset() >= 11 && read_resize_options(c).transform == ResizeTransform::tf_crop_and_resize;
  return known(at.scales) && known(at.sizes) && (!crops || known(at.roi));
}

std::vector<ResizeAxis> read_resize_axes(const NodeContext& c, const graph::DimList& dims) {
  const Slots at = slots(c);
  std::vector<ResizeAxis> axes;
  for (const graph::Dim& dim : dims) {
    ResizeAxis axis;
    axis.in = axis.out = dim.value;
    axis.resized = static_cast<float>(dim.value);
    axes.push_back(axis);
  }
  const std::vector<std::size_t> named = named_axes(c, dims.size());
  const ResizeTransform transform = c.opset() < 11 ? ResizeTransform::asymmetric : read_resize_options(c).transform;
  if (transform == ResizeTransform::tf_crop_and_resize) apply_roi(c, named, axes);
  if (given(c, at.sizes)) {
    if (given(c, at.scales)) c.fail(ErrorCode::model, "both scales and sizes are given", c.input_label(at.sizes));
    apply_sizes(c, c.constant_ints(at.sizes), named, axes);
  } else if (at.scales == kNone) {
    apply_scales(c, c.attribute_floats("scales"), named, axes);
  } else {
    if (!given(c, at.scales)) c.fail(ErrorCode::model, "neither scales nor sizes are given", c.input_label(at.scales));
    apply_scales(c, read_floats(c, at.scales), named, axes);
  }
  if (transform == ResizeTransform::tf_crop_and_resize || transform == ResizeTransform::align_corners)
    require_whole_lengths(c, axes);
  return axes;
}

template <typename Real>
Real ResizeAxis::source(ResizeTransform transform, std::int64_t position) const {
  const auto x = static_cast<Real>(position), length = static_cast<Real>(in), result = static_cast<Real>(out);
  const auto factor = static_cast<Real>(scale), half = static_cast<Real>(0.5);
  const auto begin = static_cast<Real>(roi_begin), end = static_cast<Real>(roi_end);
  switch (transform) {
    case ResizeTransform::half_pixel: return (x + half) / factor - half;
    case ResizeTransform::half_pixel_symmetric: {
      // The centre of the image stays in the centre, also where the extent was rounded.
      const Real adjustment = result / static_cast<Real>(resized);
      return length / 2 * (1 - adjustment) + (x + half) / factor - half;
    }
    case ResizeTransform::pytorch_half_pixel: return out > 1 ? (x + half) / factor - half : 0;
    case ResizeTransform::align_corners: return out > 1 ? x * (length - 1) / (result - 1) : 0;
    case ResizeTransform::asymmetric: return x / factor;
    case ResizeTransform::tf_half_pixel_for_nn: return (x + half) / factor;
    case ResizeTransform::tf_crop_and_resize:
      if (out <= 1) return half * (begin + end) * (length - 1);
      return begin * (length - 1) + x * (end - begin) * (length - 1) / (result - 1);
  }
  return 0;
}

std::optional<double> ResizeAxis::exact_source(ResizeTransform transform, std::int64_t x) const {
  if (!sized) return std::nullopt;
  const auto ratio = [&](double position) { return position * static_cast<double>(in) / static_cast<double>(out); };
  const double centre = ratio(static_cast<double>(2 * x + 1)) / 2;
  switch (transform) {
    case ResizeTransform::half_pixel:
    case ResizeTransform::half_pixel_symmetric: return centre - 0.5;
    case ResizeTransform::pytorch_half_pixel: return out > 1 ? centre - 0.5 : 0;
    case ResizeTransform::asymmetric: return ratio(static_cast<double>(x));
    case ResizeTransform::tf_half_pixel_for_nn: return centre;
    case ResizeTransform::align_corners:
    case ResizeTransform::tf_crop_and_resize: break;
  }
  return std::nullopt;
}

template float ResizeAxis::source<float>(ResizeTransform, std::int64_t) const;
template double ResizeAxis::source<double>(ResizeTransform, std::int64_t) const;

}  // namespace linnet::ops
