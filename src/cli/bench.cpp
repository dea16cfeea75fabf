// linnet bench: how fast a model runs here, against the FMA peak measured in the same run.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <string>

#include "base/printable.h"
#include "cli/json.h"
#include "cli/model_folder.h"
#include "cli/plan_options.h"
#include "cli/verbs.h"
#include "linnet/cpu.h"
#include "linnet/error.h"
#include "linnet/session.h"

namespace linnet::cli {

namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string model;
  PlanFlags plan;
  int batch = 1;
  double seconds = 5;
  int warmup = 5;
  bool profile = false, json = false;
};

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// Of this process, now; 0 where the system does not tell. Not by getrusage(), whose peak outlives exec(): it may be that of the
/// process that started this one.
struct Resident {
  double now_mb = 0, peak_mb = 0;
};

Resident resident() {
  Resident result;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kb = 0;
    if (word == "VmRSS:" && status >> kb) result.now_mb = kb / 1024;
    if (word == "VmHWM:" && status >> kb) result.peak_mb = kb / 1024;
  }
  return result;
}

/// The q-quantile of sorted values, nearest rank.
double quantile(const std::vector<double>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

/// Values as of a normalised picture, from a fixed generator, so that no run depends on chance.
void fill_input(Tensor& tensor) {
  std::uint32_t state = 12345;
  const auto next = [&state] { return state = state * 1664525u + 1013904223u; };
  if (tensor.type() == DataType::float32) {
    for (float& x : tensor.mutable_data<float>()) x = static_cast<float>(next() >> 8) / 8388608.0f - 1.0f;
  }
}

/// The session's inputs: shapes of the model, --shape and --batch.
SessionOptions bound_options(const BenchOptions& options, const Model& model, std::vector<NamedTensor>& inputs) {
  SessionOptions session = session_options(options.plan);
  bind_open_shapes(session, model, options.batch, options.model);
  for (const ValueInfo& info : model.inputs()) {
    if (info.optional) continue;
    Tensor tensor(info.type, session.input_shapes.at(info.name));
    fill_input(tensor);
    inputs.emplace_back(info.name, std::move(tensor));
  }
  return session;
}

struct BenchResult {
  double load_ms = 0, first_ms = 0;
  std::vector<double> times;  // ms, sorted
  double peak_gflops = 0;
  double round_trip_ns = 0;  // 0: one thread
  std::int64_t batch = 1;
  Resident resident;  // after the runs
  PlanReport report;

  [[nodiscard]] double median() const { return quantile(times, 0.5); }
  [[nodiscard]] double gflops() const { return 2e-6 * static_cast<double>(report.macs) / median(); }
  [[nodiscard]] double images_per_s() const { return 1000.0 * static_cast<double>(batch) / median(); }
};

BenchResult measure(const BenchOptions& options) {
  BenchResult result;
  const Clock::time_point begin = Clock::now();
  Model model = Model::load(model_file(options.model));
  std::vector<NamedTensor> inputs;
  const SessionOptions session_options = bound_options(options, model, inputs);
  Session session(std::move(model), session_options);
  result.load_ms = milliseconds_since(begin);
  const Clock::time_point first = Clock::now();
  std::vector<Tensor> outputs = session.run(inputs);
  result.first_ms = milliseconds_since(first);
  if (!inputs.empty() && !inputs[0].second.shape().empty()) result.batch = inputs[0].second.shape()[0];
  const int threads = session.plan().report().threads;
  result.peak_gflops = measure_peak_gflops(threads, 100);
  if (threads > 1) result.round_trip_ns = measure_round_trip_ns();
  for (int i = 0; i < options.warmup; ++i) session.run(inputs, outputs);
  session.enable_profile(options.profile);
  const Clock::time_point measured = Clock::now();
  do {
    const Clock::time_point run = Clock::now();
    session.run(inputs, outputs);
    result.times.push_back(milliseconds_since(run));
  } while (milliseconds_since(measured) < options.seconds * 1000 || result.times.size() < 3);
  result.resident = resident();
  // Once more: the machine's clock may have moved while we measured.
  result.peak_gflops = std::max(result.peak_gflops, measure_peak_gflops(threads, 100));
  std::sort(result.times.begin(), result.times.end());
  result.report = session.profile();
  return result;
}

void print_json(const BenchOptions& options, const BenchResult& r) {
  Json steps = Json::array();
  for (const StepReport& s : r.report.steps) {
    steps.push_back({{"name", s.name},
                     {"op", s.op},
                     {"algorithm", s.algorithm},
                     {"kernel", s.kernel},
                     {"macs", s.macs},
                     {"tuned", s.tuned},
                     {"ms", s.milliseconds},
                     {"gflops", s.milliseconds > 0 ? 2e-6 * static_cast<double>(s.macs) / s.milliseconds : 0.0}});
  }
  const Json json = {{"model", options.model},
                     {"batch", r.batch},
                     {"threads", r.report.threads},
                     {"isa", r.report.isa},
                     {"load_ms", r.load_ms},
                     {"first_ms", r.first_ms},
                     {"runs", r.times.size()},
                     {"min_ms", r.times.front()},
                     {"median_ms", r.median()},
                     {"p90_ms", quantile(r.times, 0.9)},
                     {"p99_ms", quantile(r.times, 0.99)},
                     {"images_per_s", r.images_per_s()},
                     {"gflops", r.gflops()},
                     {"peak_gflops", r.peak_gflops},
                     {"round_trip_ns", r.round_trip_ns},
                     {"peak_rss_mb", r.resident.peak_mb},
                     {"resident_mb", r.resident.now_mb},
                     {"arena_bytes", r.report.arena_bytes},
                     {"weight_bytes", r.report.weight_bytes},
                     {"macs", r.report.macs},
                     {"steps", steps}};
  write_json(json);
}

void print_profile(const BenchResult& r) {
  const double total = std::accumulate(r.report.steps.begin(), r.report.steps.end(), 0.0,
                                       [](double sum, const StepReport& s) { return sum + s.milliseconds; });
  std::cout << "\n  step        ms      %   GFLOP/s  % peak  " << std::left << std::setw(18) << "operator"
            << std::setw(32) << "algorithm"
            << "output\n"
            << std::right;
  for (std::size_t i = 0; i < r.report.steps.size(); ++i) {
    const StepReport& s = r.report.steps[i];
    const double gflops = s.milliseconds > 0 ? 2e-6 * static_cast<double>(s.macs) / s.milliseconds : 0;
    std::cout << std::setw(6) << i << std::setprecision(3) << std::setw(10) << s.milliseconds << std::setprecision(1)
              << std::setw(7) << 100 * s.milliseconds / total << std::setw(10) << gflops << std::setw(8)
              << 100 * gflops / r.peak_gflops << "  " << std::left << std::setw(18) << s.op << std::setw(32)
              << s.algorithm << std::right << base::printable(s.output) << "  " << base::printable(s.name) << '\n';
  }
}

std::string tuned_text(const PlanReport& report) {
  const auto tuned =
      std::count_if(report.steps.begin(), report.steps.end(), [](const StepReport& step) { return step.tuned; });
  return tuned == 0 ? "" : ", " + std::to_string(tuned) + " steps tuned";
}

/// On a machine of several chiplets or sockets, what explains that the same run may take half as long again.
std::string cores_text(const BenchResult& r) {
  if (r.round_trip_ns == 0) return "";
  return "cores      " + std::to_string(std::lround(r.round_trip_ns)) + " ns from one thread's to another's and back\n";
}

void print_text(const BenchOptions& options, const BenchResult& r) {
  std::cout << std::fixed << std::setprecision(2) << "model      " << base::printable(options.model) << "\nbatch "
            << r.batch << ", " << r.report.threads << " threads, " << r.report.isa << tuned_text(r.report) << '\n'
            << "load       " << r.load_ms << " ms, first run " << r.first_ms << " ms\n"
            << "run        min " << r.times.front() << "  median " << r.median() << "  p90 " << quantile(r.times, 0.9)
            << "  p99 " << quantile(r.times, 0.99) << " ms (" << r.times.size() << " runs)\n"
            << "speed      " << r.images_per_s() << " images/s, " << r.gflops() << " GFLOP/s = " << std::setprecision(1)
            << 100 * r.gflops() / r.peak_gflops << " % of the FMA peak of " << r.peak_gflops
            << " measured in this run\n"
            << "           (GFLOP/s count the multiply-adds of direct convolution; Winograd does fewer, so this may "
               "pass 100 %)\n"
            << cores_text(r) << "memory     " << r.resident.now_mb << " MB resident after the runs, "
            << r.resident.peak_mb << " MB at the peak; packed weights "
            << static_cast<double>(r.report.weight_bytes) / 1e6 << " MB, arena "
            << static_cast<double>(r.report.arena_bytes) / 1e6 << " MB\n";
  if (options.profile) print_profile(r);
}

int run_bench(const BenchOptions& options) {
  const BenchResult result = measure(options);
  if (options.json) {
    print_json(options, result);
  } else {
    print_text(options, result);
  }
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* verb =
      app.add_subcommand("bench", "Measure a model: latency, throughput, GFLOP/s against the FMA peak, memory.");
  add_model_argument(*verb, options->model);
  add_plan_flags(*verb, options->plan);
  add_batch_flag(*verb, options->batch);
  verb->add_option("--seconds", options->seconds, "How long to measure.")
      ->check(number_in(0.0, 3600.0))
      ->capture_default_str();
  verb->add_option("--warmup", options->warmup, "Runs before measuring.")
      ->check(number_in(0, 100000))
      ->capture_default_str();
  verb->add_flag("--profile", options->profile, "A table of all steps with their times.");
  verb->add_flag("--json", options->json, "Print one JSON object.");
  verb->callback([options, &action] { action = [options] { return run_bench(*options); }; });
}

}  // namespace linnet::cli
