// What only the library may do to a tensor, or asks of one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "linnet/tensor.h"

namespace linnet {

struct TensorAccess {
  /// The type and shape of `tensor`, whose bytes are no longer held: raw() is null, and nobody may look at its elements.
  static Tensor without_bytes(const Tensor& tensor);
};

/// Whether the bytes, which may be a caller's, lie as their elements want it.
inline bool is_aligned(const Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.raw()) % std::max<std::size_t>(1, element_bytes(tensor.type())) == 0;
}

}  // namespace linnet
