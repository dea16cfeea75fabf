#include "ops/activation.h"

#include <limits>
#include <string>

#include "ops/fused_operators.h"
#include "ops/unary.h"

namespace linnet::ops {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

Activation read_activation(const NodeContext& context) {
  const std::string name = context.attribute_string(kActivation, "none");
  if (name == "none" || name.empty()) return {};
  if (name == "Clip") {
    return {kernels::UnaryOp::clip, context.attribute_float(kActivationAlpha, -kInfinity),
            context.attribute_float(kActivationBeta, kInfinity)};
  }
  const UnaryFunction* function = find_unary(name);
  if (function == nullptr || !function->kernel) {
    context.fail(ErrorCode::unsupported, "no such activation can be fused", "attribute 'activation'", "Relu, Clip, ...",
                 name);
  }
  return {function->kernel, context.attribute_float(kActivationAlpha, function->alpha),
          context.attribute_float(kActivationBeta, function->beta)};
}

std::optional<kernels::Clamp> clamp_bounds(const Activation& activation) {
  if (!activation.kind) return kernels::Clamp{};
  if (*activation.kind == kernels::UnaryOp::relu) return kernels::Clamp{0.0f, kInfinity};
  if (*activation.kind == kernels::UnaryOp::clip) return kernels::Clamp{activation.alpha, activation.beta};
  return std::nullopt;
}

kernels::Clamp require_clamp(const NodeContext& context) {
  const std::optional<kernels::Clamp> clamp = clamp_bounds(read_activation(context));
  if (!clamp) {
    context.fail(ErrorCode::unsupported, "this operator can only be fused with a clamp", "attribute 'activation'",
                 "none, Relu or Clip", context.attribute_string(kActivation, "none"));
  }
  return *clamp;
}

bool keeps_zero(const Activation& activation) {
  if (const std::optional<kernels::Clamp> clamp = clamp_bounds(activation))
    return clamp->lo <= 0.0f && clamp->hi >= 0.0f;
  // The kernel itself is asked, on the scalar table: every ISA gives the same bits.
  float zero = 0.0f;
  apply_activation(*kernels::table(kernels::Isa::scalar), activation, &zero, 1);
  return zero == 0.0f;
}

void apply_activation(const kernels::Table& table, const Activation& activation, float* x, std::int64_t n) {
  if (!activation.kind) return;
  kernels::UnaryArguments args;
  args.op = *activation.kind;
  args.x = x;
  args.y = x;
  args.alpha = activation.alpha;
  args.beta = activation.beta;
  args.end = n;
  table.unary(args);
}

}  // namespace linnet::ops
