// A convolution of small integers, whose sums are exact in any order, for the tests of direct convolution and of Winograd's.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/table.h"
#include "support/kernel_check.h"

namespace linnet::test {

inline int panels(const kernels::Table& table, int channels) {
  return (channels + table.tile.channels - 1) / table.tile.channels;
}

struct Problem {
  int images, in_channels, out_channels, in_h, in_w, kernel, stride, dilation;
  bool residual;
  int out_h() const { return (in_h - (kernel - 1) * dilation - 1) / stride + 1; }
  int out_w() const { return (in_w - (kernel - 1) * dilation - 1) / stride + 1; }
  int taps() const { return kernel * kernel; }
};

/// The filter in the model's order, small integers: every sum is exact, whatever its order.
struct Filter {
  explicit Filter(const Problem& p, Random& random)
      : problem(p), values(static_cast<std::size_t>(p.in_channels * p.out_channels * p.taps())) {
    for (float& x : values) x = static_cast<float>(random.integer(-3, 3));
  }
  float at(int m, int c, int tap) const {
    if (m >= problem.out_channels || c >= problem.in_channels) return 0;
    return values[static_cast<std::size_t>((m * problem.in_channels + c) * problem.taps() + tap)];
  }
  Problem problem;
  std::vector<float> values;
};

inline void fill_integers(BlockedBuffer& b, Random& random) {
  for (int n = 0; n < b.images; ++n)
    for (int c = 0; c < b.blocks() * 16; ++c)
      for (int y = 0; y < b.height; ++y)
        for (int x = 0; x < b.width; ++x)
          b.at(n, c, y, x) = c < b.channels ? static_cast<float>(random.integer(-4, 4)) : 0.0f;
}

/// Everything a direct convolution reads, and its exact result.
struct Direct {
  Direct(const Problem& problem, Random& random)
      : p(problem),
        x(p.images, p.in_channels, p.in_h, p.in_w),
        residual(p.images, p.out_channels, p.out_h(), p.out_w()),
        filter(p, random),
        bias(static_cast<std::size_t>(residual.blocks() * 16)) {
    fill_integers(x, random);
    fill_integers(residual, random);
    for (std::size_t m = 0; m < bias.size(); ++m)
      bias.data()[m] = static_cast<int>(m) < p.out_channels ? static_cast<float>(random.integer(-5, 5)) : 0.0f;
    for (int b = 0; b < x.blocks(); ++b)
      for (int i = 0; i < p.kernel; ++i)
        for (int j = 0; j < p.kernel; ++j)
          taps.push_back(b * x.plane() + i * p.dilation * x.row() + j * p.dilation * 16);
  }

  float expected(int n, int m, int oy, int ox) {
    double sum =
        static_cast<double>(bias.data()[m]) + (p.residual ? static_cast<double>(residual.at(n, m, oy, ox)) : 0.0);
    for (int c = 0; c < p.in_channels; ++c)
      for (int i = 0; i < p.kernel; ++i)
        for (int j = 0; j < p.kernel; ++j)
          sum += static_cast<double>(x.at(n, c, oy * p.stride + i * p.dilation, ox * p.stride + j * p.dilation)) *
                 static_cast<double>(filter.at(m, c, i * p.kernel + j));
    return static_cast<float>(std::fmax(0.0, std::fmin(500.0, sum)));
  }

  int wrong(BlockedBuffer& y) {
    int count = 0;
    y.each([&](int n, int m, int oy, int ox) { count += y.at(n, m, oy, ox) != expected(n, m, oy, ox); });
    return count;
  }
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
    a.lo = 0;
    a.hi = 500;
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

  Problem p;
  BlockedBuffer x, residual;
  Filter filter;
  GuardBuffer bias;
  std::vector<std::ptrdiff_t> taps;
};

}  // namespace linnet::test
