// What RunOptions ask for: to stop between two steps.
#pragma once

#include <atomic>
#include <chrono>

#include "linnet/error.h"
#include "linnet/session.h"

namespace linnet::runtime {

inline bool should_stop(const RunOptions& options) {
  if (options.cancel != nullptr && options.cancel->load(std::memory_order_relaxed)) return true;
  const bool limited = options.deadline != std::chrono::steady_clock::time_point::max();
  return limited && std::chrono::steady_clock::now() >= options.deadline;
}

[[noreturn]] inline void throw_cancelled() {
  throw Error(ErrorCode::cancelled, "the run was cancelled, or its deadline has passed");
}

}  // namespace linnet::runtime
