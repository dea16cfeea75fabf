// What a recurrent operator (RNN, GRU, LSTM) is told by its node.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "ops/plan_context.h"
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

// Inputs and outputs that all three have, and those of the LSTM.
constexpr std::size_t kRecurrentX = 0, kRecurrentW = 1, kRecurrentR = 2, kRecurrentB = 3, kRecurrentLengths = 4,
                      kInitialH = 5, kInitialC = 6, kPeepholes = 7;
constexpr std::size_t kRecurrentY = 0, kLastH = 1, kLastC = 2;

struct Recurrence {
  std::int64_t gates = 1, hidden = 0, inputs = 0, steps = 0, batch = 0, directions = 1;
  std::array<Functions, 2> functions;
  double clip = std::numeric_limits<double>::infinity();
  bool batch_first = false, reverse = false, linear_before_reset = false, input_forget = false;
  bool biased = false, lengths = false, initial_h = false, initial_c = false, peepholes = false;
  std::array<bool, 3> wants{};  // by output

  [[nodiscard]] std::int64_t sequences() const { return directions * batch; }
  [[nodiscard]] std::int64_t rows() const { return steps * batch; }  // of X
};

/// All steps of one sequence, that is of one entry of the batch in one direction. `T` is the operator's type, `State` what it
/// is computed in: h and c hold `hidden` of them. step(row of X) takes h and c from one step to the next.
template <typename T, typename State, typename Step>
void walk_sequence(const Recurrence& k, const RunArgs& args, std::int64_t direction, std::int64_t entry, State* h,
                   State* c, const Step& step) {
  const std::int64_t state =
      (k.batch_first ? entry * k.directions + direction : direction * k.batch + entry) * k.hidden;
  const auto read = [&](bool given, std::size_t input, State* to) {
    for (std::int64_t j = 0; j < k.hidden; ++j) to[j] = given ? static_cast<State>(args.in<T>(input)[state + j]) : 0;
  };
  const auto write = [&](const State* from, T* to) {
    for (std::int64_t j = 0; j < k.hidden; ++j) to[j] = static_cast<T>(from[j]);
  };
  read(k.initial_h, kInitialH, h);
  read(k.initial_c, kInitialC, c);
  std::int64_t length = k.steps;
  if (k.lengths) length = args.in<std::int32_t>(kRecurrentLengths)[entry];
  if (length < 0 || length > k.steps) {
    args.report("the length of a sequence is out of range");
    length = 0;
  }
  const bool backwards = k.reverse || direction == 1;
  for (std::int64_t i = 0; i < k.steps; ++i) {
    const bool beyond = i >= length;
    const std::int64_t at = backwards && !beyond ? length - 1 - i : i;
    const std::int64_t row = k.batch_first ? entry * k.steps + at : at * k.batch + entry;
    T* y = nullptr;
    if (k.wants[kRecurrentY])
      y = args.out<T>(kRecurrentY) +
          (k.batch_first ? row * k.directions + direction : (at * k.directions + direction) * k.batch + entry) *
              k.hidden;
    if (beyond) {
      if (y != nullptr) std::fill_n(y, k.hidden, T{0});
      continue;
    }
    step(row);
    if (y != nullptr) write(h, y);
  }
  if (k.wants[kLastH]) write(h, args.out<T>(kLastH) + state);
  if (k.wants[kLastC]) write(c, args.out<T>(kLastC) + state);
}

/// An LSTM or a GRU as PyTorch and Keras export them - float32, constant weights, the usual activations, nothing clipped -
/// whose sums are matrix products. False: the node is not like this, and nothing is planned.
bool plan_recurrent_gemm(PlanContext& context, const Recurrence& recurrence);

}  // namespace linnet::ops
