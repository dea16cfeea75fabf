// linnet cpu: what was detected.
#include <cmath>
#include <iostream>

#include "cli/json.h"
#include "cli/verbs.h"
#include "linnet/cpu.h"

namespace linnet::cli {

namespace {

struct CpuOptions {
  bool json = false;
  bool peak = false;
};

int run_cpu(const CpuOptions& options) {
  const CpuInfo cpu = cpu_info();
  const double peak = options.peak ? measure_peak_gflops(cpu.default_threads, 200) : 0;
  const double round_trip = options.peak && cpu.default_threads > 1 ? measure_round_trip_ns() : 0;
  if (options.json) {
    Json json = {{"brand", cpu.brand},
                 {"isa", cpu.isa},
                 {"best_isa", cpu.best_isa},
                 {"available_isas", cpu.available_isas},
                 {"logical_cpus", cpu.logical_cpus},
                 {"cgroup_quota", cpu.cgroup_quota},
                 {"default_threads", cpu.default_threads},
                 {"l1d_bytes", cpu.l1d_bytes},
                 {"l2_bytes", cpu.l2_bytes},
                 {"l3_bytes", cpu.l3_bytes}};
    if (options.peak) {
      json["peak_gflops"] = peak;
      json["round_trip_ns"] = round_trip;
    }
    write_json(json);
    return 0;
  }
  std::cout << "processor        " << (cpu.brand.empty() ? "unknown" : cpu.brand) << '\n'
            << "instruction set  " << cpu.isa
            << (cpu.isa == cpu.best_isa ? "" : " (capped by LINNET_MAX_ISA; " + cpu.best_isa + " is available)") << '\n'
            << "available        ";
  for (const std::string& isa : cpu.available_isas) std::cout << isa << ' ';
  std::cout << "\nprocessors       " << cpu.logical_cpus << " in the affinity mask";
  if (cpu.cgroup_quota > 0) std::cout << ", cgroup quota " << cpu.cgroup_quota;
  std::cout << "\nthreads          " << cpu.default_threads << " by default\n"
            << "caches           L1d " << cpu.l1d_bytes / 1024 << " KiB, L2 " << cpu.l2_bytes / 1024 << " KiB, L3 "
            << cpu.l3_bytes / 1024 << " KiB\n";
  if (options.peak)
    std::cout << "FMA peak         " << peak << " GFLOP/s on " << cpu.default_threads << " threads, measured now\n";
  if (round_trip > 0)
    std::cout << "cores            " << std::lround(round_trip) << " ns from one thread's to another's and back\n";
  return 0;
}

}  // namespace

void add_cpu(CLI::App& app, Action& action) {
  auto options = std::make_shared<CpuOptions>();
  CLI::App* verb = app.add_subcommand("cpu", "Show what was detected: instruction set, caches, threads.");
  verb->add_flag("--json", options->json, "Print one JSON object.");
  verb->add_flag("--peak", options->peak,
                 "Also measure the fp32 FMA peak, and the way between two threads' cores (0.2 s).");
  verb->callback([options, &action] { action = [options] { return run_cpu(*options); }; });
}

}  // namespace linnet::cli
