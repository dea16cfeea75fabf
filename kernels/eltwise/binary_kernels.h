// Operators with two operands, and scale with shift: part of eltwise_kernels.h.
#pragma once

#include "kernels/blocked.h"
#include "kernels/strided.h"

namespace linnet::kernels::LINNET_ISA {

/// visit(f) with the function of two vectors that `op` is.
template <class Visit>
[[gnu::always_inline]] static inline void with_function(BinaryOp op, const Visit& visit) {
  using C = const V&;
  switch (op) {
    case BinaryOp::add: return visit([](C a, C b) LINNET_LAMBDA { return V::add(a, b); });
    case BinaryOp::sub: return visit([](C a, C b) LINNET_LAMBDA { return V::sub(a, b); });
    case BinaryOp::mul: return visit([](C a, C b) LINNET_LAMBDA { return V::mul(a, b); });
    case BinaryOp::div: return visit([](C a, C b) LINNET_LAMBDA { return V::div(a, b); });
    case BinaryOp::max: return visit([](C a, C b) LINNET_LAMBDA { return max_nan(a, b); });
    case BinaryOp::min: return visit([](C a, C b) LINNET_LAMBDA { return min_nan(a, b); });
    case BinaryOp::pow: return visit([](C a, C b) LINNET_LAMBDA { return pow(a, b); });
    case BinaryOp::prelu: return visit([](C a, C b) LINNET_LAMBDA { return unless_negative(a, V::mul(a, b)); });
  }
}

/// The same for powers with one exponent, where two frequent ones are correctly rounded.
template <class Visit>
[[gnu::always_inline]] static inline void with_power(float exponent, const Visit& visit) {
  using C = const V&;
  if (exponent == 2.0f) return visit([](C a, C) LINNET_LAMBDA { return V::mul(a, a); });
  if (exponent == 0.5f) {
    // Unlike sqrt, pow(-infinity, 1/2) is infinity and pow(-0, 1/2) is 0.
    return visit([](C a, C) LINNET_LAMBDA {
      return V::select(V::equal(a, V::neg(infinity())), infinity(), V::sqrt(V::add(a, V::zero())));
    });
  }
  return with_function(BinaryOp::pow, visit);
}

/// An operand of one row: `step` floats from one vector to the next, 16, or 0 where all are the same; `scalar`: its
/// vectors are one float, repeated.
struct RowOperand {
  const float* p;
  int step;
  bool scalar;
};

[[gnu::always_inline]] static inline V load_lanes(const RowOperand& r, int64_t vector, int lanes) {
  if (r.scalar) return V::broadcast(r.p);
  const float* p = r.p + vector * r.step;
  return lanes == 16 ? V::load(p) : V::load_first(p, lanes);
}

/// y[i] = clamp(f(a, b)) over n floats.
template <class F>
[[gnu::always_inline]] static inline void binary_row(const RowOperand& a, const RowOperand& b, float* y, int64_t n,
                                                     const Clamp& limits, const F& f) {
  const V lo = V::set(limits.lo), hi = V::set(limits.hi);
  const int64_t whole = n / 16;
  const auto each = [&](const auto& left, const auto& right) LINNET_LAMBDA {
    for (int64_t i = 0; i < whole; ++i) V::store(y + i * 16, clamp(f(left(i), right(i)), lo, hi));
  };
  const auto vectors = [](const float* p)
                           LINNET_LAMBDA { return [p](int64_t i) LINNET_LAMBDA { return V::load(p + i * 16); }; };
  const auto constant = [](const RowOperand& r)
                            LINNET_LAMBDA { return [v = load_lanes(r, 0, 16)](int64_t) LINNET_LAMBDA { return v; }; };
  const bool a_moves = a.step != 0, b_moves = b.step != 0;
  if (whole > 0) {
    if (a_moves && b_moves) {
      each(vectors(a.p), vectors(b.p));
    } else if (a_moves) {
      each(vectors(a.p), constant(b));
    } else {
      // Both constant happens in rows of broadcasts only: the copy of the loop is not worth its code.
      const auto left = constant(a);
      each(left, [&](int64_t i) LINNET_LAMBDA { return load_lanes(b, i, 16); });
    }
  }
  const int lanes = static_cast<int>(n % 16);
  if (lanes == 0) return;
  const V v = f(load_lanes(a, whole, lanes), load_lanes(b, whole, lanes));
  V::store_first(y + whole * 16, clamp(v, lo, hi), lanes);
}

/// A row of an operand with any stride; rows of strides other than 0 and 1 are gathered into `buffer`.
static inline RowOperand row_operand(const float* p, ptrdiff_t stride, int64_t n, float* buffer) {
  if (stride == 0) return {p, 0, true};
  if (stride == 1) return {p, 16, false};
  for (int64_t i = 0; i < n; ++i) buffer[i] = p[i * stride];
  return {buffer, 16, false};
}

static void binary(const BinaryArguments& args) {
  constexpr int kGathered = 256;
  if (args.begin >= args.end) return;
  const int last = args.rank - 1;
  const int64_t inner = args.size[last];
  const ptrdiff_t a_stride = args.a_stride[last], b_stride = args.b_stride[last];
  const bool gather = (a_stride | b_stride) & ~ptrdiff_t{1};
  const auto each_row = [&](const auto& f) LINNET_LAMBDA {
    float a_buffer[kGathered], b_buffer[kGathered];
    for (int64_t at = args.begin; at < args.end;) {
      const int64_t row = at / inner, column = at % inner;
      int64_t n = smaller_of(inner - column, args.end - at);
      if (gather) n = smaller_of(n, kGathered);
      const float* a = args.a + strided_offset(row, last, args.size, args.a_stride) + column * a_stride;
      const float* b = args.b + strided_offset(row, last, args.size, args.b_stride) + column * b_stride;
      binary_row(row_operand(a, a_stride, n, a_buffer), row_operand(b, b_stride, n, b_buffer), args.y + at, n,
                 args.clamp, f);
      at += n;
    }
  };
  bool one_b = true;
  for (int axis = 0; axis < args.rank; ++axis) one_b = one_b && (args.b_stride[axis] == 0 || args.size[axis] == 1);
  if (args.op == BinaryOp::pow && one_b) return with_power(*args.b, each_row);
  with_function(args.op, each_row);
}

static void blocked_binary(const BlockedBinaryArguments& args) {
  with_function(args.op, [&](const auto& f) LINNET_LAMBDA {
    each_row(args.range, args.blocks, [&](int64_t image, int64_t block, int row) LINNET_LAMBDA {
      binary_row({pixel(args.a, image, block, row), args.a_pixel, false},
                 {pixel(args.b, image, block, row), args.b_pixel, false}, pixel(args.y, image, block, row),
                 int64_t{args.width} * kBlock, args.clamp, f);
    });
  });
}

static void scale_shift(const ScaleShiftArguments& args) {
  const V lo = V::set(args.clamp.lo), hi = V::set(args.clamp.hi);
  each_row(args.range, args.blocks, [&](int64_t image, int64_t block, int row) LINNET_LAMBDA {
    const V scale = V::load(args.scale + block * kBlock), shift = V::load(args.shift + block * kBlock);
    const float* x = pixel(args.x, image, block, row);
    float* y = pixel(args.y, image, block, row);
    for (ptrdiff_t i = 0; i < ptrdiff_t{args.width} * kBlock; i += kBlock) {
      V::store(y + i, clamp(V::fma(V::load(x + i), scale, shift), lo, hi));
    }
  });
}

static void blocked_unary(const BlockedUnaryArguments& args) {
  each_row(args.range, args.blocks, [&](int64_t image, int64_t block, int row) {
    UnaryArguments line;
    line.op = args.op;
    line.alpha = args.alpha;
    line.beta = args.beta;
    line.x = pixel(args.x, image, block, row);
    line.y = pixel(args.y, image, block, row);
    line.end = int64_t{args.width} * kBlock;
    unary(line);
  });
}

}  // namespace linnet::kernels::LINNET_ISA
