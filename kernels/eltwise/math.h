// Elementary functions over f32x16: the same bits on every ISA, because they are made of correctly rounded operations
// in a fixed order, and few ULP off: exp and log 0.75, erf 1.1, tanh 1.4, softplus 1.9, pow 2, sigmoid 2.4, mish 4;
// eltwise_test.cpp and binary_test.cpp hold them to it over every kind of float. The coefficients are minimax fits
// (weighted for relative error of the result), rounded to float one after the other with the rest refitted. NaN gives
// NaN throughout.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

using V = f32x16;

#define LINNET_LAMBDA __attribute__((always_inline))

/// x^n * first + x^(n-1) * second + ... by Horner's rule.
template <class... Floats>
[[gnu::always_inline]] static inline V polynomial(const V& x, float first, Floats... rest) {
  V r = V::set(first);
  ((r = V::fma(r, x, V::set(rest))), ...);
  return r;
}

[[gnu::always_inline]] static inline V infinity() { return V::set(__builtin_inff()); }

/// max and min of which a NaN in either operand is the result; V::max and V::min keep one in the second only.
[[gnu::always_inline]] static inline V max_nan(const V& a, const V& b) {
  return V::select(V::is_nan(a), a, V::max(a, b));
}
[[gnu::always_inline]] static inline V min_nan(const V& a, const V& b) {
  return V::select(V::is_nan(a), a, V::min(a, b));
}

[[gnu::always_inline]] static inline V clamp(const V& x, const V& lo, const V& hi) { return V::min(hi, V::max(lo, x)); }

/// |x| with the sign of `from`; x must not be negative.
[[gnu::always_inline]] static inline V with_sign(const V& x, const V& from) {
  const i32x16 sign = i32x16::bit_and(V::bits(from), i32x16::set(INT32_MIN));
  return V::from_bits(i32x16::bit_or(V::bits(x), sign));
}

/// 2^n for -126 <= n <= 127.
[[gnu::always_inline]] static inline V power_of_two(const i32x16& n) {
  return V::from_bits(i32x16::add(i32x16::shift_left<23>(n), i32x16::set(0x3f800000)));
}

/// x * 2^n, rounded once, also where 2^n is no float: -252 <= n <= 254.
[[gnu::always_inline]] static inline V scale(const V& x, const i32x16& n) {
  const i32x16 half = i32x16::shift_right<1>(n);
  return V::mul(V::mul(x, power_of_two(half)), power_of_two(i32x16::sub(n, half)));
}

// ln 2 = kLn2High + kLn2Low; the first has 15 bits, so that its products with exponents are exact.
constexpr float kLn2High = 0.693145752f, kLn2Low = 1.42860677e-06f, kLog2E = 1.44269502f;

/// x = n * ln 2 + rest, |rest| <= ln(2) / 2 (and a little). Results in variables, not in a struct: gcc 12 moves structs
/// of vectors through memory, which made exp almost three times slower.
[[gnu::always_inline]] static inline void split_exp(const V& x, V& rest, V& n_float, i32x16& n) {
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits; no conversion that could trap on NaN.
  const V magic = V::set(12582912.0f);
  const V shifted = V::fma(x, V::set(kLog2E), magic);
  n_float = V::sub(shifted, magic);
  n = i32x16::sub(V::bits(shifted), V::bits(magic));
  rest = V::fnma(n_float, V::set(kLn2Low), V::fnma(n_float, V::set(kLn2High), x));
}

/// a + exp(f) - 1 - f for |f| <= ln(2) / 2; with a = f it is exp(f) - 1.
[[gnu::always_inline]] static inline V exp_tail(const V& f, const V& a) {
  const V q = polynomial(f, 0.000199459391f, 0.00139351038f, 0.00833320618f, 0.041666463f, 0.166666672f, 0.5f);
  return V::fma(V::mul(f, f), q, a);
}

/// exp(f) for |f| <= ln(2) / 2. What rounds off in 1 + f comes back with the tail: 0.6 instead of 1 ULP.
[[gnu::always_inline]] static inline V exp_near_zero(const V& f) {
  const V one = V::set(1.0f), sum = V::add(one, f);
  return V::add(sum, exp_tail(f, V::sub(f, V::sub(sum, one))));
}

[[gnu::always_inline]] static inline V exp(const V& x) {
  // Beyond these bounds the result is 0 or infinity; the bounds keep n small enough for scale().
  V rest, n_float;
  i32x16 n;
  split_exp(clamp(x, V::set(-104.0f), V::set(89.0f)), rest, n_float, n);
  return scale(exp_near_zero(rest), n);
}

/// exp(x) - 1 without cancellation near 0.
[[gnu::always_inline]] static inline V expm1(const V& x) {
  V rest, n_float;
  i32x16 n;
  split_exp(clamp(x, V::set(-30.0f), V::set(89.0f)), rest, n_float, n);
  // With half of 2^n, because 2^128 is no float.
  const V half = power_of_two(i32x16::sub(n, i32x16::set(1)));
  const V r = V::fma(half, exp_tail(rest, rest), V::sub(half, V::set(0.5f)));
  return V::add(r, r);
}

/// x = m * 2^e for finite x > 0, denormals too; sqrt(1/2) <= m < sqrt(2).
[[gnu::always_inline]] static inline void split_log(const V& x, V& m, V& e) {
  const mask16 tiny = V::less(x, V::set(1.17549435e-38f));
  const i32x16 bits = V::bits(V::select(tiny, V::mul(x, V::set(8388608.0f)), x));
  const i32x16 exponent = i32x16::shift_right<23>(i32x16::sub(bits, i32x16::set(0x3f3504f3)));
  m = V::from_bits(i32x16::sub(bits, i32x16::shift_left<23>(exponent)));
  e = V::add(V::from_int(exponent), V::select(tiny, V::set(-23.0f), V::zero()));
}

[[gnu::always_inline]] static inline V log(const V& x) {
  V m, e;
  split_log(x, m, e);
  const V f = V::sub(m, V::set(1.0f));
  const V f2 = V::mul(f, f);
  const V p = polynomial(f, 0.0674953833f, -0.116701841f, 0.118834719f, -0.124062084f, 0.142203629f, -0.166679904f,
                         0.200020716f, -0.250000089f, 0.333333135f);
  V r = V::mul(V::mul(f, f2), p);
  r = V::fma(e, V::set(kLn2Low), r);
  r = V::fma(V::set(-0.5f), f2, r);
  r = V::fma(e, V::set(kLn2High), V::add(f, r));
  r = V::select(V::less(x, infinity()), r, x);
  r = V::select(V::equal(x, V::zero()), V::neg(infinity()), r);
  return V::select(V::less(x, V::zero()), V::set(__builtin_nanf("")), r);
}

/// log(1 + x) for 0 <= x <= 1.
[[gnu::always_inline]] static inline V log1p(const V& x) {
  // What the sum's rounding lost comes back to first order.
  const V u = V::add(V::set(1.0f), x);
  return V::add(log(u), V::div(V::sub(x, V::sub(u, V::set(1.0f))), u));
}

[[gnu::always_inline]] static inline V sigmoid(const V& x) {
  // By way of exp(-|x|) <= 1: no overflow, and small results keep their bits.
  const V e = exp(V::neg(V::abs(x)));
  const V one = V::set(1.0f);
  return V::div(V::select(V::less(x, V::zero()), e, one), V::add(one, e));
}

[[gnu::always_inline]] static inline V tanh(const V& x) {
  const V a = V::abs(x), a2 = V::mul(a, a);
  const V p = polynomial(a2, -0.00568067841f, 0.0206195954f, -0.0537345596f, 0.133313924f, -0.333332807f);
  const V small = V::fma(V::mul(a, a2), p, a);
  const V one = V::set(1.0f), two = V::set(2.0f);
  const V large = V::sub(one, V::div(two, V::add(exp(V::mul(two, a)), one)));
  return with_sign(V::select(V::less(a, V::set(0.625f)), small, large), x);
}

[[gnu::always_inline]] static inline V erf(const V& x) {
  const V a = V::min(V::set(3.95f), V::abs(x)), a2 = V::mul(a, a);  // from 3.92 on the result is 1
  const V p =
      polynomial(a2, -0.000598021375f, 0.00499176187f, -0.0267662313f, 0.112818271f, -0.376124978f, 0.128379151f);
  const V small = V::fma(p, a, a);
  // 1 - erf(a) = exp(-a * q(a))
  const V q = polynomial(a, 1.12317703e-05f, -0.000322812324f, 0.00364250573f, -0.0237621833f, 0.106237039f,
                         0.635151207f, 1.12864852f);
  const V large = V::sub(V::set(1.0f), exp(V::neg(V::mul(a, q))));
  return with_sign(V::select(V::less(a, V::set(0.92f)), small, large), x);
}

/// max(x, 0) + log(1 + exp(-|x|))
[[gnu::always_inline]] static inline V softplus(const V& x) {
  return V::add(V::max(V::zero(), x), log1p(exp(V::neg(V::abs(x)))));
}

/// x * tanh(softplus(x)); with e = exp(x) that tanh is (e^2 + 2 e) / (e^2 + 2 e + 2).
[[gnu::always_inline]] static inline V mish(const V& x) {
  const V e = exp(V::min(V::set(30.0f), x));  // beyond, the quotient is 1
  const V n = V::mul(e, V::add(e, V::set(2.0f)));
  return V::mul(x, V::div(n, V::add(n, V::set(2.0f))));
}

/// A number as an unevaluated sum, |lo| <= ulp(hi) / 2.
struct Pair {
  V hi, lo;
};

/// a + b exactly, where |a| >= |b| or a == 0.
[[gnu::always_inline]] static inline Pair add_exactly(const V& a, const V& b) {
  const V hi = V::add(a, b);
  return {hi, V::sub(b, V::sub(hi, a))};
}

/// a * b exactly.
[[gnu::always_inline]] static inline Pair multiply_exactly(const V& a, const V& b) {
  const V hi = V::mul(a, b);
  return {hi, V::fma(a, b, V::neg(hi))};
}

/// The product of two pairs, up to about 2^-46 of it.
[[gnu::always_inline]] static inline Pair multiply(const Pair& a, const Pair& b) {
  const Pair p = multiply_exactly(a.hi, b.hi);
  return {p.hi, V::add(p.lo, V::fma(a.hi, b.lo, V::mul(a.lo, b.hi)))};
}

/// log(x) for finite x > 0 to about 2^-40: pow multiplies it by up to 2^7 before it loses the integer part.
/// With s = (m-1)/(m+1), log(m) = 2 s + s^3 (2/3 + s^2 (2/5 + ...)).
[[gnu::always_inline]] static inline Pair log_pair(const V& x) {
  V m, e;
  split_log(x, m, e);
  const V one = V::set(1.0f), numerator = V::sub(m, one);
  const Pair sum = add_exactly(one, m);  // exact for m > 1 too, as m < 2
  const V s_hi = V::div(numerator, sum.hi);
  const V remainder = V::fnma(s_hi, sum.lo, V::fnma(s_hi, sum.hi, numerator));
  const Pair s = {s_hi, V::div(remainder, sum.hi)};
  const Pair s2 = multiply(s, s);
  const V t = polynomial(s2.hi, 0.195570409f, 0.221797183f, 0.285719723f, 0.399999976f);
  Pair w = add_exactly(V::set(0.666666687f), V::mul(s2.hi, t));
  w.lo = V::add(w.lo, V::set(-1.98682155e-08f));
  const Pair q = multiply(multiply(s2, s), w);
  const V two = V::set(2.0f);
  const Pair a = add_exactly(V::mul(e, V::set(kLn2High)), V::mul(two, s.hi));
  const Pair b = add_exactly(a.hi, q.hi);
  const V low = V::fma(e, V::set(kLn2Low), V::fma(two, s.lo, q.lo));
  return add_exactly(b.hi, V::add(low, V::add(a.lo, b.lo)));
}

/// |x|^y for finite x != 0 and finite y.
[[gnu::always_inline]] static inline V pow_positive(const V& x, const V& y) {
  const Pair l = log_pair(x);
  const Pair d = multiply_exactly(y, l.hi);
  const V bound = V::set(120.0f);  // exp(+-120) is infinity and 0, and scale() still takes it
  const V hi = clamp(d.hi, V::neg(bound), bound);
  const V lo = V::select(V::less(V::abs(d.hi), bound), V::fma(y, l.lo, d.lo), V::zero());
  V unused, n_float;
  i32x16 n;
  split_exp(hi, unused, n_float, n);
  const V rest = V::add(V::fnma(n_float, V::set(kLn2High), hi), V::fnma(n_float, V::set(kLn2Low), lo));
  return scale(exp_near_zero(rest), n);
}

/// C's pow, with all of its special cases. A call, not inlined: it is 200 instructions, and used in many loops.
[[gnu::noinline]] static V pow(const V& x, const V& y) {
  const V zero = V::zero(), one = V::set(1.0f), inf = infinity(), a = V::abs(x);
  V r = pow_positive(a, y);
  // Bases and exponents without a logarithm of use: 0, infinity. The result is infinity where the base's side of 1 and
  // the exponent's sign agree.
  const mask16 down = V::less(y, zero);
  const mask16 shrinking = mask16::bit_xor(V::less(a, one), down);
  const V extreme = V::select(shrinking, zero, inf);
  const mask16 no_logarithm = mask16::bit_or(V::equal(a, zero), V::equal(a, inf));
  const mask16 endless = V::equal(V::abs(y), inf);
  r = V::select(mask16::bit_or(no_logarithm, endless), extreme, r);
  r = V::select(mask16::bit_and(endless, V::equal(a, one)), one, r);
  // Negative bases. Floats from 2^23 on are integers, from 2^24 on even ones.
  const mask16 integer = V::equal(V::floor(y), y);
  const V half = V::mul(y, V::set(0.5f));
  const mask16 odd = mask16::and_not(integer, V::equal(V::floor(half), half));
  r = V::select(odd, with_sign(r, x), r);
  const mask16 undefined = mask16::and_not(mask16::and_not(V::less(x, zero), integer), V::equal(a, inf));
  r = V::select(undefined, V::set(__builtin_nanf("")), r);
  r = V::select(V::is_nan(x), x, V::select(V::is_nan(y), y, r));
  return V::select(mask16::bit_or(V::equal(y, zero), V::equal(x, one)), one, r);
}

}  // namespace linnet::kernels::LINNET_ISA
