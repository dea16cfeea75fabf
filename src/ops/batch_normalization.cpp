// BatchNormalization that the passes have left as it is, because its statistics are computed or a pass is switched off.
// In the training mode of opset 14 the statistics are those of the input itself, and the running ones are outputs.
#include <array>
#include <cmath>

#include "ops/channel_affine.h"
#include "ops/normalization.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kScale = 1, kBias = 2, kMean = 3, kVariance = 4;

bool is_training(const NodeContext& c) { return c.attribute_int("training_mode", 0) != 0; }

/// Before opset 14 it is left open which variance a training run keeps.
void refuse_old_training(const NodeContext& c) {
  if (c.opset() < 7 && c.attribute_int("is_test", 0) == 0) {
    c.fail(ErrorCode::unsupported, "batch normalization in training mode", "attribute 'is_test'", "inference",
           "training");
  }
  if (!is_training(c)) require_unused_outputs(c, 1, "batch normalization in training mode");
}

/// Input and parameters may each be of float or double (type parameters T, T1 and T2).
using Types = std::array<DataType, 5>;
Types types_of(const PlanContext& c) {
  Types types{};
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = c.placement_in(i).type;
  return types;
}

double parameter(const RunArgs& args, const Types& types, std::size_t i, std::int64_t channel) {
  return types[i] == DataType::float32 ? static_cast<double>(args.in<float>(i)[channel]) : args.in<double>(i)[channel];
}

/// [images][channels][pixels].
struct Planes {
  std::int64_t images = 0, channels = 0, pixels = 0;

  [[nodiscard]] std::int64_t count() const { return images * pixels; }  // of a channel
  template <typename Visit>
  void each(std::int64_t channel, const Visit& visit) const {
    if (pixels == 0) return;  // of 2^40 images, perhaps
    for (std::int64_t image = 0; image < images; ++image) {
      const std::int64_t start = (image * channels + channel) * pixels;
      for (std::int64_t i = start; i < start + pixels; ++i) visit(i);
    }
  }
};

/// One channel: its own statistics, what they do to its elements, and how they move the running ones.
template <typename T>
void train_channel(const RunArgs& args, const Types& types, const Planes& planes, std::int64_t channel, double epsilon,
                   double momentum) {
  const T* const x = args.in<T>(0);
  const auto count = static_cast<double>(planes.count());
  double sum = 0, squares = 0;
  planes.each(channel, [&](std::int64_t i) { sum += static_cast<double>(x[i]); });
  const double mean = sum / count;
  planes.each(channel, [&](std::int64_t i) {
    const double distance = static_cast<double>(x[i]) - mean;
    squares += distance * distance;
  });
  const double variance = squares / count,
               scale = parameter(args, types, kScale, channel) / std::sqrt(variance + epsilon);
  const double shift = parameter(args, types, kBias, channel);
  if (T* const y = args.out<T>(0); y != nullptr)
    planes.each(channel,
                [&](std::int64_t i) { y[i] = static_cast<T>((static_cast<double>(x[i]) - mean) * scale + shift); });
  const auto run_on = [&](std::size_t output, std::size_t input, double now) {
    if (args.outputs[output] == nullptr) return;
    const double moved = parameter(args, types, input, channel) * momentum + now * (1 - momentum);
    if (types[kMean] == DataType::float32) args.out<float>(output)[channel] = static_cast<float>(moved);
    else args.out<double>(output)[channel] = moved;
  };
  run_on(1, kMean, mean);
  run_on(2, kVariance, variance);
}

void plan_training(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  const Planes planes{shape[0], shape[1], norm_rows(shape, 2).n};
  const auto epsilon = static_cast<double>(c.attribute_float("epsilon", 1e-5f));
  const auto momentum = static_cast<double>(c.attribute_float("momentum", 0.9f));
  c.step().algorithm = "loops";
  c.step().run = [=, wants_mean = c.has_output(1), wants_variance = c.has_output(2),
                  types = types_of(c)](const RunArgs& given) {
    // As many outputs as the operator has, null where the node names fewer.
    std::byte* const targets[] = {given.outputs[0], wants_mean ? given.outputs[1] : nullptr,
                                  wants_variance ? given.outputs[2] : nullptr};
    RunArgs args = given;
    args.outputs = targets;
    const Range mine = thread_share(args, planes.channels, planes.channels * planes.count());
    visit_type<kRealTypes>(types[0], [&](auto element) {
      for (std::int64_t channel = mine.first; channel < mine.last; ++channel)
        train_channel<decltype(element)>(args, types, planes, channel, epsilon, momentum);
    });
  };
}

}  // namespace

void infer_batch_normalization(InferContext& c) {
  require_channels(c);
  refuse_old_training(c);
  const graph::TensorDesc& x = c.input(0);
  const graph::Dim channels = x.has_rank() ? (*x.shape)[1] : graph::Dim();
  // spatial = 0 asks for statistics for each pixel; where they are one a channel nonetheless, it means nothing.
  for (const std::size_t i : {kScale, kBias, kMean, kVariance}) {
    if (c.attribute_int("spatial", 1) == 0 && c.input(i).has_rank() && c.input(i).shape->size() != 1) {
      c.fail(ErrorCode::unsupported, "batch normalization with statistics for each pixel", "attribute 'spatial'", "1",
             "0");
    }
    require_types(c, i, kRealTypes);
    if (c.opset() < 14) require_same_type(c, 0, i);
    require_extent(c, i, channels);
  }
  require_same_type(c, kScale, kBias);
  require_same_type(c, kMean, kVariance);
  c.set(0, x);
  for (std::size_t i = 1; i < c.output_count(); ++i) c.set_output(i, c.input(kMean).type, {channels});
}

void plan_batch_normalization(PlanContext& c) {
  if (is_training(c)) return plan_training(c);
  const Shape& shape = c.placement_in(0).shape;
  const std::int64_t channels = shape[1], pixels = norm_rows(shape, 2).n, rows = pixels == 0 ? 0 : shape[0] * channels;
  const auto epsilon = static_cast<double>(c.attribute_float("epsilon", 1e-5f));
  Step& step = c.step();
  step.algorithm = "elementwise";
  step.kernel = isa_label(c);
  step.in_place = 0;
  step.run = [channels, pixels, rows, epsilon, types = types_of(c), table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, rows, rows * pixels);
    visit_type<kRealTypes>(types[0], [&](auto element) {
      using T = decltype(element);
      for (std::int64_t row = mine.first; row < mine.last; ++row) {
        const std::int64_t channel = row % channels;
        const auto number = [&](std::size_t i) { return parameter(args, types, i, channel); };
        const double scale = number(kScale) / std::sqrt(number(kVariance) + epsilon);
        const double shift = number(kBias) - number(kMean) * scale;
        const T* const x = args.in<T>(0) + row * pixels;
        T* const y = args.out<T>(0) + row * pixels;
        if constexpr (std::is_same_v<T, float>)
          affine_row(*table, x, y, pixels, static_cast<float>(scale), static_cast<float>(shift), {});
        else map_loop(x, y, {0, pixels}, [=](T value) { return std::fma(value, scale, shift); });
      }
    });
  };
}

}  // namespace linnet::ops
