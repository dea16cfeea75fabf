// Loops over independent items, for work outside of run(): packing weights.
#pragma once

#include <cstdint>
#include <functional>

namespace linnet::runtime {

/// Calls body(0) .. body(n-1) from up to `threads` threads; body must not throw.
void parallel_for(int threads, std::int64_t n, const std::function<void(std::int64_t)>& body);

}  // namespace linnet::runtime
