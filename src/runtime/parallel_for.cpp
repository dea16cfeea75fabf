#include "runtime/parallel_for.h"

#include <exception>
#include <mutex>

namespace linnet::runtime {

void parallel_for(int threads, std::int64_t n, const std::function<void(std::int64_t)>& body) {
  // libgomp allocates a team even for a region of one thread, and ends the process where it cannot.
  if (threads == 1) {
    for (std::int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  // An exception must not leave the region; the first is thrown again behind it.
  std::exception_ptr first;
  std::mutex mutex;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (std::int64_t i = 0; i < n; ++i) {
    try {
      body(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (first == nullptr) first = std::current_exception();
    }
  }
  if (first != nullptr) std::rethrow_exception(first);
}

}  // namespace linnet::runtime
