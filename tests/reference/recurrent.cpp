// RNN, GRU and LSTM, from their equations: one step of one sequence after the other.
#include <algorithm>
#include <cmath>

#include "reference/call.h"

namespace linnet::reference {

namespace {

using Vector = std::vector<double>;

double gate(double x) { return 1 / (1 + std::exp(-x)); }

struct Direction {
  const Call& call;
  std::int64_t direction, hidden, inputs, gates;

  [[nodiscard]] double activate(std::size_t which, double x) const {
    const double clip = call.attribute("clip", 0.0);
    if (clip > 0) x = std::clamp(x, -clip, clip);
    std::string name = which == 0 && gates > 1 ? "Sigmoid" : "Tanh";
    if (const auto found = call.node().attributes.find("activations"); found != call.node().attributes.end()) {
      const auto& names = std::get<std::vector<std::string>>(found->second);
      name = names[static_cast<std::size_t>(direction) * (gates == 4 ? 3 : (gates == 3 ? 2 : 1)) + which];
    }
    if (name == "Sigmoid") return gate(x);
    if (name == "Tanh") return std::tanh(x);
    if (name == "Relu") return std::max(x, 0.0);
    call.require(name == "LeakyRelu", "activation '" + name + "'");
    return x < 0 ? call.reals_attribute("activation_alpha").at(0) * x : x;
  }
  /// (W or R of a gate) times v.
  [[nodiscard]] Vector product(std::size_t input, std::int64_t gate, const Vector& v) const {
    const auto n = static_cast<std::int64_t>(v.size());
    Vector result(static_cast<std::size_t>(hidden), 0);
    for (std::int64_t j = 0; j < hidden; ++j) {
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t row = (direction * gates + gate) * hidden + j;
        result[static_cast<std::size_t>(j)] += call.in(input).number(row * n + i) * v[static_cast<std::size_t>(i)];
      }
    }
    return result;
  }
  /// Wb (half 0) or Rb (half 1) of a gate.
  [[nodiscard]] double bias(std::int64_t half, std::int64_t gate, std::int64_t j) const {
    return call.has(3) ? call.in(3).number(((direction * 2 + half) * gates + gate) * hidden + j) : 0;
  }
  [[nodiscard]] double peephole(std::int64_t gate, std::int64_t j) const {
    return call.has(7) ? call.in(7).number((direction * 3 + gate) * hidden + j) : 0;
  }
  /// Wx + Rh + Wb + Rb of a gate, element j.
  [[nodiscard]] Vector sum(std::int64_t gate, const Vector& x, const Vector& h) const {
    Vector result = product(1, gate, x);
    const Vector recurrent = product(2, gate, h);
    for (std::int64_t j = 0; j < hidden; ++j) {
      const auto at = static_cast<std::size_t>(j);
      result[at] += recurrent[at] + bias(0, gate, j) + bias(1, gate, j);
    }
    return result;
  }

  void step(const Vector& x, Vector& h, Vector& c) const {
    if (gates == 1) {
      h = sum(0, x, h);
      for (double& value : h) value = activate(0, value);
    } else if (gates == 3) {
      gru(x, h);
    } else {
      lstm(x, h, c);
    }
  }

  void gru(const Vector& x, Vector& h) const {
    const Vector update = sum(0, x, h);
    const Vector reset = sum(1, x, h);
    const bool before = call.attribute("linear_before_reset", std::int64_t{0}) != 0;
    Vector kept = h;
    for (std::size_t j = 0; j < h.size(); ++j) kept[j] *= activate(0, reset[j]);
    const Vector input = product(1, 2, x);
    const Vector recurrent = product(2, 2, before ? h : kept);
    for (std::size_t j = 0; j < h.size(); ++j) {
      const auto at = static_cast<std::int64_t>(j);
      const double inner = recurrent[j] + bias(1, 2, at);
      const double candidate = activate(1, input[j] + (before ? activate(0, reset[j]) : 1) * inner + bias(0, 2, at));
      const double z = activate(0, update[j]);
      h[j] = (1 - z) * candidate + z * h[j];
    }
  }

  void lstm(const Vector& x, Vector& h, Vector& c) const {
    const Vector i = sum(0, x, h);
    const Vector o = sum(1, x, h);
    const Vector f = sum(2, x, h);
    const Vector g = sum(3, x, h);
    for (std::size_t j = 0; j < h.size(); ++j) {
      const auto at = static_cast<std::int64_t>(j);
      const double input = activate(0, i[j] + peephole(0, at) * c[j]);
      const double forget =
          call.attribute("input_forget", std::int64_t{0}) != 0 ? 1 - input : activate(0, f[j] + peephole(2, at) * c[j]);
      c[j] = forget * c[j] + input * activate(1, g[j]);
      h[j] = activate(0, o[j] + peephole(1, at) * c[j]) * activate(2, c[j]);
    }
  }
};

}  // namespace

Outputs recurrent(const Call& call) {
  const Tensor& x = call.in(0);
  const bool first = call.attribute("layout", std::int64_t{0}) != 0;
  const std::string& op = call.node().op_type;
  const std::string direction = call.attribute("direction", "forward");
  const std::int64_t steps = x.shape[first ? 1 : 0];
  const std::int64_t batch = x.shape[first ? 0 : 1];
  const std::int64_t inputs = x.shape[2];
  const std::int64_t hidden = call.in(2).shape[2];
  const std::int64_t directions = direction == "bidirectional" ? 2 : 1;
  Tensor y =
      call.make(x.type, first ? Shape{batch, steps, directions, hidden} : Shape{steps, directions, batch, hidden});
  Tensor last_h = call.make(x.type, first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden});
  Tensor last_c = last_h;
  for (std::int64_t d = 0; d < directions; ++d) {
    const Direction node{call, d, hidden, inputs, op == "LSTM" ? 4 : (op == "GRU" ? 3 : 1)};
    for (std::int64_t b = 0; b < batch; ++b) {
      const std::int64_t state = (first ? b * directions + d : d * batch + b) * hidden;
      Vector h(static_cast<std::size_t>(hidden), 0);
      Vector c = h;
      for (std::int64_t j = 0; j < hidden; ++j) {
        if (call.has(5)) h[static_cast<std::size_t>(j)] = call.in(5).number(state + j);
        if (call.has(6)) c[static_cast<std::size_t>(j)] = call.in(6).number(state + j);
      }
      const std::int64_t length = call.has(4) ? call.in(4).integer(b) : steps;
      for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t at = direction == "reverse" || d == 1 ? length - 1 - t : t;
        Vector step;
        for (std::int64_t i = 0; i < inputs; ++i)
          step.push_back(x.number((first ? b * steps + at : at * batch + b) * inputs + i));
        node.step(step, h, c);
        for (std::int64_t j = 0; j < hidden; ++j) {
          const std::int64_t row = first ? (b * steps + at) * directions + d : (at * directions + d) * batch + b;
          y.set(row * hidden + j, h[static_cast<std::size_t>(j)]);
        }
      }
      for (std::int64_t j = 0; j < hidden; ++j) {
        last_h.set(state + j, h[static_cast<std::size_t>(j)]);
        last_c.set(state + j, c[static_cast<std::size_t>(j)]);
      }
    }
  }
  return {y, last_h, last_c};
}

}  // namespace linnet::reference
