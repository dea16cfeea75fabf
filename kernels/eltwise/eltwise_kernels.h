// Elementwise operators: each operator is one lambda over f32x16, each loop is written once.
#pragma once

#include "kernels/eltwise/eltwise.h"
#include "kernels/eltwise/math.h"
#include "kernels/eltwise/trig.h"
#include "kernels/strided.h"

namespace linnet::kernels::LINNET_ISA {

/// y[i] = op(x[i]). What is left after the whole vectors goes through a buffer and the same loop, because a second copy
/// of exp and its kin is long, and a branch in the loop costs a memory-bound operator a tenth of its speed.
template <class Op>
[[gnu::always_inline]] static inline void map(const float* x, float* y, int64_t n, const Op& op) {
  const int rest = static_cast<int>(n % 16);
  float buffer[16];
  const float* from = x;
  float* to = y;
  for (int64_t whole = n - rest;;) {
    for (int64_t i = 0; i < whole; i += 16) V::store(to + i, op(V::load(from + i)));
    if (to == buffer) return V::store_first(y + (n - rest), V::load(buffer), rest);
    if (rest == 0) return;
    V::store(buffer, V::load_first(x + whole, rest));
    from = to = buffer;
    whole = 16;
  }
}

/// x < 0 ? negative : x
[[gnu::always_inline]] static inline V unless_negative(const V& x, const V& negative) {
  return V::select(V::less(x, V::zero()), negative, x);
}

static void unary(const UnaryArguments& a) {
  const float* x = a.x + a.begin;
  float* y = a.y + a.begin;
  const int64_t n = a.end - a.begin;
  const V zero = V::zero(), one = V::set(1.0f), half = V::set(0.5f);
  const V alpha = V::set(a.alpha), beta = V::set(a.beta);
  const auto each = [&](const auto& op) LINNET_LAMBDA { map(x, y, n, op); };
  switch (a.op) {
    case UnaryOp::relu: return each([=](const V& v) LINNET_LAMBDA { return V::max(zero, v); });
    case UnaryOp::leaky_relu:
      return each([=](const V& v) LINNET_LAMBDA { return unless_negative(v, V::mul(alpha, v)); });
    case UnaryOp::thresholded_relu:
      return each([=](const V& v) LINNET_LAMBDA { return V::select(V::less_equal(v, alpha), zero, v); });
    case UnaryOp::clip: return each([=](const V& v) LINNET_LAMBDA { return clamp(v, alpha, beta); });
    case UnaryOp::hard_sigmoid:
      return each([=](const V& v) LINNET_LAMBDA { return V::max(zero, V::min(one, V::fma(alpha, v, beta))); });
    case UnaryOp::hard_swish:
      return each([=](const V& v) LINNET_LAMBDA {
        return V::mul(v, V::max(zero, V::min(one, V::fma(v, V::set(1.0f / 6.0f), half))));
      });
    case UnaryOp::softsign: return each([=](const V& v) LINNET_LAMBDA { return V::div(v, V::add(one, V::abs(v))); });
    case UnaryOp::sqrt: return each([](const V& v) LINNET_LAMBDA { return V::sqrt(v); });
    case UnaryOp::reciprocal: return each([=](const V& v) LINNET_LAMBDA { return V::div(one, v); });
    case UnaryOp::neg: return each([](const V& v) LINNET_LAMBDA { return V::neg(v); });
    case UnaryOp::abs: return each([](const V& v) LINNET_LAMBDA { return V::abs(v); });
    case UnaryOp::floor: return each([](const V& v) LINNET_LAMBDA { return V::floor(v); });
    case UnaryOp::ceil: return each([](const V& v) LINNET_LAMBDA { return V::ceil(v); });
    case UnaryOp::round: return each([](const V& v) LINNET_LAMBDA { return V::round(v); });
    case UnaryOp::sign:
      return each([=](const V& v) LINNET_LAMBDA {
        return V::select(V::less(v, zero), V::set(-1.0f), V::select(V::less(zero, v), one, v));
      });
    case UnaryOp::sigmoid: return each([](const V& v) LINNET_LAMBDA { return sigmoid(v); });
    case UnaryOp::swish: return each([=](const V& v) LINNET_LAMBDA { return V::mul(v, sigmoid(V::mul(alpha, v))); });
    case UnaryOp::tanh: return each([](const V& v) LINNET_LAMBDA { return tanh(v); });
    case UnaryOp::elu:
      return each([=](const V& v) LINNET_LAMBDA { return unless_negative(v, V::mul(alpha, expm1(v))); });
    case UnaryOp::selu:
      return each([=](const V& v) LINNET_LAMBDA { return V::mul(beta, unless_negative(v, V::mul(alpha, expm1(v)))); });
    case UnaryOp::celu:
      return each([=](const V& v) LINNET_LAMBDA { return unless_negative(v, V::mul(alpha, expm1(V::div(v, alpha)))); });
    case UnaryOp::softplus: return each([](const V& v) LINNET_LAMBDA { return softplus(v); });
    case UnaryOp::mish: return each([](const V& v) LINNET_LAMBDA { return mish(v); });
    case UnaryOp::gelu:
      return each([=](const V& v) LINNET_LAMBDA {
        return V::mul(V::mul(half, v), V::add(one, erf(V::mul(v, V::set(0.707106781f)))));
      });
    case UnaryOp::gelu_tanh:
      return each([=](const V& v) LINNET_LAMBDA {
        const V inner = V::mul(V::set(0.797884561f), V::fma(V::mul(V::set(0.044715f), v), V::mul(v, v), v));
        return V::mul(V::mul(half, v), V::add(one, tanh(inner)));
      });
    case UnaryOp::exp: return each([](const V& v) LINNET_LAMBDA { return exp(v); });
    case UnaryOp::log: return each([](const V& v) LINNET_LAMBDA { return log(v); });
    case UnaryOp::erf: return each([](const V& v) LINNET_LAMBDA { return erf(v); });
    case UnaryOp::sin: return each([](const V& v) LINNET_LAMBDA { return sine(v, 0); });
    case UnaryOp::cos: return each([](const V& v) LINNET_LAMBDA { return sine(v, 1); });
  }
}

}  // namespace linnet::kernels::LINNET_ISA

#include "kernels/eltwise/binary_kernels.h"
