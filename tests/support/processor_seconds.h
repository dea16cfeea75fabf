// Time that a file costs, whatever else the machine does.
//
//   CHECK(processor_seconds_of([&] { (void)Model::load(file); }) < 2 * kSlowness);
#pragma once

#include <ctime>

#include "support/sanitized.h"

namespace linnet::test {

/// Of all threads of the process: a machine that does other work, or has paused us, makes no difference.
double processor_seconds_of(const auto& action) {
  const std::clock_t start = std::clock();
  action();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

/// What a build that is not made to be fast may take more: under a sanitizer, counting its lines, or without optimization and
/// with every graph verified.
#ifdef LINNET_COVERAGE
inline constexpr double kSlowness = 3;
#elif defined(NDEBUG)
inline constexpr double kSlowness = kSanitized ? 30 : 1;
#else
inline constexpr double kSlowness = 30;
#endif

}  // namespace linnet::test
