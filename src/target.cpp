#include "target.h"

#include <string>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/out_of_memory.h"
#include "base/parallel_for.h"
#include "linnet/cpu.h"
#include "linnet/error.h"
#include "linnet/version.h"
#include "runtime/peak.h"
#include "runtime/round_trip.h"
#include "runtime/team.h"

namespace linnet {

namespace {

constexpr int kMostThreads = 1024;
constexpr int kMostMilliseconds = 60'000;

/// What a measured blocking is good for.
std::string machine_of(const kernels::Cpu& cpu) {
  return (cpu.brand.empty() ? "unknown processor" : cpu.brand) + ", L2 " + std::to_string(cpu.l2_bytes / 1024) +
         " KiB, L3 " + std::to_string(cpu.l3_bytes / 1024) + " KiB | " + kernels::name(cpu.selected) + " | linnet " +
         std::string(kVersion);
}

[[noreturn]] void out_of_range(const std::string& what, std::string where, std::string expected, std::string found) {
  throw Error(ErrorCode::usage, what + " is out of range",
              {.where = std::move(where), .expected = std::move(expected), .found = std::move(found)});
}

void require_limit(std::int64_t limit, const char* what, const char* where) {
  if (limit < 0) out_of_range(what, where, "0 or more", std::to_string(limit));
}

CpuInfo info_of(const kernels::Cpu& cpu) {
  CpuInfo info;
  info.brand = cpu.brand;
  info.isa = kernels::name(cpu.selected);
  info.best_isa = kernels::name(cpu.best);
  for (const kernels::Isa isa : kernels::kIsas) {
    if (isa <= cpu.best && kernels::table(isa) != nullptr) info.available_isas.emplace_back(kernels::name(isa));
  }
  info.logical_cpus = cpu.logical;
  info.cgroup_quota = cpu.quota;
  info.default_threads = kernels::default_threads(cpu);
  info.l1d_bytes = cpu.l1d_bytes;
  info.l2_bytes = cpu.l2_bytes;
  info.l3_bytes = cpu.l3_bytes;
  return info;
}

}  // namespace

kernels::Cpu checked_cpu() {
  kernels::Cpu cpu = kernels::detect_cpu();
  if (!cpu.unknown_cap.empty()) {
    std::string known;
    for (const kernels::Isa isa : kernels::kIsas) known += (known.empty() ? "one of " : ", ") + std::string(name(isa));
    throw Error(ErrorCode::usage, "the environment variable LINNET_MAX_ISA is no instruction set's name",
                {.expected = known, .found = cpu.unknown_cap});
  }
  return cpu;
}

plan::PlanTarget plan_target(const SessionOptions& options) {
  if (options.threads < 0 || options.threads > kMostThreads) {
    out_of_range("the number of threads", "SessionOptions::threads", "0 (automatic) to " + std::to_string(kMostThreads),
                 std::to_string(options.threads));
  }
  if (options.convolution != Convolution::automatic && options.convolution != Convolution::direct) {
    out_of_range("the choice of convolutions", "SessionOptions::convolution", "automatic or direct",
                 std::to_string(static_cast<int>(options.convolution)));
  }
  require_limit(options.max_arena_bytes, "the limit of the arena", "SessionOptions::max_arena_bytes");
  require_limit(options.max_loop_trips, "the limit of trips", "SessionOptions::max_loop_trips");
  require_limit(options.max_folded_bytes, "the limit of folded constants", "SessionOptions::max_folded_bytes");
  const kernels::Cpu cpu = checked_cpu();
  plan::PlanTarget target;
  target.table = kernels::table(cpu.selected);
  target.threads = base::startable_threads(options.threads == 0 ? kernels::default_threads(cpu) : options.threads);
  runtime::end_teams_before_forks();
  target.weights_past_l3 = cpu.fetches_past_l3;
  target.winograd = options.convolution == Convolution::automatic;
  target.disabled_passes = options.disabled_passes;
  target.max_arena_bytes = options.max_arena_bytes;
  target.max_folded_bytes = options.max_folded_bytes;
  target.tuning = options.tuning;
  target.machine = machine_of(cpu);
  return target;
}

CpuInfo cpu_info() {
  return base::guard_memory([] { return info_of(checked_cpu()); });
}

double measure_peak_gflops(int threads, double milliseconds) {
  if (threads < 1 || threads > kMostThreads)
    out_of_range("the number of threads", "threads", "1 to " + std::to_string(kMostThreads), std::to_string(threads));
  if (!(milliseconds >= 0 && milliseconds <= kMostMilliseconds)) {
    out_of_range("the time to measure", "milliseconds", "0 to " + std::to_string(kMostMilliseconds),
                 std::to_string(milliseconds));
  }
  return base::guard_memory([&] {
    return runtime::measure_peak_gflops(*kernels::table(checked_cpu().selected), base::startable_threads(threads),
                                        milliseconds);
  });
}

double measure_round_trip_ns() { return runtime::measure_round_trip_ns(); }

}  // namespace linnet
