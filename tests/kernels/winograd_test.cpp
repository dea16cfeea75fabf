#include "kernels/winograd_problem.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

constexpr float kMost = std::numeric_limits<float>::max();

/// On every ISA.
void check_bounds(Winograd form, ConvOperands& d) {
  const std::vector<double> bounds = winograd_bounds(form, d);
  const WinogradProblem problem(form, d);
  on_every_isa([&](const Table& k) {
    BlockedBuffer y = d.output();
    problem.convolve(k, y);
    int wrong = 0;
    const double *bound = bounds.data(), *expected = d.expected().data();
    y.each([&](int n, int out, int row, int column) {
      wrong += !(std::fabs(static_cast<double>(y.at(n, out, row, column)) - *expected++) <= *bound++);
    });
    CHECK(wrong == 0);
    return y.values();
  });
}

/// Small integers. F(2x2) has the weights 1/2 and 1/4, and is exact on them.
void check_winograd(Winograd form, const Problem& p, Random& random) {
  INFO(test::text_of(form) << ", " << test::text_of(p));
  ConvOperands d(p, random);
  if (winograd_edge(form).points == 6) return check_bounds(form, d);
  const WinogradProblem problem(form, d);
  on_every_isa([&](const Table& k) {
    BlockedBuffer y = d.output();
    problem.convolve(k, y);
    CHECK(d.wrong(y) == 0);
    return y.values();
  });
}

Problem problem_of(Winograd form, int images, int channels, int out_channels, int out_h, int out_w, bool residual) {
  const int kernel = winograd_edge(form).taps, stride = form == Winograd::f2x2_3x3_stride2 ? 2 : 1;
  return {images, channels, out_channels, (out_h - 1) * stride + kernel, (out_w - 1) * stride + kernel, kernel,
          stride, 1,        residual};
}

/// Pixels of one magnitude, with the signs that make a point of the first tile as large as it can be.
void fill_worst(Winograd form, float magnitude, ConvOperands& d) {
  const WinogradEdge edge = winograd_edge(form);
  const WinogradMatrices m(form, edge.outputs);
  const auto size = [&](int point) {
    double sum = 0;
    for (const double x : m.input[point]) sum += std::fabs(x);
    return sum;
  };
  int worst = 0;
  for (int point = 1; point < edge.points; ++point) worst = size(point) > size(worst) ? point : worst;
  const auto sign = [&](int pixel) { return m.input[worst][pixel] < 0; };
  d.x.each([&](int n, int c, int y, int x) { d.x.at(n, c, y, x) = sign(y) != sign(x) ? -magnitude : magnitude; });
}

}  // namespace

TEST_CASE("Winograd's matrices are convolutions") {
  Random random(1);
  for (const Winograd form : kWinogradForms) {
    const WinogradEdge edge = winograd_edge(form);
    const int stride = form == Winograd::f2x2_3x3_stride2 ? 2 : 1;
    for (int outputs = 1; outputs <= edge.outputs; ++outputs) {
      const WinogradMatrices m(form, outputs);
      double pixels[kWinogradMostPoints] = {}, taps[4] = {};
      for (double& x : pixels) x = random.uniform(-1, 1);
      for (int i = 0; i < edge.taps; ++i) taps[i] = random.uniform(-1, 1);
      for (int o = 0; o < outputs; ++o) {
        double expected = 0, found = 0;
        for (int i = 0; i < edge.taps; ++i) expected += pixels[o * stride + i] * taps[i];
        for (int point = 0; point < edge.points; ++point) {
          double v = 0, u = 0;
          for (int i = 0; i < edge.points; ++i) v += m.input[point][i] * pixels[i];
          for (int i = 0; i < edge.taps; ++i) u += m.filter[point][i] * taps[i];
          found += m.output[o][point] * u * v;
        }
        INFO(test::text_of(form) << ", output " << o << " of " << outputs);
        CHECK(std::fabs(found - expected) < 1e-14);
      }
    }
  }
}

TEST_CASE("K12: Winograd keeps its bound from the sums in double, with equal bits on every ISA") {
  at_both_ends();
  Random random(10);
  for (const Winograd form :
       {Winograd::f2x2_3x3, Winograd::f4x4_3x3, Winograd::f4x4_3x3_rows, Winograd::f4x4_3x3_taps}) {
    for (const int edge : {1, 2, 3, 4, 5, 7, 9, 14})
      check_winograd(form, {1, 32, 48, edge + 2, edge + 3, 3, 1, 1, edge % 2 == 1}, random);
    check_winograd(form, {1, 20, 24, 10, 8, 3, 1, 1, true}, random);
    check_winograd(form, {1, 64, 16, 16, 30, 3, 1, 1, false}, random);
    check_winograd(form, {3, 16, 40, 9, 7, 3, 1, 1, true}, random);
    for (const int width : {5, 6, 7, 8})
      check_winograd(form, {2, 16, 16, 15 - width, width + 2, 3, 1, 1, true}, random);
    // More outputs than M holds at a time, after a third of the panels too; an odd number of blocks.
    check_winograd(form, {1, 16, 2 * winograd_channels(form) - 16, 7, 8, 3, 1, 1, true}, random);
  }
  // Several passes over the channels where registers are few, and over the tiles.
  check_winograd(Winograd::f4x4_3x3_taps, {1, kWinogradExpandedChannels + 40, 48, 7, 9, 3, 1, 1, true}, random);
  check_winograd(Winograd::f4x4_3x3_rows, {1, kWinogradExpandedChannels + 40, 80, 13, 17, 3, 1, 1, true}, random);
  check_winograd(Winograd::f3x3_4x4, {1, 12, 2 * winograd_channels(Winograd::f3x3_4x4) - 16, 9, 8, 4, 1, 1, true},
                 random);
  check_winograd(Winograd::f2x2_3x3_stride2,
                 {1, 16, 2 * winograd_channels(Winograd::f2x2_3x3_stride2) - 16, 9, 8, 3, 2, 1, true}, random);
  for (const int edge : {1, 2, 3, 4, 7, 14}) {
    check_winograd(Winograd::f3x3_4x4, {1, 12, 48, edge + 3, edge + 4, 4, 1, 1, edge % 2 == 1}, random);
    check_winograd(Winograd::f3x3_4x4, {2, 28, 32, edge + 4, edge + 3, 4, 1, 1, edge % 2 == 0}, random);
  }
  for (const int edge : {1, 2, 3, 4, 5, 8, 13}) {  // whether the last row and column of the input are read or not
    check_winograd(Winograd::f2x2_3x3_stride2, {1, 32, 48, 2 * edge + 1, 2 * edge + 2, 3, 2, 1, edge % 2 == 1}, random);
    check_winograd(Winograd::f2x2_3x3_stride2, {3, 20, 40, 2 * edge + 4, 2 * edge + 1, 3, 2, 1, edge % 2 == 0}, random);
  }
}

TEST_CASE("guard pages: 9,000 convolutions by Winograd", "[.nightly]") {
  Random random(120);
  for (int round = 0; round < 9'000; ++round) {
    at_either_end(random);
    const auto any = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
    const Winograd form = kWinogradForms[static_cast<std::size_t>(round) % std::size(kWinogradForms)];
    Problem p = problem_of(form, any(1, 2), any(1, 33), any(1, 70), any(1, 6), any(1, 14), random.chance(0.5));
    if (p.stride == 2) p.in_h += any(0, 1), p.in_w += any(0, 1);
    check_winograd(form, p, random);
  }
}

TEST_CASE("numbers grow in Winograd's transforms as is documented") {
  const auto check = [](std::initializer_list<Winograd> forms, double input, double sum) {
    for (const Winograd form : forms) {
      INFO(test::text_of(form));
      const WinogradGrowth growth = winograd_growth(form);
      CHECK(growth.input == Approx(input).epsilon(0.002));
      CHECK(growth.sum == Approx(sum).epsilon(0.002));
    }
  };
  check({Winograd::f2x2_3x3, Winograd::f2x2_3x3_stride2}, 4, 16);
  check({Winograd::f4x4_3x3}, 26.2, 189);
  check({Winograd::f4x4_3x3_rows, Winograd::f4x4_3x3_taps}, 81, 189);
  check({Winograd::f3x3_4x4}, 26.2, 217);
}

TEST_CASE("K12: Winograd keeps its bound up to the documented magnitude of inputs and sums, cancellation included") {
  at_both_ends();
  Random random(12);
  for (const Winograd form : kWinogradForms) {
    INFO(test::text_of(form));
    const WinogradGrowth growth = winograd_growth(form);
    const WinogradEdge edge = winograd_edge(form);
    // One tile: beside it others would not have the worst signs.
    const Problem p = problem_of(form, 1, 16, 32, edge.outputs, edge.outputs, false);
    const int terms = p.in_channels * p.taps();
    const float most_input = kMost / static_cast<float>(growth.input);
    const auto check_both = [&](float magnitude, float weight) {
      ConvOperands d(p, random);
      d.lo = -kInf, d.hi = kInf;
      for (float& w : d.filter) w = random.chance(0.5) ? weight : -weight;
      fill_worst(form, magnitude, d);
      check_bounds(form, d);
      ConvOperands::fill(d.x, [&] { return random.chance(0.5) ? magnitude : -magnitude; });
      d.sums.clear();
      check_bounds(form, d);
    };
    // The inputs are the limit, then the sums. Roundings take less than a thousandth.
    check_both(most_input * 0.999f, 0x1p-24f);
    check_both(most_input / 1e6f,
               1e6f / static_cast<float>(terms) * static_cast<float>(growth.input / growth.sum) * 0.999f);
    // The limit of inputs is no lower than it must be.
    ConvOperands d(p, random);
    fill_worst(form, most_input * 1.001f, d);
    BlockedBuffer y = d.output();
    d.lo = -kInf, d.hi = kInf;
    WinogradProblem(form, d).convolve(*runnable_tables().back(), y);
    int finite = 0;
    y.each([&](int n, int c, int row, int column) { finite += std::isfinite(y.at(n, c, row, column)); });
    CHECK(finite < p.out_channels * p.out_h() * p.out_w());
  }
}
