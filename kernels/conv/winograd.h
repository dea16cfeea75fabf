// Winograd convolution (Lavin and Gray, arXiv 1509.09308): its forms, how tiles cover an image, and the kernels' arguments. All
// offsets and strides count floats.
#pragma once

#include <stddef.h>

namespace linnet::kernels {

/// F(m x m, r x r): tiles of m x m outputs of a filter of r x r taps, at the points of winograd_transforms.h. Of stride 1, but for
/// f2x2_3x3_stride2: there the pixels in even and odd rows and columns are convolved on their own, those of even ones by F(2,2).
/// f4x4_3x3_rows and f4x4_3x3_taps are f4x4_3x3 of which less comes from memory: filters transformed along their columns only, or
/// taps; the rest happens where they are multiplied.
enum class Winograd : unsigned char { f2x2_3x3, f4x4_3x3, f4x4_3x3_rows, f4x4_3x3_taps, f3x3_4x4, f2x2_3x3_stride2 };

/// On an edge of a tile.
struct WinogradEdge {
  int outputs;                      // m
  int taps;                         // r
  int step;                         // pixels of the input from tile to tile
  int points;                       // P, as many as the pixels of the input that a tile reads
  int filter_rows, filter_columns;  // numbers of a filter that are stored, transformed or not
};

constexpr int kWinogradMostPoints = 6, kWinogradMostOutputs = 4;

[[gnu::always_inline]] constexpr inline WinogradEdge winograd_edge(Winograd form) {
  switch (form) {
    case Winograd::f2x2_3x3: return {2, 3, 2, 4, 4, 4};
    case Winograd::f4x4_3x3: return {4, 3, 4, 6, 6, 6};
    case Winograd::f4x4_3x3_rows: return {4, 3, 4, 6, 6, 3};
    case Winograd::f4x4_3x3_taps: return {4, 3, 4, 6, 3, 3};
    case Winograd::f3x3_4x4: return {3, 4, 3, 6, 6, 6};
    case Winograd::f2x2_3x3_stride2: return {2, 3, 4, 5, 4, 4};
  }
  return {};
}

/// Whether filters are stored as points are multiplied with them; else what is left of their transform happens there.
[[gnu::always_inline]] constexpr inline bool winograd_stores_points(Winograd form) {
  return form != Winograd::f4x4_3x3_rows && form != Winograd::f4x4_3x3_taps;
}

/// The points that a tile of `outputs` (1..m) outputs needs, as bits: tiles of the last row and column may have fewer.
[[gnu::always_inline]] constexpr inline unsigned winograd_points(Winograd form, int outputs) {
  const unsigned of_form[][kWinogradMostOutputs] = {{0b0111, 0b1111},
                                                    {0b011001, 0b111001, 0b011111, 0b111111},
                                                    {0b011001, 0b111001, 0b011111, 0b111111},
                                                    {0b011001, 0b111001, 0b011111, 0b111111},
                                                    {0b111001, 0b011111, 0b111111},
                                                    {0b01011, 0b11111}};
  return of_form[static_cast<int>(form)][outputs - 1];
}

/// Pixels of the input that a tile of so many outputs reads.
[[gnu::always_inline]] constexpr inline int winograd_pixels(Winograd form, int outputs) {
  const WinogradEdge edge = winograd_edge(form);
  return edge.points - (edge.outputs - outputs) * edge.step / edge.outputs;
}

/// The transformed filter of a point of an edge, of a form that stores them.
[[gnu::always_inline]] constexpr inline int winograd_filter(Winograd form, int point) {
  return point < winograd_edge(form).filter_rows ? point : winograd_edge(form).filter_rows - 1;
}

/// Tiles by the outputs that they have. In this order V and M hold those of a group, so that the tiles that have a point are
/// neighbours, whichever point it is.
enum WinogradTileKind { kTileNarrow, kTileWhole, kTileLow, kTileCorner, kTileKinds };

/// The tiles of an image, row-major; those of the next image follow.
struct WinogradTiles {
  int rows, columns;
  int last_height, last_width;  // outputs on an edge of the tiles in the last row, in the last column: 1..m
};

/// So many tiles of each kind.
struct WinogradTileCounts {
  int of[kTileKinds];
};

/// Among the tiles before tile `t`.
[[gnu::always_inline]] constexpr inline WinogradTileCounts winograd_tiles_before(Winograd form, const WinogradTiles& a,
                                                                                 int t) {
  const int m = winograd_edge(form).outputs, images = t / (a.rows * a.columns), rest = t % (a.rows * a.columns);
  const int in_last_row = rest - (a.rows - 1) * a.columns;
  const int low = a.last_height == m ? 0 : images * a.columns + (in_last_row > 0 ? in_last_row : 0);
  const int narrow = a.last_width == m ? 0 : t / a.columns;
  const int corners = a.last_height == m || a.last_width == m ? 0 : images;
  return {{narrow - corners, t - low - narrow + corners, low - corners, corners}};
}

/// Transforms of the input into V[xi][channel block][place of a tile][16], xi = 0..P*P.
struct WinogradInputArguments {
  Winograd form;
  const float* input;  // pixel (-pad_top, -pad_left) of channel block 0 of the first image
  ptrdiff_t in_row, in_plane, in_image;
  int valid_rows, valid_columns;  // readable extent from `input` on; pixels beyond count as zero
  int first_row, first_column;    // readable extent begins here: pixels before count as zero (padding without a halo)
  WinogradTiles tiles;
  int tile_first, tile_last;
  int blocks;         // of channels
  bool shared_input;  // other cores have written some of it: a block's is asked for while the one before is at work
  float* v;           // place p of block b at v + xi * v_xi + b * v_block + p * 16
  ptrdiff_t v_xi, v_block;
};

/// Output channels whose products are in M at a time. All of V is read for each such pass: where f4x4_3x3_rows is used, V is large and
/// half as many passes pay for the larger M.
[[gnu::always_inline]] constexpr inline int winograd_channels(Winograd form) {
  return form == Winograd::f4x4_3x3_rows ? 128 : 64;
}
constexpr int kWinogradExpandedChannels =
    256;  // of the input, whose filters of a row of points are transformed at a time where registers are few

/// M[xi] = U[filter of xi]^T V[xi] for all points and up to winograd_channels(form) output channels, then their output transform with
/// the epilogue.
struct WinogradOutputArguments {
  Winograd form;
  const float* v;  // as WinogradInput
  ptrdiff_t v_xi, v_block;
  WinogradTiles tiles;
  int tile_first, tile_last;  // those in v
  const ptrdiff_t* taps;      // b * v_block for each channel block of the input
  int in_blocks;              // channel blocks of the input
  int in_tail;                // channels of one more block (0..15)
  // [panel][filter of xi][C][panel channels], C = 16 * in_blocks + in_tail, where winograd_stores_points(form). Else in_tail is 0,
  // D = diag(1, sqrt(1/2), 1/2) and S what winograd_filters.h makes of D g. f4x4_3x3_taps: [channel block][C][9 taps][16], D g D;
  // f4x4_3x3_rows: [channel block][row of points][C][3][16], S D g D.
  const float* weights;
  const float* bias;
  const float* residual;  // null: none
  ptrdiff_t residual_row, residual_plane, residual_image;
  float* output;  // of the first image
  ptrdiff_t out_row, out_plane, out_image;
  float lo, hi;
  int out_blocks;
  int panel_first, panel_last;
  bool weights_past_l3;  // asks for weights so that L3 keeps other things, where Cpu::fetches_past_l3
  // P * P * (tiles * winograd_channels(form) + 16) floats, and unless winograd_stores_points(form), P points of up to
  // kWinogradExpandedChannels channels of the input for 16 outputs.
  float* scratch;
};

}  // namespace linnet::kernels
