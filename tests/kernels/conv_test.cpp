#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "kernels/conv_problem.h"
#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

void check_direct(const Problem& p, const std::vector<Walk>& walks, Random& random) {
  INFO(text_of(p));
  ConvOperands d(p, random);
  on_every_isa([&](const Table& k) {
    std::vector<float> last;
    for (const Walk& walk : walks) {
      BlockedBuffer y = d.output();
      d.convolve_directly(k, walk, y);
      INFO(walk.tiles << " tiles, chunks of " << walk.chunk);
      CHECK(d.wrong(y) == 0);
      last = y.values();
    }
    return last;
  });
}

void check_direct(const Problem& p, Random& random) {
  check_direct(
      p, {{1, 1}, {1, 3}, {1, 1000}, {5, 1}, {5, 3}, {5, 1000}, {kConvTiles, 1}, {kConvTiles, 3}, {kConvTiles, 1000}},
      random);
}

/// One block of channels in groups of so many.
void check_grouped(const Problem& p, int group, const Walk& walk, Random& random) {
  INFO(text_of(p) << ", groups of " << group);
  ConvOperands d(p, random);
  for (int i = 0; i < static_cast<int>(d.filter.size()); ++i)  // [out][channel][tap]: the groups' own weights are left
    if (i / p.taps() % 16 / group != i / p.taps() / 16 / group) d.filter[static_cast<std::size_t>(i)] = 0;
  on_every_isa([&](const Table& k) {
    GuardBuffer weights(pack(k, p.taps() * group, 16, [&](int row, int out) {
      return d.weight(out, out / group * group + row % group, row / group);
    }));
    BlockedBuffer y = d.output();
    ConvArguments a = d.arguments(weights.data(), y);
    a.group = group;
    a.panel_last = 1;
    a.tiles = walk.tiles;
    a.chunk = walk.chunk;
    k.conv_grouped(a);
    CHECK(d.wrong(y) == 0);
    return y.values();
  });
}

/// The input as [channel][y][x].
void check_plain(const Problem& p, int tiles, Random& random) {
  INFO(text_of(p) << ", plain");
  ConvOperands d(p, random);
  const GuardBuffer x(d.pixels());
  std::vector<std::ptrdiff_t> offsets;
  for (int c = 0; c < p.in_channels; ++c)
    for (int i = 0; i < p.kernel; ++i)
      for (int j = 0; j < p.kernel; ++j) offsets.push_back((c * p.in_h + i * p.dilation) * p.in_w + j * p.dilation);
  const Guarded<std::ptrdiff_t> taps(offsets);
  const int channels = d.residual.blocks() * 16, k_all = static_cast<int>(taps.size());
  on_every_isa([&](const Table& k) {
    GuardBuffer weights(
        pack(k, k_all, channels, [&](int row, int out) { return d.weight(out, row / p.taps(), row % p.taps()); }));
    BlockedBuffer y = d.output(0);
    ConvArguments a = d.arguments(weights.data(), y);
    a.input = x.data();
    a.in_row = std::ptrdiff_t{p.stride} * p.in_w;
    a.in_pixel = p.stride;
    a.taps = taps.data();
    a.blocks = k_all;
    a.panel_last = panels(k, channels);
    a.tiles = tiles;
    a.chunk = k_all;
    k.conv_plain(a);
    CHECK(d.wrong(y) == 0);
    return y.values();
  });
}

void check_product(int rows, int n, int k, bool with_bias, bool with_residual, Random& random) {
  INFO(rows << "x" << k << "x" << n << (with_bias ? ", bias" : "") << (with_residual ? ", residual" : ""));
  const int padded = (n + 15) / 16 * 16;
  GuardBuffer a(static_cast<std::size_t>(rows * k)), residual(static_cast<std::size_t>(rows * n)),
      bias(static_cast<std::size_t>(padded));
  std::vector<float> b(static_cast<std::size_t>(k * n));
  for (std::size_t i = 0; i < a.size(); ++i) a.data()[i] = static_cast<float>(random.integer(-4, 4));
  for (std::size_t i = 0; i < residual.size(); ++i) residual.data()[i] = static_cast<float>(random.integer(-9, 9));
  for (int i = 0; i < padded; ++i) bias.data()[i] = i < n ? static_cast<float>(random.integer(-9, 9)) : 0.0f;
  for (float& x : b) x = static_cast<float>(random.integer(-4, 4));
  // The rows are the channels of a picture of n pixels, filtered pixel by pixel.
  const std::vector<double> sums = convolve({1, k, rows, 1, n, 1, 1, 1, false}, b, a.values());
  std::vector<float> expected;
  for (int i = 0; i < rows * n; ++i)
    expected.push_back(static_cast<float>(sums[static_cast<std::size_t>(i)]) + (with_bias ? bias.data()[i % n] : 0) +
                       (with_residual ? residual.data()[i] : 0));
  on_every_isa([&](const Table& table) {
    GuardBuffer weights(pack(table, k, padded, [&](int row, int column) {
      return column < n ? b[static_cast<std::size_t>(row * n + column)] : 0.0f;
    }));
    GuardBuffer c(static_cast<std::size_t>(rows * n));
    GemmArguments g{};
    g.a = a.data();
    g.a_row = k;
    g.weights = weights.data();
    g.bias = with_bias ? bias.data() : nullptr;
    g.residual = with_residual ? residual.data() : nullptr;
    g.residual_row = n;
    g.c = c.data();
    g.c_row = n;
    g.lo = -kInf;
    g.hi = kInf;
    g.rows = rows;
    g.k = k;
    g.n = n;
    g.panel_last = panels(table, padded);
    table.gemm(g);
    CHECK(c.values() == expected);
    return c.values();
  });
}

/// Channels at hand, and a filter that falls on so many pixels of output, of which rows are few.
Problem random_problem(Random& random, int channels, int out_channels) {
  const auto any = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
  Problem p{any(1, 2), channels, out_channels, 0, 0, any(1, 3), any(1, 3), any(1, 2), random.chance(0.5)};
  const int span = (p.kernel - 1) * p.dilation + 1;
  p.in_h = span + any(0, 2 * p.stride);
  p.in_w = span + any(0, 17) * p.stride + any(0, p.stride - 1);
  return p;
}

}  // namespace

TEST_CASE("direct convolution is exact on small integers, on every ISA, in every loop order") {
  at_both_ends();
  Random random(7);
  for (const int width : {1, 2, 3, 5, 6, 7, 8, 12, 13, 14, 15, 17, 29}) {
    check_direct({1, 16, 16, 3, width + 2, 3, 1, 1, width % 2 == 0}, random);
    check_direct({2, 20, 40, 2, width, 1, 1, 1, width % 3 == 0}, random);
    check_direct({1, 33, 17, 5, 2 * width + 1, 3, 2, 1, false}, random);
  }
  check_direct({3, 32, 48, 9, 9, 3, 1, 2, true}, random);
  check_direct({1, 16, 32, 7, 10, 1, 3, 1, false}, random);
  check_direct({1, 16, 80, 11, 11, 5, 2, 1, true}, random);
}

TEST_CASE("groups of 4 and 8 channels are exact on small integers, on every ISA") {
  at_both_ends();
  Random random(11);
  for (const int group : {4, 8}) {
    for (const int width : {1, 3, 6, 7, 13, 15, 29}) {
      for (const int stride : {1, 2, 3})
        check_grouped({2, 16, 16, 5, (width - 1) * stride + 3, 3, stride, 1, width % 2 == 1}, group,
                      {5, width % 3 == 0 ? 2 : 9}, random);
    }
  }
}

TEST_CASE("the plain form of the first layer is exact on small integers") {
  at_both_ends();
  Random random(8);
  for (const int stride : {1, 2, 3}) {
    for (const int out_w : {1, 4, 7, 15, 28})
      check_plain({1, 3, 24, 2 * stride + 5, (out_w - 1) * stride + 5, 5, stride, 1, false}, 3, random);
  }
}

TEST_CASE("the matrix product is exact on small integers over all remainders") {
  at_both_ends();
  Random random(9);
  for (int round = 0; round < 60; ++round) {
    const int rows = static_cast<int>(random.integer(1, 20)), n = static_cast<int>(random.integer(1, 70)),
              k = static_cast<int>(random.integer(0, 1100));
    check_product(rows, n, k, random.chance(0.5), random.chance(0.5), random);
  }
}

TEST_CASE("guard pages: 10,000 direct convolutions", "[.nightly]") {
  Random random(12);
  for (int round = 0; round < 10'000; ++round) {
    at_either_end(random);
    const int channels = static_cast<int>(random.integer(1, 33)),
              out_channels = static_cast<int>(random.integer(1, 70));
    const Problem p = random_problem(random, channels, out_channels);
    const Walk walk = {static_cast<int>(random.integer(1, 12)), static_cast<int>(random.integer(1, 20))};
    check_direct(p, {walk}, random);
  }
}

TEST_CASE("guard pages: 6,000 convolutions in groups", "[.nightly]") {
  Random random(6);
  for (int round = 0; round < 6'000; ++round) {
    at_either_end(random);
    const Problem p = random_problem(random, 16, 16);
    const Walk walk = {static_cast<int>(random.integer(1, 12)), static_cast<int>(random.integer(1, 10))};
    check_grouped(p, random.chance(0.5) ? 4 : 8, walk, random);
  }
}

TEST_CASE("guard pages: 6,000 first layers", "[.nightly]") {
  Random random(60);
  for (int round = 0; round < 6'000; ++round) {
    at_either_end(random);
    const int channels = static_cast<int>(random.integer(1, 8)), out_channels = static_cast<int>(random.integer(1, 70));
    Problem p = random_problem(random, channels, out_channels);
    p.images = 1;
    check_plain(p, static_cast<int>(random.integer(1, 12)), random);
  }
}

TEST_CASE("guard pages: 10,000 matrix products", "[.nightly]") {
  Random random(100);
  for (int round = 0; round < 10'000; ++round) {
    at_either_end(random);
    const int rows = static_cast<int>(random.integer(1, 20)), n = static_cast<int>(random.integer(1, 70)),
              k = static_cast<int>(random.integer(0, round % 10 == 0 ? 600 : 40));
    check_product(rows, n, k, random.chance(0.5), random.chance(0.5), random);
  }
}

TEST_CASE("K12: direct convolution takes numbers of 1e38 of either sign") {
  at_both_ends();
  Random random(38);
  const Problem p = {1, 32, 24, 6, 15, 3, 1, 1, false};
  ConvOperands d(p, random);
  d.lo = -kInf, d.hi = kInf;
  // 288 products of 0 or +-1.3e38 / 128: every sum on the way is a multiple of that, and exact.
  ConvOperands::fill(d.x, [&] { return random.chance(0.5) ? 0x1.8p126f : -0x1.8p126f; });
  for (float& w : d.filter) w = static_cast<float>(random.integer(-1, 1)) / 128;
  std::fill_n(d.bias.data(), p.out_channels, 0.0f);
  on_every_isa([&](const Table& k) {
    BlockedBuffer y = d.output();
    d.convolve_directly(k, {5, 3}, y);
    CHECK(d.wrong(y) == 0);
    return y.values();
  });
}

TEST_CASE("a sum of -0 that stops and goes on stays -0") {
  at_both_ends();
  constexpr int kBlocks = 3, kPixels = 5;
  const GuardBuffer zeros(std::vector<float>(kBlocks * kPixels * 16, 0.0f));
  Guarded<std::ptrdiff_t> taps(kBlocks);
  for (int b = 0; b < kBlocks; ++b) taps.data()[b] = b * kPixels * 16;
  on_every_isa([&](const Table& k) {
    const GuardBuffer weights(std::vector<float>(kBlocks * 16 * 16, -1.0f)), bias(std::vector<float>(16, -0.0f));
    std::vector<float> all;
    for (const int chunk : {1, 2, kBlocks}) {
      GuardBuffer y(kPixels * 16);
      ConvArguments a{};
      a.input = zeros.data();
      a.in_pixel = 16;
      a.taps = taps.data();
      a.blocks = kBlocks;
      a.weights = weights.data();
      a.bias = bias.data();
      a.output = y.data();
      a.lo = -kInf;
      a.hi = kInf;
      a.images = a.rows = a.out_blocks = a.panel_last = 1;
      a.width = kPixels;
      a.tiles = kConvTiles;
      a.chunk = chunk;
      k.conv(a);
      for (int i = 0; i < kPixels * 16; ++i) all.push_back(y.data()[i]);
    }
    CHECK(std::all_of(all.begin(), all.end(), [](float value) { return value == 0 && std::signbit(value); }));
    return all;
  });
}
