// Pooling over blocked tensors. The plain kernels are in plain_pool_kernels.h.
#pragma once

#include "kernels/blocked.h"
#include "kernels/eltwise/math.h"
#include "kernels/pool/plain_pool_kernels.h"
#include "kernels/pool/pool.h"
#include "kernels/window.h"

namespace linnet::kernels::LINNET_ISA {

/// The greatest of the three or two pixels below each other, for each window column of one row.
template <int KH>
[[gnu::always_inline]] static inline f32x16 column_max(const float* x, ptrdiff_t row) {
  f32x16 m = f32x16::load(x);
#pragma GCC unroll 3
  for (int kh = 1; kh < KH; ++kh) m = max_nan(m, f32x16::load(x + kh * row));
  return m;
}

/// K x K windows, two pixels apart, inside the input entirely: first down the columns, then across, and the column that
/// two neighbouring 3x3 windows share is computed once.
template <int K>
[[gnu::always_inline]] static inline void max_row_stride_2(const float* x, ptrdiff_t row, float* y, int n) {
  f32x16 shared = column_max<K>(x, row);
  for (int i = 0; i < n; ++i, x += 2 * kBlock, y += kBlock) {
    f32x16 m = max_nan(shared, column_max<K>(x + kBlock, row));
    if constexpr (K == 3) {
      shared = column_max<K>(x + 2 * kBlock, row);
      m = max_nan(m, shared);
    } else if (i + 1 < n) {
      shared = column_max<K>(x + 2 * kBlock, row);
    }
    f32x16::store(y, m);
  }
}

/// The window of one output row.
struct PoolRow {
  const float* x;  // the first input row in use, at column 0
  ptrdiff_t x_row;
  int rows;          // window rows in use
  int counted_rows;  // window rows that the divisor counts
  float* y;
};

/// One window of any kind.
[[gnu::always_inline]] static inline f32x16 pool_window(const PoolArguments& a, const PoolRow& r, int column) {
  const int first = column * a.w.stride - a.w.pad_before;
  const TapRange taps = taps_inside(first, a.w.kernel, a.w.dilation, a.w.input);
  const ptrdiff_t step = ptrdiff_t{a.w.dilation} * kBlock;
  const float* x = r.x + (first + ptrdiff_t{taps.begin} * a.w.dilation) * kBlock;
  const int columns = taps.end - taps.begin;
  if (a.op == PoolOp::max) {
    f32x16 m = f32x16::load(x);
    for (int kh = 0; kh < r.rows; ++kh) {
      for (int kw = 0; kw < columns; ++kw) m = max_nan(m, f32x16::load(x + kh * r.x_row + kw * step));
    }
    return m;
  }
  f32x16 sum = f32x16::zero();
  for (int kh = 0; kh < r.rows; ++kh) {
    for (int kw = 0; kw < columns; ++kw) sum = f32x16::add(sum, f32x16::load(x + kh * r.x_row + kw * step));
  }
  const int64_t count = int64_t{r.counted_rows} * counted_taps(a.op, a.w, column);
  return f32x16::div(sum, f32x16::set(static_cast<float>(count)));
}

static void pool(const PoolArguments& a) {
  const bool quick = a.op == PoolOp::max && a.h.kernel == a.w.kernel && (a.w.kernel == 2 || a.w.kernel == 3) &&
                     a.w.stride == 2 && a.h.dilation == 1 && a.w.dilation == 1;
  const InnerColumns inner = quick ? inner_columns(a.w.input, a.w.output, a.w.kernel, 2, 1, a.w.pad_before)
                                   : InnerColumns{a.w.output, a.w.output};
  each_row(a.range, a.blocks, [&](int64_t image, int64_t block, int row) {
    const int first = row * a.h.stride - a.h.pad_before;
    const TapRange taps = taps_inside(first, a.h.kernel, a.h.dilation, a.h.input);
    const PoolRow r = {pixel(a.x, image, block, first + taps.begin * a.h.dilation), a.x.row * a.h.dilation,
                       taps.end - taps.begin, counted_taps(a.op, a.h, row), pixel(a.y, image, block, row)};
    const auto windows = [&](int begin, int end) {
      for (int column = begin; column < end; ++column)
        f32x16::store(r.y + ptrdiff_t{column} * kBlock, pool_window(a, r, column));
    };
    if (!quick || r.rows != a.h.kernel || inner.begin == inner.end) return windows(0, a.w.output);
    windows(0, inner.begin);
    const float* x = r.x + (ptrdiff_t{inner.begin} * 2 - a.w.pad_before) * kBlock;
    float* y = r.y + ptrdiff_t{inner.begin} * kBlock;
    if (a.w.kernel == 3) {
      max_row_stride_2<3>(x, r.x_row, y, inner.end - inner.begin);
    } else {
      max_row_stride_2<2>(x, r.x_row, y, inner.end - inner.begin);
    }
    windows(inner.end, a.w.output);
  });
}

/// f over all pixels of a plane: each row from its first pixel on, then the rows' results from the first row on.
template <class F>
[[gnu::always_inline]] static inline f32x16 fold_plane(const float* x, ptrdiff_t row, int height, int width,
                                                       const F& f) {
  const auto fold_row = [&](const float* line) LINNET_LAMBDA {
    f32x16 r = f32x16::load(line);
    for (int i = 1; i < width; ++i) r = f(r, f32x16::load(line + ptrdiff_t{i} * kBlock));
    return r;
  };
  f32x16 total = fold_row(x);
  for (int i = 1; i < height; ++i) total = f(total, fold_row(x + i * row));
  return total;
}

static void global_pool(const GlobalPoolArguments& a) {
  const f32x16 count = f32x16::set(static_cast<float>(int64_t{a.height} * a.width));
  each_plane(a.plane_begin, a.plane_end, a.blocks, [&](int64_t image, int64_t block) {
    const float* x = pixel(a.x, image, block, 0);
    float* y = pixel(a.y, image, block, 0);
    if (a.op == PoolOp::max) {
      f32x16::store(y, fold_plane(x, a.x.row, a.height, a.width,
                                  [](const f32x16& m, const f32x16& v) LINNET_LAMBDA { return max_nan(m, v); }));
    } else {
      const f32x16 sum = fold_plane(x, a.x.row, a.height, a.width,
                                    [](const f32x16& s, const f32x16& v) LINNET_LAMBDA { return f32x16::add(s, v); });
      f32x16::store(y, f32x16::div(sum, count));
    }
  });
}

}  // namespace linnet::kernels::LINNET_ISA
