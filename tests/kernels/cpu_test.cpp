#include <catch2/catch.hpp>
#include <string>

#include "kernels/cpu.h"
#include "kernels/table.h"
#include "support/env_guard.h"

using namespace linnet::kernels;
using linnet::test::EnvGuard;

TEST_CASE("the best instruction set is one that this build has") {
  const EnvGuard guard("LINNET_MAX_ISA", std::nullopt);
  const Cpu cpu = detect_cpu();
  REQUIRE(table(cpu.best) != nullptr);
  CHECK(table(cpu.best)->isa == cpu.best);
  CHECK(cpu.selected == cpu.best);
  CHECK_FALSE(cpu.cap_unknown);
#if defined(__aarch64__)
  CHECK(cpu.best == Isa::neon);
#endif
}

TEST_CASE("LINNET_MAX_ISA caps the instruction set") {
  for (const Isa cap : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512}) {
    const EnvGuard guard("LINNET_MAX_ISA", name(cap));
    const Cpu cpu = detect_cpu();
    INFO("capped at " << name(cap) << ", selected " << name(cpu.selected));
    CHECK(cpu.selected <= cap);
    CHECK(cpu.selected <= cpu.best);
    CHECK(table(cpu.selected) != nullptr);
    if (cap >= cpu.best) CHECK(cpu.selected == cpu.best);
    if (table(cap) != nullptr && cap <= cpu.best) CHECK(cpu.selected == cap);
    CHECK_FALSE(cpu.cap_unknown);
  }
}

TEST_CASE("an unknown LINNET_MAX_ISA is reported, and an empty one is none") {
  for (const char* cap : {"avx", "AVX2", "sse", " scalar"}) {
    const EnvGuard guard("LINNET_MAX_ISA", cap);
    CHECK(detect_cpu().cap_unknown);
  }
  const EnvGuard guard("LINNET_MAX_ISA", "");
  CHECK_FALSE(detect_cpu().cap_unknown);
  CHECK(detect_cpu().selected == detect_cpu().best);
}

TEST_CASE("threads default to what the affinity mask and the cgroup leave") {
  CHECK(default_threads(detect_cpu()) >= 1);
  CHECK(detect_cpu().logical >= 1);
  Cpu cpu;
  cpu.logical = 8;
  CHECK(default_threads(cpu) == 8);
  for (const auto& [quota, threads] :
       {std::pair{0.5, 1}, std::pair{1.0, 1}, std::pair{1.5, 2}, std::pair{7.2, 8}, std::pair{1e12, 8}}) {
    cpu.quota = quota;
    CHECK(default_threads(cpu) == threads);
  }
}

TEST_CASE("every instruction set has a name and every table all kernels") {
  for (const Isa isa : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512}) {
    CHECK(std::string(name(isa)) != "");
    const Table* t = table(isa);
    if (t == nullptr) continue;
    CHECK(t->isa == isa);
    CHECK(t->tile.channels % 16 == 0);
#define LINNET_KERNEL(kernel, Arguments) CHECK(t->kernel != nullptr);
#include "kernels/kernels.inc"
#undef LINNET_KERNEL
  }
}
