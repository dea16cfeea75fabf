#include "runtime/peak.h"

#include <algorithm>
#include <chrono>

namespace linnet::runtime {

double measure_peak_gflops(const kernels::Table& table, int threads, double milliseconds) {
  using Clock = std::chrono::steady_clock;
  constexpr long kRounds = 200;                        // about 0.1 ms on a fast core
  constexpr double kFlops = 960.0 * 16 * 2 * kRounds;  // of one call
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                   std::chrono::duration<double, std::milli>(milliseconds));
  double total = 0;
#pragma omp parallel num_threads(threads) reduction(+ : total)
  {
    alignas(64) float sink[16] = {};
    double best = 0;
    do {
      const Clock::time_point begin = Clock::now();
      table.fma_peak({kRounds, sink});
      best = std::max(best, kFlops / std::chrono::duration<double>(Clock::now() - begin).count());
    } while (Clock::now() < end);
    total += best;
  }
  return total * 1e-9;
}

}  // namespace linnet::runtime
