#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <string>

#include "kernels/cpu.h"
#include "kernels/table.h"
#include "support/env_guard.h"
#include "support/sanitized.h"

using namespace linnet::kernels;
using linnet::test::EnvGuard;
using linnet::test::kSanitized;

TEST_CASE("the best instruction set is one that this build has") {
  const EnvGuard guard("LINNET_MAX_ISA", std::nullopt);
  const Cpu cpu = detect_cpu();
  REQUIRE(table(cpu.best) != nullptr);
  CHECK(table(cpu.best)->isa == cpu.best);
  CHECK(cpu.selected == cpu.best);
  CHECK(cpu.unknown_cap.empty());
#if defined(__aarch64__)
  CHECK(cpu.best == Isa::neon);
#endif
}

TEST_CASE("LINNET_MAX_ISA caps the instruction set") {
  for (const Isa cap : kIsas) {
    const EnvGuard guard("LINNET_MAX_ISA", name(cap));
    const Cpu cpu = detect_cpu();
    INFO("capped at " << name(cap) << ", selected " << name(cpu.selected));
    CHECK(cpu.selected <= cap);
    CHECK(cpu.selected <= cpu.best);
    CHECK(table(cpu.selected) != nullptr);
    if (cap >= cpu.best) CHECK(cpu.selected == cpu.best);
    if (table(cap) != nullptr && cap <= cpu.best) CHECK(cpu.selected == cap);
    CHECK(cpu.unknown_cap.empty());
  }
}

TEST_CASE("an unknown LINNET_MAX_ISA is reported, and an empty one is none") {
  for (const char* cap : {"avx", "AVX2", "sse", " scalar"}) {
    const EnvGuard guard("LINNET_MAX_ISA", cap);
    CHECK(detect_cpu().unknown_cap == cap);
  }
  const EnvGuard guard("LINNET_MAX_ISA", "");
  CHECK(detect_cpu().unknown_cap.empty());
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
  for (const Isa isa : kIsas) {
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

#if defined(__x86_64__)
TEST_CASE("lines are asked for past L3 where that was measured: on AMD's processors from family 26 on") {
  std::ifstream file("/proc/cpuinfo");
  bool amd = false;
  int family = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("vendor_id")) amd = line.ends_with(": AuthenticAMD");
    if (line.starts_with("cpu family")) family = std::stoi(line.substr(line.find(':') + 1));
  }
  CHECK(detect_cpu().fetches_past_l3 == (amd && family >= 26));
}

TEST_CASE("K09: an instruction set whose registers the operating system does not save is not used") {
  X86Features all;
  for (bool* const feature : {&all.avx2, &all.fma, &all.f16c, &all.bmi1, &all.bmi2, &all.lzcnt, &all.movbe,
                              &all.avx512_f, &all.avx512_dq, &all.avx512_cd, &all.avx512_bw, &all.avx512_vl}) {
    *feature = true;
  }
  const auto with_state = [&](unsigned long state) {
    X86Features features = all;
    features.saved_state = state;
    return best_isa(features);
  };
  CHECK(with_state(0xe7) == Isa::avx512);
  CHECK(with_state(0x07) == Isa::avx2);    // no mask and zmm registers
  CHECK(with_state(0x67) == Isa::avx2);    // not all of them
  CHECK(with_state(0x03) == Isa::scalar);  // no ymm registers
  CHECK(with_state(0xe5) == Isa::scalar);
  CHECK(with_state(0) == Isa::scalar);  // no XGETBV
  for (bool X86Features::*const missing : {&X86Features::avx2, &X86Features::fma, &X86Features::f16c}) {
    X86Features features = all;
    features.saved_state = 0xe7;
    features.*missing = false;
    CHECK(best_isa(features) == Isa::scalar);
  }
  for (bool X86Features::*const missing :
       {&X86Features::bmi1, &X86Features::bmi2, &X86Features::lzcnt, &X86Features::movbe, &X86Features::avx512_f,
        &X86Features::avx512_dq, &X86Features::avx512_cd, &X86Features::avx512_bw, &X86Features::avx512_vl}) {
    X86Features features = all;
    features.saved_state = 0xe7;
    features.*missing = false;
    CHECK(best_isa(features) == Isa::avx2);
  }
}

// Code with SSE instructions, which is all code outside of the kernels, is slow while the upper halves are in use.
TEST_CASE("K16: kernels leave the upper halves of the registers clean") {
  if (kSanitized) {
    WARN("skipped: with sanitizers the kernels are compiled at -O1, where gcc leaves vzeroupper out");
    return;
  }
  for (const Isa isa : {Isa::avx2, Isa::avx512}) {
    if (table(isa) == nullptr || isa > detect_cpu().best) continue;
    std::array<float, 100> x{}, y{};
    x.fill(-1);
    for (const UnaryOp op : {UnaryOp::relu, UnaryOp::sigmoid, UnaryOp::tanh}) {
      table(isa)->unary({.op = op, .x = x.data(), .y = y.data(), .begin = 0, .end = 100});
      std::array<std::array<std::uint64_t, 2>, 4> upper{};
      __asm__ volatile(
          "vextractf128 $1, %%ymm0, 0(%0)\n\tvextractf128 $1, %%ymm1, 16(%0)\n\t"
          "vextractf128 $1, %%ymm2, 32(%0)\n\tvextractf128 $1, %%ymm3, 48(%0)"
          :
          : "r"(upper.data())
          : "memory");
      for (const auto& half : upper) CHECK((half[0] | half[1]) == 0);
    }
  }
}
#endif
