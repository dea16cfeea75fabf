// Direct convolution on NCHW16c: loop orders around the register tile.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace linnet::kernels::LINNET_ISA {

/// Offsets of the pixels of one tile.
struct TilePixels {
  ptrdiff_t in[kTilePixels], out[kTilePixels], residual[kTilePixels];
  int count;
};

/// Goes through the pixels of a call in tiles: along the rows of each image, or across row ends.
class TileCursor {
 public:
  TileCursor(const ConvArguments& c, bool strided, int most)
      : c_(c), most_(most), runs_(strided ? c.rows : 1), run_pixels_(strided ? c.width : c.rows * c.width) {
    if (c.rows == 0 || c.width == 0) image_ = c.images;
  }
  bool done() const { return image_ == c_.images; }
  TilePixels next() {
    TilePixels p;
    p.count = next_tile(run_pixels_ - first_, most_);
    place(run_ * run_pixels_ + first_, p);
    first_ += p.count;
    if (first_ == run_pixels_) {
      first_ = 0;
      if (++run_ == runs_) {
        run_ = 0;
        ++image_;
      }
    }
    return p;
  }

 private:
  void place(int first, TilePixels& p) const {
    int y = first / c_.width, x = first % c_.width;
    for (int m = 0; m < p.count; ++m) {
      p.in[m] = image_ * c_.in_image + y * c_.in_row + x * c_.in_pixel;
      p.out[m] = image_ * c_.out_image + y * c_.out_row + x * 16;
      p.residual[m] = image_ * c_.residual_image + y * c_.residual_row + x * 16;
      if (++x == c_.width) {
        x = 0;
        ++y;
      }
    }
  }

  const ConvArguments& c_;
  const int most_, runs_, run_pixels_;
  int image_ = 0, run_ = 0, first_ = 0;
};

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
static inline void conv_tile(const ConvArguments& c, const Walk& walk, const TilePixels& p, int panel, int first,
                             int count) {
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
    dispatch_tile<kTileVectors, Block>(c, walk.strided, p.count, t);
  } else {
    dispatch_tile<1, Block>(c, walk.strided, p.count, t);
  }
}

/// Asks for the part of the next weights that falls to tile `index` of `tiles`, so that they arrive while this chunk is at
/// work.
static inline void prefetch_share(const float* next, ptrdiff_t floats, int index, int tiles) {
  const ptrdiff_t lines = (floats + 15) / 16;
  for (ptrdiff_t line = lines * index / tiles; line < lines * (index + 1) / tiles; ++line) {
    __builtin_prefetch(next + line * 16, 0, 2);
  }
}

/// The tiles of a block with all panels: a chunk of a panel stays in L1 while the tiles go by.
template <int Block>
static inline void conv_block(const ConvArguments& c, const Walk& walk, const TilePixels* tiles, int count) {
  const ptrdiff_t k_floats = static_cast<ptrdiff_t>(Block) * kTileVectors * 16;  // of one block of k in a panel
  const float* const end = c.weights + static_cast<ptrdiff_t>(c.out_blocks) * 16 * Block * c.blocks;
  for (int panel = c.panel_first; panel < c.panel_last; ++panel) {
    for (int first = 0; first < c.blocks; first += c.chunk) {
      const int blocks = c.blocks - first < c.chunk ? c.blocks - first : c.chunk;
      const float* const next = c.weights + (static_cast<ptrdiff_t>(panel) * c.blocks + first + blocks) * k_floats;
      const ptrdiff_t next_floats = next + c.chunk * k_floats <= end ? c.chunk * k_floats : 0;
      for (int i = 0; i < count; ++i) {
        prefetch_share(next, next_floats, i, count);
        conv_tile<Block>(c, walk, tiles[i], panel, first, blocks);
      }
    }
  }
}

template <int Block>
static inline void conv_any(const ConvArguments& c) {
  const Walk walk = choose_walk(c, Block == 1);
  TilePixels tiles[kConvTiles];
  for (TileCursor cursor(c, walk.strided, walk.most); !cursor.done();) {
    int count = 0;
    for (; count < c.tiles && !cursor.done(); ++count) tiles[count] = cursor.next();
    conv_block<Block>(c, walk, tiles, count);
  }
}

/// On NCHW16c input: blocks of 16 channels at each tap.
static void conv(const ConvArguments& c) { conv_any<16>(c); }

/// On a plain input with few channels (the first layer): one k a tap; in_pixel is the stride itself. Output is NCHW16c.
static void conv_plain(const ConvArguments& c) { conv_any<1>(c); }

}  // namespace linnet::kernels::LINNET_ISA
