// com.microsoft QLinearAdd, QLinearMul, QLinearSigmoid, QLinearLeakyRelu, QLinearConcat. ONNX does not define them; ONNX
// Runtime's results on AVX2 do, so its order of roundings is kept: the comments say what it is.
#include <array>
#include <cmath>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/quantization.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

// Inputs of the binary ones: A, A_scale, A_zero_point, B, B_scale, B_zero_point, C_scale, C_zero_point.
constexpr std::size_t kA = 0, kB = 3, kC = 6;

struct Quant {
  float scale = 1;
  std::int32_t zero = 0;
};
Quant read(const QuantInputs& inputs, const RunArgs& args) { return {inputs.scale_of(args), inputs.zero_of(args)}; }

struct BinaryCall {
  Quant a, b, c;
  bool a_repeats = false, b_repeats = false;  // along the innermost axis
};

/// a * a_ratio + b * b_ratio + what the zero points make of it, two fused multiply-adds; an operand that stays the same
/// along a row joins the fixed part first.
template <typename T>
void add(const BinaryCall& call, const Broadcast& walk, const RunArgs& args, Range range) {
  const float a_ratio = call.a.scale / call.c.scale, b_ratio = call.b.scale / call.c.scale;
  const float zeros = std::fma(a_ratio, static_cast<float>(call.a.zero), b_ratio * static_cast<float>(call.b.zero));
  const float fixed = static_cast<float>(call.c.zero) - zeros;
  const auto run = [&](auto sum) {
    broadcast_loop(walk, args.in<T>(kA), args.in<T>(kB), args.out<T>(0), range,
                   [&](T a, T b) { return quantized<T>(sum(static_cast<float>(a), static_cast<float>(b)), 0); });
  };
  if (call.a_repeats) run([=](float a, float b) { return std::fma(b, b_ratio, fixed + a * a_ratio); });
  else if (call.b_repeats) run([=](float a, float b) { return std::fma(a, a_ratio, fixed + b * b_ratio); });
  else run([=](float a, float b) { return std::fma(a, a_ratio, std::fma(b, b_ratio, fixed)); });
}

/// The exact product, times one ratio, plus the zero point, rounded last.
template <typename T>
void multiply(const BinaryCall& call, const Broadcast& walk, const RunArgs& args, Range range) {
  const float ratio = call.a.scale * call.b.scale / call.c.scale;
  broadcast_loop(walk, args.in<T>(kA), args.in<T>(kB), args.out<T>(0), range, [&](T a, T b) {
    const std::int32_t product = (a - call.a.zero) * (b - call.b.zero);
    return quantized<T>(static_cast<float>(product) * ratio + static_cast<float>(call.c.zero), 0);
  });
}

/// A function of bytes, tabulated when the step runs, as scales may be known no earlier.
template <typename T>
using Table = std::array<T, 256>;

template <typename T, typename F>
Table<T> tabulate(Quant from, Quant to, const F& f) {
  Table<T> table;
  for (int i = 0; i < 256; ++i) {
    const auto q = static_cast<T>(i);
    const float y = f(from.scale * static_cast<float>(q - from.zero));
    table[static_cast<std::size_t>(i)] = quantized<T>(y / to.scale, to.zero);
  }
  return table;
}
template <typename T>
T look_up(const Table<T>& table, T q) {
  return table[static_cast<std::uint8_t>(q)];
}

float sigmoid(float x) { return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x)))); }

void require_same_quant(const NodeContext& c, std::size_t tensor) {
  require_types(c, tensor, kByteTypes);
  require_quant_scalars(c, tensor + 1, c.input(tensor).type);
}

}  // namespace

void infer_qlinear_binary(InferContext& c) {
  require_same_quant(c, kA);
  require_same_quant(c, kB);
  require_same_type(c, kA, kB);
  const DataType type = c.input(kA).type;
  require_quant_scalars(c, kC, type);
  if (!c.input(kA).has_rank() || !c.input(kB).has_rank()) return c.set_output_unknown_rank(0, type);
  c.set_output(0, type, broadcast(c, *c.input(kA).shape, *c.input(kB).shape));
}

void plan_qlinear_binary(PlanContext& c) {
  const Placement& y = c.placement_out(0);
  const Broadcast walk = make_broadcast(c, c.placement_in(kA).shape, c.placement_in(kB).shape, y.shape);
  BinaryCall call;
  const int last = walk.rank - 1;
  call.a_repeats = walk.a_stride[last] == 0;
  call.b_repeats = !call.a_repeats && walk.b_stride[last] == 0;
  c.step().algorithm = "elementwise";
  c.step().run = [walk, call, type = y.type, adds = c.op_type() == "QLinearAdd", of_a = quant_inputs(c, kA + 1),
                  of_b = quant_inputs(c, kB + 1), of_c = quant_inputs(c, kC)](const RunArgs& args) {
    BinaryCall now = call;
    now.a = read(of_a, args);
    now.b = read(of_b, args);
    now.c = read(of_c, args);
    const Range mine = thread_share(args, walk.count, walk.count, kElementUnit);
    visit_type<kByteTypes>(type, [&](auto element) {
      using T = decltype(element);
      if (adds) add<T>(now, walk, args, mine);
      else multiply<T>(now, walk, args, mine);
    });
  };
}

// X, X_scale, X_zero_point, Y_scale, Y_zero_point.
void infer_qlinear_unary(InferContext& c) {
  require_same_quant(c, 0);
  require_quant_scalars(c, 3, c.input(0).type);
  c.set(0, c.input(0));
}

void plan_qlinear_unary(PlanContext& c) {
  const bool leaky = c.op_type() == "QLinearLeakyRelu";
  c.step().algorithm = "table";
  c.step().in_place = 0;
  c.step().run = [leaky, alpha = c.attribute_float("alpha", 0.01f), n = c.placement_in(0).elements(),
                  type = c.placement_in(0).type, of_x = quant_inputs(c, 1),
                  of_y = quant_inputs(c, 3)](const RunArgs& args) {
    const auto f = [=](float x) {
      if (!leaky) return sigmoid(x);
      return x >= 0 ? x : alpha * x;
    };
    const Range mine = thread_share(args, n, n, kElementUnit);
    visit_type<kByteTypes>(type, [&](auto element) {
      using T = decltype(element);
      const Table<T> table = tabulate<T>(read(of_x, args), read(of_y, args), f);
      map_loop(args.in<T>(0), args.out<T>(0), mine, [&](T q) { return look_up(table, q); });
    });
  };
}

// Y_scale, Y_zero_point, then x, x_scale, x_zero_point of each operand.
void infer_qlinear_concat(InferContext& c) {
  if (c.input_count() < 5 || c.input_count() % 3 != 2) {
    c.fail(ErrorCode::model, "each operand needs a scale and a zero point", "inputs", "2 and 3 for each operand",
           std::to_string(c.input_count()));
  }
  const DataType type = c.input(2).type;
  require_quant_scalars(c, 0, type);
  std::optional<DimList> y = c.input(2).shape;
  for (std::size_t i = 2; i < c.input_count(); i += 3) {
    require_same_quant(c, i);
    require_same_type(c, 2, i);
    const graph::TensorDesc& x = c.input(i);
    if (i == 2 || !y) continue;
    if (!x.has_rank()) {
      y.reset();
      continue;
    }
    if (x.shape->size() != y->size())
      c.fail(ErrorCode::model, "the inputs have different ranks", c.input_label(i), graph::to_string(c.input(2)),
             graph::to_string(x));
    const std::size_t axis = c.axis(c.attribute_int("axis", 0), y->size());
    for (std::size_t k = 0; k < y->size(); ++k) {
      const Dim& here = (*x.shape)[k];
      (*y)[k] = k == axis ? summed_extent((*y)[k], here) : joined_extent(c, i, (*y)[k], here);
    }
  }
  if (y) (void)c.axis(c.attribute_int("axis", 0), y->size());
  c.set(0, {type, std::move(y), graph::Layout::plain});
}

void plan_qlinear_concat(PlanContext& c) {
  struct Part {
    std::size_t input;
    std::int64_t run, at;  // elements of a row of it, and where they begin in a row of the result
    QuantInputs quant;
  };
  const Shape& y = c.placement_out(0).shape;
  const std::size_t axis = c.axis(c.attribute_int("axis", 0), y.size());
  const std::int64_t row = base::checked_product(std::span(y).subspan(axis), "a concatenation");
  const std::int64_t rows = base::checked_product(std::span(y).first(axis), "a concatenation");
  std::vector<Part> parts;
  std::int64_t at = 0;
  for (std::size_t i = 2; i < c.input_count(); i += 3) {
    const Shape& x = c.placement_in(i).shape;
    const std::int64_t run = base::checked_product(std::span(x).subspan(axis), "a concatenation");
    parts.push_back({i, run, at, quant_inputs(c, i + 1)});
    at += run;
  }
  c.step().algorithm = "table";
  c.step().run = [parts = std::move(parts), row, rows, type = c.placement_out(0).type,
                  of_y = quant_inputs(c, 0)](const RunArgs& args) {
    const Range mine = thread_share(args, rows, rows * row);
    visit_type<kByteTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (const Part& part : parts) {
        const Table<T> table = tabulate<T>(read(part.quant, args), read(of_y, args), [](float x) { return x; });
        for (std::int64_t r = mine.first; r < mine.last; ++r) {
          map_loop(args.in<T>(part.input) + r * part.run, args.out<T>(0) + r * row + part.at, {0, part.run},
                   [&](T q) { return look_up(table, q); });
        }
      }
    });
  };
}

}  // namespace linnet::ops
