// Matrix product with packed B, and the FMA peak that figures are compared with.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/tile.h"

namespace linnet::kernels::LINNET_ISA {

static inline void store_columns(float* to, const float* from, ptrdiff_t to_row, int rows, int from_row, int columns) {
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < columns; ++i) to[r * to_row + i] = from[r * from_row + i];
  }
}

static void gemm(const GemmArguments& g) {
  const int blocks = g.k / 16, tail = g.k % 16;
  // K is contiguous, so one block of all K would do, but the tile walks K by taps: serve them from a window that slides.
  constexpr int kWindow = 64;
  ptrdiff_t taps[kWindow + 1];
  for (int i = 0; i <= kWindow; ++i) taps[i] = i * 16;
  const int out_vectors = (g.n + 15) / 16;
  for (int panel = g.panel_first; panel < g.panel_last; ++panel) {
    const int vectors =
        out_vectors - panel * kTileVectors < kTileVectors ? out_vectors - panel * kTileVectors : kTileVectors;
    const ptrdiff_t column = static_cast<ptrdiff_t>(panel) * kTileVectors * 16;
    const bool partial = column + vectors * 16 > g.n;
    for (int row = 0; row < g.rows;) {
      const int rows = next_tile(g.rows - row, kIndirectPixels);
      float staged[kIndirectPixels * kTileVectors * 16];
      ptrdiff_t in[kIndirectPixels], out[kIndirectPixels], residual[kIndirectPixels];
      for (int m = 0; m < rows; ++m) {
        in[m] = m * g.a_row;
        out[m] = partial ? m * kTileVectors * 16 : m * g.c_row;
        residual[m] = out[m];
      }
      float* const to = g.c + row * g.c_row + column;
      float* const output = partial ? staged : to;
      bool have_start = false;
      if (g.residual != nullptr) {
        const float* from = g.residual + row * g.residual_row + column;
        const int columns = partial ? g.n - static_cast<int>(column) : vectors * 16;
        for (int m = 0; m < rows; ++m) {
          for (int i = 0; i < columns; ++i) output[out[m] + i] = from[m * g.residual_row + i];
          for (int i = columns; i < vectors * 16; ++i) output[out[m] + i] = 0.0f;
        }
        have_start = true;
      }
      int done = 0;
      do {
        const int count = blocks - done < kWindow ? blocks - done : kWindow;
        const bool begins = done == 0, ends = done + count == blocks;
        Tile t;
        t.input = g.a + row * g.a_row + static_cast<ptrdiff_t>(done) * 16;
        t.taps = taps;
        t.blocks = count;
        t.tail = ends ? tail : 0;
        t.weights = g.weights + column * g.k + static_cast<ptrdiff_t>(done) * 16 * vectors * 16;
        t.init = begins && g.bias != nullptr ? g.bias + column : nullptr;
        t.residual = !begins || have_start ? output : nullptr;
        t.residual_plane = 16;
        t.residual_pixels = residual;
        t.output = output;
        t.out_plane = 16;
        t.out_pixels = out;
        t.in_pixels = in;
        t.lo = ends ? g.lo : -__builtin_inff();
        t.hi = ends ? g.hi : __builtin_inff();
        if (vectors == kTileVectors) {
          run_tile<kIndirectPixels, kTileVectors, Indirect, 16>(rows, t);
        } else {
          run_tile<kIndirectPixels, 1, Indirect, 16>(rows, t);
        }
        done += count;
      } while (done < blocks);
      if (partial) store_columns(to, staged, g.c_row, rows, kTileVectors * 16, g.n - static_cast<int>(column));
      row += rows;
    }
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
