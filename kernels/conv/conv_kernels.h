// Direct convolution on NCHW16c: loop orders around the register tile.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace linnet::kernels::LINNET_ISA {

/// A run of pixels in one order of the tile's addressing: offsets of up to kTilePixels pixels.
struct TilePixels {
  ptrdiff_t in[kTilePixels], out[kTilePixels], residual[kTilePixels];
};

static inline void place_pixels(const ConvArguments& c, int image, int first, int count, TilePixels& p) {
  int y = first / c.width, x = first % c.width;
  for (int m = 0; m < count; ++m) {
    p.in[m] = image * c.in_image + y * c.in_row + x * c.in_pixel;
    p.out[m] = image * c.out_image + y * c.out_row + x * 16;
    p.residual[m] = image * c.residual_image + y * c.residual_row + x * 16;
    if (++x == c.width) {
      x = 0;
      ++y;
    }
  }
}

template <int NV, int Block>
static inline void dispatch_tile(const ConvArguments& c, bool strided, int pixels, const Tile& t) {
  if constexpr (Block == 1) {
    if (strided && c.in_pixel == 1) return run_tile<kTilePixels, NV, PlainNext, 1>(pixels, t);
    if (strided && c.in_pixel == 2) return run_tile<kTilePixels, NV, PlainSecond, 1>(pixels, t);
  } else {
    if (strided && c.in_pixel == 16) return run_tile<kTilePixels, NV, Contiguous, 16>(pixels, t);
    if (strided && c.in_pixel == 32) return run_tile<kTilePixels, NV, EverySecond, 16>(pixels, t);
  }
  run_tile<kIndirectPixels, NV, Indirect, Block>(pixels, t);
}

/// How a call walks its pixels: along rows with constant distances, or across row ends with an address a pixel.
struct Walk {
  bool strided;
  int most;  // pixels a tile
};

static inline Walk choose_walk(const ConvArguments& c, bool plain) {
  const bool known_distance = plain ? c.in_pixel <= 2 : (c.in_pixel == 16 || c.in_pixel == 32);
  // A short row is cut into tiles of too few pixels to hide the latency of the fma: let its tiles cross rows.
  const int tiles = (c.width + kTilePixels - 1) / kTilePixels;
  const bool strided = known_distance && (c.rows == 1 || c.width / tiles >= 4);
  return {strided, strided ? kTilePixels : kIndirectPixels};
}

/// One pass of a panel over blocks [first, first + count) for the tile whose pixels start at `pixel`.
template <int Block>
static inline void conv_tile(const ConvArguments& c, const Walk& walk, const TilePixels& p, int pixels, int panel, int first, int count) {
  const int vectors_left = c.out_blocks - panel * kTileVectors;
  const int vectors = vectors_left < kTileVectors ? vectors_left : kTileVectors;
  const ptrdiff_t channel = static_cast<ptrdiff_t>(panel) * kTileVectors;
  const bool begins = first == 0, ends = first + count == c.blocks;
  float* const output = c.output + channel * c.out_plane;
  Tile t;
  t.input = walk.strided ? c.input + p.in[0] : c.input;
  t.taps = c.taps + first;
  t.blocks = count;
  t.tail = 0;
  t.weights = c.weights + channel * 16 * Block * c.blocks + static_cast<ptrdiff_t>(first) * Block * vectors * 16;
  t.init = begins ? c.bias + channel * 16 : nullptr;
  t.residual = begins ? (c.residual != nullptr ? c.residual + channel * c.residual_plane : nullptr) : output;
  t.residual_plane = begins ? c.residual_plane : c.out_plane;
  t.residual_pixels = begins ? p.residual : p.out;
  t.output = output;
  t.out_plane = c.out_plane;
  t.lo = ends ? c.lo : -__builtin_inff();
  t.hi = ends ? c.hi : __builtin_inff();
  t.in_pixels = p.in;
  t.out_pixels = p.out;
  if (vectors == kTileVectors) {
    dispatch_tile<kTileVectors, Block>(c, walk.strided, pixels, t);
  } else {
    dispatch_tile<1, Block>(c, walk.strided, pixels, t);
  }
}

/// Calls f(TilePixels, count) for each tile of the call.
template <class F>
static inline void for_each_tile(const ConvArguments& c, const Walk& walk, F f) {
  TilePixels p;
  // Across rows the whole area is one run; along rows each row is one.
  const int runs = walk.strided ? c.rows : 1;
  const int run = walk.strided ? c.width : c.rows * c.width;
  for (int image = 0; image < c.images; ++image) {
    for (int r = 0; r < runs; ++r) {
      for (int done = 0; done < run;) {
        const int count = next_tile(run - done, walk.most);
        place_pixels(c, image, r * run + done, count, p);
        f(p, count);
        done += count;
      }
    }
  }
}

/// Asks for the part of the next weights that falls to tile `index` of `tiles`, so that they arrive while this chunk is at work.
static inline void prefetch_share(const float* next, ptrdiff_t floats, int index, int tiles) {
  const ptrdiff_t lines = (floats + 15) / 16;
  for (ptrdiff_t line = lines * index / tiles; line < lines * (index + 1) / tiles; ++line) {
    __builtin_prefetch(next + line * 16, 0, 2);
  }
}

template <int Block>
static inline void conv_weights_stationary(const ConvArguments& c, const Walk& walk) {
  const int pixels = c.images * c.rows * c.width;
  const int tiles = (pixels + walk.most - 1) / walk.most;
  const ptrdiff_t panel_floats = static_cast<ptrdiff_t>(c.blocks) * Block * kTileVectors * 16;
  const float* const end = c.weights + static_cast<ptrdiff_t>(c.out_blocks) * 16 * Block * c.blocks;
  for (int panel = c.panel_first; panel < c.panel_last; ++panel) {
    for (int first = 0; first < c.blocks; first += c.chunk) {
      const int count = c.blocks - first < c.chunk ? c.blocks - first : c.chunk;
      const float* const next = c.weights + panel * panel_floats + static_cast<ptrdiff_t>(first + count) * Block * kTileVectors * 16;
      const ptrdiff_t next_floats = next + static_cast<ptrdiff_t>(c.chunk) * Block * kTileVectors * 16 <= end
                                        ? static_cast<ptrdiff_t>(c.chunk) * Block * kTileVectors * 16
                                        : 0;
      int index = 0;
      for_each_tile(c, walk, [&](const TilePixels& p, int n) __attribute__((always_inline)) {
        if (next_floats != 0 && index < tiles) prefetch_share(next, next_floats, index, tiles);
        ++index;
        conv_tile<Block>(c, walk, p, n, panel, first, count);
      });
    }
  }
}

template <int Block>
static inline void conv_any(const ConvArguments& c) {
  const Walk walk = choose_walk(c, Block == 1);
  if (c.weights_stationary) return conv_weights_stationary<Block>(c, walk);
  for_each_tile(c, walk, [&](const TilePixels& p, int n) __attribute__((always_inline)) {
    for (int panel = c.panel_first; panel < c.panel_last; ++panel) conv_tile<Block>(c, walk, p, n, panel, 0, c.blocks);
  });
}

/// On NCHW16c input: blocks of 16 channels at each tap.
static void conv(const ConvArguments& c) { conv_any<16>(c); }

/// On a plain input with few channels (the first layer): one k a tap; in_pixel is the stride itself. Output is NCHW16c.
static void conv_plain(const ConvArguments& c) { conv_any<1>(c); }

}  // namespace linnet::kernels::LINNET_ISA
