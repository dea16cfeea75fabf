// The product of one of Winograd's points: M = U^T V over the places of a group of tiles.
#pragma once

#include "kernels/conv/tile.h"

namespace linnet::kernels::LINNET_ISA {

constexpr int kNearFloats = 4096;  // of a point's weights, of which L1 holds the next ones, too

/// What the products of a panel have in common.
struct WinogradProduct {
  const ptrdiff_t* taps;  // offset of each channel block in V
  int blocks;             // channel blocks
  int tail;               // channels of one more block (0..15)
  ptrdiff_t out_plane;    // from vector to vector of M
  bool resumes;           // adds to M; else writes it
  bool weights_past_l3;   // see WinogradOutputArguments
};

/// M[vector][place][16] of `tiles` places. Asks for `lines` lines a block of `next` meanwhile, or for none if it is null.
template <int NV>
static inline void winograd_multiply(const WinogradProduct& p, const float* v, int tiles, const float* weights,
                                     const float* next, int lines, float* out) {
  Tile t;
  t.taps = p.taps;
  t.blocks = p.blocks;
  t.tail = p.tail;
  t.weights = weights;
  t.init = nullptr;
  t.residual = nullptr;
  t.resumes = p.resumes;
  t.out_plane = p.out_plane;
  t.lo = -__builtin_inff();
  t.hi = __builtin_inff();
  const bool near = p.blocks * 16 * NV * 16 <= kNearFloats;
  t.fetch_to = p.weights_past_l3 ? Fetch::past_l3 : (near ? Fetch::l1 : Fetch::l2);
  const int runs = (tiles + kTilePixels - 1) / kTilePixels;
  Prefetch prefetch(next, p.blocks, lines, runs);
  for (int done = 0; done < tiles;) {
    const int count = next_tile(tiles - done, kTilePixels);
    prefetch.assign(t);
    t.input = v + static_cast<ptrdiff_t>(done) * 16;
    t.output = out + static_cast<ptrdiff_t>(done) * 16;
    run_tile<kTilePixels, NV, Contiguous, 16>(count, t);
    done += count;
  }
}

}  // namespace linnet::kernels::LINNET_ISA
