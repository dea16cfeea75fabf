// Included once by each ISA translation unit, after its f32x16: defines every kernel and the ISA's table.
// All functions of the algorithm headers are static, so that the object exports the table and nothing else.
#pragma once

#include "kernels/arguments.h"
#include "kernels/conv/conv_kernels.h"
#include "kernels/conv/gemm_kernels.h"
#include "kernels/conv/winograd_kernels.h"
#include "kernels/depthwise/depthwise_kernels.h"
#include "kernels/eltwise/eltwise_kernels.h"
#include "kernels/norm/norm_kernels.h"
#include "kernels/pool/pool_kernels.h"
#include "kernels/reduce/reduce_kernels.h"
#include "kernels/reorder/reorder_kernels.h"
#include "kernels/table.h"

namespace linnet::kernels::LINNET_ISA {

extern const Table kTable;
const Table kTable = {
    Isa::LINNET_ISA,
    kTileShape,
#define LINNET_KERNEL(name, Arguments) name,
#include "kernels/kernels.inc"
#undef LINNET_KERNEL
};

}  // namespace linnet::kernels::LINNET_ISA
