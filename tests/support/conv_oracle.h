// What convolutions should give, in double, and how far from it Winograd's transforms may take them. Compiled apart, as the other
// oracles are: they take the tests' time.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/conv/winograd.h"

namespace linnet::test {

/// A convolution without padding.
struct Problem {
  int images, in_channels, out_channels, in_h, in_w, kernel, stride, dilation;
  bool residual;
  int out_h() const { return (in_h - (kernel - 1) * dilation - 1) / stride + 1; }
  int out_w() const { return (in_w - (kernel - 1) * dilation - 1) / stride + 1; }
  int taps() const { return kernel * kernel; }
  std::size_t inputs() const { return static_cast<std::size_t>(images) * in_channels * in_h * in_w; }
  std::size_t outputs() const { return static_cast<std::size_t>(images) * out_channels * out_h() * out_w(); }
  std::size_t weights() const { return static_cast<std::size_t>(out_channels) * in_channels * taps(); }
};

/// [image][out channel][y][x] of `x` [image][channel][y][x] and `filter` [out channel][channel][tap].
std::vector<double> convolve(const Problem& p, const std::vector<float>& x, const std::vector<float>& filter);

/// Winograd's one-dimensional transforms of a tile's edge of so many outputs. What a point needs that it leaves out is zero.
struct WinogradMatrices {
  WinogradMatrices(kernels::Winograd form, int outputs);
  double input[kernels::kWinogradMostPoints][kernels::kWinogradMostPoints] = {};    // B^T: [point][pixel]
  double filter[kernels::kWinogradMostPoints][4] = {};                              // G: [point][tap]
  double output[kernels::kWinogradMostOutputs][kernels::kWinogradMostPoints] = {};  // A^T: [output][point]
};

/// How far numbers may grow on their way, whatever their signs.
struct WinogradGrowth {
  double input;  // of a transformed input, over the greatest input
  double
      sum;  // of whatever is behind the products, over the greatest input times the sum of an output's absolute weights
};
WinogradGrowth winograd_growth(kernels::Winograd form);

/// What the form stores of the filters, rounded once: [number][channel][out channel], with zeros up to so many of both.
std::vector<float> winograd_filters(kernels::Winograd form, const Problem& p, const std::vector<float>& filter,
                                    int channels, int out_channels);

/// For each output the sum of all absolute values that meet in it.
std::vector<double> winograd_magnitudes(kernels::Winograd form, const Problem& p, const std::vector<float>& x,
                                        const std::vector<float>& filter);

}  // namespace linnet::test
