// Depthwise convolution. A tile is P neighbouring output pixels of a row: P independent chains of fma, which is what the fma's
// latency needs, and each weight is loaded once for P pixels. Rows and columns of the filter that lie outside the
// input are skipped by the bounds of the loops, so padding costs nothing and the order of a sum is the same everywhere.
#pragma once

#include "kernels/blocked.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/eltwise/math.h"
#include "kernels/strided.h"
#include "kernels/window.h"

namespace linnet::kernels::LINNET_ISA {

#if defined(__AVX512F__)
constexpr int kDepthwisePixels = 8;
#else
constexpr int kDepthwisePixels = 4;  // 8 accumulators of AVX2's 16 registers, 16 of NEON's 32
#endif

/// What the tiles of one output row have in common.
struct DepthwiseRow {
  const float* x;        // the first input row in use, at column 0
  ptrdiff_t x_row;       // from one row of taps to the next
  const float* weights;  // the filter's first row in use
  int rows;              // filter rows in use
  int kernel_w, stride, dilation;
  f32x16 bias, lo, hi;
  const float* residual;  // null: none
  float* y;
};

template <int P>
[[gnu::always_inline]] static inline void start_tile(const DepthwiseRow& r, ptrdiff_t out, f32x16 (&acc)[P]) {
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) acc[p] = r.bias;
  if (r.residual == nullptr) return;
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) acc[p] = f32x16::add(acc[p], f32x16::load(r.residual + out + p * kBlock));
}

template <int P>
[[gnu::always_inline]] static inline void finish_tile(const DepthwiseRow& r, ptrdiff_t out, const f32x16 (&acc)[P]) {
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) f32x16::store(r.y + out + p * kBlock, clamp(acc[p], r.lo, r.hi));
}

/// P pixels from output column `column` on; all KW columns of taps are inside the input. An input pixel is loaded once
/// and goes into every output that it belongs to; per output the taps still come in ascending order.
template <int P, int KW, int S>
[[gnu::always_inline]] static inline void fixed_tile(const DepthwiseRow& r, int column, int in_column) {
  const ptrdiff_t out = ptrdiff_t{column} * kBlock;
  f32x16 acc[P];
  start_tile<P>(r, out, acc);
  const float* x = r.x + ptrdiff_t{in_column} * kBlock;
  const float* w = r.weights;
  for (int kh = 0; kh < r.rows; ++kh, x += r.x_row, w += KW * kBlock) {
    f32x16 tap[KW];
#pragma GCC unroll 5
    for (int kw = 0; kw < KW; ++kw) tap[kw] = f32x16::load(w + kw * kBlock);
#pragma GCC unroll 24
    for (int i = 0; i < (P - 1) * S + KW; ++i) {
      const f32x16 v = f32x16::load(x + i * kBlock);
#pragma GCC unroll 5
      for (int kw = 0; kw < KW; ++kw) {
        if (i >= kw && (i - kw) % S == 0 && (i - kw) / S < P) acc[(i - kw) / S] = f32x16::fma(v, tap[kw], acc[(i - kw) / S]);
      }
    }
  }
  finish_tile<P>(r, out, acc);
}

/// Any filter, stride and dilation; of each filter row the taps [kw_begin, kw_end). `in_column` is where tap 0 falls.
template <int P>
[[gnu::always_inline]] static inline void any_tile(const DepthwiseRow& r, int column, int in_column, int kw_begin, int kw_end) {
  const ptrdiff_t out = ptrdiff_t{column} * kBlock, step = ptrdiff_t{r.stride} * kBlock;
  f32x16 acc[P];
  start_tile<P>(r, out, acc);
  const float* line = r.x + ptrdiff_t{in_column} * kBlock;
  const float* w = r.weights;
  for (int kh = 0; kh < r.rows; ++kh, line += r.x_row, w += r.kernel_w * kBlock) {
    for (int kw = kw_begin; kw < kw_end; ++kw) {
      const f32x16 tap = f32x16::load(w + kw * kBlock);
      const float* x = line + ptrdiff_t{kw} * r.dilation * kBlock;
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) acc[p] = f32x16::fma(f32x16::load(x + p * step), tap, acc[p]);
    }
  }
  finish_tile<P>(r, out, acc);
}

/// One output row, with tiles of P, then 2, then 1 pixels: tile(P, column, in_column) computes inside columns.
template <class Tile>
[[gnu::always_inline]] static inline void depthwise_row(const DepthwiseArguments& a, const DepthwiseRow& r, const Tile& tile) {
  const auto clipped = [&](int begin, int end) {
    for (int column = begin; column < end; ++column) {
      const int first = column * a.stride_w - a.pad_left;
      const TapRange taps = taps_inside(first, a.kernel_w, a.dilation_w, a.in_w);
      any_tile<1>(r, column, first, taps.begin, taps.end);
    }
  };
  const InnerColumns inner = inner_columns(a.in_w, a.out_w, a.kernel_w, a.stride_w, a.dilation_w, a.pad_left);
  clipped(0, inner.begin);
  int column = inner.begin;
  const auto run = [&](auto pixels) LINNET_LAMBDA {
    for (; column + pixels() <= inner.end; column += pixels()) tile(pixels, column, column * a.stride_w - a.pad_left);
  };
  run(Constant<kDepthwisePixels>{});
  run(Constant<2>{});
  run(Constant<1>{});
  clipped(inner.end, a.out_w);
}

template <class Tile>
[[gnu::always_inline]] static inline void depthwise_rows(const DepthwiseArguments& a, const Tile& tile) {
  each_row(a.range, a.blocks, [&](int64_t image, int64_t block, int row) LINNET_LAMBDA {
    const int first = row * a.stride_h - a.pad_top;
    const TapRange taps = taps_inside(first, a.kernel_h, a.dilation_h, a.in_h);
    DepthwiseRow r;
    r.rows = taps.end - taps.begin;
    r.x = pixel(a.x, image, block, r.rows > 0 ? first + taps.begin * a.dilation_h : 0);
    r.x_row = a.x.row * a.dilation_h;
    r.weights = a.weights + (block * a.kernel_h + taps.begin) * a.kernel_w * kBlock;
    r.kernel_w = a.kernel_w, r.stride = a.stride_w, r.dilation = a.dilation_w;
    r.bias = a.bias == nullptr ? f32x16::zero() : f32x16::load(a.bias + block * kBlock);
    r.lo = f32x16::set(a.clamp.lo), r.hi = f32x16::set(a.clamp.hi);
    r.residual = a.residual.data == nullptr ? nullptr : pixel(a.residual, image, block, row);
    r.y = pixel(a.y, image, block, row);
    depthwise_row(a, r, [&](auto pixels, int column, int in_column) LINNET_LAMBDA { tile(r, pixels, column, in_column); });
  });
}

template <int KW, int S>
static void depthwise_fixed(const DepthwiseArguments& a) {
  depthwise_rows(a, [](const DepthwiseRow& r, auto pixels, int column, int in_column) LINNET_LAMBDA {
    fixed_tile<pixels(), KW, S>(r, column, in_column);
  });
}

static void depthwise(const DepthwiseArguments& a) {
  if (a.dilation_w == 1) {
    if (a.kernel_w == 3 && a.stride_w == 1) return depthwise_fixed<3, 1>(a);
    if (a.kernel_w == 3 && a.stride_w == 2) return depthwise_fixed<3, 2>(a);
    if (a.kernel_w == 5 && a.stride_w == 1) return depthwise_fixed<5, 1>(a);
    if (a.kernel_w == 5 && a.stride_w == 2) return depthwise_fixed<5, 2>(a);
  }
  depthwise_rows(a, [&](const DepthwiseRow& r, auto pixels, int column, int in_column) LINNET_LAMBDA {
    any_tile<pixels()>(r, column, in_column, 0, a.kernel_w);
  });
}

}  // namespace linnet::kernels::LINNET_ISA
