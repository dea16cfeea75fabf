#include "runtime/round_trip.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>

namespace linnet::runtime {

double measure_round_trip_ns() {
  using Clock = std::chrono::steady_clock;
  constexpr int kTrips = 500, kRounds = 20;
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(20);
  alignas(64) std::atomic<int> word = 0;
  alignas(64) std::atomic<bool> over = false;
  double best = std::numeric_limits<double>::infinity();
  // Whether the word became `value` before all was over. The clock is looked at now and then only.
  const auto arrives = [&](int value) {
    for (int spins = 1; word.load(std::memory_order_acquire) != value; ++spins) {
      if (over.load(std::memory_order_relaxed)) return false;
      if (spins % 1024 == 0 && Clock::now() > end) over.store(true, std::memory_order_relaxed);
    }
    return true;
  };
#pragma omp parallel num_threads(2)
  if (omp_get_num_threads() == 2) {
    if (omp_get_thread_num() == 1) {
      for (int trip = 0; trip < kRounds * kTrips && arrives(2 * trip + 1); ++trip)
        word.store(2 * trip + 2, std::memory_order_release);
    } else {
      int trip = 0;
      for (int round = 0; round < kRounds && !over.load(std::memory_order_relaxed); ++round) {
        const Clock::time_point begin = Clock::now();
        const int last = trip + kTrips;
        for (; trip < last; ++trip) {
          word.store(2 * trip + 1, std::memory_order_release);
          if (!arrives(2 * trip + 2)) break;
        }
        if (trip == last)
          best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - begin).count() / kTrips);
      }
    }
  }
  return best == std::numeric_limits<double>::infinity() ? 0 : best;
}

}  // namespace linnet::runtime
