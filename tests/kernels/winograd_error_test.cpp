// Rounding errors of direct convolution and of Winograd's forms, for docs/numerics.md:
//
//   test_kernels "[.measure]"
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

#include "kernels/winograd_problem.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

double normal(Random& random) {
  return std::sqrt(-2 * std::log(1 - random.uniform(0, 1))) * std::cos(2 * M_PI * random.uniform(0, 1));
}

/// Over the output's root mean square.
struct RelativeErrors {
  double rms, greatest;
  int beyond;  // outputs that are beyond their bounds
};
RelativeErrors errors_of(ConvOperands& d, BlockedBuffer& y, const std::vector<double>& bounds) {
  double squares = 0, of_outputs = 0, greatest = 0;
  int beyond = 0;
  std::size_t i = 0;
  y.each([&](int n, int out, int row, int column) {
    const double expected = d.expected()[i], error = static_cast<double>(y.at(n, out, row, column)) - expected;
    squares += error * error, of_outputs += expected * expected;
    greatest = std::max(greatest, std::fabs(error));
    beyond += !bounds.empty() && !(std::fabs(error) <= bounds[i]);
    ++i;
  });
  return {std::sqrt(squares / of_outputs), greatest / std::sqrt(of_outputs / static_cast<double>(i)), beyond};
}

struct Layer {
  const char* name;
  Problem p;
  std::vector<Winograd> forms;
};

/// Inputs as behind a Relu, weights as they are before training; no bias, no residual, no clamp.
void measure(const Layer& layer) {
  const Problem& p = layer.p;
  Random random(1);
  ConvOperands d(p, random);
  d.lo = -kInf, d.hi = kInf;
  std::fill_n(d.bias.data(), d.bias.size(), 0.0f);
  const bool phases =
      p.kernel == 4;  // 12 channels: those of a picture in even and odd rows and columns, under 7 x 7 taps
  ConvOperands::fill(d.x, [&] { return static_cast<float>(phases ? normal(random) : std::fmax(0.0, normal(random))); });
  const int terms = phases ? 3 * 7 * 7 : p.in_channels * p.taps();
  for (int i = 0; i < static_cast<int>(d.filter.size()); ++i) {
    const int tap = i % p.taps(), c = i / p.taps() % p.in_channels;
    const bool outside = phases && (tap / 4 * 2 + c / 2 % 2 > 6 || tap % 4 * 2 + c % 2 > 6);
    d.filter[static_cast<std::size_t>(i)] = static_cast<float>(outside ? 0 : std::sqrt(2.0 / terms) * normal(random));
  }
  const Table& k = *runnable_tables().back();  // they all give the same bits
  double direct = 0;
  const auto report = [&](const char* name, BlockedBuffer& y, const std::vector<double>& bounds) {
    const RelativeErrors e = errors_of(d, y, bounds);
    if (direct == 0) direct = e.rms;
    std::printf("| %s | %s | %.1e | %.1e | %.2f |\n", layer.name, name, e.rms, e.greatest, e.rms / direct);
    CHECK(e.beyond == 0);
  };
  BlockedBuffer y = d.output();
  d.convolve_directly(k, {kConvTiles, 1000}, y);
  report("direct", y, {});
  for (const Winograd form : layer.forms) {
    BlockedBuffer by_form = d.output();
    WinogradProblem(form, d).convolve(k, by_form);
    report(test::text_of(form), by_form, winograd_bounds(form, d));
  }
}

}  // namespace

TEST_CASE("the errors of convolution, direct and by Winograd", "[.measure]") {
  using enum Winograd;
  std::printf("\n| layer | algorithm | rms | greatest | rms over direct's |\n|---|---|---|---|---|\n");
  // Of 32 output channels: none knows of the others.
  const auto same = [](const char* name, int channels, int edge) {
    return Layer{name,
                 {1, channels, 32, edge + 2, edge + 2, 3, 1, 1, false},
                 {f2x2_3x3, f4x4_3x3, f4x4_3x3_rows, f4x4_3x3_taps}};
  };
  for (const Layer& layer : {same("64 channels, 56x56", 64, 56), same("128 channels, 28x28", 128, 28),
                             same("256 channels, 14x14", 256, 14), same("512 channels, 7x7", 512, 7)})
    measure(layer);
  measure({"128 channels, 28x28, stride 2", {1, 128, 32, 57, 57, 3, 2, 1, false}, {f2x2_3x3_stride2}});
  measure({"256 channels, 14x14, stride 2", {1, 256, 32, 29, 29, 3, 2, 1, false}, {f2x2_3x3_stride2}});
  measure({"512 channels, 7x7, stride 2", {1, 512, 32, 15, 15, 3, 2, 1, false}, {f2x2_3x3_stride2}});
  measure({"3 channels, 112x112, 7x7 taps, stride 2", {1, 12, 32, 115, 115, 4, 1, 1, false}, {f3x3_4x4}});
}
