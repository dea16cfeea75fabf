// y = clamp(fma(x, scale[c], shift[c])) over plain tensors: what ScaleShift, BatchNormalization and GroupNormalization
// compute. The same bits as the blocked kernel gives.
#pragma once

#include <cstdint>

#include "kernels/table.h"

namespace linnet::ops {

/// One channel's row of `pixels` floats; y may be x.
void affine_row(const kernels::Table& table, const float* x, float* y, std::int64_t pixels, float scale, float shift,
                const kernels::Clamp& clamp);

}  // namespace linnet::ops
