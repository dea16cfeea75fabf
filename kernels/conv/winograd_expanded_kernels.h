// The products of Winograd's forms of which taps or rows are stored, where registers are too few to transform filters on their way:
// those of a row of points go through memory that stays in the caches.
#pragma once

#include "kernels/conv/tile.h"
#include "kernels/conv/winograd.h"
#include "kernels/conv/winograd_filters.h"
#include "kernels/conv/winograd_product.h"
#include "kernels/conv/winograd_walk.h"

namespace linnet::kernels::LINNET_ISA {

#if !defined(__AVX512F__)

static_assert(kTileVectors == 1);

/// u[point][channel][16] of row `row` of the points; `from` is where the taps of the first channel begin, or its numbers of the row.
template <Winograd form, int row>
static __attribute__((noinline)) void expand_row(const float* from, int channels, float* u) {
  constexpr bool taps = form == Winograd::f4x4_3x3_taps;
  const ptrdiff_t point_floats = channels * ptrdiff_t{16};
  for (int c = 0; c < channels; ++c, from += taps ? 9 * 16 : 3 * 16) {
    const auto column = [&](int j) { return taps ? transform_taps_column<row>(from, j) : f32x16::load(from + j * 16); };
    for_each_columns([&]<WinogradColumns columns, int point>() {
      f32x16 filters[winograd_points_of(columns)];
      transform_columns<columns>(column, filters);
      for (int p = 0; p < winograd_points_of(columns); ++p)
        f32x16::store(u + (point + p) * point_floats + c * 16, filters[p]);
    });
  }
}

/// Row `row` of the points and those after it, of the channels of `product`, whose V begins at `v`: M[xi][place][16] at `to`.
template <Winograd form, int row = 0>
static inline void multiply_expanded_rows(const WinogradOutputArguments& a, const WinogradWalk& walk,
                                          const WinogradProduct& product, const float* filters, const float* v,
                                          float* to, ptrdiff_t m_xi) {
  constexpr int P = winograd_edge(form).points;
  float* const u = a.scratch + P * P * m_xi;
  const int channels = product.blocks * 16;
  expand_row<form, row>(filters, channels, u);
  const bool row_kept = (winograd_points(form, a.tiles.last_height) >> row & 1) != 0;
  for (int j = 0; j < P; ++j) {
    const bool column_kept = (winograd_points(form, a.tiles.last_width) >> j & 1) != 0;
    const int place = walk.first_with(column_kept), tiles = walk.last_with(row_kept, column_kept) - place;
    if (tiles == 0) continue;
    const int xi = row * P + j;
    winograd_multiply<1>(product, v + xi * a.v_xi + place * ptrdiff_t{16}, tiles, u + j * channels * ptrdiff_t{16},
                         nullptr, 0, to + xi * m_xi + place * ptrdiff_t{16});
  }
  if constexpr (row + 1 < P) {
    if (form == Winograd::f4x4_3x3_rows) filters += a.in_blocks * ptrdiff_t{16} * 3 * 16;
    multiply_expanded_rows<form, row + 1>(a, walk, product, filters, v, to, m_xi);
  }
}

/// All points of channel blocks [first, last) of outputs: M[xi][block][place][16] at `to`.
template <Winograd form>
static inline void winograd_multiply_expanded(const WinogradOutputArguments& a, const WinogradWalk& walk, int first,
                                              int last, float* to, ptrdiff_t m_xi) {
  constexpr WinogradEdge edge = winograd_edge(form);
  constexpr int kBlocks = kWinogradExpandedChannels / 16;
  const ptrdiff_t block_floats = walk.tiles() * ptrdiff_t{16}, channels = a.in_blocks * ptrdiff_t{16};
  for (int block = first; block < last; ++block, to += block_floats) {
    const float* const filters = a.weights + block * channels * edge.filter_rows * edge.filter_columns * 16;
    for (int from = 0; from < a.in_blocks; from += kBlocks) {
      const int blocks = a.in_blocks - from < kBlocks ? a.in_blocks - from : kBlocks;
      const WinogradProduct product = {a.taps, blocks, 0, block_floats, from > 0};
      const ptrdiff_t of_channel = form == Winograd::f4x4_3x3_taps ? 9 * 16 : 3 * 16;
      multiply_expanded_rows<form>(a, walk, product, filters + from * 16 * of_channel, a.v + from * a.v_block, to,
                                   m_xi);
    }
  }
}

#endif

}  // namespace linnet::kernels::LINNET_ISA
