// A ResNet for pictures of 224x224 as an ONNX file, BatchNormalization not yet folded, with random weights of a fixed seed:
// for what depends on the architecture alone.
//
//   const std::vector<std::byte> file = resnet(50).bytes();   // 102 MB
#pragma once

#include "support/onnx_builder.h"

namespace linnet::test {

/// Depth 18 or 50 of He et al., CVPR 2016; a stage of bottlenecks strides in its first 3x3. Input "x" [N,3,224,224], output "y".
OnnxModel resnet(int depth);

}  // namespace linnet::test
