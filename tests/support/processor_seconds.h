// Time that a file costs, whatever else the machine does.
//
//   CHECK(processor_seconds_of([&] { (void)Model::load(file); }) < 2);
#pragma once

#include <ctime>

namespace linnet::test {

/// Of all threads of the process: a machine that does other work, or has paused us, makes no difference.
double processor_seconds_of(const auto& action) {
  const std::clock_t start = std::clock();
  action();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace linnet::test
