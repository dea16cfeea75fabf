// Winograd of so few channels that products end before they have begun: those of a column of points go from registers straight
// into the first half of the output transform, so that half as many numbers pass through memory. Sums and transforms are those of
// winograd_kernels.h, in the same order.
#pragma once

#include "kernels/conv/tile.h"
#include "kernels/conv/winograd.h"
#include "kernels/conv/winograd_transforms.h"
#include "kernels/conv/winograd_walk.h"

namespace linnet::kernels::LINNET_ISA {

#if !defined(__AVX512F__)

template <Winograd form>
constexpr bool kHasShallow = false;

#else

/// Forms of first layers.
template <Winograd form>
constexpr bool kHasShallow = form == Winograd::f3x3_4x4;

constexpr int kShallowTiles = 2;  // whose column of points of two vectors fills the registers

struct WinogradColumn {
  const float* v;        // of the column's first point and the first place
  ptrdiff_t v_row;       // from a point to the next of the column
  int channels;          // 1..15
  const float* filters;  // [channel][NV * 16]
  ptrdiff_t filter_row;
  float* half;  // [output][..], of the first place and vector
  ptrdiff_t half_row, half_vector;
};

/// Tiles of n rows of outputs.
template <Winograd form, int n, int tiles, int NV>
static __attribute__((noinline)) void multiply_column_tiles(const WinogradColumn& a) {
  using Transform = WinogradTransform<form, n>;
  constexpr int P = Transform::kPoints;
  f32x16 acc[tiles][NV][P];
  set_zero(acc);
  const float* filters[P];
#pragma GCC unroll 6
  for (int i = 0; i < P; ++i) filters[i] = a.filters + i * a.filter_row;
  const float* pixels[P];
#pragma GCC unroll 6
  for (int i = 0; i < P; ++i) pixels[i] = a.v + i * a.v_row;
  int k = 0;
  do {
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) {
      if (!Transform::has(i)) continue;
      f32x16 filter[NV];
#pragma GCC unroll 2
      for (int v = 0; v < NV; ++v) filter[v] = f32x16::load_once(filters[i] + (k * NV + v) * 16);
#pragma GCC unroll 2
      for (int t = 0; t < tiles; ++t) {
        const f32x16 x = f32x16::broadcast(pixels[i] + t * 16 + k);
#pragma GCC unroll 2
        for (int v = 0; v < NV; ++v) acc[t][v][i] = f32x16::fma(x, filter[v], acc[t][v][i]);
      }
    }
  } while (++k < a.channels);
#pragma GCC unroll 2
  for (int t = 0; t < tiles; ++t) {
#pragma GCC unroll 2
    for (int v = 0; v < NV; ++v) {
      f32x16 o[n];
      Transform::output(acc[t][v], o);
#pragma GCC unroll 4
      for (int i = 0; i < n; ++i) f32x16::store(a.half + i * a.half_row + v * a.half_vector + t * 16, o[i]);
    }
  }
}

/// Places [first, last) of tiles of n rows of outputs.
template <Winograd form, int NV, int n>
static inline void multiply_column(WinogradColumn a, int first, int last) {
  a.v += first * ptrdiff_t{16};
  a.half += first * ptrdiff_t{16};
  for (int place = first; place < last; place += kShallowTiles) {
    if (place + kShallowTiles <= last) {
      multiply_column_tiles<form, n, kShallowTiles, NV>(a);
    } else {
      multiply_column_tiles<form, n, 1, NV>(a);
    }
    a.v += kShallowTiles * 16;
    a.half += kShallowTiles * 16;
  }
}

template <Winograd form, int NV>
struct MultiplyLowColumn {
  template <int n>
  static inline void run(const WinogradColumn& a, int first, int last) {
    multiply_column<form, NV, n>(a, first, last);
  }
};

/// Panels [first, last) with so few channels that multiply_column serves: half[row][point of the columns][panel][vector][place][16],
/// both distances m_xi or multiples of it.
template <Winograd form>
static inline void winograd_multiply_shallow(const WinogradOutputArguments& a, const WinogradWalk& walk, int first,
                                             int last, ptrdiff_t m_xi) {
  constexpr int P = winograd_edge(form).points, m = winograd_edge(form).outputs;
  const unsigned columns_kept = winograd_points(form, a.tiles.last_width);
  WinogradColumn column{};
  column.channels = a.in_tail;
  column.v_row = P * a.v_xi;
  column.half_row = P * m_xi;
  column.half_vector = walk.tiles() * ptrdiff_t{16};
  for (int panel = first; panel < last; ++panel) {
    const int left = a.out_blocks - panel * kTileVectors, vectors = left < kTileVectors ? left : kTileVectors;
    const ptrdiff_t filter = a.in_tail * ptrdiff_t{16} * vectors;
    column.filter_row = P * filter;
    for (int j = 0; j < P; ++j) {
      const bool kept = (columns_kept >> j & 1) != 0;
      const int whole = walk.first_with(kept), low = walk.last_with(false, kept), end = walk.last_with(true, kept);
      column.v = a.v + j * a.v_xi;
      column.filters = a.weights + panel * ptrdiff_t{kTileVectors} * P * P * a.in_tail * 16 + j * filter;
      column.half = a.scratch + j * m_xi + (panel - first) * kTileVectors * column.half_vector;
      const auto multiply = [&]<int vectors_of>() {
        multiply_column<form, vectors_of, m>(column, whole, low);
        if (low < end) with_outputs<MultiplyLowColumn<form, vectors_of>, m>(a.tiles.last_height, column, low, end);
      };
      if (vectors == kTileVectors) multiply.template operator()<kTileVectors>();
      else multiply.template operator()<1>();
    }
  }
}

#endif

}  // namespace linnet::kernels::LINNET_ISA
