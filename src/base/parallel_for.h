// Threads for work outside of run() - reading files, packing weights - and how many there may be.
#pragma once

#include <cstdint>
#include <functional>

namespace linnet::base {

/// Calls body(0) .. body(n-1) from up to `threads` threads; an exception of one comes out once all are
/// done.
void parallel_for(int threads, std::int64_t n, const std::function<void(std::int64_t)>& body);

/// `wanted`, or as many threads, the caller's among them, as the system lets this process start now: the OpenMP runtime
/// ends a process in which it is refused one. Which number it is changes no result.
int startable_threads(int wanted);

}  // namespace linnet::base
