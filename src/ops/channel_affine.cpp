#include "ops/channel_affine.h"

#include <algorithm>

namespace linnet::ops {

namespace {

/// The kernel counts pixels of 16 floats in int.
constexpr std::int64_t kMostFloats = (std::int64_t{1} << 30) * kernels::kBlock;

}  // namespace

void affine_row(const kernels::Table& table, const float* x, float* y, std::int64_t pixels, float scale, float shift,
                const kernels::Clamp& clamp) {
  // A row is taken for one block's row whose 16 channels all have this scale and shift.
  float scales[kernels::kBlock], shifts[kernels::kBlock];
  std::fill_n(scales, kernels::kBlock, scale);
  std::fill_n(shifts, kernels::kBlock, shift);
  kernels::ScaleShiftArguments k;
  k.scale = scales;
  k.shift = shifts;
  k.blocks = 1;
  k.clamp = clamp;
  k.range = {0, 1, 0, 1};
  std::int64_t at = 0;
  for (std::int64_t n = pixels; n >= kernels::kBlock; n = pixels - at) {
    k.width = static_cast<int>(std::min(n, kMostFloats) / kernels::kBlock);
    k.x.data = x + at;
    k.y.data = y + at;
    table.scale_shift(k);
    at += std::int64_t{k.width} * kernels::kBlock;
  }
  if (at == pixels) return;
  float tail[kernels::kBlock] = {};
  std::copy_n(x + at, pixels - at, tail);
  k.width = 1;
  k.x.data = k.y.data = tail;
  table.scale_shift(k);
  std::copy_n(tail, pixels - at, y + at);
}

}  // namespace linnet::ops
