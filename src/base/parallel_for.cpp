#include "base/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace linnet::base {

namespace {

/// Up to `count` threads that run `work`, which must outlive them: fewer where the system refuses one, or the memory for it.
template <typename Work>
std::vector<std::thread> start(std::int64_t count, const Work& work) {
  std::vector<std::thread> threads;
  try {
    threads.reserve(static_cast<std::size_t>(count));
    while (std::cmp_less(threads.size(), count)) threads.emplace_back(std::cref(work));
  } catch (const std::exception&) {
    // What there are do, down to none.
  }
  return threads;
}

}  // namespace

// Plain threads, not OpenMP's: those are gone in a child made by fork, where libgomp would wait for them for ever, and where
// the system refuses it one it ends the process.
void parallel_for(int threads, std::int64_t n, const std::function<void(std::int64_t)>& body) {
  std::atomic<std::int64_t> next = 0;
  std::exception_ptr first;
  std::mutex mutex;
  const auto work = [&] {
    for (std::int64_t i = next++; i < n; i = next++) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (first == nullptr) first = std::current_exception();
      }
    }
  };
  const std::int64_t helpers = std::min<std::int64_t>(threads, n) - 1;
  std::vector<std::thread> others;
  if (helpers > 0) others = start(helpers, work);
  work();
  for (std::thread& other : others) other.join();
  if (first != nullptr) std::rethrow_exception(first);
}

int startable_threads(int wanted) {
  if (wanted <= 1) return 1;
  std::mutex mutex;
  std::condition_variable all_started;
  bool go = false;
  // They wait, so that as many exist at once as a team would have.
  const auto wait = [&] {
    std::unique_lock lock(mutex);
    all_started.wait(lock, [&] { return go; });
  };
  std::vector<std::thread> threads = start(wanted - 1, wait);
  {
    const std::lock_guard lock(mutex);
    go = true;
  }
  all_started.notify_all();
  for (std::thread& thread : threads) thread.join();
  return static_cast<int>(threads.size()) + 1;
}

}  // namespace linnet::base
