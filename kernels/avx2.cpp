// Every kernel for the ISA "avx2"; compiled with that ISA's flags and with nothing of the standard library.
#define LINNET_ISA avx2
#include "kernels/isa/f32x16_avx2.h"
#include "kernels/isa_table.h"
