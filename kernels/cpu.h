// What the processor can do, found at run time.
#pragma once

#include <string>

#include "kernels/isa.h"

namespace linnet::kernels {

const char* name(Isa isa);

struct Cpu {
  std::string brand;           // "AMD EPYC ..."; empty where unknown
  Isa best = Isa::scalar;      // the best ISA that the processor, the operating system and this build all have
  Isa selected = Isa::scalar;  // best, capped by LINNET_MAX_ISA
  std::string unknown_cap;     // LINNET_MAX_ISA, where it is no ISA's name; else empty
  int logical = 1;             // processors in this process's affinity mask
  double quota = 0;            // processors' worth of time the cgroup allows; 0: no limit
  // A line asked for as non-temporal waits in L2 like any other, but is not handed on to L3 when it leaves. False where it was not
  // measured (docs/performance.md): such a line may come into L1 alone, and be gone before it is wanted.
  bool fetches_past_l3 = false;
  long l1d_bytes = 0, l2_bytes = 0, l3_bytes = 0;  // 0 where unknown
};

/// Reads CPUID, the affinity mask, the cgroup and LINNET_MAX_ISA anew at each call; keeps no state.
Cpu detect_cpu();

#if defined(__x86_64__)
/// What CPUID and XGETBV say of an x86 processor, as far as the choice of an ISA needs it.
struct X86Features {
  bool avx2 = false, fma = false, f16c = false, bmi1 = false, bmi2 = false, lzcnt = false, movbe = false;
  bool avx512_f = false, avx512_dq = false, avx512_cd = false, avx512_bw = false, avx512_vl = false;
  unsigned long saved_state = 0;  // XCR0: which register files the operating system saves; 0 without OSXSAVE
};
X86Features read_x86_features();
Isa best_isa(const X86Features& features);
#endif

/// min(affinity mask, cgroup quota rounded up), at least 1.
int default_threads(const Cpu& cpu);

}  // namespace linnet::kernels
