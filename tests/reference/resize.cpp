// Resize and Upsample: each output coordinate has a list of taps on its axis, and axes multiply.
#include <algorithm>
#include <cmath>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

namespace {

struct Tap {
  std::int64_t index;
  double weight;
};

/// What one output coordinate of one axis is made of.
struct Sample {
  std::vector<Tap> taps;
  double coordinate = 0;      // in the input
  bool extrapolated = false;  // tf_crop_and_resize outside the input
};

/// One axis: input and output extents, the scale, and the region of interest.
struct Axis {
  std::int64_t input = 1;
  std::int64_t output = 1;
  double scale = 1;
  double start = 0;
  double end = 1;
  double exact = 1;    // the output extent before it was made whole
  bool sized = false;  // the extents are given, and the scale is their ratio

  /// A length of the output in the input. From the extents where they are given: a rounded scale would move what lies exactly
  /// between two pixels.
  [[nodiscard]] double unscaled(double length) const {
    return sized ? length * static_cast<double>(input) / static_cast<double>(output) : length / scale;
  }
};

struct Settings {
  std::string mode;  // nearest, linear, cubic
  std::string transformation;
  std::string nearest;
  double cubic_a = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
};

Settings settings_of(const Call& call) {
  Settings settings;
  settings.mode = call.attribute("mode", "nearest");
  if (call.opset() < 11 || call.node().op_type == "Upsample") {
    settings.transformation = "asymmetric";
    settings.nearest = "floor";
    return settings;
  }
  settings.transformation = call.attribute("coordinate_transformation_mode", "half_pixel");
  settings.nearest = call.attribute("nearest_mode", "round_prefer_floor");
  settings.cubic_a = call.attribute("cubic_coeff_a", -0.75);
  settings.exclude_outside = call.attribute("exclude_outside", std::int64_t{0}) != 0;
  settings.antialias = call.attribute("antialias", std::int64_t{0}) != 0;
  return settings;
}

/// x_original of the operator's text.
double original_coordinate(const Call& call, const std::string& transformation, const Axis& axis, double x) {
  const auto length_original = static_cast<double>(axis.input);
  const auto length_resized = static_cast<double>(axis.output);
  if (transformation == "half_pixel") return axis.unscaled(x + 0.5) - 0.5;
  if (transformation == "asymmetric") return axis.unscaled(x);
  if (transformation == "pytorch_half_pixel") return axis.output > 1 ? axis.unscaled(x + 0.5) - 0.5 : 0.0;
  if (transformation == "tf_half_pixel_for_nn") return axis.unscaled(x + 0.5);
  // The text divides by length_resized, ONNX's own implementation by the product of scale and length.
  const bool divides = transformation == "align_corners" || transformation == "tf_crop_and_resize";
  if (divides && axis.output > 1 && std::fabs(axis.exact - length_resized) > 1e-5 * length_resized)
    call.leave_open("a scale that gives no whole extent");
  if (transformation == "align_corners") {
    return axis.output > 1 ? x * (length_original - 1) / (length_resized - 1) : 0.0;
  }
  if (transformation == "half_pixel_symmetric") {
    const double adjustment = length_resized / (axis.scale * length_original);
    return length_original / 2 * (1 - adjustment) + axis.unscaled(x + 0.5) - 0.5;
  }
  call.require(transformation == "tf_crop_and_resize", "coordinate_transformation_mode '" + transformation + "'");
  if (axis.output == 1) return 0.5 * (axis.start + axis.end) * (length_original - 1);
  return axis.start * (length_original - 1) +
         x * (axis.end - axis.start) * (length_original - 1) / (length_resized - 1);
}

double round_coordinate(const Call& call, const std::string& nearest, double x) {
  if (nearest == "floor") return std::floor(x);
  if (nearest == "ceil") return std::ceil(x);
  if (nearest == "round_prefer_floor") return std::ceil(x - 0.5);
  call.require(nearest == "round_prefer_ceil", "nearest_mode '" + nearest + "'");
  return std::floor(x + 0.5);
}

double cubic_weight(double distance, double a) {
  const double x = std::fabs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

/// Interpolation is a filter of width 1 or 2 pixels; antialiasing widens it when the picture shrinks.
std::vector<Tap> filter_taps(const Settings& settings, const Axis& axis, double x) {
  const double shrink = settings.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double radius = (settings.mode == "linear" ? 1.0 : 2.0) / shrink;
  std::vector<Tap> taps;
  double sum = 0;
  for (auto i = static_cast<std::int64_t>(std::floor(x - radius));
       i <= static_cast<std::int64_t>(std::ceil(x + radius)); ++i) {
    const double distance = (static_cast<double>(i) - x) * shrink;
    double weight =
        settings.mode == "linear" ? std::max(0.0, 1 - std::fabs(distance)) : cubic_weight(distance, settings.cubic_a);
    if (settings.exclude_outside && (i < 0 || i >= axis.input)) weight = 0;
    if (weight == 0) continue;
    taps.push_back({std::clamp<std::int64_t>(i, 0, axis.input - 1), weight});
    sum += weight;
  }
  if (settings.exclude_outside || shrink < 1) {
    for (Tap& tap : taps) tap.weight /= sum;
  }
  return taps;
}

Sample make_sample(const Call& call, const Settings& settings, const Axis& axis, std::int64_t at) {
  Sample sample;
  if (axis.input == axis.output && axis.scale == 1 && settings.transformation != "tf_crop_and_resize" &&
      settings.transformation != "tf_half_pixel_for_nn") {
    sample.taps = {{at, 1.0}};
    return sample;
  }
  sample.coordinate = original_coordinate(call, settings.transformation, axis, static_cast<double>(at));
  sample.extrapolated = settings.transformation == "tf_crop_and_resize" &&
                        (sample.coordinate < 0 || sample.coordinate > static_cast<double>(axis.input - 1));
  if (settings.mode != "nearest") {
    sample.taps = filter_taps(settings, axis, sample.coordinate);
    return sample;
  }
  // Resize-10 left it open; its own test data take the next pixel when the picture shrinks.
  const bool shrinking_10 = call.opset() == 10 && axis.scale < 1;
  const double rounded = round_coordinate(call, shrinking_10 ? "ceil" : settings.nearest, sample.coordinate);
  sample.taps = {{std::clamp<std::int64_t>(static_cast<std::int64_t>(rounded), 0, axis.input - 1), 1.0}};
  return sample;
}

std::vector<double> reals_of(const Tensor& tensor) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < tensor.size(); ++i) values.push_back(tensor.number(i));
  return values;
}

/// Applies `sizes` to the chosen axes, with the policy for the aspect ratio.
void apply_sizes(const Call& call, const std::vector<std::int64_t>& sizes, const std::vector<std::int64_t>& chosen,
                 std::vector<Axis>& axes) {
  const std::string policy = call.attribute("keep_aspect_ratio_policy", "stretch");
  double common = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const Axis& axis = axes[static_cast<std::size_t>(chosen[i])];
    const double scale = static_cast<double>(sizes[i]) / static_cast<double>(axis.input);
    if (i == 0) common = scale;
    common = policy == "not_larger" ? std::min(common, scale) : std::max(common, scale);
  }
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    Axis& axis = axes[static_cast<std::size_t>(chosen[i])];
    const auto length = static_cast<double>(axis.input);
    axis.output = policy == "stretch" ? sizes[i] : static_cast<std::int64_t>(std::floor(common * length + 0.5));
    axis.scale = policy == "stretch" ? static_cast<double>(axis.output) / length : common;
    axis.sized = policy == "stretch";
    axis.exact = policy == "stretch" ? static_cast<double>(axis.output) : common * length;
  }
}

std::vector<Axis> axes_of(const Call& call) {
  const Tensor& x = call.in(0);
  std::vector<Axis> axes;
  for (const std::int64_t extent : x.shape) axes.push_back({extent, extent, 1, 0, 1, static_cast<double>(extent)});
  std::vector<std::int64_t> chosen = call.attribute("axes", std::vector<std::int64_t>());
  if (chosen.empty()) {
    for (std::int64_t i = 0; i < x.rank(); ++i) chosen.push_back(i);
  }
  for (std::int64_t& axis : chosen) axis = call.axis(axis, x.rank());
  const bool old = call.opset() < 11 || call.node().op_type == "Upsample";
  if (!old && call.has(1) && call.in(1).size() > 0) {
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      axes[static_cast<std::size_t>(chosen[i])].start = call.in(1).number(static_cast<std::int64_t>(i));
      axes[static_cast<std::size_t>(chosen[i])].end = call.in(1).number(static_cast<std::int64_t>(i + chosen.size()));
    }
  }
  if (!old && call.has(3) && call.in(3).size() > 0) {
    apply_sizes(call, call.integers(3), chosen, axes);
    return axes;
  }
  const std::vector<double> scales =
      old && call.has_attribute("scales") ? call.reals_attribute("scales") : reals_of(call.in(old ? 1 : 2));
  call.require(scales.size() == chosen.size(), "scales has the wrong length");
  const bool crop = call.attribute("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize";
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    Axis& axis = axes[static_cast<std::size_t>(chosen[i])];
    axis.scale = scales[i];
    const double region = crop ? axis.end - axis.start : 1.0;
    axis.exact = static_cast<double>(axis.input) * region * axis.scale;
    axis.output = static_cast<std::int64_t>(std::floor(axis.exact));
  }
  return axes;
}

struct Weighted {
  double value = 0;
  double magnitude = 0;
  double propagated = 0;
};

/// The sum over all combinations of taps from `axis` on.
void accumulate(const Tensor& x, const std::vector<const Sample*>& samples, std::size_t axis, std::int64_t position,
                double weight, Weighted& sum) {
  if (axis == samples.size()) {
    sum.value += weight * x.number(position);
    sum.magnitude += std::fabs(weight) * (std::fabs(x.number(position)) + x.error(position));
    sum.propagated += std::fabs(weight) * x.error(position);
    return;
  }
  for (const Tap& tap : samples[axis]->taps) {
    accumulate(x, samples, axis + 1, position * x.shape[axis] + tap.index, weight * tap.weight, sum);
  }
}

}  // namespace

Outputs resize(const Call& call) {
  const Tensor& x = call.in(0);
  const Settings settings = settings_of(call);
  const std::vector<Axis> axes = axes_of(call);
  Shape shape;
  std::vector<std::vector<Sample>> samples(axes.size());
  double largest_coordinate = 0;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    shape.push_back(axes[i].output);
    for (std::int64_t at = 0; at < axes[i].output; ++at) {
      samples[i].push_back(make_sample(call, settings, axes[i], at));
      largest_coordinate = std::max(largest_coordinate, std::fabs(samples[i].back().coordinate));
    }
  }
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    std::vector<const Sample*> chosen;
    bool extrapolated = false;
    double terms = 1;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      chosen.push_back(&samples[i][static_cast<std::size_t>(at[i])]);
      extrapolated = extrapolated || chosen.back()->extrapolated;
      terms *= static_cast<double>(chosen.back()->taps.size());
    }
    Weighted sum;
    accumulate(x, chosen, 0, 0, 1.0, sum);
    if (extrapolated) sum = {call.attribute("extrapolation_value", 0.0), 0, 0};
    if (!is_real(x.type)) {
      y.set_integer(at.flat(), wrap_to(x.type, static_cast<std::int64_t>(sum.value)));
      continue;
    }
    y.set(at.flat(), sum.value);
    // Weights computed from float32 coordinates are off by as much as the coordinates.
    const double own =
        terms == 1 ? 0 : (sum_factor(terms) + 16 * kUnitRoundoff * (1 + largest_coordinate)) * sum.magnitude;
    y.set_error(at.flat(), sum.propagated + own);
  }
  return {y};
}

}  // namespace linnet::reference
