// The kernels of one instruction set, as a table of functions; kernels.inc is the list. Kernels are single-threaded and cannot
// fail: the caller has proved the shapes.
#pragma once

#include "kernels/arguments.h"
#include "kernels/isa.h"

namespace linnet::kernels {

struct Table {
  Isa isa;
  TileShape tile;  // register tile of the convolution and GEMM kernels: pixels x output channels
#define LINNET_KERNEL(name, Arguments) void (*name)(const Arguments&);
#include "kernels/kernels.inc"
#undef LINNET_KERNEL
};

/// The table of `isa`, or null where this build has none. Whether the processor can run it is Cpu::best's business.
const Table* table(Isa isa);

}  // namespace linnet::kernels
