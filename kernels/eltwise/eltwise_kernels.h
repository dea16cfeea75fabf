#pragma once

#include "kernels/eltwise/eltwise.h"

namespace linnet::kernels::LINNET_ISA {

static void unary(const UnaryArguments&) {}
static void binary(const BinaryArguments&) {}
static void blocked_binary(const BlockedBinaryArguments&) {}
static void scale_shift(const ScaleShiftArguments&) {}

}  // namespace linnet::kernels::LINNET_ISA
