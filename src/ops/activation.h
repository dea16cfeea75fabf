// The activation that a fused operator ends with, read from its attributes activation, activation_alpha, activation_beta.
#pragma once

#include <cstdint>
#include <optional>

#include "kernels/table.h"
#include "ops/node_context.h"

namespace linnet::ops {

struct Activation {
  std::optional<kernels::UnaryOp> kind;  // none: the identity
  float alpha = 0, beta = 0;             // as UnaryArguments has them
};

/// Throws Error(unsupported) for a name that no kernel knows.
Activation read_activation(const NodeContext& context);

/// The activation as the clamp that the kernels apply when they store: none, Relu and Clip. Empty for all others.
std::optional<kernels::Clamp> clamp_bounds(const Activation& activation);

/// clamp_bounds(), refusing what is no clamp: for operators whose kernels can do nothing else.
kernels::Clamp require_clamp(const NodeContext& context);

/// Whether zero stays zero, and so the padded channels of a blocked tensor do.
bool keeps_zero(const Activation& activation);

/// In place, over `n` floats.
void apply_activation(const kernels::Table& table, const Activation& activation, float* x, std::int64_t n);

}  // namespace linnet::ops
