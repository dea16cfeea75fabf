// Addresses in tensors with arbitrary strides.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace linnet::kernels::LINNET_ISA {

/// The offset of position number `index` (counted with the last axis fastest) of the first `rank` axes.
static inline ptrdiff_t strided_offset(int64_t index, int rank, const int64_t* size, const ptrdiff_t* stride) {
  ptrdiff_t offset = 0;
  for (int axis = rank - 1; axis >= 0 && index > 0; --axis) {
    offset += index % size[axis] * stride[axis];
    index /= size[axis];
  }
  return offset;
}

[[gnu::always_inline]] static inline int64_t smaller_of(int64_t a, int64_t b) { return a < b ? a : b; }
[[gnu::always_inline]] static inline int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }

}  // namespace linnet::kernels::LINNET_ISA
