#pragma once

#include "kernels/depthwise/depthwise.h"

namespace linnet::kernels::LINNET_ISA {

static void depthwise(const DepthwiseArguments&) {}

}  // namespace linnet::kernels::LINNET_ISA
