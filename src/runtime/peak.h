// The fp32 FMA peak of this machine, which attained GFLOP/s are compared with.
#pragma once

#include "kernels/table.h"

namespace linnet::runtime {

/// GFLOP/s of `threads` threads together: the best of several short rounds within about `milliseconds`.
double measure_peak_gflops(const kernels::Table& table, int threads, double milliseconds);

}  // namespace linnet::runtime
