// Winograd convolution, see winograd.h.
#pragma once

#include "kernels/conv/fetch.h"
#include "kernels/conv/tile.h"
#include "kernels/conv/winograd.h"
#include "kernels/conv/winograd_expanded_kernels.h"
#include "kernels/conv/winograd_product.h"
#include "kernels/conv/winograd_rows_kernels.h"
#include "kernels/conv/winograd_shallow_kernels.h"
#include "kernels/conv/winograd_taps_kernels.h"
#include "kernels/conv/winograd_transforms.h"
#include "kernels/conv/winograd_walk.h"

namespace linnet::kernels::LINNET_ISA {

/// The pixels of a tile as they lie in the input, or gathered in `to`, where row and column count from the readable origin and
/// what lies outside is zero.
struct WinogradPixels {
  const float* from;
  ptrdiff_t row_stride;
};
template <int P>
static inline WinogradPixels tile_pixels(const WinogradInputArguments& a, const float* plane, int row, int column,
                                         int rows, int columns, float (&to)[P * P * 16]) {
  const bool inside = row >= a.first_row && row + rows <= a.valid_rows && column >= a.first_column &&
                      column + columns <= a.valid_columns;
  if (inside) return {plane + row * a.in_row + static_cast<ptrdiff_t>(column) * 16, a.in_row};
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      const int y = row + i, x = column + j;
      const bool readable = y >= a.first_row && y < a.valid_rows && x >= a.first_column && x < a.valid_columns;
      const f32x16 pixel =
          readable ? f32x16::load(plane + y * a.in_row + static_cast<ptrdiff_t>(x) * 16) : f32x16::zero();
      f32x16::store(to + (i * P + j) * 16, pixel);
    }
  }
  return {to, P * 16};
}

/// The columns of a tile of n rows of outputs: half[point of the rows][column].
template <Winograd form>
struct TransformInputColumns {
  template <int n>
  [[gnu::always_inline]] static inline void run(const WinogradPixels& pixels, int columns, float* half) {
    using Transform = WinogradTransform<form, n>;
    constexpr int P = Transform::kPoints;
    for (int j = 0; j < columns; ++j) {
      f32x16 r[Transform::kPixels], t[P];
#pragma GCC unroll 6
      for (int i = 0; i < Transform::kPixels; ++i) r[i] = f32x16::load(pixels.from + i * pixels.row_stride + j * 16);
      Transform::input(r, t);
#pragma GCC unroll 6
      for (int i = 0; i < P; ++i) {
        if (Transform::has(i)) f32x16::store(half + (i * P + j) * 16, t[i]);
      }
    }
  }
};

/// The rows of a tile of n columns of outputs, those in the set `rows`: v[point of the rows][point of the columns].
template <Winograd form>
struct TransformInputRows {
  template <int n>
  [[gnu::always_inline]] static inline void run(const float* half, unsigned rows, float* v, ptrdiff_t v_xi) {
    using Transform = WinogradTransform<form, n>;
    constexpr int P = Transform::kPoints;
    for (int i = 0; i < P; ++i) {
      if ((rows >> i & 1) == 0) continue;
      f32x16 r[Transform::kPixels], t[P];
#pragma GCC unroll 6
      for (int j = 0; j < Transform::kPixels; ++j) r[j] = f32x16::load(half + (i * P + j) * 16);
      Transform::input(r, t);
#pragma GCC unroll 6
      for (int j = 0; j < P; ++j) {
        if (Transform::has(j)) f32x16::store(v + (i * P + j) * v_xi, t[j]);
        else if (form == Winograd::f4x4_3x3_taps)
          f32x16::store(v + (i * P + j) * v_xi, f32x16::zero());  // is multiplied
      }
    }
  }
};

/// A tile of all outputs. In registers, which is a fourth faster than through `half`.
template <Winograd form>
static inline void transform_whole_input(const WinogradPixels& pixels, float* v, ptrdiff_t v_xi) {
  using Transform = WinogradTransform<form, winograd_edge(form).outputs>;
  constexpr int P = Transform::kPoints;
  f32x16 half[P][P];
#pragma GCC unroll 6
  for (int j = 0; j < P; ++j) {
    f32x16 r[P], t[P];
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) r[i] = f32x16::load(pixels.from + i * pixels.row_stride + j * 16);
    Transform::input(r, t);
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) half[i][j] = t[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < P; ++i) {
    f32x16 t[P];
    Transform::input(half[i], t);
#pragma GCC unroll 6
    for (int j = 0; j < P; ++j) f32x16::store(v + (i * P + j) * v_xi, t[j]);
  }
}

/// The pixels of a tile that no tile before it has.
template <Winograd form>
[[gnu::always_inline]] static inline void fetch_tile(const WinogradInputArguments& a, const float* plane, int row,
                                                     int column) {
  constexpr int step = winograd_edge(form).step;
  for (int i = 0; i < step; ++i) {
    for (int j = 0; j < step; ++j)
      fetch_line(plane + (row * step + i) * a.in_row + (column * step + j) * ptrdiff_t{16}, Fetch::l1);
  }
}

template <Winograd form>
static inline void winograd_input_form(const WinogradInputArguments& a) {
  constexpr WinogradEdge edge = winograd_edge(form);
  constexpr int P = edge.points;
  const WinogradWalk begin(form, a.tiles, a.tile_first, a.tile_last);
  for (int block = 0; block < a.blocks; ++block) {
    WinogradWalk tile = begin;
    for (int t = a.tile_first; t < a.tile_last; ++t, tile.next()) {
      const int height = tile.height(), width = tile.width(), columns = winograd_pixels(form, width);
      alignas(64) float edges[P * P * 16], half[P * P * 16];
      const float* const plane = a.input + tile.image() * a.in_image + block * a.in_plane;
      const WinogradPixels pixels = tile_pixels<P>(a, plane, tile.row() * edge.step, tile.column() * edge.step,
                                                   winograd_pixels(form, height), columns, edges);
      if (a.shared_input && block + 1 < a.blocks) fetch_tile<form>(a, plane + a.in_plane, tile.row(), tile.column());
      float* const v = a.v + block * a.v_block + static_cast<ptrdiff_t>(tile.place()) * 16;
      if (height == edge.outputs && width == edge.outputs) {
        transform_whole_input<form>(pixels, v, a.v_xi);
      } else {
        with_outputs<TransformInputColumns<form>, edge.outputs>(height, pixels, columns, half);
        with_outputs<TransformInputRows<form>, edge.outputs>(width, half, winograd_points(form, height), v, a.v_xi);
      }
    }
  }
}

/// Calls f<form>(a).
#define LINNET_WINOGRAD_FORM(f, a)                                            \
  switch ((a).form) {                                                         \
    case Winograd::f2x2_3x3: return f<Winograd::f2x2_3x3>(a);                 \
    case Winograd::f4x4_3x3: return f<Winograd::f4x4_3x3>(a);                 \
    case Winograd::f4x4_3x3_rows: return f<Winograd::f4x4_3x3_rows>(a);       \
    case Winograd::f4x4_3x3_taps: return f<Winograd::f4x4_3x3_taps>(a);       \
    case Winograd::f3x3_4x4: return f<Winograd::f3x3_4x4>(a);                 \
    case Winograd::f2x2_3x3_stride2: return f<Winograd::f2x2_3x3_stride2>(a); \
  }

static void winograd_input(const WinogradInputArguments& a) { LINNET_WINOGRAD_FORM(winograd_input_form, a) }

/// All points of panels [first, last): M[xi][panel][vector][place][16]. A point's V stays in the caches while the panels go
/// by.
template <Winograd form>
static inline void winograd_multiply_panels(const WinogradOutputArguments& a, const WinogradWalk& walk, int first,
                                            int last, ptrdiff_t m_xi) {
  constexpr WinogradEdge edge = winograd_edge(form);
  constexpr int P = edge.points;
  const ptrdiff_t k = static_cast<ptrdiff_t>(a.in_blocks) * 16 + a.in_tail, out_plane = walk.tiles() * ptrdiff_t{16};
  const WinogradProduct product = {a.taps, a.in_blocks, a.in_tail, out_plane, false, a.weights_past_l3};
  const auto vectors = [&](int panel) {
    return a.out_blocks - panel * kTileVectors < kTileVectors ? a.out_blocks - panel * kTileVectors : kTileVectors;
  };
  const auto weights = [&](int panel, int xi) {
    const int filter = winograd_filter(form, xi / P) * edge.filter_columns + winograd_filter(form, xi % P);
    const ptrdiff_t panel_filters =
        static_cast<ptrdiff_t>(panel) * kTileVectors * edge.filter_rows * edge.filter_columns;
    return a.weights + k * 16 * (panel_filters + filter * vectors(panel));
  };
  // Far enough ahead for memory, and beyond the last ones into what lies behind them: most often the next step's.
  constexpr ptrdiff_t kAheadFloats = 4096;
  const ptrdiff_t point = k * 16 * kTileVectors;
  const int ahead = static_cast<int>((kAheadFloats + point - 1) / point);
  const auto wanted = [&](int item) {
    const int all = P * P * (last - first), behind = item < all ? 0 : 1, here = item - behind * all;
    return weights(first + here % (last - first), here / (last - first)) +
           behind * point * edge.filter_rows * edge.filter_columns * (last - first);
  };
  const unsigned rows_kept = winograd_points(form, a.tiles.last_height),
                 columns_kept = winograd_points(form, a.tiles.last_width);
  for (int xi = 0; xi < P * P; ++xi) {
    const bool row_kept = (rows_kept >> xi / P & 1) != 0, column_kept = (columns_kept >> xi % P & 1) != 0;
    const int place = walk.first_with(column_kept), tiles = walk.last_with(row_kept, column_kept) - place;
    if (tiles == 0) continue;
    const float* const v = a.v + xi * a.v_xi + static_cast<ptrdiff_t>(place) * 16;
    for (int panel = first; panel < last; ++panel) {
      const float* const next = wanted(xi * (last - first) + panel - first + ahead);
      float* const out =
          a.scratch + xi * m_xi + (panel - first) * kTileVectors * out_plane + static_cast<ptrdiff_t>(place) * 16;
      if (vectors(panel) == kTileVectors) {
        winograd_multiply<kTileVectors>(product, v, tiles, weights(panel, xi), next, 16 * kTileVectors, out);
      } else {
        winograd_multiply<1>(product, v, tiles, weights(panel, xi), next, 16, out);
      }
    }
  }
}

/// The columns of a tile of n rows of outputs, those in the set `columns`: half[row][point of the columns].
template <Winograd form>
struct TransformOutputColumns {
  template <int n>
  [[gnu::always_inline]] static inline void run(const float* from, ptrdiff_t m_xi, unsigned columns, float* half) {
    using Transform = WinogradTransform<form, n>;
    constexpr int P = Transform::kPoints;
    for (int j = 0; j < P; ++j) {
      if ((columns >> j & 1) == 0) continue;
      f32x16 p[P], o[n];
#pragma GCC unroll 6
      for (int i = 0; i < P; ++i) {
        if (Transform::has(i)) p[i] = f32x16::load(from + (i * P + j) * m_xi);
      }
      Transform::output(p, o);
#pragma GCC unroll 4
      for (int i = 0; i < n; ++i) f32x16::store(half + (i * P + j) * 16, o[i]);
    }
  }
};

/// A tile's rows of outputs, of one channel block.
struct OutputRows {
  int rows;
  float* output;
  const float* residual;  // null: none
  ptrdiff_t out_row, residual_row;
  f32x16 bias, lo, hi;
};

/// Row i of n outputs, from the points of the columns, with bias, residual and clamp.
template <Winograd form, int n>
[[gnu::always_inline]] static inline void store_output_row(const f32x16 (&p)[WinogradTransform<form, n>::kPoints],
                                                           int i, const OutputRows& a) {
  f32x16 o[n];
  WinogradTransform<form, n>::output(p, o);
#pragma GCC unroll 4
  for (int j = 0; j < n; ++j) {
    f32x16 y = f32x16::add(o[j], a.bias);
    if (a.residual != nullptr) y = f32x16::add(y, f32x16::load(a.residual + i * a.residual_row + j * 16));
    f32x16::store(a.output + i * a.out_row + j * 16, f32x16::min(a.hi, f32x16::max(a.lo, y)));
  }
}

/// The rows of a tile of n columns of outputs, from half + row * half_row + point * half_point.
template <Winograd form>
struct TransformOutputRows {
  template <int n>
  [[gnu::always_inline]] static inline void run(const float* half, ptrdiff_t half_row, ptrdiff_t half_point,
                                                const OutputRows& a) {
    using Transform = WinogradTransform<form, n>;
    constexpr int P = Transform::kPoints;
    for (int i = 0; i < a.rows; ++i) {
      f32x16 p[P];
#pragma GCC unroll 6
      for (int j = 0; j < P; ++j) {
        if (Transform::has(j)) p[j] = f32x16::load(half + i * half_row + j * half_point);
      }
      store_output_row<form, n>(p, i, a);
    }
  }
};

/// A tile of all outputs. In registers, which is faster than through `half`.
template <Winograd form>
static inline void transform_whole_output(const float* from, ptrdiff_t m_xi, const OutputRows& a) {
  constexpr int P = winograd_edge(form).points, m = winograd_edge(form).outputs;
  using Transform = WinogradTransform<form, m>;
  f32x16 half[m][P];
#pragma GCC unroll 6
  for (int j = 0; j < P; ++j) {
    f32x16 p[P], o[m];
#pragma GCC unroll 6
    for (int i = 0; i < P; ++i) p[i] = f32x16::load(from + (i * P + j) * m_xi);
    Transform::output(p, o);
#pragma GCC unroll 4
    for (int i = 0; i < m; ++i) half[i][j] = o[i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < m; ++i) store_output_row<form, m>(half[i], i, a);
}

template <Winograd form>
static inline void winograd_output_form(const WinogradOutputArguments& a) {
  constexpr WinogradEdge edge = winograd_edge(form);
  constexpr int P = edge.points, m = edge.outputs;
  // Several share what the caches have of V; f4x4_3x3_taps goes by all of it for each block, and there a small M is better.
  constexpr int kPanels = form != Winograd::f4x4_3x3_taps ? winograd_channels(form) / kTileShape.channels : 1;
  const WinogradWalk begin(form, a.tiles, a.tile_first, a.tile_last);
  // Odd multiples of a line, so that the points of a tile do not fall into the same cache sets.
  const ptrdiff_t m_xi = static_cast<ptrdiff_t>(begin.tiles()) * winograd_channels(form) + 16;
  const bool shallow = kHasShallow<form> && a.in_blocks == 0;
  for (int first = a.panel_first; first < a.panel_last; first += kPanels) {
    const int last = first + kPanels < a.panel_last ? first + kPanels : a.panel_last;
    const int block_first = first * kTileVectors;
    const int block_last = last * kTileVectors < a.out_blocks ? last * kTileVectors : a.out_blocks;
    const auto of_block = [&](int block) {
      return a.scratch + static_cast<ptrdiff_t>(block - block_first) * begin.tiles() * 16;
    };
    if (shallow) {
      if constexpr (kHasShallow<form>) winograd_multiply_shallow<form>(a, begin, first, last, m_xi);
    } else if constexpr (winograd_stores_points(form)) {
      winograd_multiply_panels<form>(a, begin, first, last, m_xi);
    } else {
#if !defined(__AVX512F__)
      winograd_multiply_expanded<form>(a, begin, block_first, block_last, a.scratch, m_xi);
#else
      if constexpr (form == Winograd::f4x4_3x3_taps) {
        winograd_multiply_taps(a, begin, block_first, block_last, a.scratch, m_xi);
      } else {
        winograd_multiply_rows(a, begin, block_first, block_last, a.scratch, m_xi);
      }
#endif
    }
    for (int block = block_first; block < block_last; ++block) {
      const float* const residual = a.residual == nullptr ? nullptr : a.residual + block * a.residual_plane;
      OutputRows to{};
      to.out_row = a.out_row;
      to.residual_row = a.residual_row;
      to.bias = f32x16::load(a.bias + block * 16);
      to.lo = f32x16::set(a.lo);
      to.hi = f32x16::set(a.hi);
      WinogradWalk tile = begin;
      for (int t = a.tile_first; t < a.tile_last; ++t, tile.next()) {
        const int width = tile.width();
        const ptrdiff_t row = tile.row() * m, column = tile.column() * ptrdiff_t{m} * 16;
        to.rows = tile.height();
        to.output = a.output + tile.image() * a.out_image + block * a.out_plane + row * a.out_row + column;
        if (residual != nullptr)
          to.residual = residual + tile.image() * a.residual_image + row * a.residual_row + column;
        alignas(64) float half[m * P * 16];
        const float* const from = of_block(block) + static_cast<ptrdiff_t>(tile.place()) * 16;
        if (shallow) {
          with_outputs<TransformOutputRows<form>, m>(width, from, P * m_xi, m_xi, to);
        } else if (to.rows == m && width == m) {
          transform_whole_output<form>(from, m_xi, to);
        } else {
          with_outputs<TransformOutputColumns<form>, m>(to.rows, from, m_xi, winograd_points(form, width), half);
          with_outputs<TransformOutputRows<form>, m>(width, half, P * 16, 16, to);
        }
      }
    }
  }
}

static void winograd_output(const WinogradOutputArguments& a) { LINNET_WINOGRAD_FORM(winograd_output_form, a) }

#undef LINNET_WINOGRAD_FORM

}  // namespace linnet::kernels::LINNET_ISA
