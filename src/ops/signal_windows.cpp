// Tensors that signal processing begins with, made from a few numbers: HannWindow, HammingWindow, BlackmanWindow,
// MelWeightMatrix.
#include <cmath>
#include <string>
#include <string_view>

#include "ops/blocked.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// w(i) = a0 + a1 cos(2 pi i / N) + a2 cos(4 pi i / N).
struct Window {
  std::string_view name;
  double a0, a1, a2;
};
constexpr Window kWindows[] = {
    {"HannWindow", 0.5, -0.5, 0},
    {"HammingWindow", 25.0 / 46, -21.0 / 46, 0},
    {"BlackmanWindow", 0.42, -0.5, 0.08},
};

DataType output_type(const NodeContext& c) {
  const std::int64_t number = c.attribute_int("output_datatype", static_cast<std::int64_t>(DataType::float32));
  for (const DataType type :
       {DataType::float32, DataType::float64, DataType::float16, DataType::bfloat16, DataType::uint8, DataType::uint16,
        DataType::uint32, DataType::uint64, DataType::int8, DataType::int16, DataType::int32, DataType::int64}) {
    if (number == static_cast<std::int64_t>(type)) return type;
  }
  c.fail(ErrorCode::model, "there is no such type of numbers", "attribute 'output_datatype'",
         "a number of TensorProto.DataType", std::to_string(number));
}

/// Input i, an integer of 0 or more, where it is known; else an extent that is not.
graph::Dim known_size(const NodeContext& c, std::size_t i) {
  require_integers(c, i);
  require_scalar(c, i);
  if (c.constant(i) == nullptr) return {};
  const std::int64_t size = c.constant_int(i);
  if (size < 0) c.fail(ErrorCode::model, "a size is negative", c.input_label(i), "0 or more", std::to_string(size));
  return {size};
}

double known_real(const NodeContext& c, std::size_t i) {
  double value = 0;
  const Tensor* tensor = c.constant(i);
  if (tensor == nullptr)
    c.fail(ErrorCode::unsupported, "a frequency must be known before the model runs", c.input_label(i), "a constant");
  require_scalar(c, i);
  visit_element_type(tensor->type(),
                     [&](auto element) { value = convert<double>(tensor->data<decltype(element)>()[0]); });
  return value;
}

/// The step: element i of output 0 is value(i).
template <typename Value>
void plan_elements(PlanContext& c, const Value& value) {
  for (std::size_t i = 0; i < c.input_count(); ++i) c.consumed(i);
  const Placement& y = c.placement_out(0);
  c.step().algorithm = "fill";
  c.step().run = [value, count = y.elements(), type = y.type](const RunArgs& args) {
    const Range mine = thread_share(args, count, count, kElementUnit);
    visit_element_type(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) args.out<T>(0)[i] = convert<T>(value(i));
    });
  };
}

/// Where the triangles begin, peak and end, as rows of the matrix: evenly apart on the mel scale.
struct MelScale {
  double low = 0, step = 0, length = 0, rate = 1;

  [[nodiscard]] double row(std::int64_t i) const {
    const double hertz = 700 * (std::pow(10, (low + step * static_cast<double>(i)) / 2595) - 1);
    return std::floor((length + 1) * hertz / rate);
  }
  /// The height of a band's triangle in a row; 1 at its peak.
  [[nodiscard]] double weight(double at, std::int64_t band) const {
    const double left = row(band), peak = row(band + 1), right = row(band + 2);
    if (at >= peak && at < right) return (right - at) / (right - peak);
    if (left == peak) return at == peak ? 1 : 0;
    return at >= left && at <= peak ? (at - left) / (peak - left) : 0;
  }
};

MelScale mel_scale(const NodeContext& c, std::int64_t bands) {
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  MelScale scale;
  scale.low = mel(known_real(c, 3));
  scale.step = (mel(known_real(c, 4)) - scale.low) / static_cast<double>(bands + 2);
  scale.length = static_cast<double>(known_size(c, 1).value);
  scale.rate = static_cast<double>(known_size(c, 2).value);
  if (scale.rate < 1) c.fail(ErrorCode::model, "the sample rate is not positive", c.input_label(2));
  return scale;
}

}  // namespace

void infer_signal_window(InferContext& c) { c.set_output(0, output_type(c), {known_size(c, 0)}); }

void plan_signal_window(PlanContext& c) {
  if (is_runtime_input(c, 0))
    c.fail(ErrorCode::unsupported, "the size must be known before the model runs", c.input_label(0), "a constant");
  const Window* window = kWindows;
  while (window->name != c.op_type()) ++window;
  const std::int64_t size = c.placement_out(0).shape[0];
  const bool periodic = c.attribute_int("periodic", 1) != 0;
  plan_elements(c, [w = *window, period = static_cast<double>(periodic ? size : size - 1)](std::int64_t i) {
    const double angle = 2 * M_PI * static_cast<double>(i) / period;
    return w.a0 + w.a1 * std::cos(angle) + w.a2 * std::cos(2 * angle);
  });
}

void infer_mel_weight_matrix(InferContext& c) {
  const graph::Dim bands = known_size(c, 0), length = known_size(c, 1);
  (void)known_size(c, 2);
  c.set_output(0, output_type(c), {length.known() ? graph::Dim(length.value / 2 + 1) : graph::Dim(), bands});
}

void plan_mel_weight_matrix(PlanContext& c) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (is_runtime_input(c, i))
      c.fail(ErrorCode::unsupported, "the size must be known before the model runs", c.input_label(i), "a constant");
  }
  const Shape& shape = c.placement_out(0).shape;
  const std::int64_t rows = shape[0], bands = shape[1];
  const MelScale scale = mel_scale(c, bands);
  for (const std::int64_t end : {std::int64_t{0}, bands + 1}) {
    const double row = scale.row(end);
    if (!(row >= 0 && row <= static_cast<double>(rows)))
      c.fail(ErrorCode::model, "a band lies beyond the spectrum", c.input_label(end == 0 ? 3 : 4));
  }
  plan_elements(c, [scale, bands](std::int64_t i) {
    const std::int64_t row = i / bands;
    return scale.weight(static_cast<double>(row), i % bands);
  });
}

}  // namespace linnet::ops
