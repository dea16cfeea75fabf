// BatchNormalization that the passes have left as it is, because its statistics are computed or a pass is switched off.
#include <cmath>
#include <string>

#include "ops/channel_affine.h"
#include "ops/normalization.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kScale = 1, kBias = 2, kMean = 3, kVariance = 4;

void refuse_training(const NodeContext& c) {
  const bool training = c.opset() < 7 ? c.attribute_int("is_test", 0) == 0 : c.attribute_int("training_mode", 0) != 0;
  if (training) {
    c.fail(ErrorCode::unsupported, "batch normalization in training mode",
           c.opset() < 7 ? "attribute 'is_test'" : "attribute 'training_mode'", "inference", "training");
  }
  require_unused_outputs(c, 1, "batch normalization in training mode");
}

}  // namespace

void infer_batch_normalization(InferContext& c) {
  require_channels(c);
  refuse_training(c);
  const graph::TensorDesc& x = c.input(0);
  const graph::Dim channels = x.has_rank() ? (*x.shape)[1] : graph::Dim();
  // spatial = 0 asks for statistics for each pixel; where they are one a channel nonetheless, it means nothing.
  for (const std::size_t i : {kScale, kBias, kMean, kVariance}) {
    if (c.attribute_int("spatial", 1) == 0 && c.input(i).has_rank() && c.input(i).shape->size() != 1) {
      c.fail(ErrorCode::unsupported, "batch normalization with statistics for each pixel", "attribute 'spatial'", "1",
             "0");
    }
    require_vector(c, i, channels);
  }
  c.set(0, x);
  for (std::size_t i = 1; i < c.output_count(); ++i) c.set_output(i, x.type, {channels});
}

void plan_batch_normalization(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  const std::int64_t channels = shape[1], pixels = norm_rows(shape, 2).n, rows = pixels == 0 ? 0 : shape[0] * channels;
  const auto epsilon = static_cast<double>(c.attribute_float("epsilon", 1e-5f));
  Step& step = c.step();
  step.algorithm = "elementwise";
  step.kernel = isa_label(c);
  step.in_place = 0;
  step.run = [channels, pixels, rows, epsilon, type = c.placement_in(0).type,
              table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, rows, rows * pixels);
    visit_type<kRealTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t row = mine.first; row < mine.last; ++row) {
        const std::int64_t channel = row % channels;
        const auto parameter = [&](std::size_t i) { return static_cast<double>(args.in<T>(i)[channel]); };
        const double scale = parameter(kScale) / std::sqrt(parameter(kVariance) + epsilon);
        const double shift = parameter(kBias) - parameter(kMean) * scale;
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
