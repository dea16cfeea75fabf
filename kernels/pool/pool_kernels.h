#pragma once

#include "kernels/pool/pool.h"

namespace linnet::kernels::LINNET_ISA {

static void pool(const PoolArguments&) {}
static void global_pool(const GlobalPoolArguments&) {}
static void plain_pool(const PlainPoolArguments&) {}

}  // namespace linnet::kernels::LINNET_ISA
