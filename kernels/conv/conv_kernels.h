// Direct convolution on NCHW16c: loop orders around the register tile.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace linnet::kernels::LINNET_ISA {

/// Where a tile is: all of its pixels, or the first one of pixels along a row. That one comes with the count in one cache line:
/// all tiles of a block are looked up anew for each panel.
struct TilePixels {
  int count;
  PixelOffsets of[kIndirectPixels];
};

/// Goes through the pixels of a call in tiles: along the rows of each image, or across row ends.
class TileCursor {
 public:
  TileCursor(const ConvArguments& c, bool strided, int most)
      : c_(c),
        strided_(strided),
        most_(most),
        runs_(strided ? c.rows : 1),
        run_pixels_(strided ? c.width : c.rows * c.width) {
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
    const int places = strided_ ? 1 : p.count;
    for (int m = 0; m < places; ++m) {
      p.of[m].in = image_ * c_.in_image + y * c_.in_row + x * c_.in_pixel;
      p.of[m].out = image_ * c_.out_image + y * c_.out_row + x * ptrdiff_t{16};
      p.of[m].residual = image_ * c_.residual_image + y * c_.residual_row + x * ptrdiff_t{16};
      if (++x == c_.width) {
        x = 0;
        ++y;
      }
    }
  }

  const ConvArguments& c_;
  const bool strided_;
  const int most_, runs_, run_pixels_;
  int image_ = 0, run_ = 0, first_ = 0;
};

/// Most pixels of a tile along a row, and of one with an address a pixel.
template <int Block>
static constexpr int most_strided() {
  return Block == 1 || Block == 16 ? kTilePixels : kGroupPixels;
}
template <int Block>
static constexpr int most_indirect() {
  return Block == 1 || Block == 16 ? kIndirectPixels : kGroupPixels;
}

template <int NV, int Block>
static inline void dispatch_tile(const ConvArguments& c, bool strided, int pixels, const Tile& t) {
  if constexpr (Block == 1) {
    if (strided && c.in_pixel == 1) return run_tile<kTilePixels, NV, PlainNext, 1>(pixels, t);
    if (strided && c.in_pixel == 2) return run_tile<kTilePixels, NV, PlainSecond, 1>(pixels, t);
  } else {
    if (strided && c.in_pixel == 16) return run_tile<most_strided<Block>(), NV, Contiguous, Block>(pixels, t);
    if (strided && c.in_pixel == 32) return run_tile<most_strided<Block>(), NV, EverySecond, Block>(pixels, t);
  }
  run_tile<most_indirect<Block>(), NV, Indirect, Block>(pixels, t);
}

/// How a call walks its pixels: along rows with constant distances, or across row ends with an address a pixel.
struct Walk {
  bool strided;
  int most;  // pixels a tile
};

template <int Block>
static inline Walk choose_walk(const ConvArguments& c) {
  const bool known_distance = Block == 1 ? c.in_pixel <= 2 : (c.in_pixel == 16 || c.in_pixel == 32);
  // A short row is cut into tiles of too few pixels to hide the latency of the fma: let its tiles cross rows.
  const int tiles = (c.width + most_strided<Block>() - 1) / most_strided<Block>();
  const bool strided = known_distance && (c.rows == 1 || c.width / tiles >= 4);
  return {strided, strided ? most_strided<Block>() : most_indirect<Block>()};
}

/// A panel over blocks [first, first + count), but for what differs from tile to tile.
template <int Block>
static inline Tile chunk_of_panel(const ConvArguments& c, int panel, int vectors, int first, int count) {
  const ptrdiff_t channel = static_cast<ptrdiff_t>(panel) * kTileVectors;
  const bool ends = first + count == c.blocks;
  Tile t;
  t.input = c.input;
  t.taps = c.taps + first;
  t.blocks = count;
  t.tail = 0;
  t.weights = c.weights + channel * 16 * Block * c.blocks + static_cast<ptrdiff_t>(first) * Block * vectors * 16;
  t.output = c.output + channel * c.out_plane;
  t.out_plane = c.out_plane;
  t.init = c.bias + channel * 16;
  t.residual = c.residual != nullptr ? c.residual + channel * c.residual_plane : nullptr;
  t.residual_plane = c.residual_plane;
  t.resumes = first > 0;
  t.lo = ends ? c.lo : -__builtin_inff();
  t.hi = ends ? c.hi : __builtin_inff();
  return t;
}

/// What L2 does not hold is to be on its way before a tile begins with it.
static inline bool far_residual(const ConvArguments& c) {
  constexpr ptrdiff_t kL2Floats = ptrdiff_t{1} << 18;
  return c.residual != nullptr && ptrdiff_t{c.images} * c.rows * c.width * c.out_blocks * 16 > kL2Floats;
}

[[gnu::always_inline]] static inline void fetch_residual(const Tile& of_panel, const TilePixels& next, int vectors) {
  for (int v = 0; v < vectors; ++v) {
    const float* const line = of_panel.residual + next.of[0].residual + v * of_panel.residual_plane;
    for (int m = 0; m < next.count; ++m) fetch_line(line + m * 16, Fetch::l1);
  }
}

/// The tiles of a block with all panels: a chunk of a panel stays in the caches while the tiles go by.
template <int Block>
static inline void conv_block(const ConvArguments& c, const Walk& walk, const TilePixels* tiles, int count) {
  constexpr bool kGrouped = Block != 1 && Block != 16;
  const bool far = far_residual(c);
  for (int panel = c.panel_first; panel < c.panel_last; ++panel) {
    const int vectors_left = c.out_blocks - panel * kTileVectors;
    const int vectors = vectors_left < kTileVectors ? vectors_left : kTileVectors;
    int first = 0;
    do {  // once without any k: bias and residual are the sum
      const int blocks = c.blocks - first < c.chunk ? c.blocks - first : c.chunk;
      const Tile of_panel = chunk_of_panel<Block>(c, panel, vectors, first, blocks);
      Tile t = of_panel;
      const bool last = panel + 1 == c.panel_last && first + blocks == c.blocks;
      const ptrdiff_t floats = static_cast<ptrdiff_t>(blocks) * Block * vectors * 16;
      t.fetch_to = c.weights_past_l3 ? Fetch::past_l3 : Fetch::l1;
      Prefetch prefetch(last ? nullptr : t.weights + floats, blocks, Block * vectors, count);
      for (int i = 0; i < count; ++i) {
        const TilePixels& p = tiles[i];
        prefetch.assign(t);
        if (walk.strided) {
          const bool wanted = c.shared_input && panel == c.panel_first && i + 1 < count;
          t.next_input = wanted ? tiles[i + 1].of[0].in - p.of[0].in : 0;
          t.input = of_panel.input + p.of[0].in;
          t.output = of_panel.output + p.of[0].out;
          if (t.residual != nullptr) {
            t.residual = of_panel.residual + p.of[0].residual;
            if (far && i + 1 < count) fetch_residual(of_panel, tiles[i + 1], vectors);
          }
        } else {
          t.pixels = p.of;
        }
        if (vectors == kTileVectors && !kGrouped) {
          dispatch_tile<kGrouped ? 1 : kTileVectors, Block>(c, walk.strided, p.count, t);
        } else {
          dispatch_tile<1, Block>(c, walk.strided, p.count, t);
        }
      }
      first += c.chunk;
    } while (first < c.blocks);
  }
}

template <int Block>
static inline void conv_any(const ConvArguments& c) {
  const Walk walk = choose_walk<Block>(c);
  TilePixels tiles[kConvTiles];
  for (TileCursor cursor(c, walk.strided, walk.most); !cursor.done();) {
    int count = 0;
    for (; count < c.tiles && !cursor.done(); ++count) tiles[count] = cursor.next();
    conv_block<Block>(c, walk, tiles, count);
  }
}

/// On NCHW16c input: blocks of 16 channels at each tap.
static void conv(const ConvArguments& c) { conv_any<16>(c); }

/// On NCHW16c input whose blocks hold several groups: one vector of outputs, as no other block reads the same inputs.
static void conv_grouped(const ConvArguments& c) {
  if (c.group == 4) return conv_any<4>(c);
  conv_any<8>(c);
}

/// On a plain input with few channels (the first layer): one k a tap; in_pixel is the stride itself. Output is NCHW16c.
static void conv_plain(const ConvArguments& c) { conv_any<1>(c); }

}  // namespace linnet::kernels::LINNET_ISA
