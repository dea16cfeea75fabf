// The equation of an Einsum, as read: a name for each axis of each operand and of the result.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "ops/node_context.h"

namespace linnet::ops {

/// An axis: a letter, or '.' and which axis of the ellipsis it is, counted from its end.
using AxisName = std::pair<char, std::size_t>;
using AxisNames = std::vector<AxisName>;

struct EinsumEquation {
  std::vector<AxisNames> operands;
  AxisNames result, summed;  // the result's axes, and those that only operands have, each once
};

/// None where a rank is not known yet. Throws Error(model) where the equation does not fit the operands.
std::optional<EinsumEquation> einsum_equation(const NodeContext& context);

}  // namespace linnet::ops
