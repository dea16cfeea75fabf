// Changes of layout. All of them move bits and compute nothing, so any order of work gives the same result.
#pragma once

#include "kernels/blocked.h"
#include "kernels/reorder/reorder.h"
#include "kernels/strided.h"

namespace linnet::kernels::LINNET_ISA {

/// Up to 16 pixels of up to 16 channels, NCHW -> NCHW16c. Reads and writes exactly those pixels; missing channels are
/// zero.
static inline void block_pixels(const float* x, ptrdiff_t channel, int channels, float* y, int pixels) {
  if (channels == kBlock && pixels == 16) return transpose16(x, channel, y, kBlock);
  float rows[16 * 16], columns[16 * 16];
  for (int c = 0; c < channels; ++c) f32x16::store(rows + c * 16, f32x16::load_first(x + c * channel, pixels));
  for (int c = channels; c < 16; ++c) f32x16::store(rows + c * 16, f32x16::zero());
  transpose16(rows, 16, columns, 16);
  __builtin_memcpy(y, columns, static_cast<size_t>(pixels) * kBlock * sizeof(float));
}

/// The way back.
static inline void unblock_pixels(const float* x, float* y, ptrdiff_t channel, int channels, int pixels) {
  if (channels == kBlock && pixels == 16) return transpose16(x, kBlock, y, channel);
  float columns[16 * 16], rows[16 * 16];
  for (int i = pixels; i < 16; ++i) f32x16::store(columns + i * 16, f32x16::zero());
  __builtin_memcpy(columns, x, static_cast<size_t>(pixels) * kBlock * sizeof(float));
  transpose16(columns, 16, rows, 16);
  for (int c = 0; c < channels; ++c) f32x16::store_first(y + c * channel, f32x16::load(rows + c * 16), pixels);
}

/// visit(first, pixels) for the steps of one row. The last step of a long row goes back over pixels that are done, as a
/// whole transposition is ten times faster than a partial one.
template <class Visit>
[[gnu::always_inline]] static inline void each_step(int64_t pixels, const Visit& visit) {
  int64_t i = 0;
  for (; i + 16 <= pixels; i += 16) visit(i, 16);
  if (i == pixels) return;
  if (i > 0) return visit(pixels - 16, 16);
  visit(i, static_cast<int>(pixels - i));
}

/// visit(plain row, image, block, row, channels of the block, pixels) for each row of a range, where the rows of a
/// plane count as one long row if they lie next to each other on both sides: planes of 7x7 then need one partial step
/// instead of seven.
template <class Float, class Args, class Visit>
[[gnu::always_inline]] static inline void each_plain_row(const Args& args, const PlainView<Float>& plain, bool adjacent,
                                                         const Visit& visit) {
  const int blocks = (args.channels + kBlock - 1) / kBlock;
  const PlaneRange& range = args.range;
  const int rows = adjacent ? 1 : range.row_end - range.row_begin;
  const int64_t pixels = int64_t{args.width} * (adjacent ? range.row_end - range.row_begin : 1);
  each_plane(range.plane_begin, range.plane_end, blocks, [&](int64_t image, int64_t block) {
    const int channels = static_cast<int>(smaller_of(kBlock, args.channels - block * kBlock));
    for (int row = range.row_begin; row < range.row_begin + rows; ++row) {
      visit(plain.data + image * plain.image + block * kBlock * plain.step + row * plain.row, image, block, row,
            channels, pixels);
    }
  });
}

static void nchw_to_blocked(const ToBlockedArguments& args) {
  const bool adjacent = args.x.row == args.width && args.y.row == ptrdiff_t{args.width} * kBlock;
  each_plain_row(
      args, args.x, adjacent, [&](const float* x, int64_t image, int64_t block, int row, int channels, int64_t pixels) {
        float* y = pixel(args.y, image, block, row);
        each_step(pixels, [&](int64_t i, int n) { block_pixels(x + i, args.x.step, channels, y + i * kBlock, n); });
      });
}

static void blocked_to_nchw(const FromBlockedArguments& args) {
  const bool adjacent = args.y.row == args.width && args.x.row == ptrdiff_t{args.width} * kBlock;
  each_plain_row(
      args, args.y, adjacent, [&](float* y, int64_t image, int64_t block, int row, int channels, int64_t pixels) {
        const float* x = pixel(args.x, image, block, row);
        each_step(pixels, [&](int64_t i, int n) { unblock_pixels(x + i * kBlock, y + i, args.y.step, channels, n); });
      });
}

/// Four channels of `pixels` pixels, side by side in y.
static inline void gather_four(const float* const (&x)[4], float* y, int pixels) {
  typedef float f32x4 __attribute__((vector_size(16)));
  const float *const a = x[0], *const b = x[1], *const c = x[2], *const d = x[3];
  const bool adjacent = b == a + 1 && c == a + 2 && d == a + 3;
  for (ptrdiff_t i = 0; i < ptrdiff_t{pixels} * kBlock; i += kBlock) {
    f32x4 four;
    if (adjacent) __builtin_memcpy(&four, a + i, sizeof four);
    else four = f32x4{a[i], b[i], c[i], d[i]};
    __builtin_memcpy(y + i, &four, sizeof four);
  }
}

/// Few pixels of all blocks at a time: a line of x holds channels for several blocks of y, and stays in L1 until it has been
/// read for all of them.
static void gather_channels(const GatherChannelsArguments& args) {
  constexpr int kL1Bytes = 24 * 1024, kLineBytes = kBlock * sizeof(float);
  const int most = kL1Bytes / (2 * kLineBytes * args.blocks) + 1;
  for (int row = args.row_begin; row < args.row_end; ++row) {
    for (int first = 0; first < args.width; first += most) {
      const int pixels = first + most < args.width ? most : args.width - first;
      for (int channel = 0; channel < args.blocks * kBlock; channel += 4) {
        float* const y = args.y.data + channel / kBlock * args.y.plane + row * args.y.row + ptrdiff_t{first} * kBlock +
                         channel % kBlock;
        const float* x[4];
        int known = 0;
        for (; known < 4 && args.x[channel + known].data != nullptr; ++known) {
          const ChannelSource& from = args.x[channel + known];
          x[known] = from.data + row * from.row + ptrdiff_t{first} * kBlock;
        }
        if (known == 4) {
          gather_four(x, y, pixels);
          continue;
        }
        for (ptrdiff_t i = 0; i < ptrdiff_t{pixels} * kBlock; i += kBlock) {
          for (int k = 0; k < 4; ++k) y[i + k] = k < known ? x[k][i] : 0.0f;
        }
      }
    }
  }
}

static inline void fill_floats(float* y, float value, int64_t n) {
  const f32x16 v = f32x16::set(value);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) f32x16::store(y + i, v);
  if (i < n) f32x16::store_first(y + i, v, static_cast<int>(n - i));
}

static void zero_border(const ZeroBorderArguments& args) {
  const int64_t left = int64_t{args.left} * kBlock, right = int64_t{args.right} * kBlock;
  const int64_t inner = int64_t{args.width} * kBlock;
  each_plane(args.plane_begin, args.plane_end, args.blocks, [&](int64_t image, int64_t block) {
    for (int row = -args.top; row < args.height + args.bottom; ++row) {
      float* y = pixel(args.y, image, block, row);
      if (row < 0 || row >= args.height) {
        fill_floats(y - left, 0.0f, left + inner + right);
      } else {
        fill_floats(y - left, 0.0f, left);
        fill_floats(y + inner, 0.0f, right);
      }
    }
  });
}

}  // namespace linnet::kernels::LINNET_ISA
