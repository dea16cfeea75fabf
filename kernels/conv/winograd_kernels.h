// Winograd convolution F(2x2,3x3), F(4x4,3x3) and F(3x3,4x4), after Lavin and Gray (arXiv 1509.09308). The last two share the
// points {0, +-sqrt(1/2), +-sqrt(2), inf}, whose rounding error is less than half that of {0, +-1, +-2, inf}, and so the
// transform of the input.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace linnet::kernels::LINNET_ISA {

/// One-dimensional transforms: input B^T, P values to P; output A^T, P values to m.
template <int m>
struct WinogradTransform;

template <>
struct WinogradTransform<2> {
  static constexpr int kPoints = 4;
  static inline __attribute__((always_inline)) void input(const f32x16 (&r)[4], f32x16 (&t)[4]) {
    t[0] = f32x16::sub(r[0], r[2]);
    t[1] = f32x16::add(r[1], r[2]);
    t[2] = f32x16::sub(r[2], r[1]);
    t[3] = f32x16::sub(r[1], r[3]);
  }
  static inline __attribute__((always_inline)) void output(const f32x16 (&p)[4], f32x16 (&o)[2]) {
    o[0] = f32x16::add(f32x16::add(p[0], p[1]), p[2]);
    o[1] = f32x16::sub(f32x16::sub(p[1], p[2]), p[3]);
  }
};

template <>
struct WinogradTransform<4> {
  static constexpr int kPoints = 6;
  static inline __attribute__((always_inline)) void input(const f32x16 (&r)[6], f32x16 (&t)[6]) {
    const f32x16 sqrt2 = f32x16::set(1.41421356f), half = f32x16::set(0.5f), two = f32x16::set(2.0f);
    const f32x16 c = f32x16::set(2.5f);
    t[0] = f32x16::fnma(c, r[2], f32x16::add(r[0], r[4]));
    t[5] = f32x16::fnma(c, r[3], f32x16::add(r[1], r[5]));
    const f32x16 even = f32x16::fnma(two, r[2], r[4]), odd = f32x16::fnma(half, r[3], r[1]);
    t[1] = f32x16::fnma(sqrt2, odd, even);
    t[2] = f32x16::fma(sqrt2, odd, even);
    const f32x16 even2 = f32x16::fnma(half, r[2], r[4]), odd2 = f32x16::fnma(half, r[1], r[3]);
    t[3] = f32x16::fma(sqrt2, odd2, even2);
    t[4] = f32x16::fnma(sqrt2, odd2, even2);
  }
  static inline __attribute__((always_inline)) void output(const f32x16 (&p)[6], f32x16 (&o)[4]) {
    const f32x16 half = f32x16::set(0.5f), two = f32x16::set(2.0f);
    const f32x16 root_half = f32x16::set(0.70710678f), sqrt2 = f32x16::set(1.41421356f);
    const f32x16 root_eighth = f32x16::set(0.35355339f), sqrt8 = f32x16::set(2.82842712f);
    const f32x16 s1 = f32x16::add(p[1], p[2]), d1 = f32x16::sub(p[1], p[2]);
    const f32x16 s2 = f32x16::add(p[3], p[4]), d2 = f32x16::sub(p[3], p[4]);
    o[0] = f32x16::add(f32x16::add(p[0], s1), s2);
    o[1] = f32x16::fma(root_half, d1, f32x16::mul(sqrt2, d2));
    o[2] = f32x16::fma(half, s1, f32x16::mul(two, s2));
    o[3] = f32x16::add(f32x16::fma(root_eighth, d1, f32x16::mul(sqrt8, d2)), p[5]);
  }
};

template <>
struct WinogradTransform<3> : WinogradTransform<4> {
  static inline __attribute__((always_inline)) void output(const f32x16 (&p)[6], f32x16 (&o)[3]) {
    const f32x16 half = f32x16::set(0.5f), two = f32x16::set(2.0f);
    const f32x16 root_half = f32x16::set(0.70710678f), sqrt2 = f32x16::set(1.41421356f);
    const f32x16 s1 = f32x16::add(p[1], p[2]), d1 = f32x16::sub(p[1], p[2]);
    const f32x16 s2 = f32x16::add(p[3], p[4]), d2 = f32x16::sub(p[3], p[4]);
    o[0] = f32x16::add(f32x16::add(p[0], s1), s2);
    o[1] = f32x16::fma(root_half, d1, f32x16::mul(sqrt2, d2));
    o[2] = f32x16::add(f32x16::fma(half, s1, f32x16::mul(two, s2)), p[5]);
  }
};

/// The P x P pixels at `from`, where row and column count from the readable origin; what lies outside is zero.
template <int P>
static inline void gather_edge_tile(const WinogradInputArguments& a, const float* plane, int row, int column,
                                    float (&to)[P * P * 16]) {
  for (int i = 0; i < P; ++i) {
    for (int j = 0; j < P; ++j) {
      const int y = row + i, x = column + j;
      const bool inside = y >= a.first_row && y < a.valid_rows && x >= a.first_column && x < a.valid_columns;
      const f32x16 pixel =
          inside ? f32x16::load(plane + y * a.in_row + static_cast<ptrdiff_t>(x) * 16) : f32x16::zero();
      f32x16::store(to + (i * P + j) * 16, pixel);
    }
  }
}

template <int m>
static inline void transform_input_tile(const float* from, ptrdiff_t row_stride, float* v, ptrdiff_t v_xi) {
  constexpr int P = WinogradTransform<m>::kPoints;
  f32x16 columns[P][P];
#pragma GCC unroll 6
  for (int j = 0; j < P; ++j) {
    f32x16 r[P], t[P];
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) r[i] = f32x16::load(from + i * row_stride + j * 16);
    WinogradTransform<m>::input(r, t);
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) columns[i][j] = t[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < P; ++i) {
    f32x16 t[P];
    WinogradTransform<m>::input(columns[i], t);
#pragma GCC unroll 6
    for (int j = 0; j < P; ++j) f32x16::store(v + (i * P + j) * v_xi, t[j]);
  }
}

template <int m>
static inline void winograd_input_m(const WinogradInputArguments& a) {
  constexpr int P = WinogradTransform<m>::kPoints;
  for (int block = a.block_first; block < a.block_last; ++block) {
    const float* const plane = a.input + block * a.in_plane;
    for (int tile_index = a.tile_first; tile_index < a.tile_last; ++tile_index) {
      const int row = tile_index / a.tile_columns * m, column = tile_index % a.tile_columns * m;
      float* const v = a.v + block * a.v_block + static_cast<ptrdiff_t>(tile_index - a.tile_first) * 16;
      const bool inside =
          row >= a.first_row && row + P <= a.valid_rows && column >= a.first_column && column + P <= a.valid_columns;
      if (inside) {
        transform_input_tile<m>(plane + row * a.in_row + static_cast<ptrdiff_t>(column) * 16, a.in_row, v, a.v_xi);
      } else {
        float edge[P * P * 16];
        gather_edge_tile<P>(a, plane, row, column, edge);
        transform_input_tile<m>(edge, P * 16, v, a.v_xi);
      }
    }
  }
}

static void winograd_input(const WinogradInputArguments& a) {
  a.m == 2 ? winograd_input_m<2>(a) : a.m == 3 ? winograd_input_m<3>(a) : winograd_input_m<4>(a);
}

/// One point of one panel: M[vector][tile][16] = V[xi] * U, with `next` the weights that are wanted after these, or null.
template <int NV>
static inline void winograd_multiply(const WinogradOutputArguments& a, const float* v, const float* weights,
                                     const float* next, float* out) {
  ptrdiff_t out_pixels[kTilePixels];
  for (int i = 0; i < kTilePixels; ++i) out_pixels[i] = i * 16;
  Tile t;
  t.taps = a.taps;
  t.blocks = a.in_blocks;
  t.tail = a.in_tail;
  t.weights = weights;
  t.init = nullptr;
  t.residual = nullptr;
  t.out_plane = static_cast<ptrdiff_t>(a.tiles) * 16;
  t.out_pixels = out_pixels;
  t.lo = -__builtin_inff();
  t.hi = __builtin_inff();
  const int runs = (a.tiles + kTilePixels - 1) / kTilePixels;
  Prefetch prefetch(next, a.in_blocks, 16 * NV, runs);
  for (int done = 0; done < a.tiles;) {
    const int count = next_tile(a.tiles - done, kTilePixels);
    prefetch.assign(t);
    t.input = v + static_cast<ptrdiff_t>(done) * 16;
    t.output = out + static_cast<ptrdiff_t>(done) * 16;
    run_tile<kTilePixels, NV, Contiguous, 16>(count, t);
    done += count;
  }
}

/// All points of panels [first, last): M[xi][panel][vector][tile][16]. A point's V stays in the caches while the panels go
/// by.
static inline void winograd_multiply_panels(const WinogradOutputArguments& a, int points, int first, int last,
                                            ptrdiff_t m_xi) {
  const ptrdiff_t k = static_cast<ptrdiff_t>(a.in_blocks) * 16 + a.in_tail;
  const auto vectors = [&](int panel) {
    return a.out_blocks - panel * kTileVectors < kTileVectors ? a.out_blocks - panel * kTileVectors : kTileVectors;
  };
  const auto weights = [&](int panel, int xi) {
    return a.weights + k * 16 * (static_cast<ptrdiff_t>(panel) * kTileVectors * points + xi * vectors(panel));
  };
  for (int xi = 0; xi < points; ++xi) {
    const float* const v = a.v + xi * a.v_xi;
    for (int panel = first; panel < last; ++panel) {
      const bool ends = panel + 1 == last;
      const float* const next = !ends ? weights(panel + 1, xi) : (xi + 1 < points ? weights(first, xi + 1) : nullptr);
      float* const out = a.scratch + xi * m_xi + static_cast<ptrdiff_t>(panel - first) * kTileVectors * 16 * a.tiles;
      if (vectors(panel) == kTileVectors) {
        winograd_multiply<kTileVectors>(a, v, weights(panel, xi), next, out);
      } else {
        winograd_multiply<1>(a, v, weights(panel, xi), next, out);
      }
    }
  }
}

/// The m x m outputs of one tile and one channel block, with bias, residual and clamp; what sticks out is dropped.
template <int m>
static inline void transform_output_tile(const WinogradOutputArguments& a, const float* from, ptrdiff_t m_xi, int block,
                                         int tile_index) {
  constexpr int P = WinogradTransform<m>::kPoints;
  f32x16 columns[m][P];
#pragma GCC unroll 6
  for (int j = 0; j < P; ++j) {
    f32x16 p[P], o[m];
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) p[i] = f32x16::load(from + (i * P + j) * m_xi);
    WinogradTransform<m>::output(p, o);
#pragma GCC unroll 4
    for (int i = 0; i < m; ++i) columns[i][j] = o[i];
  }
  const int image = tile_index / a.image_tiles, tile = tile_index % a.image_tiles;
  const int row = tile / a.tile_columns * m, column = tile % a.tile_columns * m;
  const int rows = a.height - row < m ? a.height - row : m, width = a.width - column < m ? a.width - column : m;
  const f32x16 bias = f32x16::load(a.bias + block * 16), lo = f32x16::set(a.lo), hi = f32x16::set(a.hi);
  for (int i = 0; i < rows; ++i) {
    f32x16 o[m];
    WinogradTransform<m>::output(columns[i], o);
    float* const out = a.output + image * a.out_image + block * a.out_plane + (row + i) * a.out_row +
                       static_cast<ptrdiff_t>(column) * 16;
    const float* const residual = a.residual == nullptr
                                      ? nullptr
                                      : a.residual + image * a.residual_image + block * a.residual_plane +
                                            (row + i) * a.residual_row + static_cast<ptrdiff_t>(column) * 16;
#pragma GCC unroll 4
    for (int j = 0; j < m; ++j) {
      if (j < width) {
        f32x16 y = f32x16::add(o[j], bias);
        if (residual != nullptr) y = f32x16::add(y, f32x16::load(residual + j * 16));
        f32x16::store(out + j * 16, f32x16::min(hi, f32x16::max(lo, y)));
      }
    }
  }
}

template <int m>
static inline void winograd_output_m(const WinogradOutputArguments& a) {
  constexpr int P = WinogradTransform<m>::kPoints, kPoints = P * P, kPanels = kWinogradChannels / kTileShape.channels;
  // Odd multiples of a line, so that the points of a tile do not fall into the same cache sets.
  const ptrdiff_t m_xi = static_cast<ptrdiff_t>(a.tiles) * kWinogradChannels + 16;
  for (int first = a.panel_first; first < a.panel_last; first += kPanels) {
    const int last = first + kPanels < a.panel_last ? first + kPanels : a.panel_last;
    winograd_multiply_panels(a, kPoints, first, last, m_xi);
    const int block_first = first * kTileVectors;
    const int block_last = last * kTileVectors < a.out_blocks ? last * kTileVectors : a.out_blocks;
    for (int block = block_first; block < block_last; ++block) {
      for (int t = 0; t < a.tiles; ++t) {
        const float* const from = a.scratch + (static_cast<ptrdiff_t>(block - block_first) * a.tiles + t) * 16;
        transform_output_tile<m>(a, from, m_xi, block, a.tile_first + t);
      }
    }
  }
}

static void winograd_output(const WinogradOutputArguments& a) {
  a.m == 2 ? winograd_output_m<2>(a) : a.m == 3 ? winograd_output_m<3>(a) : winograd_output_m<4>(a);
}

}  // namespace linnet::kernels::LINNET_ISA
