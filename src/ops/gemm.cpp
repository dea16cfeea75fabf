// Gemm, FusedGemm (domain "linnet") and MatMul: row-major matrices, floats on the packed-panel kernel.
#include <algorithm>
#include <bit>
#include <map>
#include <memory>
#include <string>

#include "base/checked_math.h"
#include "ops/activation.h"
#include "ops/gemm_loops.h"
#include "ops/matrix.h"
#include "ops/op_def.h"
#include "ops/partition.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::int64_t kRows = 24;        // of A, the least worth a thread of its own
constexpr std::int64_t kStagedRows = 48;  // of A, where they are copied first

void require_product_type(const NodeContext& c, std::size_t i) {
  if (!c.has_input(i)) return;
  require_types(c, i, kLoopProductTypes | types({DataType::float32}));
  require_same_type(c, 0, i);
}

/// A product of floats. B is packed at plan time when it is constant, else in phase 0.
struct MatrixProduct : ProductShape {
  const kernels::Table* table = nullptr;
  WeightStore::Buffer weights, bias;       // bias: C0 as one constant row
  std::vector<std::int64_t> packed_index;  // of each batch: which distinct B
  std::vector<std::int64_t> distinct;      // offset of each of them
  float lo = 0, hi = 0;
  Activation activation;
  bool late_activation = false;

  [[nodiscard]] std::int64_t b_count() const { return static_cast<std::int64_t>(distinct.size()); }
  /// A^T, or alpha to multiply in.
  [[nodiscard]] bool stages_a() const { return a_column != 1 || alpha != 1.0f; }
  [[nodiscard]] std::int64_t row_units() const { return base::ceil_div(m, kRows); }
  [[nodiscard]] PlannedGrid grid(int threads) const;
  void run(const RunArgs& args) const;
  void run_rows(const RunArgs& args, const float* packed, std::int64_t batch, Range rows, Range panels) const;
};

void MatrixProduct::run_rows(const RunArgs& args, const float* packed, std::int64_t batch, Range rows,
                             Range panels) const {
  const float* const a = args.in<float>(0) + a_offset[static_cast<std::size_t>(batch)];
  float* const c = args.out<float>(0) + batch * m * n;
  const std::int64_t first_column = panels.first * table->tile.channels,
                     last_column = std::min(n, panels.last * table->tile.channels);
  kernels::GemmArguments g{};
  g.weights = packed + packed_index[static_cast<std::size_t>(batch)] * packed_matrix_floats(k, n);
  g.bias = bias != nullptr ? bias->as<float>() : nullptr;
  g.c_row = n;
  g.lo = lo;
  g.hi = hi;
  g.k = static_cast<int>(k);
  g.n = static_cast<int>(n);
  g.panel_first = static_cast<int>(panels.first);
  g.panel_last = static_cast<int>(panels.last);
  const std::int64_t most = stages_a() ? kStagedRows : rows.last - rows.first;
  for (std::int64_t first = rows.first; first < rows.last; first += most) {
    const std::int64_t count = std::min(most, rows.last - first);
    g.rows = static_cast<int>(count);
    g.c = c + first * n;
    g.a = a + first * a_row;
    g.a_row = a_row;
    if (stages_a()) {
      float* const staged = reinterpret_cast<float*>(args.thread_scratch);
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t i = 0; i < k; ++i) staged[r * k + i] = alpha * a[(first + r) * a_row + i * a_column];
      }
      g.a = staged;
      g.a_row = k;
    }
    if (has_c && bias == nullptr) {
      const float* const start = args.in<float>(2);
      for (std::int64_t r = 0; r < count; ++r) {
        for (std::int64_t j = first_column; j < last_column; ++j)
          g.c[r * n + j] = beta * start[(first + r) * c_row + j * c_column];
      }
      g.residual = g.c;
      g.residual_row = n;
    }
    table->gemm(g);
    if (late_activation) {
      for (std::int64_t r = 0; r < count; ++r)
        apply_activation(*table, activation, g.c + r * n + first_column, last_column - first_column);
    }
  }
}

PlannedGrid MatrixProduct::grid(int threads) const {
  GridCost cost;
  cost.pixel_units = batches() * row_units();
  cost.panels = matrix_panels(*table, n);
  cost.unit_cycles = static_cast<double>(std::min(m, kRows) * k);
  cost.weight_bytes = static_cast<double>(b_count() * k * n * 4);
  cost.input_bytes = static_cast<double>(batches() * m * k * 4);
  cost.output_bytes = static_cast<double>(batches() * m * n * 4);
  return {cost, threads, 0};
}

void MatrixProduct::run(const RunArgs& args) const {
  const std::int64_t panels = matrix_panels(*table, n);
  if (weights == nullptr && args.phase == 0) {
    const Range mine = split(b_count() * panels, args.threads, args.thread);
    float* const to = reinterpret_cast<float*>(args.shared_scratch);
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      const std::int64_t which = i / panels;
      pack_matrix(*table, args.in<float>(1) + distinct[static_cast<std::size_t>(which)], b_row, b_column, k, n,
                  {i % panels, i % panels + 1}, to + which * packed_matrix_floats(k, n));
    }
    return;
  }
  const float* const packed =
      weights != nullptr ? weights->as<float>() : reinterpret_cast<const float*>(args.shared_scratch);
  const std::int64_t in_batch = row_units();
  const Part part = part_of(grid(args.threads).of(args.threads), batches() * in_batch, panels, args.thread);
  for (std::int64_t unit = part.pixels.first; unit < part.pixels.last;) {
    const std::int64_t batch = unit / in_batch, last = std::min((batch + 1) * in_batch, part.pixels.last);
    const std::int64_t before = batch * in_batch;
    run_rows(args, packed, batch, {(unit - before) * kRows, std::min(m, (last - before) * kRows)}, part.panels);
    unit = last;
  }
}

void index_packed(MatrixProduct& p) {
  std::map<std::int64_t, std::int64_t> seen;
  for (const std::int64_t offset : p.b_offset) {
    const auto [at, added] = seen.emplace(offset, p.b_count());
    p.packed_index.push_back(at->second);
    if (added) p.distinct.push_back(offset);
  }
}

void finish(PlanContext& c, const std::shared_ptr<MatrixProduct>& p) {
  require_countable_matrix(c, p->m, p->k, p->n);
  index_packed(*p);
  Step& step = c.step();
  const std::int64_t floats = base::checked_mul(packed_matrix_floats(p->k, p->n), p->b_count(), "a packed matrix");
  const std::size_t bytes = base::to_size(base::checked_mul(floats, 4, "a packed matrix"), "a packed matrix");
  if (const Tensor* b = c.constant(1)) {
    const std::int64_t panels = matrix_panels(*p->table, p->n);
    const auto fill = [&](std::byte* to) {
      c.parallel_for(p->b_count() * panels, [&](std::int64_t i) {
        const std::int64_t which = i / panels, panel = i % panels;
        pack_matrix(*p->table, b->data<float>().data() + p->distinct[static_cast<std::size_t>(which)], p->b_row,
                    p->b_column, p->k, p->n, {panel, panel + 1},
                    reinterpret_cast<float*>(to) + which * packed_matrix_floats(p->k, p->n));
      });
    };
    std::string what = "matrix";
    for (const std::int64_t number : {p->k, p->n, p->b_row, p->b_column}) what += ' ' + std::to_string(number);
    p->weights = c.pack({1}, what, bytes, fill, base::AlignedBuffer::Fill::none);
    step.weight_bytes = bytes;
    // An empty batch packs nothing: others will read the original.
    if (p->b_count() > 0) c.packed({1});
    else c.consumed(1);
  } else {
    step.shared_scratch_bytes = bytes;
    step.phases = 2;
  }
  if (p->stages_a())
    step.thread_scratch_bytes = base::to_size(base::checked_mul(kStagedRows * 4, p->k, "scratch"), "scratch");
  step.macs = p->batches() * p->m * p->n * p->k;
  step.algorithm = p->m * p->batches() == 1 ? "gemv" : "gemm";
  step.kernel = tile_label(c);
  step.run = [p](const RunArgs& args) { p->run(args); };
  step.load = [p](int thread, int threads) { return p->grid(threads).cycles(thread, threads); };
}

Dim product_dim(const NodeContext& c, const Dim& a, const Dim& b) {
  if (a.known() && b.known() && a.value != b.value) {
    c.fail(ErrorCode::model, "the inner extents of the product differ", c.input_label(1), std::to_string(a.value),
           std::to_string(b.value));
  }
  return a.known() ? a : b;
}

/// C0 as one row, where it is constant.
void pack_bias(PlanContext& c, MatrixProduct& p) {
  const Tensor* bias = c.constant(2);
  if (bias == nullptr) return;
  const std::string what =
      "gemm bias of " + std::to_string(p.n) + " by " + std::to_string(std::bit_cast<std::uint32_t>(p.beta));
  p.bias = c.pack({2}, what, base::to_size(base::round_up(p.n, kLanes) * 4, "a bias"), [&](std::byte* to) {
    for (std::int64_t j = 0; j < p.n; ++j)
      reinterpret_cast<float*>(to)[j] = p.beta * bias->data<float>()[static_cast<std::size_t>(j * p.c_column)];
  });
  c.packed({2});
}

}  // namespace

void infer_gemm(InferContext& c) {
  for (std::size_t i = 0; i < 3; ++i) require_product_type(c, i);
  const graph::TensorDesc &a = c.input(0), &b = c.input(1);
  DimList out(2);
  const bool ta = c.attribute_int("transA", 0) != 0, tb = c.attribute_int("transB", 0) != 0;
  for (std::size_t i = 0; i < 2; ++i) {
    if (c.input(i).has_rank() && c.input(i).shape->size() != 2) {
      c.fail(ErrorCode::model, "Gemm takes matrices", c.input_label(i), "2-D", graph::to_string(c.input(i)));
    }
  }
  if (a.has_rank()) out[0] = (*a.shape)[ta ? 1 : 0];
  if (b.has_rank()) out[1] = (*b.shape)[tb ? 0 : 1];
  if (a.has_rank() && b.has_rank()) (void)product_dim(c, (*a.shape)[ta ? 0 : 1], (*b.shape)[tb ? 1 : 0]);
  if (c.has_input(2) && c.input(2).has_rank()) {
    const DimList sum = broadcast(c, out, *c.input(2).shape);
    bool fits = sum.size() == 2;
    for (std::size_t i = 0; fits && i < 2; ++i)
      fits = !out[i].known() || !sum[i].known() || sum[i].value == out[i].value;
    if (!fits)
      c.fail(ErrorCode::model, "C does not broadcast to the product", c.input_label(2), "a shape that fits",
             graph::to_string(c.input(2)));
  }
  c.set_output(0, a.type, std::move(out));
}

void plan_gemm(PlanContext& c) {
  auto p = std::make_shared<MatrixProduct>();
  const bool ta = c.attribute_int("transA", 0) != 0, tb = c.attribute_int("transB", 0) != 0;
  const Shape &a = c.placement_in(0).shape, &y = c.placement_out(0).shape;
  p->table = &c.kernels();
  p->m = y[0];
  p->n = y[1];
  p->k = a[ta ? 0 : 1];
  p->a_offset = {0};
  p->b_offset = {0};
  p->a_row = ta ? 1 : p->k;
  p->a_column = ta ? p->m : 1;
  p->b_row = tb ? 1 : p->n;
  p->b_column = tb ? p->k : 1;
  p->alpha = c.attribute_float("alpha", 1.0f);
  p->beta = c.attribute_float("beta", 1.0f);
  p->has_c = c.has_input(2) && p->beta != 0.0f;
  if (p->has_c) {
    const Shape& shape = c.placement_in(2).shape;
    const std::int64_t rows = shape.size() == 2 ? shape[0] : 1, columns = shape.empty() ? 1 : shape.back();
    p->c_row = rows == 1 ? 0 : columns;
    p->c_column = columns == 1 ? 0 : 1;
  }
  if (c.placement_out(0).type != DataType::float32) return plan_product_loops(c, *p);
  p->activation = read_activation(c);
  const std::optional<kernels::Clamp> clamp = clamp_bounds(p->activation);
  p->late_activation = !clamp.has_value();
  const kernels::Clamp bounds = clamp.value_or(kernels::Clamp{});
  p->lo = bounds.lo;
  p->hi = bounds.hi;
  if (p->has_c && p->c_row == 0) pack_bias(c, *p);
  finish(c, p);
}

void infer_matmul(InferContext& c) {
  for (std::size_t i = 0; i < 2; ++i) require_product_type(c, i);
  c.set(0, {c.input(0).type, matmul_shape(c, 0, 1), graph::Layout::plain});
}

void plan_matmul(PlanContext& c) {
  auto p = std::make_shared<MatrixProduct>();
  Shape a = c.placement_in(0).shape, b = c.placement_in(1).shape;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  p->table = &c.kernels();
  p->m = a[a.size() - 2];
  p->k = a.back();
  p->n = b.back();
  const Shape batch = batch_shape(a, b);
  p->a_offset = batch_offsets(a, batch);
  p->b_offset = batch_offsets(b, batch);
  // Many rows against one B are one taller product: its weights are read once.
  if (b.size() == 2 && !p->a_offset.empty()) {
    p->m *= static_cast<std::int64_t>(p->a_offset.size());
    p->a_offset = {0};
    p->b_offset = {0};
  }
  p->a_row = p->k;
  p->a_column = 1;
  p->b_row = p->n;
  p->b_column = 1;
  if (c.placement_out(0).type != DataType::float32) return plan_product_loops(c, *p);
  const kernels::Clamp bounds;
  p->lo = bounds.lo;
  p->hi = bounds.hi;
  finish(c, p);
}

}  // namespace linnet::ops
