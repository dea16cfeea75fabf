// What the processor can do, found at run time.
#pragma once

#include <string>

#include "kernels/isa.h"

namespace linnet::kernels {

const char* name(Isa isa);

struct Cpu {
  std::string brand;            // "AMD EPYC ..."; empty where unknown
  Isa best = Isa::scalar;       // the best ISA that the processor, the operating system and this build all have
  Isa selected = Isa::scalar;   // best, capped by LINNET_MAX_ISA
  bool cap_unknown = false;     // LINNET_MAX_ISA is set to something that is no ISA's name
  int logical = 1;              // processors in this process's affinity mask
  double quota = 0;             // processors' worth of time the cgroup allows; 0: no limit
  long l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // 0 where unknown
};

/// Reads CPUID, the affinity mask, the cgroup and LINNET_MAX_ISA anew at each call; keeps no state.
Cpu detect_cpu();

/// min(affinity mask, cgroup quota rounded up), at least 1.
int default_threads(const Cpu& cpu);

}  // namespace linnet::kernels
