// Between the engine's tensors and the oracle's.
#pragma once

#include "linnet/tensor.h"
#include "reference/tensor.h"

namespace linnet::test {

reference::Tensor to_reference(const Tensor& tensor);
/// Rounds to the tensor's type, ties to even.
Tensor from_reference(const reference::Tensor& tensor);

}  // namespace linnet::test
