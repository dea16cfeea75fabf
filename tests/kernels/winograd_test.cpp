#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/conv_problem.h"
#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

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
      d.set_output(out, y);
      out.scratch = scratch.data();
      const int all_panels = panels(k, channels), middle = all_panels / 3;  // in parts, as threads take them
      for (const auto& [panel_first, panel_last] : {std::pair{0, middle}, std::pair{middle, all_panels}}) {
        out.panel_first = panel_first;
        out.panel_last = panel_last;
        k.winograd_output(out);
      }
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
