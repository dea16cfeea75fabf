// linnet inspect: inputs, outputs, operators, passes, the plan and its memory.
#include <iomanip>
#include <iostream>
#include <map>
#include <optional>
#include <string>

#include "base/printable.h"
#include "cli/json.h"
#include "cli/model_folder.h"
#include "cli/plan_options.h"
#include "cli/verbs.h"
#include "linnet/model.h"
#include "linnet/session.h"

namespace linnet::cli {

namespace {

struct InspectOptions {
  std::string model;
  PlanFlags plan;
  bool passes = false, dot = false, graph = false, json = false;
};

Json to_json(const ValueInfo& info) {
  Json shape = Json::array();
  for (const ValueInfo::Dim& d : info.shape) {
    if (d.value >= 0) {
      shape.push_back(d.value);
    } else if (d.symbol.empty()) {
      shape.push_back(nullptr);
    } else {
      shape.push_back(d.symbol);
    }
  }
  return {{"name", info.name},
          {"type", to_string(info.type)},
          {"shape", info.has_rank ? shape : Json(nullptr)},
          {"optional", info.optional}};
}

Json to_json(const PlanReport& report) {
  Json steps = Json::array();
  for (const StepReport& s : report.steps) {
    steps.push_back({{"name", s.name},
                     {"op", s.op},
                     {"algorithm", s.algorithm},
                     {"kernel", s.kernel},
                     {"output", s.output},
                     {"macs", s.macs},
                     {"weight_bytes", s.weight_bytes}});
  }
  return {{"isa", report.isa},
          {"threads", report.threads},
          {"arena_bytes", report.arena_bytes},
          {"weight_bytes", report.weight_bytes},
          {"steps", steps}};
}

void print_json(const InspectOptions& options, const Model& model, const ModelSummary& summary,
                const PlanReport& report) {
  Json inputs = Json::array(), outputs = Json::array(), operators = Json::object(), passes = Json::array();
  for (const ValueInfo& info : model.inputs()) inputs.push_back(to_json(info));
  for (const ValueInfo& info : model.outputs()) outputs.push_back(to_json(info));
  for (const auto& [name, count] : summary.operators) operators[name] = count;
  // A file may import 100,000 domains, and Json looks for each name among all before it.
  const std::map<std::string, int> opsets(summary.opsets.begin(), summary.opsets.end());
  for (const PassReport& p : report.passes)
    passes.push_back({{"name", p.name}, {"enabled", p.enabled}, {"applied", p.applied}, {"refused", p.refused}});
  const Json json = {{"model", options.model},
                     {"ir_version", summary.ir_version},
                     {"opsets", opsets},
                     {"producer", summary.producer},
                     {"metadata", summary.metadata},
                     {"inputs", inputs},
                     {"outputs", outputs},
                     {"operators", operators},
                     {"parameters", summary.parameters},
                     {"macs", report.macs},
                     {"passes", passes},
                     {"plan", to_json(report)}};
  write_json(json);
}

void print_passes(const PlanReport& report) {
  std::cout << "\npasses\n";
  for (const PassReport& p : report.passes) {
    std::cout << "  " << std::left << std::setw(24) << p.name << std::right;
    if (!p.enabled) {
      std::cout << "switched off\n";
      continue;
    }
    std::cout << std::setw(5) << p.applied << " applied";
    if (!p.refused.empty()) std::cout << ", " << p.refused.size() << " refused";
    std::cout << '\n';
    for (const std::string& reason : p.refused) std::cout << "      refused: " << base::printable(reason) << '\n';
  }
}

void print_plan(const PlanReport& report) {
  constexpr double kMiB = 1 << 20;
  std::cout << "\nplan for " << report.isa << ", " << report.threads << " threads: " << std::fixed
            << std::setprecision(1) << static_cast<double>(report.weight_bytes) / kMiB << " MiB packed weights, "
            << static_cast<double>(report.arena_bytes) / kMiB << " MiB arena, " << std::setprecision(3)
            << static_cast<double>(report.macs) * 1e-9 << " GMAC\n";
  std::cout << "  step  " << std::left << std::setw(18) << "operator" << std::setw(32) << "algorithm" << std::setw(8)
            << "kernel" << std::right << std::setw(10) << "MMAC"
            << "  "
            << "output\n";
  for (std::size_t i = 0; i < report.steps.size(); ++i) {
    const StepReport& s = report.steps[i];
    std::cout << std::setw(6) << i << "  " << std::left << std::setw(18) << s.op << std::setw(32) << s.algorithm
              << std::setw(8) << s.kernel << std::right << std::setw(10) << std::setprecision(1)
              << static_cast<double>(s.macs) * 1e-6 << "  " << base::printable(s.output) << "  "
              << base::printable(s.name) << '\n';
  }
}

void print_text(const InspectOptions& options, const Model& model, const ModelSummary& summary,
                const std::optional<PlanReport>& report) {
  std::cout << "model        " << base::printable(options.model) << "\nIR version   " << summary.ir_version
            << "\nopsets      ";
  for (const auto& [domain, version] : summary.opsets) std::cout << ' ' << base::printable(domain) << ' ' << version;
  std::cout << "\nproducer     " << base::printable(summary.producer) << "\nparameters   " << summary.parameters
            << '\n';
  for (const auto& [key, value] : summary.metadata)
    std::cout << "metadata     " << base::printable(key) << ": " << base::printable(value.substr(0, 100))
              << (value.size() > 100 ? "..." : "") << '\n';
  for (const ValueInfo& info : model.inputs())
    std::cout << "input        " << base::printable(info.name) << "  " << base::printable(to_string(info))
              << (info.optional ? "  (optional)" : "") << '\n';
  for (const ValueInfo& info : model.outputs())
    std::cout << "output       " << base::printable(info.name) << "  " << base::printable(to_string(info)) << '\n';
  std::cout << "operators   ";
  for (const auto& [name, count] : summary.operators) std::cout << ' ' << name << ' ' << count;
  std::cout << '\n';
  if (!report) return;
  if (options.passes) print_passes(*report);
  if (report->steps.empty()) {
    std::cout
        << "\nNo steps: nothing is computed, an input's shape is open (give it with --shape NAME:AxBxC), or shapes\n"
           "inside depend on the data, so that plans are made as the model runs (linnet bench --profile shows them).\n";
  } else if (!options.passes) {
    print_plan(*report);
  }
}

int run_inspect(const InspectOptions& options) {
  const Model model = Model::load(model_file(options.model));
  if (options.dot || options.graph) {
    const Plan plan(model, session_options(options.plan));
    options.dot ? plan.print_dot(std::cout) : plan.print(std::cout);
    return 0;
  }
  const ModelSummary summary = model.summary();
  const PlanReport report = Plan(model, session_options(options.plan)).report();
  if (options.json) {
    print_json(options, model, summary, report);
  } else {
    print_text(options, model, summary, report);
  }
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* verb = app.add_subcommand(
      "inspect", "Show a model: inputs, outputs, operators, parameters, multiply-adds, and the plan for this machine.");
  add_model_argument(*verb, options->model);
  add_plan_flags(*verb, options->plan);
  verb->add_flag("--passes", options->passes, "What each rewrite of the graph did, and where it refused and why.");
  CLI::Option* graph = verb->add_flag("--graph", options->graph, "The graph after the rewrites, a node a line.");
  CLI::Option* dot = verb->add_flag("--dot", options->dot,
                                    "The same as a Graphviz picture: linnet inspect m.onnx --dot | dot -Tsvg > m.svg");
  dot->excludes(graph);
  verb->add_flag("--json", options->json,
                 "Print one JSON object: inputs, outputs, operators, parameters, macs, passes, plan.")
      ->excludes(graph, dot);
  verb->callback([options, &action] { action = [options] { return run_inspect(*options); }; });
}

}  // namespace linnet::cli
