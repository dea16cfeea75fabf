// Winograd's two kernels on the operands of a convolution, for their tests.
#pragma once

#include <utility>
#include <vector>

#include "kernels/conv_problem.h"

namespace linnet::test {

constexpr kernels::Winograd kWinogradForms[] = {kernels::Winograd::f2x2_3x3,      kernels::Winograd::f4x4_3x3,
                                                kernels::Winograd::f4x4_3x3_rows, kernels::Winograd::f4x4_3x3_taps,
                                                kernels::Winograd::f3x3_4x4,      kernels::Winograd::f2x2_3x3_stride2};

inline const char* text_of(kernels::Winograd form) {
  using kernels::Winograd;
  switch (form) {
    case Winograd::f2x2_3x3: return "f2x2_3x3";
    case Winograd::f4x4_3x3: return "f4x4_3x3";
    case Winograd::f4x4_3x3_rows: return "f4x4_3x3_rows";
    case Winograd::f4x4_3x3_taps: return "f4x4_3x3_taps";
    case Winograd::f3x3_4x4: return "f3x3_4x4";
    case Winograd::f2x2_3x3_stride2: return "f2x2_3x3_stride2";
  }
  return "";
}

/// How far each output may be from its sum in double: 2^-24 for each of the roundings on the way (C products and sums, and some 30 in
/// the three transforms) of the sum of all absolute values that meet in it.
inline std::vector<double> winograd_bounds(kernels::Winograd form, ConvOperands& d) {
  std::vector<double> bounds = winograd_magnitudes(form, d.p, d.pixels(), d.filter);
  std::size_t i = 0;
  d.residual.each([&](int n, int out, int y, int x) {
    double& bound = bounds[i++];
    bound += std::fabs(static_cast<double>(d.bias.data()[out])) + std::fabs(d.start(n, out, y, x));
    bound *= 0x1p-24 * (d.p.in_channels + 30);
  });
  return bounds;
}

class WinogradProblem {
 public:
  WinogradProblem(kernels::Winograd form, ConvOperands& operands)
      : form_(form),
        d_(operands),
        channels_(operands.residual.blocks() * 16),
        filters_(winograd_filters(form, operands.p, operands.filter, operands.x.blocks() * 16, channels_)) {
    const Problem& p = d_.p;
    const int m = edge_.outputs;
    tiles_.rows = (p.out_h() + m - 1) / m;
    tiles_.columns = (p.out_w() + m - 1) / m;
    tiles_.last_height = p.out_h() - (tiles_.rows - 1) * m;
    tiles_.last_width = p.out_w() - (tiles_.columns - 1) * m;
    // Channels beyond the last whole block are summed to their end or, in the usual layers, as padding to the block's.
    tail_ = form == kernels::Winograd::f3x3_4x4 ? p.in_channels % 16 : 0;
    summed_ = tail_ != 0 ? p.in_channels : d_.x.blocks() * 16;
  }

  /// Tiles in two groups and panels in parts, as threads take them.
  void convolve(const kernels::Table& k, BlockedBuffer& y) const {
    const GuardBuffer weights(packed(k));
    const int all = d_.p.images * tiles_.rows * tiles_.columns, cut = tiles_.rows * tiles_.columns / 3;
    if (cut > 0) convolve_tiles(k, weights, 0, cut, y);
    convolve_tiles(k, weights, cut, all, y);
  }

 private:
  [[nodiscard]] std::vector<float> packed(const kernels::Table& k) const {
    std::vector<float> all;
    const int in = d_.x.blocks() * 16, numbers = edge_.filter_rows * edge_.filter_columns;
    const auto append = [&](int first, int width, int c, int number) {
      const float* const from = filters_.data() + (std::ptrdiff_t{number} * in + c) * channels_ + first;
      all.insert(all.end(), from, from + width);
    };
    for (int first = 0; first < channels_; first += k.tile.channels) {
      const int width = std::min(k.tile.channels, channels_ - first);
      if (winograd_stores_points(form_)) {
        for (int number = 0; number < numbers; ++number)
          for (int c = 0; c < summed_; ++c) append(first, width, c, number);
        continue;
      }
      const int rows =
          form_ == kernels::Winograd::f4x4_3x3_taps ? 1 : edge_.filter_rows;  // apart; a channel's numbers together
      for (int block = first; block < first + width; block += 16)
        for (int row = 0; row < rows; ++row)
          for (int c = 0; c < summed_; ++c)
            for (int number = 0; number < numbers / rows; ++number)
              append(block, 16, c, row * (numbers / rows) + number);
    }
    return all;
  }

  void convolve_tiles(const kernels::Table& k, const GuardBuffer& weights, int first, int last,
                      BlockedBuffer& y) const {
    const int count = last - first, points = edge_.points * edge_.points, in_blocks = d_.x.blocks();
    const std::ptrdiff_t v_block = count * 16, v_xi = in_blocks * v_block + 16;
    const int expanded = winograd_stores_points(form_)
                             ? 0
                             : edge_.points * std::min(in_blocks, kernels::kWinogradExpandedChannels / 16) * 256;
    GuardBuffer v(static_cast<std::size_t>(points * v_xi)),
        scratch(static_cast<std::size_t>(points * (count * winograd_channels(form_) + 16) + expanded));
    kernels::WinogradInputArguments in{};
    in.form = form_;
    in.input = d_.x.origin();
    in.in_row = d_.x.row();
    in.in_plane = d_.x.plane();
    in.in_image = d_.x.image();
    in.valid_rows = d_.p.in_h;
    in.valid_columns = d_.p.in_w;
    in.tiles = tiles_;
    in.tile_first = first;
    in.tile_last = last;
    in.blocks = in_blocks;
    in.shared_input = first > 0;
    in.v = v.data();
    in.v_xi = v_xi;
    in.v_block = v_block;
    k.winograd_input(in);
    Guarded<std::ptrdiff_t> taps(static_cast<std::size_t>(in_blocks));
    for (int b = 0; b < in_blocks; ++b) taps.data()[b] = b * v_block;
    kernels::WinogradOutputArguments out{};
    out.form = form_;
    out.v = v.data();
    out.v_xi = v_xi;
    out.v_block = v_block;
    out.tiles = tiles_;
    out.tile_first = first;
    out.tile_last = last;
    out.taps = taps.data();
    out.in_blocks = summed_ / 16;
    out.in_tail = tail_;
    out.weights = weights.data();
    d_.set_output(out, y);
    out.scratch = scratch.data();
    const int all_panels = panels(k, channels_), middle = all_panels / 3;
    for (const auto& [panel_first, panel_last] : {std::pair{0, middle}, std::pair{middle, all_panels}}) {
      out.panel_first = panel_first;
      out.panel_last = panel_last;
      out.weights_past_l3 = panel_first > 0;
      k.winograd_output(out);
    }
  }

  kernels::Winograd form_;
  ConvOperands& d_;
  kernels::WinogradEdge edge_ = kernels::winograd_edge(form_);
  int channels_, tail_ = 0, summed_ = 0;
  std::vector<float> filters_;
  kernels::WinogradTiles tiles_{};
};

}  // namespace linnet::test
