#include "runtime/barrier.h"

#include <algorithm>
#include <limits>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace linnet::runtime {

namespace {

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Not std::atomic's wait, which gives its processor away before it sleeps: on a busy machine that is milliseconds.
void sleep(std::atomic<unsigned>& word, unsigned value) noexcept {
#if defined(__linux__)
  ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  word.wait(value);
#endif
}

void wake(std::atomic<unsigned>& word) noexcept {
#if defined(__linux__)
  ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, std::numeric_limits<int>::max(), nullptr, nullptr, 0);
#else
  word.notify_all();
#endif
}

}  // namespace

Barrier::Clock::duration Barrier::most_spinning(Clock::duration worked) noexcept {
  using std::chrono::microseconds;
  return std::clamp<Clock::duration>(worked / 4, microseconds(30), microseconds(300));
}

void Barrier::wait(int threads, Clock::duration worked) noexcept {
  const unsigned round = round_.load(std::memory_order_relaxed);  // cannot change before we arrive
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
    arrived_.store(0, std::memory_order_relaxed);
    round_.store(round + 1);
    if (sleepers_.load() != 0) wake(round_);
    return;
  }
  const Clock::time_point end = Clock::now() + most_spinning(worked);
  do {
    for (int i = 0; i < 16; ++i) {
      if (round_.load(std::memory_order_acquire) != round) return;
      relax();
    }
  } while (Clock::now() < end);
  // Who comes last sees either that we sleep, or that we have not begun to and will see the new round.
  sleepers_.fetch_add(1);
  while (round_.load() == round) sleep(round_, round);
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace linnet::runtime
