// The products of Winograd's f4x4_3x3_rows on AVX-512. At every channel the filters of one or two points are made in registers, for as
// many tiles as the other registers hold: half as many numbers come from memory as the filters of all points are.
#pragma once

#include "kernels/conv/fetch.h"
#include "kernels/conv/tile.h"
#include "kernels/conv/winograd.h"
#include "kernels/conv/winograd_filters.h"
#include "kernels/conv/winograd_walk.h"

namespace linnet::kernels::LINNET_ISA {

#if defined(__AVX512F__)

constexpr int kRowFloats = 3 * 16;  // of a stored row of one channel's filters

/// A row of points of NV channel blocks of outputs.
template <int NV>
struct WinogradRow {
  const float* v;  // of the row's first point and the first place
  ptrdiff_t v_xi, v_block;
  int blocks;                // channel blocks of the input
  const float* filters[NV];  // [channel][3][16]
  const float* next[NV];     // the row that is wanted after this one; null: none
  float* m;                  // as v, of the first vector
  ptrdiff_t m_xi, m_vector;
};

/// Places that a pass may take: their sums, the filters and one number of V fill the registers.
[[gnu::always_inline]] constexpr inline int most_places(int points, int vectors) {
  return vectors == 1 ? 4 : (points == 1 ? 8 : 6);
}

/// The lines of the next row that a pass asks for at each channel.
constexpr int kMostFetched = 2;
struct FetchRow {
  const float* lines[kMostFetched] = {};
  int count = 0;
};

template <WinogradColumns columns, Fetch to, int NV, int places>
static __attribute__((noinline)) void multiply_row_places(const WinogradRow<NV>& a, FetchRow fetch) {
  constexpr int points = winograd_points_of(columns);
  f32x16 acc[points][places][NV];
  set_zero(acc);
  ptrdiff_t at = 0;
  for (int block = 0; block < a.blocks; ++block) {
    const float* const v = a.v + block * a.v_block;
    const float* const v_last = v + (points - 1) * a.v_xi;
    for (int k = 0; k < 16; ++k, at += kRowFloats) {
      for (int line = 0; line < fetch.count; ++line) fetch_line(fetch.lines[line] + at, to);
      f32x16 filters[NV][points];
#pragma GCC unroll 2
      for (int i = 0; i < NV; ++i) {
        const auto stored = [&](int column) { return f32x16::load(a.filters[i] + at + column * 16); };
        transform_columns<columns>(stored, filters[i]);
      }
#pragma GCC unroll 2
      for (int p = 0; p < points; ++p) {
#pragma GCC unroll 8
        for (int t = 0; t < places; ++t) {
          const f32x16 x = f32x16::broadcast((p == 0 ? v : v_last) + t * 16 + k);
#pragma GCC unroll 2
          for (int i = 0; i < NV; ++i) acc[p][t][i] = f32x16::fma(x, filters[i][p], acc[p][t][i]);
        }
      }
    }
  }
#pragma GCC unroll 2
  for (int p = 0; p < points; ++p) {
#pragma GCC unroll 8
    for (int t = 0; t < places; ++t) {
#pragma GCC unroll 2
      for (int i = 0; i < NV; ++i) f32x16::store(a.m + p * a.m_xi + i * a.m_vector + t * 16, acc[p][t][i]);
    }
  }
}

template <WinogradColumns columns, Fetch to, int NV, int places = most_places(winograd_points_of(columns), NV)>
static inline void multiply_row(int count, const WinogradRow<NV>& a, const FetchRow& fetch) {
  if constexpr (places > 0) {
    if (count == places) {
      multiply_row_places<columns, to, NV, places>(a, fetch);
    } else {
      multiply_row<columns, to, NV, places - 1>(count, a, fetch);
    }
  }
}

/// The passes of a row share the lines of the next one.
template <int NV>
class FetchRows {
 public:
  FetchRows(const float* const (&next)[NV], int passes) : next_(next), passes_(passes) {}
  FetchRow pass() {
    FetchRow fetch;
    if (next_[0] == nullptr) return fetch;
    const int lines = 3 * NV, end = lines * ++pass_ / passes_;
    for (; line_ < end && fetch.count < kMostFetched; ++line_)
      fetch.lines[fetch.count++] = next_[line_ / 3] + line_ % 3 * 16;
    return fetch;
  }

 private:
  const float* const (&next_)[NV];
  int passes_, pass_ = 0, line_ = 0;
};

/// Row `row` of the points, of which low tiles have it if `row_kept`.
template <int NV>
static inline void multiply_row_points(const WinogradOutputArguments& a, const WinogradWalk& walk, bool row_kept,
                                       const WinogradRow<NV>& row) {
  const unsigned columns_kept = winograd_points(a.form, a.tiles.last_width);
  const auto places_of = [&](int point, int& first) {
    const bool kept = (columns_kept >> point & 1) != 0;
    first = walk.first_with(kept);
    return walk.last_with(row_kept, kept) - first;
  };
  const auto passes_of = [](int places, int most) { return (places + most - 1) / most; };
  int passes = 0;
  for_each_columns([&]<WinogradColumns columns, int point>() {
    int first = 0;
    passes += passes_of(places_of(point, first), most_places(winograd_points_of(columns), NV));
  });
  if (passes == 0) return;
  FetchRows<NV> fetch(row.next, passes);
  for_each_columns([&]<WinogradColumns columns, int point>() {
    int first = 0;
    WinogradRow<NV> here = row;
    const int places = places_of(point, first);
    here.v += point * row.v_xi + first * ptrdiff_t{16};
    here.m += point * row.m_xi + first * ptrdiff_t{16};
    for (int done = 0; done < places;) {
      const int count = next_tile(places - done, most_places(winograd_points_of(columns), NV));
      if (a.weights_past_l3) {
        multiply_row<columns, Fetch::past_l3, NV>(count, here, fetch.pass());
      } else {
        multiply_row<columns, Fetch::l2, NV>(count, here, fetch.pass());
      }
      here.v += count * ptrdiff_t{16};
      here.m += count * ptrdiff_t{16};
      done += count;
    }
  });
}

/// Row `i` of the points of NV channel blocks of outputs from `block` on: M[xi][vector][place][16] at `to`. Asks for the filters of row
/// `next_row` of the blocks from `next_block` on meanwhile.
template <int NV>
static inline void multiply_rows(const WinogradOutputArguments& a, const WinogradWalk& walk, int i, int block,
                                 int next_row, int next_block, float* to, ptrdiff_t m_xi) {
  constexpr int P = winograd_edge(Winograd::f4x4_3x3_rows).points;
  const unsigned rows_kept = winograd_points(a.form, a.tiles.last_height);
  const ptrdiff_t row_floats = a.in_blocks * ptrdiff_t{16} * kRowFloats;
  WinogradRow<NV> row{};
  row.v_xi = a.v_xi;
  row.v_block = a.v_block;
  row.blocks = a.in_blocks;
  row.m_xi = m_xi;
  row.m_vector = walk.tiles() * ptrdiff_t{16};
  for (int v = 0; v < NV; ++v) {
    row.filters[v] = a.weights + ((block + v) * P + i) * row_floats;
    const int wanted = next_block + v < a.out_blocks ? next_block + v : a.out_blocks - 1;
    row.next[v] = next_block < a.out_blocks ? a.weights + (wanted * P + next_row) * row_floats : nullptr;
  }
  row.v = a.v + i * P * a.v_xi;
  row.m = to + i * P * m_xi;
  multiply_row_points(a, walk, (rows_kept >> i & 1) != 0, row);
}

/// All points of channel blocks [first, last) of outputs: M[xi][block][place][16] at `to`. A row of V stays in the caches while the
/// blocks go by.
static inline void winograd_multiply_rows(const WinogradOutputArguments& a, const WinogradWalk& walk, int first,
                                          int last, float* to, ptrdiff_t m_xi) {
  constexpr int P = winograd_edge(Winograd::f4x4_3x3_rows).points;
  for (int i = 0; i < P; ++i) {
    for (int block = first; block < last; block += 2) {
      const bool ends = block + 2 >= last;
      const int next_block = !ends ? block + 2 : (i + 1 < P ? first : last), next_row = !ends ? i : (i + 1) % P;
      float* const m = to + (block - first) * walk.tiles() * ptrdiff_t{16};
      if (block + 2 <= last) multiply_rows<2>(a, walk, i, block, next_row, next_block, m, m_xi);
      else multiply_rows<1>(a, walk, i, block, next_row, next_block, m, m_xi);
    }
  }
}

#endif

}  // namespace linnet::kernels::LINNET_ISA
