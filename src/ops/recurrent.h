// What a recurrent operator (RNN, GRU, LSTM) is told by its node.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "ops/unary.h"

namespace linnet::ops {

struct Activation {
  double (*value)(double x, const UnaryParameters& p) = nullptr;
  UnaryParameters parameters;
};
/// f, g and h of one direction, as many as the operator has.
using Functions = std::array<Activation, 3>;

/// The activations of both directions, the defaults where the node names none. Throws Error(model) for names that ONNX does
/// not have and for a wrong count.
std::array<Functions, 2> recurrent_functions(const NodeContext& context, std::int64_t directions);

struct Recurrence {
  std::int64_t gates = 1, hidden = 0, inputs = 0, steps = 0, batch = 0, directions = 1;
  std::array<Functions, 2> functions;
  double clip = std::numeric_limits<double>::infinity();
  bool batch_first = false, reverse = false, linear_before_reset = false, input_forget = false;
  bool biased = false, lengths = false, initial_h = false, initial_c = false, peepholes = false;
  std::array<bool, 3> wants{};  // by output
};

}  // namespace linnet::ops
