// Small integers as floats: products and sums of them are exact in float32 whatever the order, so a check may be ==.
#pragma once

#include <utility>

#include "support/random_data.h"

namespace linnet::test {

/// Integers in [-largest, largest]. With K products of two such tensors, K * largest^2 must stay below 2^24.
inline reference::Tensor exact_reals(Random& random, reference::Shape shape, std::int64_t largest = 4) {
  reference::Tensor tensor = reference::Tensor::make(reference::Type::float32, std::move(shape));
  for (double& value : tensor.reals) value = static_cast<double>(random.integer(-largest, largest));
  return tensor;
}

}  // namespace linnet::test
