// The portable vector type: it defines what the other forms must do. The others are held to it by way of the kernels.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#define LINNET_ISA portable
#include "kernels/isa/f32x16_scalar.h"
#undef LINNET_ISA
#include "support/kernel_check.h"

using namespace linnet::test;
using V = linnet::kernels::portable::f32x16;
using I = linnet::kernels::portable::i32x16;

namespace {

float first(const V& v) { return v.lane[0]; }
float max(float a, float b) { return first(V::max(V::set(a), V::set(b))); }
float min(float a, float b) { return first(V::min(V::set(a), V::set(b))); }

}  // namespace

TEST_CASE("max and min give the second operand if it is NaN, or if both are zeros") {
  CHECK(max(1, 2) == 2);
  CHECK(min(1, 2) == 1);
  CHECK(std::isnan(max(0, NAN)));
  CHECK(std::isnan(min(0, NAN)));
  CHECK(max(NAN, 1) == 1);
  CHECK(min(NAN, 1) == 1);
  CHECK(std::signbit(max(0.0f, -0.0f)));
  CHECK_FALSE(std::signbit(min(-0.0f, 0.0f)));
}

TEST_CASE("rounding goes half to even and keeps the sign of zero") {
  const float x[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 8388609.0f, -0.2f};
  const float expected[] = {0, 2, 2, -0.0f, -2, 8388609.0f, -0.0f};
  for (std::size_t i = 0; i < std::size(x); ++i) CHECK(bits_of(first(V::round(V::set(x[i])))) == bits_of(expected[i]));
  CHECK(first(V::floor(V::set(-1.5f))) == -2);
  CHECK(first(V::ceil(V::set(-1.5f))) == -1);
}

TEST_CASE("fma rounds once") {
  const float a = 1 + 0x1p-12f;
  CHECK(first(V::fma(V::set(a), V::set(a), V::set(-1 - 0x1p-11f))) == 0x1p-24f);
  CHECK(first(V::fnma(V::set(a), V::set(a), V::set(1 + 0x1p-11f))) == -0x1p-24f);
}

TEST_CASE("partial loads and stores touch what they say, and the rest of the vector is zero") {
  for (int n = 0; n <= 16; ++n) {
    const GuardBuffer x(std::vector<float>(static_cast<std::size_t>(n), 3.0f));
    const V v = V::load_first(x.data(), n);
    for (int i = 0; i < 16; ++i) CHECK(v.lane[i] == (i < n ? 3.0f : 0.0f));
    GuardBuffer y(static_cast<std::size_t>(n));
    V::store_first(y.data(), V::set(4.0f), n);
    for (int i = 0; i < n; ++i) CHECK(y.data()[i] == 4.0f);
  }
}

TEST_CASE("the sum of the lanes is a tree") {
  V v = V::zero();
  v.lane[0] = 1e8f, v.lane[8] = -1e8f, v.lane[1] = 1;  // another order would lose the 1
  CHECK(V::sum(v) == 1);
}

TEST_CASE("integers wrap, and shift right with their sign") {
  CHECK(I::add(I::set(INT32_MAX), I::set(1)).lane[3] == INT32_MIN);
  CHECK(I::sub(I::set(INT32_MIN), I::set(1)).lane[3] == INT32_MAX);
  CHECK(I::shift_right<4>(I::set(-17)).lane[0] == -2);
  CHECK(I::shift_left<31>(I::set(3)).lane[0] == INT32_MIN);
  CHECK(first(V::from_int(I::set(16777217))) == 16777216.0f);
  CHECK(V::bits(V::set(-2.0f)).lane[15] == static_cast<std::int32_t>(0xc0000000u));
  CHECK(first(V::from_bits(I::set(0x3f800000))) == 1.0f);
}

TEST_CASE("comparisons with NaN are false, and select takes lanes") {
  const V nan = V::set(NAN), one = V::set(1.0f);
  CHECK_FALSE(V::less(nan, one).lane[0]);
  CHECK_FALSE(V::less_equal(nan, nan).lane[0]);
  CHECK_FALSE(V::equal(nan, nan).lane[0]);
  CHECK(V::is_nan(nan).lane[0]);
  CHECK_FALSE(V::is_nan(one).lane[0]);
  linnet::kernels::portable::mask16 odd;
  for (int i = 0; i < 16; ++i) odd.lane[i] = i % 2 != 0;
  const V mixed = V::select(odd, one, nan);
  for (int i = 0; i < 16; ++i) CHECK(std::isnan(mixed.lane[i]) == (i % 2 == 0));
}

TEST_CASE("transpose16 exchanges rows and columns") {
  Random random(1);
  const std::vector<float> x = random_floats(random, 16 * 20);
  std::vector<float> y(16 * 18);
  linnet::kernels::portable::transpose16(x.data(), 20, y.data(), 18);
  int wrong = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    for (std::size_t j = 0; j < 16; ++j) wrong += y[j * 18 + i] != x[i * 20 + j];
  }
  CHECK(wrong == 0);
}
