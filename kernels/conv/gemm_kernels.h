// Matrix product with packed B, and the FMA peak that figures are compared with.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace linnet::kernels::LINNET_ISA {

constexpr int kGemmRows = 240;  // of A: their part of a chunk of k stays in L2 while all panels go by
// Blocks of 16 k of a panel that stay while these rows go by: 16 KB in L1, or 64 KB where L2 delivers them in time.
constexpr int kGemmChunk = kIndirectPixels >= 8 ? 32 : 16 / kTileVectors;
constexpr int kGemmLongChunk = 64;  // where all rows fit one tile: as long as the list of offsets

static inline void copy_columns(float* to, ptrdiff_t to_row, const float* from, ptrdiff_t from_row, int rows,
                                int columns) {
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < columns; ++i) to[r * to_row + i] = from[r * from_row + i];
  }
}

/// `rows` rows from `row` on of the blocks [first, first + blocks) of k and one panel. Partial sums go through C.
static inline void gemm_panel(const GemmArguments& g, const ptrdiff_t* taps, int row, int rows, int first, int blocks,
                              int panel) {
  const int vectors_left = (g.n + 15) / 16 - panel * kTileVectors;
  const int vectors = vectors_left < kTileVectors ? vectors_left : kTileVectors;
  const ptrdiff_t column = static_cast<ptrdiff_t>(panel) * kTileVectors * 16;
  const int columns = g.n - column < vectors * 16 ? static_cast<int>(g.n - column) : vectors * 16;
  const bool partial = columns < vectors * 16, ends = first + blocks == g.k / 16;
  constexpr int kStagedRow = kTileVectors * 16;
  float staged[kIndirectPixels * kStagedRow] = {};
  PixelOffsets pixels[kIndirectPixels];
  for (int m = 0; m < kIndirectPixels; ++m) {
    pixels[m] = {m * g.a_row, m * (partial ? kStagedRow : g.c_row), m * (partial ? kStagedRow : g.residual_row)};
  }
  Tile t;
  t.taps = taps;
  t.blocks = blocks;
  t.tail = ends ? g.k % 16 : 0;
  t.weights = g.weights + column * g.k + static_cast<ptrdiff_t>(first) * 16 * vectors * 16;
  t.init = g.bias != nullptr ? g.bias + column : nullptr;
  t.resumes = first > 0;
  t.residual_plane = t.out_plane = 16;
  t.pixels = pixels;
  t.lo = ends ? g.lo : -__builtin_inff();
  t.hi = ends ? g.hi : __builtin_inff();
  // Of the next panel, if these rows give the time for it. Beyond the last one nothing is read: it is but asked for.
  const float* const next =
      rows > kIndirectPixels ? t.weights + kTileVectors * 16 * static_cast<ptrdiff_t>(g.k) : nullptr;
  Prefetch prefetch(next, blocks, 16 * vectors, (rows + kIndirectPixels - 1) / kIndirectPixels);
  for (int count; rows > 0; row += count, rows -= count) {
    count = next_tile(rows, kIndirectPixels);
    float* const to = g.c + row * g.c_row + column;
    t.input = g.a + row * g.a_row + static_cast<ptrdiff_t>(first) * 16;
    t.residual = g.residual == nullptr ? nullptr : g.residual + row * g.residual_row + column;
    t.output = to;
    prefetch.assign(t);
    if (partial) {
      if (t.resumes) {
        copy_columns(staged, kStagedRow, to, g.c_row, count, columns);
      } else if (t.residual != nullptr) {
        copy_columns(staged, kStagedRow, t.residual, g.residual_row, count, columns);
        t.residual = staged;
      }
      t.output = staged;
    }
    if (vectors == kTileVectors) {
      run_tile<kIndirectPixels, kTileVectors, Indirect, 16>(count, t);
    } else {
      run_tile<kIndirectPixels, 1, Indirect, 16>(count, t);
    }
    if (partial) copy_columns(to, g.c_row, staged, kStagedRow, count, columns);
  }
}

/// `rows` rows from `row` on with panels [panel_first, panel_last), a chunk of k after the other: partial sums go through C.
static inline void gemm_chunks(const GemmArguments& g, const ptrdiff_t* taps, int row, int rows, int chunk,
                               int panel_first, int panel_last) {
  int first = 0;
  do {
    const int left = g.k / 16 - first, blocks = left < chunk ? left : chunk;
    for (int panel = panel_first; panel < panel_last; ++panel) gemm_panel(g, taps, row, rows, first, blocks, panel);
    first += blocks;
  } while (first < g.k / 16);
}

static void gemm(const GemmArguments& g) {
  // K is contiguous, so one block of all K would do, but the tile walks K by taps.
  ptrdiff_t taps[kGemmLongChunk + 1];
  for (int i = 0; i <= kGemmLongChunk; ++i) taps[i] = i * 16;
  if (g.rows <= kIndirectPixels) {
    // The weights once, in the order in which they lie.
    for (int panel = g.panel_first; panel < g.panel_last; ++panel)
      gemm_chunks(g, taps, 0, g.rows, kGemmLongChunk, panel, panel + 1);
    return;
  }
  for (int row = 0, rows; row < g.rows; row += rows) {
    rows = next_tile(g.rows - row, kGemmRows);
    gemm_chunks(g, taps, row, rows, kGemmChunk, g.panel_first, g.panel_last);
  }
}

static void fma_peak(const FmaPeakArguments& p) {
  // Ten f32x16 on AVX-512, six pairs of ymm on AVX2: enough chains for latency x ports, few enough for the registers.
  constexpr int kChains = kTilePixels > 8 ? 12 : 6;
  constexpr int kUnroll = 960 / kChains;
  f32x16 acc[kChains];
  const f32x16 x = f32x16::load(p.sink), y = f32x16::set(0.5f);
#pragma GCC unroll 16
  // Different for all the compiler knows, or it would compute one chain, or one half of a vector, for all.
  for (int i = 0; i < kChains; ++i) acc[i] = f32x16::add(f32x16::load(p.sink), f32x16::set(static_cast<float>(i)));
  for (long r = 0; r < p.rounds; ++r) {
    for (int u = 0; u < kUnroll; ++u) {
#pragma GCC unroll 16
      for (int i = 0; i < kChains; ++i) acc[i] = f32x16::fma(acc[i], y, x);
    }
  }
#pragma GCC unroll 16
  for (int i = 1; i < kChains; ++i) acc[0] = f32x16::add(acc[0], acc[i]);
  f32x16::store(p.sink, acc[0]);
}

}  // namespace linnet::kernels::LINNET_ISA
