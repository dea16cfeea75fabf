#include <algorithm>
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

int panels(const Table& table, int channels) { return (channels + table.tile.channels - 1) / table.tile.channels; }

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

void fill_integers(BlockedBuffer& b, Random& random) {
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
  ConvArguments arguments(const float* weights, BlockedBuffer& y) {
    ConvArguments a{};
    a.input = x.origin();
    a.in_row = p.stride * x.row();
    a.in_pixel = p.stride * 16;
    a.in_image = x.image();
    a.taps = taps.data();
    a.blocks = static_cast<int>(taps.size());
    a.weights = weights;
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
    a.lo = 0;
    a.hi = 500;
    a.images = p.images;
    a.rows = p.out_h();
    a.width = p.out_w();
    a.out_blocks = y.blocks();
    return a;
  }

  Problem p;
  BlockedBuffer x, residual;
  Filter filter;
  GuardBuffer bias;
  std::vector<std::ptrdiff_t> taps;
};

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

namespace {

/// One-dimensional filter transform, in double, as far as the form has it in memory: over rows or over columns.
std::vector<double> filter_points(Winograd form, bool rows, const double (&g)[4]) {
  const double s = std::sqrt(2.0);
  const double scaled[] = {g[0], s / 2 * g[1], g[2] / 2};
  switch (form) {
    case Winograd::f2x2_3x3: return {g[0], (g[0] + g[1] + g[2]) / 2, (g[0] - g[1] + g[2]) / 2, g[2]};
    case Winograd::f2x2_3x3_stride2: return {g[0], g[0] + g[2], g[2], g[1]};
    case Winograd::f3x3_4x4: {
      const double even = -2 * g[0] - g[2], odd = -s * g[1] - s / 2 * g[3];
      const double far_even = g[0] + 2 * g[2], far_odd = s * g[1] + 2 * s * g[3];
      return {g[0], (even + odd) / 3, (even - odd) / 3, (far_even + far_odd) / 6, (far_even - far_odd) / 6, g[3]};
    }
    case Winograd::f4x4_3x3_rows:
      if (rows) {
        const double even = scaled[0] + scaled[2], far_even = scaled[0] + 4 * scaled[2];
        return {scaled[0], even + scaled[1], even - scaled[1], far_even + 2 * scaled[1], far_even - 2 * scaled[1],
                scaled[2]};
      }
      [[fallthrough]];
    case Winograd::f4x4_3x3_taps: return {scaled[0], scaled[1], scaled[2]};
    case Winograd::f4x4_3x3: break;
  }
  return {g[0],
          -(2 * g[0] + s * g[1] + g[2]) / 3,
          -(2 * g[0] - s * g[1] + g[2]) / 3,
          g[0] / 6 + s * g[1] / 6 + g[2] / 3,
          g[0] / 6 - s * g[1] / 6 + g[2] / 3,
          g[2]};
}

/// With `magnitude` of the filter's absolute values.
double transformed_weight(Winograd form, const Filter& filter, int out, int c, int row, int column,
                          bool magnitude = false) {
  const int taps = winograd_edge(form).taps;
  double rows[4] = {};
  for (int j = 0; j < taps; ++j) {
    double column_taps[4] = {};
    for (int i = 0; i < taps; ++i) {
      const double tap = static_cast<double>(filter.at(out, c, i * taps + j));
      column_taps[i] = magnitude ? std::fabs(tap) : tap;
    }
    rows[j] = filter_points(form, true, column_taps)[static_cast<std::size_t>(row)];
  }
  return filter_points(form, false, rows)[static_cast<std::size_t>(column)];
}

/// |B^T| [point][pixel] and |A^T| [output][point] of a tile's edge of n outputs at the points {0, +-sqrt(1/2), +-sqrt(2), inf}, of
/// which a short edge takes some.
struct RootPoints {
  RootPoints(Winograd form, int n) {
    const double s = std::sqrt(2.0), values[] = {0, s / 2, s / 2, s, s};
    const unsigned set = winograd_points(form, n);
    const double all[6][6] = {{1, 0, 2.5, 0, 1, 0},     {0, s, 2, s / 2, 1, 0},   {0, s, 2, s / 2, 1, 0},
                              {0, s / 2, 0.5, s, 1, 0}, {0, s / 2, 0.5, s, 1, 0}, {0, 1, 0, 2.5, 0, 1}};
    const double far[6][6] = {{1, 0, 0.5}, {}, {}, {0, 1.5 * s, 1.5}, {0, 1.5 * s, 1.5}, {0, 2, 0, 1}};
    for (int point = 0; point < 6; ++point) {
      if ((set >> point & 1) == 0) continue;
      for (int pixel = 0; pixel < 6; ++pixel) input[point][pixel] = ((set & 2) != 0 ? all : far)[point][pixel];
      for (int i = 0; i < n; ++i) output[i][point] = point == 5 ? i == n - 1 : std::pow(values[point], i);
    }
  }
  double input[6][6] = {}, output[4][6] = {};
};

/// The filters of a problem in the Winograd domain, and how far rounding may take its outputs. Each number is worked out once:
/// under an emulator the oracle is what takes the time.
class WinogradOracle {
 public:
  WinogradOracle(Winograd form, Direct& d, int channels)
      : d_(d), form_(form), m_(winograd_edge(form).outputs), channels_(channels) {
    for (int row = 0; row < winograd_edge(form).filter_rows; ++row)
      for (int column = 0; column < winograd_edge(form).filter_columns; ++column)
        for (int c = 0; c < d.x.blocks() * 16; ++c)
          for (int out = 0; out < channels; ++out)
            weights_.push_back(transformed_weight(form, d.filter, out, c, row, column));
    if (winograd_edge(form).points == 6) bound_tiles();
  }

  /// Absolute, of point xi; of all that is added up to it where the kernel does that in float.
  [[nodiscard]] double magnitude(int out, int c, int xi) const {
    if (winograd_stores_points(form_)) return std::fabs(weight(out, c, xi));
    const int positive[] = {0, 1, 1, 3, 3, 5};  // the rows of G without a minus, or with nothing else
    return std::fabs(
        transformed_weight(Winograd::f4x4_3x3, d_.filter, out, c, positive[xi / 6], positive[xi % 6], true));
  }

  [[nodiscard]] double weight(int out, int c, int filter) const {
    return weights_[static_cast<std::size_t>((filter * d_.x.blocks() * 16 + c) * channels_ + out)];
  }

  /// Of F(4x4,3x3) and F(3x3,4x4): 2^-24 for each of the roundings on the way (C products and sums, and some 30 in the three transforms) of the
  /// sum of all absolute values that meet in an output. F(2x2) has the weights 1/2 and 1/4: on small integers it is exact.
  [[nodiscard]] double bound(int image, int out_channel, int oy, int ox) const {
    if (sums_.empty()) return 0;
    const RootPoints rows = edge(oy, d_.p.out_h()), columns = edge(ox, d_.p.out_w());
    const std::vector<double>& sums = sums_[static_cast<std::size_t>(tile_of(image, oy, ox) * channels_ + out_channel)];
    double total = std::fabs(static_cast<double>(d_.bias.data()[out_channel])) + 4;
    for (int xi = 0; xi < 36; ++xi)
      total += rows.output[oy % m_][xi / 6] * columns.output[ox % m_][xi % 6] * sums[static_cast<std::size_t>(xi)];
    return 0x1p-24 * (d_.p.in_channels + 30) * total;
  }

 private:
  [[nodiscard]] int tile_of(int image, int oy, int ox) const {
    const int rows = (d_.p.out_h() + m_ - 1) / m_, columns = (d_.p.out_w() + m_ - 1) / m_;
    return (image * rows + oy / m_) * columns + ox / m_;
  }
  /// Of the tile that holds output `at` of `extent`.
  [[nodiscard]] RootPoints edge(int at, int extent) const { return {form_, std::min(m_, extent - at / m_ * m_)}; }

  /// Of each tile and output channel, for each point: the sum over the input channels of |transformed input * weight|.
  void bound_tiles() {
    for (int image = 0; image < d_.p.images; ++image)
      for (int top = 0; top < d_.p.out_h(); top += m_)
        for (int left = 0; left < d_.p.out_w(); left += m_) bound_tile(image, top, left);
  }
  void bound_tile(int image, int top, int left) {
    const Problem& p = d_.p;
    const RootPoints rows = edge(top, p.out_h()), columns = edge(left, p.out_w());
    std::vector<std::vector<double>> sums(static_cast<std::size_t>(channels_), std::vector<double>(36));
    for (int c = 0; c < p.in_channels; ++c) {
      for (int xi = 0; xi < 36; ++xi) {
        double v = 0;
        for (int y = 0; y < 6 && top + y < p.in_h; ++y)
          for (int x = 0; x < 6 && left + x < p.in_w; ++x)
            v += rows.input[xi / 6][y] * columns.input[xi % 6][x] *
                 std::fabs(static_cast<double>(d_.x.at(image, c, top + y, left + x)));
        for (int out = 0; out < channels_; ++out)
          sums[static_cast<std::size_t>(out)][static_cast<std::size_t>(xi)] += v * magnitude(out, c, xi);
      }
    }
    sums_.insert(sums_.end(), sums.begin(), sums.end());
  }

  Direct& d_;
  Winograd form_;
  int m_, channels_;
  std::vector<double> weights_;            // [filters][in][out]
  std::vector<std::vector<double>> sums_;  // [tiles][out][36]
};

void check_winograd(Winograd form, const Problem& p, Random& random) {
  const WinogradEdge edge = winograd_edge(form);
  INFO("F(" << edge.outputs << "," << edge.taps << "), stride " << p.stride << ", " << p.in_channels << " -> "
            << p.out_channels << ", " << p.in_h << "x" << p.in_w);
  Direct d(p, random);
  const int m = edge.outputs, points = edge.points * edge.points, in_blocks = d.x.blocks();
  const int channels = d.residual.blocks() * 16;
  // Channels beyond the last whole block are summed to their end or, in the usual layers, as padding to the block's.
  const int in_tail = form == Winograd::f3x3_4x4 ? p.in_channels % 16 : 0,
            summed = in_tail != 0 ? p.in_channels : in_blocks * 16;
  WinogradTiles image_tiles{};
  image_tiles.rows = (p.out_h() + m - 1) / m;
  image_tiles.columns = (p.out_w() + m - 1) / m;
  image_tiles.last_height = p.out_h() - (image_tiles.rows - 1) * m;
  image_tiles.last_width = p.out_w() - (image_tiles.columns - 1) * m;
  const int tiles = image_tiles.rows * image_tiles.columns;
  const WinogradOracle oracle(form, d, channels);
  on_every_isa([&](const Table& k) {
    std::vector<float> packed;
    for (int first = 0; first < channels; first += k.tile.channels) {
      const int width = std::min(k.tile.channels, channels - first);
      const auto pack = [&](int block, int block_width, int c, int number) {
        for (int lane = 0; lane < block_width; ++lane)
          packed.push_back(static_cast<float>(oracle.weight(block + lane, c, number)));
      };
      if (winograd_stores_points(form)) {
        for (int number = 0; number < edge.filter_rows * edge.filter_columns; ++number)
          for (int c = 0; c < summed; ++c) pack(first, width, c, number);
        continue;
      }
      const int rows =
          form == Winograd::f4x4_3x3_taps ? 1 : edge.filter_rows;  // apart; all numbers of a channel together
      const int numbers = edge.filter_rows * edge.filter_columns / rows;
      for (int block = first; block < first + width; block += 16)
        for (int row = 0; row < rows; ++row)
          for (int c = 0; c < summed; ++c)
            for (int number = 0; number < numbers; ++number) pack(block, 16, c, row * numbers + number);
    }
    GuardBuffer weights(packed);
    BlockedBuffer y(p.images, p.out_channels, p.out_h(), p.out_w(), 1);
    const int cut = tiles / 3, all = p.images * tiles;  // two groups of tiles, as threads take them
    for (const auto& [first, last] : {std::pair{0, cut}, std::pair{cut, all}}) {
      const int count = last - first;
      if (count == 0) continue;
      const std::ptrdiff_t v_block = count * 16, v_xi = in_blocks * v_block + 16;
      GuardBuffer v(static_cast<std::size_t>(points * v_xi)),
          scratch(static_cast<std::size_t>(
              points * (count * winograd_channels(form) + 16) +
              (winograd_stores_points(form)
                   ? 0
                   : edge.points * std::min(in_blocks, kWinogradExpandedChannels / 16) * 256)));
      WinogradInputArguments in{};
      in.form = form;
      in.input = d.x.origin();
      in.in_row = d.x.row();
      in.in_plane = d.x.plane();
      in.in_image = d.x.image();
      in.valid_rows = p.in_h;
      in.valid_columns = p.in_w;
      in.tiles = image_tiles;
      in.tile_first = first;
      in.tile_last = last;
      in.block_last = in_blocks;
      in.v = v.data();
      in.v_xi = v_xi;
      in.v_block = v_block;
      k.winograd_input(in);
      std::vector<std::ptrdiff_t> taps;
      for (int b = 0; b < in_blocks; ++b) taps.push_back(b * v_block);
      WinogradOutputArguments out{};
      out.form = form;
      out.v = v.data();
      out.v_xi = v_xi;
      out.v_block = v_block;
      out.tiles = image_tiles;
      out.tile_first = first;
      out.tile_last = last;
      out.taps = taps.data();
      out.in_blocks = summed / 16;
      out.in_tail = in_tail;
      out.weights = weights.data();
      out.bias = d.bias.data();
      if (p.residual) {
        out.residual = d.residual.origin();
        out.residual_row = d.residual.row();
        out.residual_plane = d.residual.plane();
        out.residual_image = d.residual.image();
      }
      out.output = y.origin();
      out.out_row = y.row();
      out.out_plane = y.plane();
      out.out_image = y.image();
      out.lo = 0;
      out.hi = 500;
      out.out_blocks = y.blocks();
      out.panel_last = panels(k, channels);
      out.scratch = scratch.data();
      k.winograd_output(out);
    }
    int wrong = 0;
    y.each([&](int n, int c, int oy, int ox) {
      const double difference = static_cast<double>(y.at(n, c, oy, ox)) - static_cast<double>(d.expected(n, c, oy, ox));
      wrong += !(std::fabs(difference) <= oracle.bound(n, c, oy, ox));
    });
    CHECK(wrong == 0);
    return y.values();
  });
}

}  // namespace

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

TEST_CASE("K12: Winograd agrees with direct convolution, bit for bit on every ISA") {
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
  }
  // Several passes over the channels where registers are few, and over the tiles.
  check_winograd(Winograd::f4x4_3x3_taps, {1, kWinogradExpandedChannels + 40, 48, 7, 9, 3, 1, 1, true}, random);
  check_winograd(Winograd::f4x4_3x3_rows, {1, kWinogradExpandedChannels + 40, 80, 13, 17, 3, 1, 1, true}, random);
  for (const int edge : {1, 2, 3, 4, 7, 14}) {
    check_winograd(Winograd::f3x3_4x4, {1, 12, 48, edge + 3, edge + 4, 4, 1, 1, edge % 2 == 1}, random);
    check_winograd(Winograd::f3x3_4x4, {2, 28, 32, edge + 4, edge + 3, 4, 1, 1, edge % 2 == 0}, random);
  }
  for (const int edge : {1, 2, 3, 4, 5, 8, 13}) {  // whether the last row and column of the input are read or not
    check_winograd(Winograd::f2x2_3x3_stride2, {1, 32, 48, 2 * edge + 1, 2 * edge + 2, 3, 2, 1, edge % 2 == 1}, random);
    check_winograd(Winograd::f2x2_3x3_stride2, {3, 20, 40, 2 * edge + 4, 2 * edge + 1, 3, 2, 1, edge % 2 == 0}, random);
  }
}
