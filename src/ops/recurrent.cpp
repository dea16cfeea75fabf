// RNN, GRU, LSTM. A sequence, that is one entry of the batch in one direction, is computed by one thread from its first
// step to its last: no thread waits for another, and each sum has one order. Sums and states are in double.
// recurrent_gemm.cpp has a faster way for the usual forms.
#include "ops/recurrent.h"

#include <array>
#include <cmath>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

std::int64_t gates_of(const NodeContext& c) { return c.op_type() == "LSTM" ? 4 : (c.op_type() == "GRU" ? 3 : 1); }

std::int64_t directions_of(const NodeContext& c) {
  const std::string direction = c.attribute_string("direction", "forward");
  if (direction == "bidirectional") return 2;
  if (direction != "forward" && direction != "reverse") {
    c.fail(ErrorCode::model, "there is no such direction", "attribute 'direction'", "forward, reverse or bidirectional",
           direction);
  }
  return 1;
}

bool batch_comes_first(const NodeContext& c) { return c.attribute_int("layout", 0) != 0; }

/// Throws unless input i, where it is given, has this type and shape as far as they are known.
void require_shape(const NodeContext& c, std::size_t i, DataType type, const DimList& expected) {
  if (!c.has_input(i)) return;
  const graph::TensorDesc& found = c.input(i);
  bool fits = found.type == type || found.type == DataType::undefined || type == DataType::undefined;
  if (found.has_rank()) {
    fits = fits && found.shape->size() == expected.size();
    for (std::size_t k = 0; fits && k < expected.size(); ++k) {
      const Dim &a = (*found.shape)[k], &b = expected[k];
      fits = !a.known() || !b.known() || a.value == b.value;
    }
  }
  if (fits) return;
  c.fail(ErrorCode::model, "an input of a recurrent operator has the wrong shape or type", c.input_label(i),
         graph::to_string({type, expected, graph::Layout::plain}), graph::to_string(found));
}

Dim times(std::int64_t factor, const Dim& extent) {
  return extent.known() ? Dim(base::checked_mul(factor, extent.value, "a recurrent operator")) : Dim();
}

DimList state_shape(const NodeContext& c, const Dim& batch, const Dim& hidden) {
  const Dim directions(directions_of(c));
  return batch_comes_first(c) ? DimList{batch, directions, hidden} : DimList{directions, batch, hidden};
}

/// The rows of W that belong to `weights`, and their columns, as double.
template <typename T>
void add_products(const T* weights, std::int64_t rows, std::int64_t columns, const double* x, double* sums) {
  constexpr std::int64_t kTogether = 8;  // independent sums, so that no addition waits for the one before
  std::int64_t row = 0;
  for (; row + kTogether <= rows; row += kTogether) {
    const T* const w = weights + row * columns;
    std::array<double, kTogether> sum{};
    for (std::int64_t i = 0; i < kTogether; ++i) sum[static_cast<std::size_t>(i)] = sums[row + i];
    for (std::int64_t k = 0; k < columns; ++k) {
      for (std::int64_t i = 0; i < kTogether; ++i)
        sum[static_cast<std::size_t>(i)] += static_cast<double>(w[i * columns + k]) * x[k];
    }
    for (std::int64_t i = 0; i < kTogether; ++i) sums[row + i] = sum[static_cast<std::size_t>(i)];
  }
  for (; row < rows; ++row) {
    for (std::int64_t k = 0; k < columns; ++k) sums[row] += static_cast<double>(weights[row * columns + k]) * x[k];
  }
}

/// What one direction reads; null where an optional input is omitted.
template <typename T>
struct Parameters {
  const T *w, *r, *b, *p;

  Parameters(const Recurrence& k, const RunArgs& args, std::int64_t direction)
      : w(args.in<T>(kRecurrentW) + direction * k.gates * k.hidden * k.inputs),
        r(args.in<T>(kRecurrentR) + direction * k.gates * k.hidden * k.hidden),
        b(k.biased ? args.in<T>(kRecurrentB) + direction * 2 * k.gates * k.hidden : nullptr),
        p(k.peepholes ? args.in<T>(kPeepholes) + direction * 3 * k.hidden : nullptr) {}
};

/// The working memory of a sequence, in this thread's scratch.
struct Memory {
  double *x, *gates, *h, *c, *extra;

  Memory(const Recurrence& k, std::byte* scratch)
      : x(reinterpret_cast<double*>(scratch)),
        gates(x + k.inputs),
        h(gates + k.gates * k.hidden),
        c(h + k.hidden),
        extra(c + k.hidden) {}
  static std::int64_t count(const Recurrence& k) { return k.inputs + (k.gates + 3) * k.hidden; }
};

double clipped(const Recurrence& k, double x) { return x > k.clip ? k.clip : (x < -k.clip ? -k.clip : x); }
double activated(const Recurrence& k, const Activation& f, double x) { return f.value(clipped(k, x), f.parameters); }

/// The sums of all gates over the input, and the biases: both of a gate, but of a GRU's last only the input's, where the
/// other belongs behind the reset.
template <typename T>
void begin_gates(const Recurrence& k, const Parameters<T>& p, const Memory& m) {
  const std::int64_t all = k.gates * k.hidden, both = k.linear_before_reset ? 2 * k.hidden : all;
  for (std::int64_t j = 0; j < all; ++j) {
    m.gates[j] = p.b == nullptr ? 0 : static_cast<double>(p.b[j]);
    if (p.b != nullptr && j < both) m.gates[j] += static_cast<double>(p.b[all + j]);
  }
  add_products(p.w, all, k.inputs, m.x, m.gates);
}

template <typename T>
void rnn_step(const Recurrence& k, const Functions& f, const Parameters<T>& p, const Memory& m) {
  add_products(p.r, k.hidden, k.hidden, m.h, m.gates);
  for (std::int64_t j = 0; j < k.hidden; ++j) m.h[j] = activated(k, f[0], m.gates[j]);
}

template <typename T>
void gru_step(const Recurrence& k, const Functions& f, const Parameters<T>& p, const Memory& m) {
  const std::int64_t n = k.hidden;
  double *const update = m.gates, *const reset = update + n, *const candidate = reset + n;
  add_products(p.r, 2 * n, n, m.h, m.gates);
  for (std::int64_t j = 0; j < 2 * n; ++j) m.gates[j] = activated(k, f[0], m.gates[j]);
  const T* const r = p.r + 2 * n * n;
  if (k.linear_before_reset) {
    for (std::int64_t j = 0; j < n; ++j) m.extra[j] = p.b == nullptr ? 0 : static_cast<double>(p.b[5 * n + j]);
    add_products(r, n, n, m.h, m.extra);
    for (std::int64_t j = 0; j < n; ++j) candidate[j] += reset[j] * m.extra[j];
  } else {
    for (std::int64_t j = 0; j < n; ++j) m.extra[j] = reset[j] * m.h[j];
    add_products(r, n, n, m.extra, candidate);
  }
  for (std::int64_t j = 0; j < n; ++j) m.h[j] = (1 - update[j]) * activated(k, f[1], candidate[j]) + update[j] * m.h[j];
}

template <typename T>
void lstm_step(const Recurrence& k, const Functions& f, const Parameters<T>& p, const Memory& m) {
  const std::int64_t n = k.hidden;
  add_products(p.r, 4 * n, n, m.h, m.gates);
  const auto peephole = [&](std::int64_t gate, std::int64_t j) {
    return p.p == nullptr ? 0 : static_cast<double>(p.p[gate * n + j]) * m.c[j];
  };
  for (std::int64_t j = 0; j < n; ++j) {
    const double input = activated(k, f[0], m.gates[j] + peephole(0, j));
    const double forget = k.input_forget ? 1 - input : activated(k, f[0], m.gates[2 * n + j] + peephole(2, j));
    m.c[j] = forget * m.c[j] + input * activated(k, f[1], m.gates[3 * n + j]);
    const double output = activated(k, f[0], m.gates[n + j] + peephole(1, j));
    m.h[j] = output * activated(k, f[2], m.c[j]);
  }
}

/// All steps of one sequence.
template <typename T>
void run_sequence(const Recurrence& k, const RunArgs& args, std::int64_t direction, std::int64_t entry) {
  const Parameters<T> p(k, args, direction);
  const Memory m(k, args.thread_scratch);
  const Functions& f = k.functions[static_cast<std::size_t>(direction)];
  walk_sequence<T>(k, args, direction, entry, m.h, m.c, [&](std::int64_t row) {
    for (std::int64_t i = 0; i < k.inputs; ++i)
      m.x[i] = static_cast<double>(args.in<T>(kRecurrentX)[row * k.inputs + i]);
    begin_gates(k, p, m);
    if (k.gates == 4) lstm_step(k, f, p, m);
    else if (k.gates == 3) gru_step(k, f, p, m);
    else rnn_step(k, f, p, m);
  });
}

}  // namespace

void infer_recurrent(InferContext& c) {
  require_types(c, kRecurrentX, kRealTypes);
  const graph::TensorDesc &x = c.input(kRecurrentX), &r = c.input(kRecurrentR);
  const Dim directions(directions_of(c));
  (void)recurrent_functions(c, directions.value);
  Dim hidden = c.has_attribute("hidden_size") ? Dim(c.attribute_int("hidden_size", 0)) : Dim();
  if (r.has_rank() && r.shape->size() == 3 && !hidden.known()) hidden = (*r.shape)[2];
  DimList rows(3);
  require_shape(c, kRecurrentX, x.type, rows);
  if (x.has_rank()) rows = *x.shape;
  const Dim &steps = rows[batch_comes_first(c) ? 1 : 0], &batch = rows[batch_comes_first(c) ? 0 : 1];
  const Dim gates = times(gates_of(c), hidden);
  require_shape(c, kRecurrentW, x.type, {directions, gates, rows[2]});
  require_shape(c, kRecurrentR, x.type, {directions, gates, hidden});
  require_shape(c, kRecurrentB, x.type, {directions, times(2, gates)});
  require_shape(c, kRecurrentLengths, DataType::int32, {batch});
  const DimList state = state_shape(c, batch, hidden);
  require_shape(c, kInitialH, x.type, state);
  require_shape(c, kInitialC, x.type, state);
  require_shape(c, kPeepholes, x.type, {directions, times(3, hidden)});
  c.set_output(
      kRecurrentY, x.type,
      batch_comes_first(c) ? DimList{batch, steps, directions, hidden} : DimList{steps, directions, batch, hidden});
  c.set_output(kLastH, x.type, state);
  c.set_output(kLastC, x.type, state);
}

void plan_recurrent(PlanContext& c) {
  const Placement& x = c.placement_in(kRecurrentX);
  Recurrence k;
  k.gates = gates_of(c);
  k.batch_first = batch_comes_first(c);
  k.steps = x.shape[k.batch_first ? 1 : 0];
  k.batch = x.shape[k.batch_first ? 0 : 1];
  k.inputs = x.shape[2];
  if (k.inputs == 0 && k.rows() > kMostOfNothing) {
    c.fail(ErrorCode::limit, "so many steps over nothing", c.input_label(kRecurrentX),
           "at most " + std::to_string(kMostOfNothing), std::to_string(k.rows()));
  }
  k.hidden = c.placement_in(kRecurrentR).shape[2];
  k.directions = directions_of(c);
  k.functions = recurrent_functions(c, k.directions);
  if (c.has_attribute("clip")) k.clip = static_cast<double>(c.attribute_float("clip", 0));
  k.reverse = c.attribute_string("direction", "forward") == "reverse";
  k.linear_before_reset = c.attribute_int("linear_before_reset", 0) != 0;
  k.input_forget = c.attribute_int("input_forget", 0) != 0;
  k.biased = c.has_input(kRecurrentB);
  k.lengths = c.has_input(kRecurrentLengths);
  k.initial_h = c.has_input(kInitialH);
  k.initial_c = c.has_input(kInitialC);
  k.peepholes = c.has_input(kPeepholes);
  for (std::size_t i = 0; i < k.wants.size(); ++i) k.wants[i] = c.has_output(i);
  Step& step = c.step();
  step.macs = base::checked_product(std::array{k.steps, k.batch, k.directions, k.gates * k.hidden, k.inputs + k.hidden},
                                    "a recurrent operator");
  if (plan_recurrent_gemm(c, k)) return;
  step.algorithm = "sequences";
  step.thread_scratch_bytes =
      base::to_size(base::checked_mul(Memory::count(k), 8, "a recurrent operator"), "a recurrent operator");
  step.run = [k, macs = step.macs, type = x.type](const RunArgs& args) {
    const Range mine = thread_share(args, k.sequences(), macs);
    visit_type<kRealTypes>(type, [&](auto element) {
      for (std::int64_t i = mine.first; i < mine.last; ++i)
        run_sequence<decltype(element)>(k, args, i / k.batch, i % k.batch);
    });
  };
}

}  // namespace linnet::ops
