// MatMulInteger and QLinearMatMul: NumPy's matmul of bytes, summed exactly in 32 bits.
#include <memory>

#include "base/checked_math.h"
#include "ops/conv_loops.h"
#include "ops/matrix.h"
#include "ops/op_def.h"
#include "ops/quantization.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

// Inputs of MatMulInteger: A, B, a_zero_point, b_zero_point.
constexpr std::size_t kA = 0, kIntegerB = 1, kIntegerAZero = 2, kIntegerBZero = 3;
// Inputs of QLinearMatMul: a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point.
constexpr std::size_t kAScale = 1, kAZero = 2, kLinearB = 3, kBScale = 4, kBZero = 5, kYScale = 6, kYZero = 7;

/// A scale or zero point: one for the matrix, or one a row of A (a column of B), alike in all matrices of a stack. A vector
/// is a row as A and a column as B, and has one.
void require_line(const NodeContext& c, std::size_t i, std::size_t matrix, bool rows) {
  if (!c.has_input(i) || !c.input(i).has_rank() || !c.input(matrix).has_rank()) return;
  const DimList &shape = *c.input(i).shape, &whole = *c.input(matrix).shape;
  Dim line(1);
  if (whole.size() >= 2) line = whole[whole.size() - (rows ? 2 : 1)];
  if (shape.size() <= 1) return require_scalar_or_vector(c, i, line);
  const std::size_t along = shape.size() - (rows ? 2 : 1);
  bool fits = shape.size() == whole.size();
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    const Dim &extent = shape[axis], wanted = axis == along ? line : Dim(1);
    fits &= !extent.known() || !wanted.known() || extent.value == wanted.value || extent.value == 1;
  }
  if (fits) return;
  c.fail(ErrorCode::unsupported, "one value a matrix is needed, or one a row of A or a column of B", c.input_label(i),
         graph::to_string(c.input(matrix)), graph::to_string(c.input(i)));
}

/// A stack of products: y[m][n] = the sum over k of (a[m][k] - zero of m) * (b[k][n] - zero of n).
struct Products {
  std::int64_t m = 1, n = 1, k = 1, stack = 1;
  std::size_t b_input = 0, a_zero = 0, b_zero = 0;
  DataType a_type{}, b_type{}, a_zero_type{}, b_zero_type{};
  bool zero_a_row = false, zero_a_column = false;
  std::vector<std::int64_t> a_offset, b_offset;  // [stack]: where its matrices are

  template <typename Store>
  void run(const RunArgs& args, const Store& store) const;
};

template <typename T>
void widen(const std::byte* from, std::int64_t first, std::int64_t stride, std::int64_t count, std::int32_t zero,
           std::int16_t* to) {
  const T* const x = reinterpret_cast<const T*>(from) + first;
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<std::int16_t>(x[i * stride] - zero);
}

/// Phase 0 transposes B into the shared scratch; phase 1 takes the dot products, a row of A at a time. Matrices of B that
/// a broadcast uses again are transposed again: the scratch is then as large as the result's stack.
template <typename Store>
void Products::run(const RunArgs& args, const Store& store) const {
  auto* const columns = reinterpret_cast<std::int16_t*>(args.shared_scratch);  // [stack][n][k]
  const auto zero_of = [&](std::size_t input, DataType type, bool many, std::int64_t i) {
    return zero_point_at(args, input, type, many ? i : 0);
  };
  if (args.phase == 0) {
    const Range mine = split(stack * n, args.threads, args.thread);
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      const std::int32_t zero = zero_of(b_zero, b_zero_type, zero_a_column, i % n);
      const std::int64_t first = b_offset[static_cast<std::size_t>(i / n)] + i % n;
      visit_type<kByteTypes>(
          b_type, [&](auto t) { widen<decltype(t)>(args.inputs[b_input], first, n, k, zero, columns + i * k); });
    }
    return;
  }
  auto* const row = reinterpret_cast<std::int16_t*>(args.thread_scratch);
  const Range mine = split(stack * m, args.threads, args.thread);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    const std::int32_t zero = zero_of(a_zero, a_zero_type, zero_a_row, i % m);
    const std::int64_t first = a_offset[static_cast<std::size_t>(i / m)] + i % m * k;
    visit_type<kByteTypes>(a_type, [&](auto t) { widen<decltype(t)>(args.inputs[kA], first, 1, k, zero, row); });
    for (std::int64_t j = 0; j < n; ++j) store(i * n + j, i % m, j, dot(row, columns + (i / m * n + j) * k, k));
  }
}

Products make_products(PlanContext& c, std::size_t b_input, std::size_t a_zero, std::size_t b_zero) {
  Shape a = c.placement_in(kA).shape, b = c.placement_in(b_input).shape;
  Products p;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  p.m = a[a.size() - 2];
  p.k = a.back();
  p.n = b.back();
  p.b_input = b_input;
  p.a_zero = a_zero;
  p.b_zero = b_zero;
  p.a_type = c.placement_in(kA).type;
  p.b_type = c.placement_in(b_input).type;
  p.a_zero_type = optional_type(c, a_zero);
  p.b_zero_type = optional_type(c, b_zero);
  p.zero_a_row = is_vector(c, a_zero);
  p.zero_a_column = is_vector(c, b_zero);
  const Shape stack = batch_shape(a, b);
  p.stack = base::checked_product(stack, "a stack of matrices");
  p.a_offset = batch_offsets(a, stack);
  p.b_offset = batch_offsets(b, stack);
  const auto bytes = [](std::int64_t count) {
    return base::to_size(base::checked_mul(count, 2, "scratch"), "scratch");
  };
  c.step().phases = 2;
  c.step().shared_scratch_bytes = bytes(base::checked_mul(base::checked_mul(p.stack, p.n, "scratch"), p.k, "scratch"));
  c.step().thread_scratch_bytes = bytes(p.k);
  c.step().macs = p.stack * p.m * p.n * p.k;
  c.step().algorithm = "dot";
  return p;
}

}  // namespace

void infer_matmul_integer(InferContext& c) {
  require_types(c, kA, kByteTypes);
  require_types(c, kIntegerB, kByteTypes);
  if (c.has_input(kIntegerAZero)) require_same_type(c, kA, kIntegerAZero);
  if (c.has_input(kIntegerBZero)) require_same_type(c, kIntegerB, kIntegerBZero);
  require_line(c, kIntegerAZero, kA, true);
  require_line(c, kIntegerBZero, kIntegerB, false);
  c.set(0, {DataType::int32, matmul_shape(c, kA, kIntegerB), graph::Layout::plain});
}

void plan_matmul_integer(PlanContext& c) {
  const auto products = std::make_shared<const Products>(make_products(c, kIntegerB, kIntegerAZero, kIntegerBZero));
  c.step().run = [products](const RunArgs& args) {
    std::int32_t* const y = args.out<std::int32_t>(0);
    products->run(args, [y](std::int64_t i, std::int64_t, std::int64_t, std::int32_t sum) { y[i] = sum; });
  };
}

void infer_qlinear_matmul(InferContext& c) {
  require_types(c, kA, kByteTypes);
  require_types(c, kLinearB, kByteTypes);
  require_same_type(c, kA, kAZero);
  require_same_type(c, kLinearB, kBZero);
  for (const std::size_t scale : {kAScale, kBScale}) require_types(c, scale, types({DataType::float32}));
  for (const std::size_t i : {kAScale, kAZero}) require_line(c, i, kA, true);
  for (const std::size_t i : {kBScale, kBZero}) require_line(c, i, kLinearB, false);
  const DataType type = c.input(kYZero).type;
  require_types(c, kYZero, kByteTypes);
  require_quant_scalars(c, kYScale, type);
  c.set(0, {type, matmul_shape(c, kA, kLinearB), graph::Layout::plain});
}

void plan_qlinear_matmul(PlanContext& c) {
  const auto products = std::make_shared<const Products>(make_products(c, kLinearB, kAZero, kBZero));
  c.step().run = [products, out = quant_inputs(c, kYScale), scale_a_row = is_vector(c, kAScale),
                  scale_a_column = is_vector(c, kBScale)](const RunArgs& args) {
    const float *const a = args.in<float>(kAScale), *const b = args.in<float>(kBScale), y_scale = out.scale_of(args);
    const std::int32_t zero = out.zero_of(args);
    visit_type<kByteTypes>(out.type, [&](auto element) {
      using Y = decltype(element);
      Y* const y = args.out<Y>(0);
      products->run(args, [&](std::int64_t i, std::int64_t row, std::int64_t column, std::int32_t sum) {
        const float scale = a[scale_a_row ? row : 0] * b[scale_a_column ? column : 0] / y_scale;
        y[i] = quantized<Y>(static_cast<float>(sum) * scale, zero);
      });
    });
  };
}

}  // namespace linnet::ops
