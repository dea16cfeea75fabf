// What only the library may do to a tensor.
#pragma once

#include "linnet/tensor.h"

namespace linnet {

struct TensorAccess {
  /// The type and shape of `tensor`, whose bytes are no longer held: raw() is null, and nobody may look at its elements.
  static Tensor without_bytes(const Tensor& tensor);
};

}  // namespace linnet
