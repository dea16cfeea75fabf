// Every kernel for the ISA "scalar"; compiled with that ISA's flags and with nothing of the standard library.
#define LINNET_ISA scalar
#include "kernels/isa/f32x16_scalar.h"
#include "kernels/isa_table.h"
