#pragma once

#include "kernels/reduce/reduce.h"

namespace linnet::kernels::LINNET_ISA {

static void reduce(const ReduceArguments&) {}

}  // namespace linnet::kernels::LINNET_ISA
