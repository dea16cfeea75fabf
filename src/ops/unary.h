// The functions of one variable, as a list: what elementwise operators and fused activations both look up.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "kernels/table.h"
#include "ops/plan_context.h"

namespace linnet::ops {

struct UnaryParameters {
  float alpha = 0, beta = 0;
};

struct UnaryFunction {
  std::string_view name;                   // the operator's, or "GeluTanh"
  std::optional<kernels::UnaryOp> kernel;  // none: computed by `value`, rounded once
  std::string_view alpha_name;             // its attribute; empty: the function has none
  float alpha;                             // the attribute's default, or the function's constant
  std::string_view beta_name;
  float beta;
  double (*value)(double x, const UnaryParameters& p);
};

/// Null where there is no such function.
const UnaryFunction* find_unary(std::string_view name);
/// The function of a unary node. Its operator must be one of the list.
const UnaryFunction& unary_function(const NodeContext& context);
UnaryParameters unary_parameters(const NodeContext& context, const UnaryFunction& function);

/// The bounds of a float32 Clip where they are known for ever. An absent one is the type's lowest or highest number, as ONNX says:
/// Clip() maps infinity to the largest finite number.
std::optional<UnaryParameters> clip_bounds(const NodeContext& context);

/// What the parameters are when the step runs: known before, but for a Clip whose bounds are computed.
using ParameterSource = std::function<UnaryParameters(const RunArgs&)>;

/// Plans float32 input 0 -> output 0, in either layout, on the SIMD kernel.
void plan_unary_kernel(PlanContext& context, kernels::UnaryOp op, ParameterSource parameters);

}  // namespace linnet::ops
