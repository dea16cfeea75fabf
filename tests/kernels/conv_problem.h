// The operands of a convolution's kernels, for the tests of direct convolution and of Winograd's. Small integers unless a test
// puts something else there: then sums are exact in any order.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "support/conv_oracle.h"
#include "support/kernel_check.h"

namespace linnet::test {

constexpr float kInf = std::numeric_limits<float>::infinity();

inline int panels(const kernels::Table& table, int channels) {
  return (channels + table.tile.channels - 1) / table.tile.channels;
}

/// Panels of [k][panel channels], as the kernels read them: w(k, channel) over `k` and `channels` (a multiple of 16).
template <class Weight>
std::vector<float> pack(const kernels::Table& table, int k, int channels, const Weight& w) {
  std::vector<float> packed;
  for (int first = 0; first < channels; first += table.tile.channels) {
    const int width = std::min(table.tile.channels, channels - first);
    for (int row = 0; row < k; ++row)
      for (int lane = 0; lane < width; ++lane) packed.push_back(w(row, first + lane));
  }
  return packed;
}

inline std::string text_of(const Problem& p) {
  std::ostringstream text;
  text << p.images << "x" << p.in_channels << "x" << p.in_h << "x" << p.in_w << " -> " << p.out_channels << ", kernel "
       << p.kernel << ", stride " << p.stride << ", dilation " << p.dilation << (p.residual ? ", residual" : "");
  return text.str();
}

/// The order in which direct convolution walks: ConvArguments.
struct Walk {
  int tiles, chunk;
};

/// Everything a convolution reads, and its result.
struct ConvOperands {
  ConvOperands(const Problem& problem, Random& random)
      : p(problem),
        x(p.images, p.in_channels, p.in_h, p.in_w),
        residual(p.images, p.out_channels, p.out_h(), p.out_w()),
        filter(p.weights()),
        bias(std::vector<float>(static_cast<std::size_t>(residual.blocks() * 16))),
        taps(static_cast<std::size_t>(x.blocks() * p.taps())) {
    const auto integers = [&](int size) {
      return [&random, size] { return static_cast<float>(random.integer(-size, size)); };
    };
    fill(x, integers(4));
    fill(residual, integers(4));
    std::generate(filter.begin(), filter.end(), integers(3));
    std::generate_n(bias.data(), p.out_channels, integers(5));
    for (int i = 0; i < static_cast<int>(taps.size()); ++i) {
      const int tap = i % p.taps();
      taps.data()[i] =
          i / p.taps() * x.plane() + tap / p.kernel * p.dilation * x.row() + tap % p.kernel * p.dilation * 16;
    }
  }

  /// Its channels, in the order of `each`, and zeros in the padded ones.
  template <class Next>
  static void fill(BlockedBuffer& b, const Next& next) {
    for (int n = 0; n < b.images; ++n)
      for (int c = 0; c < b.blocks() * 16; ++c)
        for (int y = 0; y < b.height; ++y)
          for (int i = 0; i < b.width; ++i) b.at(n, c, y, i) = c < b.channels ? next() : 0.0f;
  }
  [[nodiscard]] float weight(int out, int c, int tap) const {
    if (out >= p.out_channels || c >= p.in_channels) return 0;
    return filter[static_cast<std::size_t>((out * p.in_channels + c) * p.taps() + tap)];
  }
  /// In the order of `each`.
  std::vector<float> pixels() {
    std::vector<float> all;
    x.each([&](int n, int c, int y, int i) { all.push_back(x.at(n, c, y, i)); });
    return all;
  }
  /// Bias and residual of an output.
  double start(int n, int out, int y, int i) {
    return static_cast<double>(bias.data()[out]) + (p.residual ? static_cast<double>(residual.at(n, out, y, i)) : 0.0);
  }
  /// Of all outputs in the order of `each`, made when first asked for.
  const std::vector<double>& expected() {
    if (!sums.empty()) return sums;
    sums = convolve(p, pixels(), filter);
    std::size_t i = 0;
    residual.each([&](int n, int out, int y, int column) {
      double& sum = sums[i++];
      sum = std::fmax(static_cast<double>(lo), std::fmin(static_cast<double>(hi), sum + start(n, out, y, column)));
    });
    return sums;
  }
  int wrong(BlockedBuffer& y) {
    int count = 0;
    const double* next = expected().data();
    y.each([&](int n, int out, int row, int column) {
      count += static_cast<double>(y.at(n, out, row, column)) != *next++;
    });
    return count;
  }

  BlockedBuffer output(int halo = 1) const { return {p.images, p.out_channels, p.out_h(), p.out_w(), halo}; }
  /// What every form of convolution adds to and writes.
  template <class Arguments>
  void set_output(Arguments& a, BlockedBuffer& y) {
    a.bias = bias.data();
    if (p.residual) {
      a.residual = residual.origin();
      a.residual_row = residual.row();
      a.residual_plane = residual.plane();
      a.residual_image = residual.image();
    }
    a.output = y.origin();
    a.out_row = y.row();
    a.out_plane = y.plane();
    a.out_image = y.image();
    a.out_blocks = y.blocks();
    a.lo = lo;
    a.hi = hi;
  }
  kernels::ConvArguments arguments(const float* weights, BlockedBuffer& y) {
    kernels::ConvArguments a{};
    a.input = x.origin();
    a.in_row = p.stride * x.row();
    a.in_pixel = p.stride * 16;
    a.in_image = x.image();
    a.taps = taps.data();
    a.blocks = static_cast<int>(taps.size());
    a.weights = weights;
    set_output(a, y);
    a.images = p.images;
    a.rows = p.out_h();
    a.width = p.out_w();
    return a;
  }
  /// Direct convolution. Panels and rows in parts, as threads take them.
  void convolve_directly(const kernels::Table& k, const Walk& walk, BlockedBuffer& y) {
    const int channels = residual.blocks() * 16;
    const GuardBuffer weights(pack(k, static_cast<int>(taps.size()) * 16, channels, [&](int row, int out) {
      return weight(out, row / 16 / p.taps() * 16 + row % 16, row / 16 % p.taps());
    }));
    kernels::ConvArguments a = arguments(weights.data(), y);
    a.tiles = walk.tiles;
    a.chunk = walk.chunk;
    const int all = panels(k, channels), middle = all / 2, top = a.rows / 3;
    for (const auto& [first, end] : {std::pair{0, middle}, std::pair{middle, all}}) {
      kernels::ConvArguments part = a;
      part.panel_first = first;
      part.panel_last = end;
      part.shared_input = part.weights_past_l3 = first > 0;
      part.rows = top;
      k.conv(part);
      part.rows = a.rows - top;
      part.input += top * a.in_row;
      part.output += top * a.out_row;
      if (part.residual != nullptr) part.residual += top * a.residual_row;
      k.conv(part);
    }
  }

  Problem p;
  BlockedBuffer x, residual;
  std::vector<float> filter;  // in the model's order: [out][channel][tap]
  GuardBuffer bias;
  Guarded<std::ptrdiff_t> taps;
  float lo = 0, hi = 500;
  std::vector<double> sums;
};

}  // namespace linnet::test
