// LSTM and GRU by matrix products: the gates' sums over the inputs of all steps at once, those over the state a step at a time.
// A sequence is computed by one thread.
#include <memory>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/matrix.h"
#include "ops/recurrent.h"

namespace linnet::ops {

namespace {

struct RecurrentGemm {
  const kernels::Table* table = nullptr;
  Recurrence k;
  std::int64_t macs = 0;
  std::int64_t gates = 0, columns = 0;       // of all gates of a direction; padded
  WeightStore::Buffer w, r, w_bias, r_bias;  // a direction after the other

  void run(const RunArgs& args) const;
  void sum_inputs(const RunArgs& args) const;
  void run_sequence(const RunArgs& args, std::int64_t direction, std::int64_t entry) const;
  void lstm_step(const kernels::GemmArguments& product, float* h, float* c) const;
  void gru_step(const kernels::GemmArguments& product, const float* x, float* h, float* scratch) const;
  void activate(kernels::UnaryOp op, float* x, std::int64_t n) const;
  WeightStore::Buffer pack_weights(PlanContext& context, std::size_t input, std::int64_t inner) const;
  template <typename Value>
  WeightStore::Buffer pack_bias(PlanContext& context, const char* what, const Value& value) const;
};

void RecurrentGemm::activate(kernels::UnaryOp op, float* x, std::int64_t n) const {
  kernels::UnaryArguments a;
  a.op = op;
  a.x = x;
  a.y = x;
  a.end = n;
  table->unary(a);
}

/// Rows [steps * batch][columns] of a direction, all directions.
void RecurrentGemm::sum_inputs(const RunArgs& args) const {
  const std::int64_t panels = matrix_panels(*table, gates);
  const Range mine = split(k.directions * panels, args.threads, args.thread);
  for (std::int64_t i = mine.first; i < mine.last;) {
    const std::int64_t direction = i / panels, last = std::min(mine.last, (direction + 1) * panels);
    kernels::GemmArguments g{};
    g.a = args.in<float>(kRecurrentX);
    g.a_row = k.inputs;
    g.weights = w->as<float>() + direction * packed_matrix_floats(k.inputs, gates);
    g.bias = w_bias->as<float>() + direction * columns;
    g.c = reinterpret_cast<float*>(args.shared_scratch) + direction * k.rows() * columns;
    g.c_row = columns;
    g.lo = -std::numeric_limits<float>::infinity();
    g.hi = std::numeric_limits<float>::infinity();
    g.rows = static_cast<int>(k.rows());
    g.k = static_cast<int>(k.inputs);
    g.n = static_cast<int>(columns);
    g.panel_first = static_cast<int>(i - direction * panels);
    g.panel_last = static_cast<int>(last - direction * panels);
    table->gemm(g);
    i = last;
  }
}

/// Gates i, o, f, c.
void RecurrentGemm::lstm_step(const kernels::GemmArguments& product, float* h, float* c) const {
  table->gemm(product);
  const std::int64_t n = k.hidden;
  float* const g = product.c;
  activate(kernels::UnaryOp::sigmoid, g, 3 * n);
  activate(kernels::UnaryOp::tanh, g + 3 * n, n);
  for (std::int64_t j = 0; j < n; ++j) h[j] = c[j] = g[2 * n + j] * c[j] + g[j] * g[3 * n + j];
  activate(kernels::UnaryOp::tanh, h, n);
  for (std::int64_t j = 0; j < n; ++j) h[j] *= g[n + j];
}

/// Gates z, r, h; the reset gate is applied to the state's sum, whose bias is in that sum.
void RecurrentGemm::gru_step(const kernels::GemmArguments& product, const float* x, float* h, float* scratch) const {
  table->gemm(product);
  const std::int64_t n = k.hidden;
  float* const g = product.c;
  for (std::int64_t j = 0; j < 2 * n; ++j) g[j] += x[j];
  activate(kernels::UnaryOp::sigmoid, g, 2 * n);
  for (std::int64_t j = 0; j < n; ++j) scratch[j] = g[n + j] * g[2 * n + j] + x[2 * n + j];
  activate(kernels::UnaryOp::tanh, scratch, n);
  for (std::int64_t j = 0; j < n; ++j) h[j] = (1 - g[j]) * scratch[j] + g[j] * h[j];
}

void RecurrentGemm::run_sequence(const RunArgs& args, std::int64_t direction, std::int64_t entry) const {
  float* const g = reinterpret_cast<float*>(args.thread_scratch);
  float *const h = g + columns, *const c = h + columns;
  kernels::GemmArguments product{};
  product.a = h;
  product.a_row = k.hidden;
  product.weights = r->as<float>() + direction * packed_matrix_floats(k.hidden, gates);
  product.bias = r_bias->as<float>() + direction * columns;
  product.c = g;
  product.c_row = columns;
  product.lo = -std::numeric_limits<float>::infinity();
  product.hi = std::numeric_limits<float>::infinity();
  product.rows = 1;
  product.k = static_cast<int>(k.hidden);
  product.n = static_cast<int>(columns);
  product.panel_last = static_cast<int>(matrix_panels(*table, gates));
  const float* const sums = reinterpret_cast<const float*>(args.shared_scratch) + direction * k.rows() * columns;
  walk_sequence<float>(k, args, direction, entry, h, c, [&](std::int64_t row) {
    const float* const x = sums + row * columns;
    if (k.gates == 3) return gru_step(product, x, h, c);
    product.residual = x;
    product.residual_row = columns;
    lstm_step(product, h, c);
  });
}

void RecurrentGemm::run(const RunArgs& args) const {
  if (args.phase == 0) return sum_inputs(args);
  const Range mine = thread_share(args, k.sequences(), macs);
  for (std::int64_t i = mine.first; i < mine.last; ++i) run_sequence(args, i / k.batch, i % k.batch);
}

/// [directions][gates][inner] of the model, transposed and packed.
WeightStore::Buffer RecurrentGemm::pack_weights(PlanContext& context, std::size_t input, std::int64_t inner) const {
  const std::int64_t floats = packed_matrix_floats(inner, gates);
  const std::size_t bytes =
      base::to_size(base::checked_mul(floats, k.directions * 4, "a packed matrix"), "a packed matrix");
  WeightStore::Buffer packed = context.pack({input}, "recurrent", bytes, [&](std::byte* to) {
    for (std::int64_t direction = 0; direction < k.directions; ++direction) {
      pack_matrix(*table, context.constant(input)->data<float>().data() + direction * gates * inner, 1, inner, inner,
                  gates, {0, matrix_panels(*table, gates)}, reinterpret_cast<float*>(to) + direction * floats);
    }
  });
  context.step().weight_bytes += packed->bytes();
  context.packed({input});
  return packed;
}

/// value(the biases of a direction: those of W, then those of R; gate column) or zeros.
template <typename Value>
WeightStore::Buffer RecurrentGemm::pack_bias(PlanContext& context, const char* what, const Value& value) const {
  const Tensor* b = context.constant(kRecurrentB);
  const std::size_t bytes = base::to_size(columns * k.directions * 4, "a bias");
  const std::string of_gates = what + (' ' + std::to_string(k.gates));
  return context.pack({kRecurrentB}, of_gates, bytes, [&](std::byte* to) {
    for (std::int64_t direction = 0; b != nullptr && direction < k.directions; ++direction) {
      for (std::int64_t j = 0; j < gates; ++j) {
        reinterpret_cast<float*>(to)[direction * columns + j] =
            value(b->data<float>().data() + direction * 2 * gates, j);
      }
    }
  });
}

bool has_usual_activations(const Recurrence& k) {
  for (std::int64_t direction = 0; direction < k.directions; ++direction) {
    const Functions& f = k.functions[static_cast<std::size_t>(direction)];
    if (f[0].value != find_unary("Sigmoid")->value || f[1].value != find_unary("Tanh")->value) return false;
    if (k.gates == 4 && f[2].value != find_unary("Tanh")->value) return false;
  }
  return true;
}

}  // namespace

bool plan_recurrent_gemm(PlanContext& c, const Recurrence& k) {
  const bool form = k.gates == 4 ? !k.peepholes && !k.input_forget : k.gates == 3 && k.linear_before_reset;
  const bool constant = c.constant(kRecurrentW) != nullptr && c.constant(kRecurrentR) != nullptr &&
                        (!k.biased || c.constant(kRecurrentB) != nullptr);
  if (!form || !constant || c.placement_in(kRecurrentX).type != DataType::float32 ||
      k.clip != std::numeric_limits<double>::infinity() || !has_usual_activations(k) || k.hidden == 0)
    return false;
  auto d = std::make_shared<RecurrentGemm>();
  d->table = &c.kernels();
  d->k = k;
  d->macs = c.step().macs;
  d->gates = k.gates * k.hidden;
  d->columns = base::round_up(d->gates, kLanes);
  d->w = d->pack_weights(c, kRecurrentW, k.inputs);
  d->r = d->pack_weights(c, kRecurrentR, k.hidden);
  // A GRU's last gate keeps the state's bias apart: it stands behind the reset.
  const auto is_apart = [&k](std::int64_t j) { return k.gates == 3 && j >= 2 * k.hidden; };
  d->w_bias = d->pack_bias(c, "recurrent bias of the input",
                           [&](const float* b, std::int64_t j) { return is_apart(j) ? b[j] : b[j] + b[d->gates + j]; });
  d->r_bias = d->pack_bias(c, "recurrent bias of the state",
                           [&](const float* b, std::int64_t j) { return is_apart(j) ? b[d->gates + j] : 0; });
  c.packed({kRecurrentB});
  Step& step = c.step();
  const std::int64_t shared = base::checked_product(std::array{k.directions, k.rows(), d->columns}, "gates");
  step.shared_scratch_bytes = base::to_size(base::checked_mul(shared, 4, "gates"), "gates");
  step.thread_scratch_bytes = base::to_size(base::checked_mul(d->columns, 3 * 4, "gates"), "gates");
  step.phases = 2;
  step.algorithm = "recurrent_gemm";
  step.kernel = tile_label(c);
  step.run = [d](const RunArgs& args) { d->run(args); };
  return true;
}

}  // namespace linnet::ops
