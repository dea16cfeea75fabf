// The barrier between two steps of a run.
#pragma once

#include <atomic>
#include <chrono>

namespace linnet::runtime {

/// Waits by spinning for a while, then asleep. A thread that spins while the one it waits for has lost its processor to
/// another program keeps that program, or the one it waits for, from running: OpenMP's own barrier, which spins for
/// milliseconds, makes a run on a busy machine several times as long. Allocates nothing.
class Barrier {
 public:
  using Clock = std::chrono::steady_clock;

  /// For how long a thread that `worked` without waiting spins before it sleeps. A step is parted evenly to within a few per
  /// cent, so who has waited for a quarter of the time waits for somebody who does not run; at least 30 us, for a sleep and
  /// its wake-up take about as long, at most 300 us.
  static Clock::duration most_spinning(Clock::duration worked) noexcept;

  /// Returns once `threads` threads are here; they may then meet again. `worked`: since the caller last left the barrier.
  /// What a thread wrote before is seen by all after.
  void wait(int threads, Clock::duration worked) noexcept;

 private:
  // On lines of their own: who arrives must not take the line away from those who spin.
  alignas(64) std::atomic<int> arrived_ = 0;
  alignas(64) std::atomic<unsigned> round_ = 0;
  std::atomic<int> sleepers_ = 0;
};

}  // namespace linnet::runtime
