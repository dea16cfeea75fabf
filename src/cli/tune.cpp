// linnet tune: measures how a model's convolutions are best blocked on this machine, and keeps it in a file.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <thread>

#include "cli/json.h"
#include "cli/model_folder.h"
#include "cli/plan_options.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "linnet/error.h"
#include "linnet/session.h"
#include "linnet/tuning.h"

namespace linnet::cli {

namespace {

struct TuneVerbOptions {
  std::string model;
  PlanFlags plan;
  int batch = 1;
  double seconds = 30;
  bool json = false;
};

std::string to_text(const Blocking& b) {
  std::string text = std::to_string(b.tiles) + " tiles";
  if (b.chunk != 0) text += ", chunk " + std::to_string(b.chunk);
  return text + ", " + std::to_string(b.panel_parts) + (b.panel_parts == 1 ? " part" : " parts");
}

Json to_json(const Blocking& b) { return {{"tiles", b.tiles}, {"chunk", b.chunk}, {"panel_parts", b.panel_parts}}; }

void print_json(const TuneVerbOptions& options, const std::string& file, const TuneResult& result) {
  Json changed = Json::array();
  for (const TunedShape& shape : result.changed) {
    changed.push_back({{"key", shape.key},
                       {"nodes", shape.nodes},
                       {"before", to_json(shape.before)},
                       {"after", to_json(shape.after)},
                       {"before_ms", shape.before_ms},
                       {"after_ms", shape.after_ms}});
  }
  const Json json = {{"model", options.model},
                     {"file", file},
                     {"shapes", result.shapes},
                     {"before_ms", result.before_ms},
                     {"after_ms", result.after_ms},
                     {"changed", changed},
                     {"entries", result.tuning.blockings.size()}};
  write_json(json);
}

void print_text(const std::string& file, const TuneResult& result) {
  std::cout << std::fixed << std::setprecision(2) << result.shapes
            << " shapes of convolutions measured; the network took " << result.before_ms << " ms before, "
            << result.after_ms << " ms tuned\n";
  for (const TunedShape& shape : result.changed) {
    std::cout << std::setw(8) << shape.before_ms << " -> " << shape.after_ms << " ms  " << to_text(shape.before)
              << " -> " << to_text(shape.after) << "  " << shape.key.substr(shape.key.rfind('|') + 2) << ", "
              << shape.nodes.size() << (shape.nodes.size() == 1 ? " node" : " nodes") << '\n';
  }
  if (result.changed.empty()) {
    std::cout << "Nothing was faster beyond the noise: the built-in model stands.\n";
  } else {
    std::cout << result.tuning.blockings.size() << " blockings are in " << file
              << ", for SessionOptions::tuning and for this program.\n";
  }
}

TuneResult tune_with_progress(const Model& model, const SessionOptions& session, double seconds) {
  std::atomic<int> percent = 0;
  TuneOptions options;
  options.seconds = seconds;
  options.percent = &percent;
  const std::jthread watch([&percent](const std::stop_token& done) {
    const Progress progress;
    while (!done.stop_requested()) {
      progress.show("tuning, " + std::to_string(percent) + " %");
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  });
  return tune(model, session, options);
}

/// What the file holds by now, which another run may have changed, and what this one has found.
Tuning with_changes(const std::string& file, const TuneResult& result) {
  std::error_code ignored;
  Tuning tuning = std::filesystem::exists(file, ignored) ? load_tuning(file) : Tuning();
  for (const TunedShape& shape : result.changed) tuning.blockings[shape.key] = shape.after;
  return tuning;
}

int run_tune(const TuneVerbOptions& options) {
  const std::string file = options.plan.tuning.empty() ? default_tuning_file() : options.plan.tuning;
  if (file.empty() || file == kNoTuning) {
    throw Error(ErrorCode::usage, "there is no place to keep what is found; give one with --tuning FILE",
                {.where = "--tuning", .expected = "the path of a file", .found = file});
  }
  const Model model = Model::load(model_file(options.model));
  SessionOptions session = session_options(options.plan, FileMayBeMissing::yes);
  bind_open_shapes(session, model, options.batch, options.model);
  const TuneResult result = tune_with_progress(model, session, options.seconds);
  if (!result.changed.empty()) {
    const std::filesystem::path folder = std::filesystem::path(file).parent_path();
    std::error_code ignored;  // where it matters, save_tuning says so
    if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
    save_tuning(file, with_changes(file, result));
  }
  options.json ? print_json(options, file, result) : print_text(file, result);
  return 0;
}

}  // namespace

void add_tune(CLI::App& app, Action& action) {
  auto options = std::make_shared<TuneVerbOptions>();
  CLI::App* verb = app.add_subcommand(
      "tune", "Measure how a model's convolutions are best blocked here, and keep it: faster, and never another bit.");
  add_model_argument(*verb, options->model);
  add_plan_flags(*verb, options->plan);
  add_batch_flag(*verb, options->batch);
  verb->add_option("--seconds", options->seconds, "About how long to measure.")
      ->check(number_in(0.0, 3600.0))
      ->capture_default_str();
  verb->add_flag("--json", options->json, "Print one JSON object.");
  verb->callback([options, &action] { action = [options] { return run_tune(*options); }; });
}

}  // namespace linnet::cli
