// Every kernel for the ISA "neon"; compiled with that ISA's flags and with nothing of the standard library.
#define LINNET_ISA neon
#include "kernels/isa/f32x16_neon.h"
#include "kernels/isa_table.h"
