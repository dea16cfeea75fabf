// Floats of one width to another.
//
//   const linnet::Tensor half = linnet::convert(input, linnet::DataType::float16);   // for a model with float16 inputs
#pragma once

#include "linnet/tensor.h"

namespace linnet {

/// float32, float16 and bfloat16 into each other, rounded once, to the nearest and in ties to even; the same type shares the
/// bytes. Throws Error(unsupported) for any other type.
Tensor convert(const Tensor& tensor, DataType type);

}  // namespace linnet
