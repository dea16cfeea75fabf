// The register tile: M pixels x NV vectors of 16 output channels, accumulated over K in order.
#pragma once

#include <stddef.h>

#include "kernels/conv/fetch.h"
#include "kernels/isa.h"

namespace linnet::kernels::LINNET_ISA {

// Tile heights: the most pixels whose accumulators, weights and one broadcast fit the registers. More accumulators than
// latency x ports (8 to 10 vectors) is all that speed needs, so balanced smaller tiles run as fast.
#if defined(__AVX512F__)
constexpr int kTilePixels = 14, kTileVectors = 2;
#elif defined(__AVX2__) || defined(__aarch64__)
constexpr int kTilePixels = 6, kTileVectors = 1;
#else
constexpr int kTilePixels = 2, kTileVectors = 1;
#endif
constexpr TileShape kTileShape = {kTilePixels, 16 * kTileVectors};
constexpr int kIndirectPixels = kTilePixels < 8 ? kTilePixels : 8;  // more addresses do not fit the integer registers
// Grouped: of 5 pixels on AVX2, gcc 12 keeps an accumulator in memory; 4 hide the latency just as well.
constexpr int kGroupPixels = kTilePixels < 8 ? (kTilePixels < 4 ? kTilePixels : 4) : 8;

// Parts of a block of 16 k, at the begin of which the next weights are asked for: a few lines at a time, as many at once fill the
// core's line fill buffers.
constexpr int kFetchSlots = 8;

/// Where a pixel of a tile is, from the tile's input, output and residual.
struct PixelOffsets {
  ptrdiff_t in, out, residual;
};

struct Tile {
  const float* input;
  const ptrdiff_t* taps;
  int blocks;
  int tail;  // k left over after the blocks (0..15), at offset 0 of one more tap
  const float* weights;
  const float* init;      // bias: one value a channel; null: start from `residual` alone, or zero
  const float* residual;  // null: none
  ptrdiff_t residual_plane;
  bool resumes;  // starts from the output, a partial sum, instead of `init` and `residual`
  float* output;
  ptrdiff_t out_plane;
  float lo, hi;
  const PixelOffsets* pixels = nullptr;  // Indirect only
  const float* fetch =
      nullptr;  // the weights that are wanted next: so many lines of them are asked for in each slot of a block
  int fetch_lines = 0;
  Fetch fetch_to = Fetch::l2;
  ptrdiff_t next_input =
      0;  // Strided only: from this tile's input to the next one's, where that is to be asked for; else 0
};

/// Pixels a constant number of floats apart, side by side in the output and the residual: one address register and constant
/// displacements.
template <int Stride>
struct Strided {
  const float* base;
  inline __attribute__((always_inline)) Strided(const Tile& t, ptrdiff_t tap) : base(t.input + tap) {}
  inline __attribute__((always_inline)) const float* at(int m) const { return base + m * Stride; }
  inline __attribute__((always_inline)) void fetch(ptrdiff_t ahead, int count) const {
#pragma GCC unroll 1
    for (int m = 0; m < count; ++m) fetch_line(base + ahead + m * Stride, Fetch::l1);
  }
  static inline __attribute__((always_inline)) ptrdiff_t out(const Tile&, int m) { return m * 16; }
  static inline __attribute__((always_inline)) ptrdiff_t residual(const Tile&, int m) { return m * 16; }
};

/// Pixels anywhere: tiles that cross rows, odd strides, matrices. One address register a pixel.
template <int M>
struct Indirect {
  const float* pixel[M];
  inline __attribute__((always_inline)) Indirect(const Tile& t, ptrdiff_t tap) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) pixel[m] = t.input + t.pixels[m].in + tap;
  }
  inline __attribute__((always_inline)) const float* at(int m) const { return pixel[m]; }
  static inline __attribute__((always_inline)) void fetch(ptrdiff_t, int) {}
  static inline __attribute__((always_inline)) ptrdiff_t out(const Tile& t, int m) { return t.pixels[m].out; }
  static inline __attribute__((always_inline)) ptrdiff_t residual(const Tile& t, int m) { return t.pixels[m].residual; }
};

template <int M, int NV, class Pixels>
static inline __attribute__((always_inline)) void multiply_add(f32x16 (&acc)[M][NV], const Pixels& pixels, int k,
                                                               const float* w) {
  f32x16 b[NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) b[v] = f32x16::load(w + v * 16);
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    const f32x16 x = f32x16::broadcast(pixels.at(m) + k);
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) acc[m][v] = f32x16::fma(x, b[v], acc[m][v]);
  }
}

/// Channels [first, first + 4) of a tap of a grouped convolution, each lane with its own group's inputs. Recursive, as K
/// selects lanes.
template <int M, int G, int K, class Pixels>
static inline __attribute__((always_inline)) void multiply_add_groups(f32x16 (&acc)[M][1], const Pixels& pixels,
                                                                      int first, const float* w) {
  const f32x16 b = f32x16::load(w + (first + K) * 16);
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
    acc[m][0] = f32x16::fma(f32x16::template broadcast_in_groups<G, K>(pixels.at(m) + first), b, acc[m][0]);
  }
  if constexpr (K + 1 < 4) multiply_add_groups<M, G, K + 1>(acc, pixels, first, w);
}

/// Sums that begin.
template <int A, int B, int C>
static inline __attribute__((always_inline)) void set_zero(f32x16 (&sums)[A][B][C]) {
#pragma GCC unroll 8
  for (int a = 0; a < A; ++a) {
#pragma GCC unroll 8
    for (int b = 0; b < B; ++b) {
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) sums[a][b][c] = f32x16::zero();
    }
  }
}

/// K runs in blocks of `Block` consecutive floats at each tap: 16 on NCHW16c, 1 on plain tensors, 4 or 8 in groups of so
/// many channels.
template <int M, int NV, class Pixels, int Block>
static __attribute__((noinline)) void tile(const Tile& t) {
  f32x16 acc[M][NV];  // in registers: every index below is a constant after unrolling
  if (t.resumes) {
#pragma GCC unroll 16
    for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) acc[m][v] = f32x16::load(t.output + Pixels::out(t, m) + v * t.out_plane);
    }
  } else {
    const f32x16 nothing = f32x16::set(t.residual != nullptr ? -0.0f : 0.0f);  // -0 + r is r, which may be -0 itself
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      const f32x16 start = t.init != nullptr ? f32x16::load(t.init + v * 16) : nothing;
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) acc[m][v] = start;
    }
    if (t.residual != nullptr) {
#pragma GCC unroll 16
      for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
        for (int v = 0; v < NV; ++v) {
          const f32x16 r = f32x16::load(t.residual + Pixels::residual(t, m) + v * t.residual_plane);
          acc[m][v] = f32x16::add(acc[m][v], r);
        }
      }
    }
  }
  const float* w = t.weights;
  const float* fetch = t.fetch;
  const int fetch_lines = t.fetch_lines;
  for (int block = 0; block < t.blocks; ++block) {
    const Pixels pixels(t, t.taps[block]);
    if constexpr (Block == 1) {
      multiply_add<M, NV>(acc, pixels, 0, w);
      w += NV * 16;
    } else if constexpr (Block < 16) {
      // Not all 8 at once: the compiler would mix them until it runs out of registers.
#pragma GCC unroll 1
      for (int k = 0; k < Block; k += 4) multiply_add_groups<M, Block, 0>(acc, pixels, k, w);
      w += Block * 16;
    } else {
      if (t.next_input != 0) pixels.fetch(t.next_input, M);
      for (int slot = 0; slot < Block; slot += Block / kFetchSlots) {
        for (int line = 0; line < fetch_lines; ++line, fetch += 16) fetch_line(fetch, t.fetch_to);
#pragma GCC unroll 4
        for (int k = slot; k < slot + Block / kFetchSlots; ++k) multiply_add<M, NV>(acc, pixels, k, w + k * NV * 16);
      }
      w += Block * NV * 16;
    }
  }
  if (Block == 16 && t.tail > 0) {
    const Pixels pixels(t, t.taps[t.blocks]);
    for (int k = 0; k < t.tail; ++k) {
      multiply_add<M, NV>(acc, pixels, k, w);
      w += NV * 16;
    }
  }
  const f32x16 lo = f32x16::set(t.lo), hi = f32x16::set(t.hi);
#pragma GCC unroll 16
  for (int m = 0; m < M; ++m) {
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      f32x16::store(t.output + Pixels::out(t, m) + v * t.out_plane, f32x16::min(hi, f32x16::max(lo, acc[m][v])));
    }
  }
}

/// A tile of `pixels` (1..Max) rows, NV vectors wide. The ladder compiles to one jump; a tile runs for a microsecond.
template <int Max, int NV, template <int> class PixelsOf, int Block>
static inline void run_tile(int pixels, const Tile& t) {
  if constexpr (Max > 0) {
    if (pixels == Max) {
      tile<Max, NV, PixelsOf<Max>, Block>(t);
    } else {
      run_tile<Max - 1, NV, PixelsOf, Block>(pixels, t);
    }
  }
}

template <int>
using Contiguous = Strided<16>;  // stride 1 on NCHW16c
template <int>
using EverySecond = Strided<32>;  // stride 2
template <int>
using PlainNext = Strided<1>;  // stride 1 on a plain tensor
template <int>
using PlainSecond = Strided<2>;  // stride 2

/// Spreads the fetching of the next weights over the tiles of the present ones, a few lines in each slot.
class Prefetch {
 public:
  /// `tiles` tiles of `blocks` blocks of `lines` lines of weights are at work; `next` may be null.
  Prefetch(const float* next, int blocks, int lines, int tiles)
      : next_(next),
        lines_((lines + kFetchSlots * tiles - 1) / (kFetchSlots * tiles)),
        tile_floats_(static_cast<ptrdiff_t>(blocks) * kFetchSlots * lines_ * 16),
        left_(next == nullptr ? 0 : (lines + kFetchSlots - 1) / kFetchSlots) {}
  void assign(Tile& t) {
    t.fetch = next_;
    t.fetch_lines = left_ < lines_ ? left_ : lines_;
    next_ += left_ > 0 ? tile_floats_ : 0;
    left_ -= t.fetch_lines;
  }

 private:
  const float* next_;
  int lines_;
  ptrdiff_t tile_floats_;
  int left_;
};

/// n pixels in tiles of at most `most`: how many the next tile takes, so that all tiles of a run are about equal and no
/// tile of one pixel, too short to hide the latency of its fma, is left over.
static inline int next_tile(int left, int most) {
  const int tiles = (left + most - 1) / most;
  return (left + tiles - 1) / tiles;
}

}  // namespace linnet::kernels::LINNET_ISA
