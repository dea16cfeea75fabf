// What Linnet found out about this machine.
//
//   const linnet::CpuInfo cpu = linnet::cpu_info();
//   std::cout << cpu.isa << " on " << cpu.brand << ", " << cpu.default_threads << " threads\n";
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace linnet {

struct CpuInfo {
  std::string brand;                        ///< the processor's own name; empty where unknown
  std::string isa;                          ///< the instruction set in use: "scalar", "neon", "avx2", "avx512"
  std::string best_isa;                     ///< the best that processor, system and build have, before LINNET_MAX_ISA
  std::vector<std::string> available_isas;  ///< all that could be selected here
  int logical_cpus = 1;                     ///< in this process's affinity mask
  double cgroup_quota = 0;                  ///< processors' worth of time; 0: no limit
  int default_threads = 1;                  ///< min(affinity mask, cgroup quota), at least 1
  std::int64_t l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  ///< 0 where unknown
};

/// Looks anew at each call. Throws Error(usage) if the environment variable LINNET_MAX_ISA is no ISA's name.
CpuInfo cpu_info();

/// Measures the fp32 FMA peak of `threads` threads together in GFLOP/s with the ISA in use, for about `milliseconds`.
/// Throws Error(usage) unless there are 1 to 1024 of them and 0 to 60,000 milliseconds.
double measure_peak_gflops(int threads, double milliseconds = 20);

/// Measures how long a word takes from one thread's core to another's and back, in nanoseconds, within about 20 ms. On Zen 5
/// it is 75 to 130 where the two cores share a last-level cache and 340 to 440 where they do not; then all that threads hand to
/// each other takes longer. 0 where no second thread gets a processor in that time.
double measure_round_trip_ns();

}  // namespace linnet
