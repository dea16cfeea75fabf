// Every kernel for the ISA "avx512"; compiled with that ISA's flags and with nothing of the standard library.
#define LINNET_ISA avx512
#include "kernels/isa/f32x16_avx512.h"
#include "kernels/isa_table.h"
