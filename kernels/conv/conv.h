// Arguments of the convolution and matrix kernels. All offsets and strides count floats.
//
// Packed weights: the output channels are cut into panels of TileShape::channels (the last one may be narrower, a multiple
// of 16); a panel holds [K][panel channels] in the order in which K is summed. Panel p starts at p * K * TileShape::channels.
#pragma once

#include <stddef.h>

namespace linnet::kernels {

/// Direct convolution and 1x1 convolution on NCHW16c: a GEMM whose A matrix is found by address computation (implicit im2col).
/// Computes output rows [0, rows) x pixels [0, width) for panels [panel_first, panel_last).
///   out[c][y][x] = clamp(bias[c] + residual[c][y][x] + sum over blocks b, k < 16 of in[y*in_row + x*in_pixel + taps[b] + k] * w[b][k][c])
/// The sum runs over b and k in order, one fma each. The result does not depend on rows, width, panels, order or chunk.
///
/// conv_grouped is the same for groups of 4 or 8 channels (`group`), several of which share a block of 16: an output channel
/// sums over its own group only.
///   out[c][y][x] = clamp(bias[c] + residual[c][y][x] + sum over blocks b, k < group of in[.. + taps[b] + c / group * group + k] * w[b][k][c])
/// Every block of outputs is a call of its own: out_blocks is 1.
constexpr int kConvTiles = 64;
struct ConvArguments {
  const float* input;     // tap offsets are relative to this + y * in_row + x * in_pixel
  ptrdiff_t in_row;       // stride_h * the input's row stride
  ptrdiff_t in_pixel;     // stride_w * 16 (or stride_w for conv_plain)
  const ptrdiff_t* taps;  // one offset a block of 16 k (conv), or one a k (conv_plain)
  int blocks;             // number of taps
  int group;              // conv_grouped only: 4 or 8
  const float* weights;   // packed, K = 16 * blocks (conv), group * blocks (conv_grouped) or blocks (conv_plain)
  const float* bias;      // [output channels, padded to 16]
  const float* residual;  // null: none
  ptrdiff_t residual_row, residual_plane;
  float* output;  // may be the residual's own memory
  ptrdiff_t out_row, out_plane;
  float lo, hi;  // the clamp; -inf and inf: none
  int images;    // the same area of so many images, one after the other: weights are read once for all
  ptrdiff_t in_image, residual_image, out_image;
  int rows, width;
  int out_blocks;  // 16-channel blocks of the whole output: where the last panel ends
  int panel_first, panel_last;
  int tiles;             // 1..kConvTiles: tiles of pixels whose input stays in L2 while all panels go by
  bool shared_input;     // other cores have written some of it: a tile's is asked for while the one before is at work
  bool weights_past_l3;  // asks for weights so that L3 keeps other things, where Cpu::fetches_past_l3
  int chunk;  // blocks of k a pass, whose weights stay in the caches while these tiles go by; partial sums go through `output`
};

/// C = clamp(A * B + bias (+ residual)), B packed. Rows of A and C are row-major; K needs no padding.
struct GemmArguments {
  const float* a;
  ptrdiff_t a_row;
  const float* weights;   // packed panels of B [K][N], N padded to 16 with zeros
  const float* bias;      // [N padded to 16]; null: zero
  const float* residual;  // [rows][N] with residual_row; null: none
  ptrdiff_t residual_row;
  float* c;
  ptrdiff_t c_row;
  float lo, hi;
  int rows, k, n;
  int panel_first, panel_last;
};

/// fp32 multiply-add peak: `rounds` x 960 f32x16 fma on independent registers.
struct FmaPeakArguments {
  long rounds;
  float* sink;  // 16 floats
};

}  // namespace linnet::kernels
