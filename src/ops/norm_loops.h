// Normalizations as plain loops in double, along any axes: what has no kernel.
#pragma once

#include <optional>
#include <vector>

#include "ops/plan_context.h"

namespace linnet::ops {

enum class Norm : unsigned char { mean_variance, l1, l2, layer, rms };

struct NormLoops {
  Norm norm = Norm::layer;
  Shape shape;                       // of input 0, perhaps with an axis cut in two
  std::vector<bool> reduced;         // the axes that are normalized together
  double epsilon = 0;                // of layer and rms
  std::optional<Shape> scale, bias;  // of inputs 1 and 2, as they are broadcast to `shape`
  std::size_t statistics = 0;        // how many the node names of outputs 1 and 2, floats: mean and 1 / deviation
};

/// Plans a float32 or float64 normalization. Like ONNX's definition it rounds the normalized number, then the product
/// with the scale, then the sum with the bias.
void plan_norm_loops(PlanContext& context, NormLoops loops);

}  // namespace linnet::ops
