#include "support/conv_oracle.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace linnet::test {

using kernels::Winograd;

namespace {

constexpr int kPoints = kernels::kWinogradMostPoints, kTaps = 4;

const double kRoot2 = std::sqrt(2.0);

/// At the points {0, +-sqrt(1/2), +-sqrt(2), inf}, of which a short edge takes some.
void set_root_points(Winograd form, int outputs, WinogradMatrices& m) {
  const double s = kRoot2, point[] = {0, s / 2, -s / 2, s, -s};
  const unsigned set = kernels::winograd_points(form, outputs);
  const double all[kPoints][kPoints] = {{1, 0, -2.5, 0, 1, 0},      {0, -s, -2, s / 2, 1, 0},
                                        {0, s, -2, -s / 2, 1, 0},   {0, -s / 2, -0.5, s, 1, 0},
                                        {0, s / 2, -0.5, -s, 1, 0}, {0, 1, 0, -2.5, 0, 1}};
  const double far[kPoints][kPoints] = {{1, 0, -0.5}, {}, {}, {0, 1.5 * s, 1.5}, {0, -1.5 * s, 1.5}, {0, -2, 0, 1}};
  const double factor[kPoints] = {1, -2.0 / 3, -2.0 / 3, 1.0 / 6, 1.0 / 6, 1};
  // What f4x4_3x3_rows and f4x4_3x3_taps move from the filters to the inputs.
  const bool moved = !kernels::winograd_stores_points(form);
  const double scale[kPoints] = {1, -2.0 / 3, -2.0 / 3, 1.0 / 6, 1.0 / 6, 2};
  const int taps = kernels::winograd_edge(form).taps;
  for (int i = 0; i < kPoints; ++i) {
    if ((set >> i & 1) == 0) continue;
    for (int pixel = 0; pixel < kPoints; ++pixel)
      m.input[i][pixel] = ((set & 2) != 0 ? all : far)[i][pixel] * (moved ? scale[i] : 1);
    for (int tap = 0; tap < taps; ++tap)
      m.filter[i][tap] = (i == 5 ? tap == taps - 1 : factor[i] * std::pow(point[i], tap)) / (moved ? scale[i] : 1);
    for (int o = 0; o < outputs; ++o) m.output[o][i] = i == 5 ? o == outputs - 1 : std::pow(point[i], o);
  }
}

/// F(2,3), and F(2,2) on the even pixels beside the odd ones as they are.
void set_small(bool stride2, int outputs, WinogradMatrices& m) {
  const double input[2][5][5] = {{{1, 0, -1}, {0, 1, 1}, {0, -1, 1}, {0, 1, 0, -1}},
                                 {{1, 0, -1}, {0, 0, 1}, {0, 0, 1, 0, -1}, {0, 1}, {0, 0, 0, 1}}};
  const double filter[2][5][3] = {{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
                                  {{1, 0, 0}, {1, 0, 1}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}}};
  const double output[2][2][5] = {{{1, 1, 1}, {0, 1, -1, -1}}, {{1, 1, 0, 1}, {0, 1, -1, 0, 1}}};
  const unsigned set = kernels::winograd_points(stride2 ? Winograd::f2x2_3x3_stride2 : Winograd::f2x2_3x3, outputs);
  for (int i = 0; i < 5; ++i) {
    if ((set >> i & 1) == 0) continue;
    std::copy_n(input[stride2][i], 5, m.input[i]);
    std::copy_n(filter[stride2][i], 3, m.filter[i]);
    for (int o = 0; o < outputs; ++o) m.output[o][i] = output[stride2][o][i];
  }
}

double absolute(double x) { return std::fabs(x); }

/// rows * x * columns^T of [size][size] numbers, each first passed through `f`.
template <int out, int in, class F>
void both_ways(const double (&rows)[out][in], const double (&columns)[out][in], const double (&x)[in][in], const F& f,
               double (&to)[out][out]) {
  double half[out][in] = {};
  for (int i = 0; i < out; ++i)
    for (int j = 0; j < in; ++j)
      for (int k = 0; k < in; ++k) half[i][j] += f(rows[i][k]) * f(x[k][j]);
  for (int i = 0; i < out; ++i) {
    for (int j = 0; j < out; ++j) {
      to[i][j] = 0;
      for (int k = 0; k < in; ++k) to[i][j] += f(columns[j][k]) * half[i][k];
    }
  }
}

/// The taps of one filter, as a square.
void taps_of(const Problem& p, const std::vector<float>& filter, int out, int c, double (&g)[kTaps][kTaps]) {
  const float* const taps = filter.data() + (static_cast<std::ptrdiff_t>(out) * p.in_channels + c) * p.taps();
  for (int i = 0; i < p.kernel; ++i)
    for (int j = 0; j < p.kernel; ++j) g[i][j] = static_cast<double>(taps[i * p.kernel + j]);
}

/// Absolute, of each point: [channel][out channel][36]. Of what is added up to it where the kernel does that in float.
std::vector<double> point_magnitudes(Winograd form, const Problem& p, const std::vector<float>& filter) {
  const WinogradMatrices m(form, kernels::winograd_edge(form).outputs);
  std::vector<double> all;
  for (int c = 0; c < p.in_channels; ++c) {
    for (int out = 0; out < p.out_channels; ++out) {
      double g[kTaps][kTaps] = {}, u[kPoints][kPoints];
      taps_of(p, filter, out, c, g);
      if (kernels::winograd_stores_points(form)) {
        both_ways(
            m.filter, m.filter, g, [](double x) { return x; }, u);
      } else {
        both_ways(m.filter, m.filter, g, absolute, u);
      }
      for (const auto& row : u) std::transform(row, row + kPoints, std::back_inserter(all), absolute);
    }
  }
  return all;
}

}  // namespace

std::vector<double> convolve(const Problem& p, const std::vector<float>& x, const std::vector<float>& filter) {
  std::vector<double> y(p.outputs());
  const std::ptrdiff_t plane = std::ptrdiff_t{p.in_h} * p.in_w, out_plane = std::ptrdiff_t{p.out_h()} * p.out_w();
  const std::vector<double> wide(x.begin(), x.end());
  for (int n = 0; n < p.images; ++n) {
    for (int out = 0; out < p.out_channels; ++out) {
      double* const to = y.data() + (std::ptrdiff_t{n} * p.out_channels + out) * out_plane;
      for (int c = 0; c < p.in_channels; ++c) {
        const double* const from = wide.data() + (std::ptrdiff_t{n} * p.in_channels + c) * plane;
        for (int tap = 0; tap < p.taps(); ++tap) {
          const std::ptrdiff_t weight = (std::ptrdiff_t{out} * p.in_channels + c) * p.taps() + tap;
          const auto w = static_cast<double>(filter[static_cast<std::size_t>(weight)]);
          const int i = tap / p.kernel * p.dilation, j = tap % p.kernel * p.dilation;
          for (int oy = 0; oy < p.out_h(); ++oy) {
            const double* const row = from + std::ptrdiff_t{oy * p.stride + i} * p.in_w + j;
            for (int ox = 0; ox < p.out_w(); ++ox) to[oy * p.out_w() + ox] += w * row[ox * p.stride];
          }
        }
      }
    }
  }
  return y;
}

WinogradMatrices::WinogradMatrices(Winograd form, int outputs) {
  if (kernels::winograd_edge(form).points == 6) set_root_points(form, outputs, *this);
  else set_small(form == Winograd::f2x2_3x3_stride2, outputs, *this);
}

WinogradGrowth winograd_growth(Winograd form) {
  WinogradGrowth most{};
  for (int outputs = 1; outputs <= kernels::winograd_edge(form).outputs; ++outputs) {
    const WinogradMatrices m(form, outputs);
    double product[kPoints];  // |transformed input * filter| of a point
    for (int i = 0; i < kPoints; ++i) {
      double sum = 0, weight = 0;
      for (const double x : m.input[i]) sum += std::fabs(x);
      for (const double g : m.filter[i]) weight = std::max(weight, std::fabs(g));
      most.input = std::max(most.input, sum * sum);
      product[i] = sum * weight;
    }
    for (int o = 0; o < outputs; ++o) {
      double sum = 0;
      for (int i = 0; i < kPoints; ++i) sum += std::fabs(m.output[o][i]) * product[i];
      most.sum = std::max(most.sum, sum * sum);
    }
  }
  return most;
}

std::vector<float> winograd_filters(Winograd form, const Problem& p, const std::vector<float>& filter, int channels,
                                    int out_channels) {
  const kernels::WinogradEdge edge = kernels::winograd_edge(form);
  const WinogradMatrices m(form, edge.outputs);
  WinogradMatrices scale = m;  // not yet sums, but for those of f4x4_3x3_rows along the columns
  if (!kernels::winograd_stores_points(form)) {
    const double d[kPoints][kTaps] = {{1}, {0, kRoot2 / 2}, {0, 0, 0.5}};
    std::copy_n(&d[0][0], kPoints * kTaps, &scale.filter[0][0]);
  }
  const auto& rows = form == Winograd::f4x4_3x3_taps ? scale.filter : m.filter;
  const std::size_t pairs = static_cast<std::size_t>(channels) * static_cast<std::size_t>(out_channels);
  std::vector<float> all(static_cast<std::size_t>(edge.filter_rows * edge.filter_columns) * pairs);
  for (int c = 0; c < p.in_channels; ++c) {
    for (int out = 0; out < p.out_channels; ++out) {
      double g[kTaps][kTaps] = {}, u[kPoints][kPoints];
      taps_of(p, filter, out, c, g);
      both_ways(
          rows, scale.filter, g, [](double x) { return x; }, u);
      for (int i = 0; i < edge.filter_rows * edge.filter_columns; ++i)
        all[static_cast<std::size_t>(i) * pairs + static_cast<std::size_t>(c * out_channels + out)] =
            static_cast<float>(u[i / edge.filter_columns][i % edge.filter_columns]);
    }
  }
  return all;
}

std::vector<double> winograd_magnitudes(Winograd form, const Problem& p, const std::vector<float>& x,
                                        const std::vector<float>& filter) {
  const kernels::WinogradEdge edge = kernels::winograd_edge(form);
  const std::vector<double> weights = point_magnitudes(form, p, filter);
  std::vector<double> all(p.outputs());
  std::vector<double> sums(static_cast<std::size_t>(p.out_channels) * kPoints * kPoints);  // of a tile
  const auto add_tile = [&](int n, int top, int left) {
    const int height = std::min(edge.outputs, p.out_h() - top), width = std::min(edge.outputs, p.out_w() - left);
    const int in_top = top / edge.outputs * edge.step, in_left = left / edge.outputs * edge.step;
    const WinogradMatrices rows(form, height), columns(form, width);
    std::fill(sums.begin(), sums.end(), 0);
    for (int c = 0; c < p.in_channels; ++c) {
      const float* const plane = x.data() + (std::ptrdiff_t{n} * p.in_channels + c) * p.in_h * p.in_w;
      double pixels[kPoints][kPoints] = {}, v[kPoints][kPoints];
      for (int i = 0; i < edge.points && in_top + i < p.in_h; ++i)
        for (int j = 0; j < edge.points && in_left + j < p.in_w; ++j)
          pixels[i][j] = static_cast<double>(plane[(in_top + i) * p.in_w + in_left + j]);
      both_ways(rows.input, columns.input, pixels, absolute, v);
      const double* weight = weights.data() + std::ptrdiff_t{c} * p.out_channels * kPoints * kPoints;
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += weight[i] * v[i / kPoints % kPoints][i % kPoints];
    }
    for (int out = 0; out < p.out_channels; ++out) {
      double total[kernels::kWinogradMostOutputs][kPoints] = {};
      const double* const of = sums.data() + std::ptrdiff_t{out} * kPoints * kPoints;
      for (int i = 0; i < height; ++i)
        for (int point = 0; point < kPoints * kPoints; ++point)
          total[i][point % kPoints] += std::fabs(rows.output[i][point / kPoints]) * of[point];
      double* const to = all.data() + ((std::ptrdiff_t{n} * p.out_channels + out) * p.out_h() + top) * p.out_w() + left;
      for (int i = 0; i < height; ++i)
        for (int j = 0; j < width; ++j)
          for (int point = 0; point < kPoints; ++point)
            to[i * p.out_w() + j] += std::fabs(columns.output[j][point]) * total[i][point];
    }
  };
  for (int n = 0; n < p.images; ++n)
    for (int top = 0; top < p.out_h(); top += edge.outputs)
      for (int left = 0; left < p.out_w(); left += edge.outputs) add_tile(n, top, left);
  return all;
}

}  // namespace linnet::test
