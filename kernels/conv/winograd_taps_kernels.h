// The products of Winograd's f4x4_3x3_taps on AVX-512. A filter transformed ahead takes 36 numbers instead of 9, and with few tiles
// the time goes into fetching them.
#pragma once

#include "kernels/conv/fetch.h"
#include "kernels/conv/tile.h"
#include "kernels/conv/winograd.h"
#include "kernels/conv/winograd_filters.h"
#include "kernels/conv/winograd_walk.h"

namespace linnet::kernels::LINNET_ISA {

#if defined(__AVX512F__)

constexpr int kTapsPoints = 6, kTapsFloats = 9 * 16;  // points of an edge; floats of one channel's filters
constexpr int kTapsTiles = 4;
constexpr int kTapsBlocks = 2;  // channel blocks a pass: their filters, 18 KB, stay in L1

struct TapsRow {
  const float* v;  // of the row's first point and the first tile
  ptrdiff_t v_xi, v_block;
  int blocks;
  const float* taps;
  float* m;
  ptrdiff_t m_xi;
  bool begins;         // m is not yet written
  const float* fetch;  // filters that are wanted next, from which two lines a channel are asked for; null: none
};

template <int tiles>
[[gnu::always_inline]] static inline void multiply_add_tiles(f32x16 (&acc)[tiles], const f32x16& filter,
                                                             const float* v) {
#pragma GCC unroll 4
  for (int t = 0; t < tiles; ++t) acc[t] = f32x16::fma(f32x16::broadcast(v + t * 16), filter, acc[t]);
}

template <int row, Fetch to, int tiles>
static __attribute__((noinline)) void multiply_taps_row(const TapsRow& a) {
  f32x16 acc[kTapsPoints][tiles];
#pragma GCC unroll 6
  for (int j = 0; j < kTapsPoints; ++j) {
#pragma GCC unroll 4
    for (int t = 0; t < tiles; ++t) acc[j][t] = a.begins ? f32x16::zero() : f32x16::load(a.m + j * a.m_xi + t * 16);
  }
  const float *taps = a.taps, *fetch = a.fetch;
  for (int block = 0; block < a.blocks; ++block) {
    const float* const v0 = a.v + block * a.v_block;
    const float *const v1 = v0 + a.v_xi, *const v2 = v1 + a.v_xi, *const v3 = v2 + a.v_xi, *const v4 = v3 + a.v_xi,
                       *const v5 = v4 + a.v_xi;
    for (int k = 0; k < 16; ++k, taps += kTapsFloats, fetch += kTapsFloats) {
      if (a.fetch != nullptr) {
        fetch_line(fetch, to);
        fetch_line(fetch + 16, to);
      }
      const f32x16 g0 = transform_taps_column<row>(taps, 0), g1 = transform_taps_column<row>(taps, 1),
                   g2 = transform_taps_column<row>(taps, 2);
      multiply_add_tiles(acc[0], g0, v0 + k);
      multiply_add_tiles(acc[5], g2, v5 + k);
      multiply_add_tiles(acc[1], transform_taps<1>(g0, g1, g2), v1 + k);
      multiply_add_tiles(acc[2], transform_taps<2>(g0, g1, g2), v2 + k);
      multiply_add_tiles(acc[3], transform_taps<3>(g0, g1, g2), v3 + k);
      multiply_add_tiles(acc[4], transform_taps<4>(g0, g1, g2), v4 + k);
    }
  }
#pragma GCC unroll 6
  for (int j = 0; j < kTapsPoints; ++j) {
#pragma GCC unroll 4
    for (int t = 0; t < tiles; ++t) f32x16::store(a.m + j * a.m_xi + t * 16, acc[j][t]);
  }
}

template <int row, Fetch to, int tiles = kTapsTiles>
static inline void multiply_taps_row(int count, const TapsRow& a) {
  if constexpr (tiles > 0) {
    if (count == tiles) {
      multiply_taps_row<row, to, tiles>(a);
    } else {
      multiply_taps_row<row, to, tiles - 1>(count, a);
    }
  }
}

/// Row `row` of the points and those after it.
template <int row>
static inline void multiply_taps_rows(const WinogradOutputArguments& a, const WinogradWalk& walk, TapsRow r,
                                      float* to) {
  const bool kept = (winograd_points(a.form, a.tiles.last_height) >> row & 1) != 0;
  const int last = walk.last_with(kept, true);
  for (int done = 0; done < last;) {
    const int count = next_tile(last - done, kTapsTiles);
    TapsRow here = r;
    here.v += row * kTapsPoints * a.v_xi + done * ptrdiff_t{16};
    here.m = to + row * kTapsPoints * r.m_xi + done * ptrdiff_t{16};
    if (done == 0 && 2 * row < 9) here.fetch = r.taps + r.blocks * 16 * kTapsFloats + row * 32;
    if (a.weights_past_l3) {
      multiply_taps_row<row, Fetch::past_l3>(count, here);
    } else {
      multiply_taps_row<row, Fetch::l2>(count, here);
    }
    done += count;
  }
  if constexpr (row + 1 < kTapsPoints) multiply_taps_rows<row + 1>(a, walk, r, to);
}

/// All points of one channel block of outputs, a row of points with kTapsTiles tiles at a time: M[xi][place][16] at `to`.
static inline void multiply_taps(const WinogradOutputArguments& a, const WinogradWalk& walk, int block, float* to,
                                 ptrdiff_t m_xi) {
  TapsRow r{};
  r.v_xi = a.v_xi;
  r.v_block = a.v_block;
  r.m_xi = m_xi;
  for (int first = 0; first < a.in_blocks; first += kTapsBlocks) {
    r.blocks = a.in_blocks - first < kTapsBlocks ? a.in_blocks - first : kTapsBlocks;
    r.v = a.v + first * a.v_block;
    r.taps = a.weights + (static_cast<ptrdiff_t>(block) * a.in_blocks + first) * 16 * kTapsFloats;
    r.begins = first == 0;
    multiply_taps_rows<0>(a, walk, r, to);
  }
}

/// All points of channel blocks [first, last) of outputs: M[xi][block][place][16] at `to`.
static inline void winograd_multiply_taps(const WinogradOutputArguments& a, const WinogradWalk& walk, int first,
                                          int last, float* to, ptrdiff_t m_xi) {
  for (int block = first; block < last; ++block, to += walk.tiles() * ptrdiff_t{16})
    multiply_taps(a, walk, block, to, m_xi);
}

#endif

}  // namespace linnet::kernels::LINNET_ISA
