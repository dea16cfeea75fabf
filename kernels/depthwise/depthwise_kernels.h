// Depthwise convolution. A tile is P output pixels of a row: P independent chains of fma, which is what the fma's
// latency needs, and each weight is loaded once for P pixels. Loading each input pixel once for all the outputs that it
// belongs to was tried: with 16 registers it spills, and one load a fma is what two load ports feed anyway. Taps
// outside the input are skipped, so padding costs nothing and the order of a sum is the same everywhere.
#pragma once

#include "kernels/blocked.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/eltwise/math.h"
#include "kernels/strided.h"
#include "kernels/window.h"

namespace linnet::kernels::LINNET_ISA {

// Accumulators: 8 of AVX-512's 32 registers are latency x ports, and so are 16 of NEON's 32 (six pixels, 24 of them,
// made gcc 12 spill); 12 of AVX2's 16 leave room for the weights.
#if defined(__AVX512F__)
constexpr int kDepthwisePixels = 8;
#elif defined(__aarch64__)
constexpr int kDepthwisePixels = 4;
#else
constexpr int kDepthwisePixels = 6;
#endif
constexpr int kDepthwiseEdge = 4;

/// What the tiles of one output row have in common.
struct DepthwiseRow {
  const DepthwiseArguments* args;
  const float* x;         // the first input row in use, at column 0
  ptrdiff_t x_row;        // from one row of taps to the next
  const float* weights;   // the filter's first row in use
  int rows;               // filter rows in use
  const float* bias;      // null: none
  const float* residual;  // null: none
  float* y;
};

/// acc[p] = what the sum of the pixel in columns[p] starts at.
template <int P, class Columns>
[[gnu::always_inline]] static inline void start_tile(const DepthwiseRow& r, const Columns& columns, f32x16 (&acc)[P]) {
  const f32x16 bias = r.bias == nullptr ? f32x16::zero() : f32x16::load(r.bias);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) acc[p] = bias;
  if (r.residual == nullptr) return;
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) acc[p] = f32x16::add(bias, f32x16::load(r.residual + columns(p) * kBlock));
}

template <int P, class Columns>
[[gnu::always_inline]] static inline void finish_tile(const DepthwiseRow& r, const Columns& columns,
                                                      const f32x16 (&acc)[P]) {
  const f32x16 lo = f32x16::set(r.args->clamp.lo), hi = f32x16::set(r.args->clamp.hi);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) f32x16::store(r.y + columns(p) * kBlock, clamp(acc[p], lo, hi));
}

/// What the compiler may know of a filter: its width and stride, which then become displacements in the loads'
/// addresses; 0: neither, only at run time.
template <int kernel_w, int stride>
struct KnownFilter {
  static constexpr int kKernel = kernel_w, kStride = stride;
};
using AnyFilter = KnownFilter<0, 0>;

/// P neighbouring pixels from `first` on, all of whose taps are inside the input.
template <int P, class Filter>
[[gnu::always_inline]] static inline void inner_tile(const DepthwiseRow& r, int first) {
  const DepthwiseArguments& a = *r.args;
  const auto columns = [first](int p) LINNET_LAMBDA { return ptrdiff_t{first} + p; };
  const int kernel_w = Filter::kKernel > 0 ? Filter::kKernel : a.kernel_w;
  const ptrdiff_t stride = Filter::kStride > 0 ? Filter::kStride : a.stride_w;
  const ptrdiff_t next_tap = Filter::kKernel > 0 ? kBlock : ptrdiff_t{a.dilation_w} * kBlock;
  f32x16 acc[P];
  start_tile<P>(r, columns, acc);
  const float* line = r.x + (ptrdiff_t{first} * stride - a.pad_left) * kBlock;
  const float* w = r.weights;
  for (int kh = 0; kh < r.rows; ++kh, line += r.x_row, w += kernel_w * kBlock) {
#pragma GCC unroll 5
    for (int kw = 0; kw < kernel_w; ++kw) {
      const f32x16 tap = f32x16::load(w + kw * kBlock);
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p)
        acc[p] = f32x16::fma(f32x16::load(line + kw * next_tap + p * stride * kBlock), tap, acc[p]);
    }
  }
  finish_tile<P>(r, columns, acc);
}

/// P pixels anywhere, each with the columns of its window that are inside the input. Together, because one alone would
/// wait for its own fmas.
template <int P>
[[gnu::noinline]] static void edge_tile(const DepthwiseRow& r, const int* columns) {
  const DepthwiseArguments& a = *r.args;
  const auto at_column = [columns](int p) LINNET_LAMBDA { return ptrdiff_t{columns[p]}; };
  f32x16 acc[P];
  start_tile<P>(r, at_column, acc);
  TapRange taps[P];
  const float* window[P];  // where tap 0 is, or would be
#pragma GCC unroll 4
  for (int p = 0; p < P; ++p) {
    const int first = columns[p] * a.stride_w - a.pad_left;
    taps[p] = taps_inside(first, a.kernel_w, a.dilation_w, a.in_w);
    window[p] = r.x + ptrdiff_t{first} * kBlock;
  }
  const float* w = r.weights;
  for (int kh = 0; kh < r.rows; ++kh) {
    for (int kw = 0; kw < a.kernel_w; ++kw, w += kBlock) {
      const f32x16 tap = f32x16::load(w);
      const ptrdiff_t at = kh * r.x_row + ptrdiff_t{kw} * a.dilation_w * kBlock;
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        if (kw >= taps[p].begin && kw < taps[p].end) acc[p] = f32x16::fma(f32x16::load(window[p] + at), tap, acc[p]);
      }
    }
  }
  finish_tile<P>(r, at_column, acc);
}

/// The columns outside [inner.begin, inner.end), four at a time, those of both sides together.
static inline void edge_columns(const DepthwiseRow& r, const InnerColumns& inner) {
  int columns[kDepthwiseEdge], waiting = 0;
  for (int column = 0; column < r.args->out_w; ++column) {
    if (column == inner.begin) column = inner.end;
    if (column >= r.args->out_w) break;
    columns[waiting++] = column;
    if (waiting < kDepthwiseEdge) continue;
    edge_tile<kDepthwiseEdge>(r, columns);
    waiting = 0;
  }
  if (waiting == 3) edge_tile<3>(r, columns);
  if (waiting == 2) edge_tile<2>(r, columns);
  if (waiting == 1) edge_tile<1>(r, columns);
}

/// The columns of `inner` in tiles of balanced widths: 7 are 4 + 3, not 6 + 1, whose last tile would wait for its own
/// fmas.
template <class Filter, int P = kDepthwisePixels>
[[gnu::always_inline]] static inline void inner_columns_of(const DepthwiseRow& r, int column, int pixels) {
  if (pixels == P) return inner_tile<P, Filter>(r, column);
  if constexpr (P > 1) inner_columns_of<Filter, P - 1>(r, column, pixels);
}

template <class Filter>
static void depthwise_with(const DepthwiseArguments& a) {
  const InnerColumns inner = inner_columns(a.in_w, a.out_w, a.kernel_w, a.stride_w, a.dilation_w, a.pad_left);
  const int tiles = (inner.end - inner.begin + kDepthwisePixels - 1) / kDepthwisePixels;
  each_row(a.range, a.blocks, [&](int64_t image, int64_t block, int row) LINNET_LAMBDA {
    const int first = row * a.stride_h - a.pad_top;
    const TapRange taps = taps_inside(first, a.kernel_h, a.dilation_h, a.in_h);
    DepthwiseRow r;
    r.args = &a;
    r.rows = taps.end - taps.begin;
    r.x = pixel(a.x, image, block, r.rows > 0 ? first + taps.begin * a.dilation_h : 0);
    r.x_row = a.x.row * a.dilation_h;
    r.weights = a.weights + (block * a.kernel_h + taps.begin) * a.kernel_w * kBlock;
    r.bias = a.bias == nullptr ? nullptr : a.bias + block * kBlock;
    r.residual = a.residual.data == nullptr ? nullptr : pixel(a.residual, image, block, row);
    r.y = pixel(a.y, image, block, row);
    edge_columns(r, inner);
    for (int column = inner.begin, left = tiles; left > 0; --left) {
      const int pixels = (inner.end - column + left - 1) / left;
      inner_columns_of<Filter>(r, column, pixels);
      column += pixels;
    }
  });
}

static void depthwise(const DepthwiseArguments& a) {
  const bool dense = a.dilation_w == 1;
  if (dense && a.kernel_w == 3 && a.stride_w == 1) return depthwise_with<KnownFilter<3, 1>>(a);
  if (dense && a.kernel_w == 3 && a.stride_w == 2) return depthwise_with<KnownFilter<3, 2>>(a);
  if (dense && a.kernel_w == 5 && a.stride_w == 1) return depthwise_with<KnownFilter<5, 1>>(a);
  if (dense && a.kernel_w == 5 && a.stride_w == 2) return depthwise_with<KnownFilter<5, 2>>(a);
  depthwise_with<AnyFilter>(a);
}

}  // namespace linnet::kernels::LINNET_ISA
