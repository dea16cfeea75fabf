#include "runtime/barrier.h"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>
#include <vector>

using linnet::runtime::Barrier;
using namespace std::chrono_literals;

namespace {

template <typename Work>
void on_threads(int threads, const Work& work) {
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back([&work, thread] { work(thread); });
  work(0);
  for (std::thread& other : others) other.join();
}

std::chrono::nanoseconds processor_time() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

TEST_CASE("a barrier lets nobody through before all are there, round after round") {
  for (const int threads : {1, 2, 3, 8}) {
    constexpr int kRounds = 3000;
    Barrier barrier;
    std::vector<int> round(
        static_cast<std::size_t>(threads));  // plain: the barrier alone orders what is written and read
    std::atomic<int> early = 0;
    on_threads(threads, [&](int thread) {
      for (int i = 1; i <= kRounds; ++i) {
        round[static_cast<std::size_t>(thread)] = i;
        barrier.wait(threads, 0us);
        for (const int other : round) early += other != i;
        barrier.wait(threads, 0us);
      }
    });
    INFO(threads);
    CHECK(early == 0);
  }
}

TEST_CASE("who waits for long at a barrier sleeps, and is woken") {
  constexpr int kRounds = 10;
  Barrier barrier;
  std::vector<std::chrono::nanoseconds> spent(3);
  on_threads(3, [&](int thread) {
    const std::chrono::nanoseconds before = processor_time();
    for (int i = 0; i < kRounds; ++i) {
      if (thread == i % 3) std::this_thread::sleep_for(20ms);
      barrier.wait(3, 1h);
    }
    spent[static_cast<std::size_t>(thread)] = processor_time() - before;
  });
  // A thread waits in six or seven rounds of 20 ms; spinning to the end would take more than 100 ms.
  for (const std::chrono::nanoseconds time : spent) CHECK(time < 40ms);
}

TEST_CASE("a waiting thread spins for a quarter of what it worked, within 30 and 300 us") {
  CHECK(Barrier::most_spinning(0us) == 30us);
  CHECK(Barrier::most_spinning(400us) == 100us);
  CHECK(Barrier::most_spinning(1h) == 300us);
}
