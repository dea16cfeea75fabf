#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/conv_problem.h"
#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

/// Panels of [k][panel channels], as the kernels read them: w(k, channel) over `k` and `channels` (a multiple of 16).
template <class Weight>
std::vector<float> pack(const Table& table, int k, int channels, const Weight& w) {
  std::vector<float> packed;
  for (int first = 0; first < channels; first += table.tile.channels) {
    const int width = std::min(table.tile.channels, channels - first);
    for (int row = 0; row < k; ++row)
      for (int lane = 0; lane < width; ++lane) packed.push_back(w(row, first + lane));
  }
  return packed;
}

void check_direct(const Problem& p, Random& random) {
  INFO(p.images << "x" << p.in_channels << "x" << p.in_h << "x" << p.in_w << " -> " << p.out_channels << ", kernel "
                << p.kernel << ", stride " << p.stride << ", dilation " << p.dilation
                << (p.residual ? ", residual" : ""));
  Direct d(p, random);
  on_every_isa([&](const Table& k) {
    const int block_k = 16, channels = d.residual.blocks() * 16;
    GuardBuffer weights(pack(k, static_cast<int>(d.taps.size()) * block_k, channels, [&](int row, int m) {
      const int block = row / 16 / p.taps(), tap = row / 16 % p.taps();
      return d.filter.at(m, block * 16 + row % 16, tap);
    }));
    std::vector<float> last;
    for (const int tiles : {1, 5, kConvTiles}) {
      for (const int chunk : {1, 3, 1000}) {
        BlockedBuffer y(p.images, p.out_channels, p.out_h(), p.out_w(), 1);
        ConvArguments a = d.arguments(weights.data(), y);
        a.tiles = tiles;
        a.chunk = chunk;
        // Panels and rows in parts, as threads take them.
        const int all = panels(k, channels), middle = all / 2, top = a.rows / 3;
        for (const auto& [first, end] : {std::pair{0, middle}, std::pair{middle, all}}) {
          ConvArguments part = a;
          part.panel_first = first;
          part.panel_last = end;
          part.rows = top;
          k.conv(part);
          part.rows = a.rows - top;
          part.input += top * a.in_row;
          part.output += top * a.out_row;
          if (part.residual != nullptr) part.residual += top * a.residual_row;
          k.conv(part);
        }
        CHECK(d.wrong(y) == 0);
        last = y.values();
      }
    }
    return last;
  });
}

}  // namespace

TEST_CASE("direct convolution is exact on small integers, on every ISA, in every loop order") {
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
  Random random(11);
  for (const int group : {4, 8}) {
    for (const int width : {1, 3, 6, 7, 13, 15, 29}) {
      for (const int stride : {1, 2, 3}) {
        Direct d({2, 16, 16, 5, (width - 1) * stride + 3, 3, stride, 1, width % 2 == 1}, random);
        for (std::size_t i = 0; i < d.filter.values.size(); ++i)  // [m][c][tap]: the groups' own weights are left
          if (static_cast<int>(i) / 9 % 16 / group != static_cast<int>(i) / 144 / group) d.filter.values[i] = 0;
        on_every_isa([&](const Table& k) {
          GuardBuffer weights(pack(k, 9 * group, 16, [&](int row, int m) {
            return d.filter.at(m, m / group * group + row % group, row / group);
          }));
          BlockedBuffer y(2, 16, d.p.out_h(), width, 1);
          ConvArguments a = d.arguments(weights.data(), y);
          a.group = group;
          a.panel_last = 1;
          a.tiles = 5;
          a.chunk = width % 3 == 0 ? 2 : 9;
          k.conv_grouped(a);
          CHECK(d.wrong(y) == 0);
          return y.values();
        });
      }
    }
  }
}

TEST_CASE("the plain form of the first layer is exact on small integers") {
  Random random(8);
  for (const int stride : {1, 2, 3}) {
    for (const int out_w : {1, 4, 7, 15, 28}) {
      const int channels = 3, kernel = 5, out_h = 3, in_h = (out_h - 1) * stride + kernel,
                in_w = (out_w - 1) * stride + kernel, out_channels = 24;
      GuardBuffer x(static_cast<std::size_t>(channels * in_h * in_w));
      for (std::size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(random.integer(-4, 4));
      std::vector<float> w(static_cast<std::size_t>(out_channels * channels * kernel * kernel));
      for (float& v : w) v = static_cast<float>(random.integer(-3, 3));
      std::vector<std::ptrdiff_t> taps;
      for (int c = 0; c < channels; ++c)
        for (int i = 0; i < kernel; ++i)
          for (int j = 0; j < kernel; ++j) taps.push_back((c * in_h + i) * in_w + j);
      const int k_all = static_cast<int>(taps.size());
      on_every_isa([&](const Table& k) {
        GuardBuffer weights(pack(k, k_all, 32, [&](int row, int m) {
          return m < out_channels ? w[static_cast<std::size_t>(m * k_all + row)] : 0.0f;
        }));
        GuardBuffer bias(std::vector<float>(32, 1.0f));
        BlockedBuffer y(1, out_channels, out_h, out_w, 0);
        ConvArguments a{};
        a.input = x.data();
        a.in_row = stride * in_w;
        a.in_pixel = stride;
        a.taps = taps.data();
        a.blocks = k_all;
        a.weights = weights.data();
        a.bias = bias.data();
        a.output = y.origin();
        a.out_row = y.row();
        a.out_plane = y.plane();
        a.lo = -kInf;
        a.hi = kInf;
        a.images = 1;
        a.rows = out_h;
        a.width = out_w;
        a.out_blocks = 2;
        a.panel_last = panels(k, 32);
        a.tiles = 3;
        a.chunk = k_all;
        k.conv_plain(a);
        int wrong = 0;
        y.each([&](int, int m, int oy, int ox) {
          double sum = 1;
          for (int t = 0; t < k_all; ++t)
            sum += static_cast<double>(x.data()[oy * stride * in_w + ox * stride + taps[static_cast<std::size_t>(t)]]) *
                   static_cast<double>(w[static_cast<std::size_t>(m * k_all + t)]);
          wrong += y.at(0, m, oy, ox) != static_cast<float>(sum);
        });
        CHECK(wrong == 0);
        return y.values();
      });
    }
  }
}

TEST_CASE("the matrix product is exact on small integers over all remainders") {
  Random random(9);
  for (int round = 0; round < 60; ++round) {
    const int rows = static_cast<int>(random.integer(1, 20)), n = static_cast<int>(random.integer(1, 70)),
              k = static_cast<int>(random.integer(0, 1100));
    const bool with_bias = random.integer(0, 1) == 1, with_residual = random.integer(0, 1) == 1;
    INFO(rows << "x" << k << "x" << n);
    const int padded = (n + 15) / 16 * 16;
    GuardBuffer a(static_cast<std::size_t>(rows * k)), residual(static_cast<std::size_t>(rows * n)),
        bias(static_cast<std::size_t>(padded));
    std::vector<float> b(static_cast<std::size_t>(k * n));
    for (std::size_t i = 0; i < a.size(); ++i) a.data()[i] = static_cast<float>(random.integer(-4, 4));
    for (std::size_t i = 0; i < residual.size(); ++i) residual.data()[i] = static_cast<float>(random.integer(-9, 9));
    for (int i = 0; i < padded; ++i) bias.data()[i] = i < n ? static_cast<float>(random.integer(-9, 9)) : 0.0f;
    for (float& x : b) x = static_cast<float>(random.integer(-4, 4));
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
      int wrong = 0;
      for (int r = 0; r < rows; ++r) {
        for (int j = 0; j < n; ++j) {
          double sum = (with_bias ? static_cast<double>(bias.data()[j]) : 0.0) +
                       (with_residual ? static_cast<double>(residual.data()[r * n + j]) : 0.0);
          for (int i = 0; i < k; ++i)
            sum +=
                static_cast<double>(a.data()[r * k + i]) * static_cast<double>(b[static_cast<std::size_t>(i * n + j)]);
          wrong += c.data()[r * n + j] != static_cast<float>(sum);
        }
      }
      CHECK(wrong == 0);
      return c.values();
    });
  }
}

TEST_CASE("a sum of -0 that stops and goes on stays -0") {
  constexpr int kBlocks = 3, kPixels = 5;
  const GuardBuffer zeros(std::vector<float>(kBlocks * kPixels * 16, 0.0f));
  std::vector<std::ptrdiff_t> taps;
  for (int b = 0; b < kBlocks; ++b) taps.push_back(b * kPixels * 16);
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
      a.lo = -std::numeric_limits<float>::infinity();
      a.hi = std::numeric_limits<float>::infinity();
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
