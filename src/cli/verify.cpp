// linnet verify: runs a model on ONNX test data sets and compares with their expected outputs.
#include <algorithm>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <set>

#include "base/printable.h"
#include "cli/json.h"
#include "cli/plan_options.h"
#include "cli/text_file.h"
#include "cli/verbs.h"
#include "cli/verify_case.h"
#include "linnet/error.h"
#include "linnet/session.h"

namespace linnet::cli {

namespace {

namespace fs = std::filesystem;
constexpr double kMostTolerance = std::numeric_limits<double>::max();

struct VerifyOptions {
  std::string model, suite;
  std::vector<std::string> data_sets;
  PlanFlags plan;
  Tolerances tolerances;
  bool json = false, totals_only = false;
};

void print_line(const Case& c) {
  const char* const mark =
      c.status == CaseStatus::passed ? "[PASS]" : (c.status == CaseStatus::failed ? "[FAIL]" : "[REFUSED]");
  std::cout << mark << ' ' << base::printable(c.name);
  if (c.status == CaseStatus::passed || c.max_abs > 0)
    std::cout << "  max_abs " << std::setprecision(2) << c.max_abs << "  max_ulp " << std::setprecision(9) << c.max_ulp;
  if (!c.reason.empty()) std::cout << "  " << base::printable(c.reason);
  std::cout << std::endl;
}

/// A case tells of an operator where its model has no other; constants do not count.
std::string only_operator(const ModelSummary& summary) {
  std::string only;
  for (const auto& [op, count] : summary.operators) {
    if (op == "Constant" && summary.operators.size() > 1) continue;
    if (!only.empty()) return {};
    only = op;
  }
  return only;
}

void blame(Case& result, const Error& error) {
  result.status = error.code() == ErrorCode::unsupported ? CaseStatus::refused : CaseStatus::failed;
  result.reason = error.what();
}

void add_case(Case result, const VerifyOptions& options, std::vector<Case>& cases) {
  if (!options.json) print_line(result);
  cases.push_back(std::move(result));
}

/// Runs one model on its data sets and appends a case for each.
void verify_model(const fs::path& model, const std::vector<fs::path>& sets, const std::string& prefix,
                  const VerifyOptions& options, std::vector<Case>& cases) {
  std::unique_ptr<Session> session;
  std::string op;
  for (const fs::path& set : sets) {
    Case result;
    result.name = prefix + set.filename().string();
    try {
      if (session == nullptr) {
        Model loaded = Model::load(model.string());
        op = only_operator(loaded.summary());
        session = std::make_unique<Session>(std::move(loaded), session_options(options.plan));
      }
      run_case(*session, set, options.tolerances, result);
    } catch (const Error& error) {
      blame(result, error);
    } catch (const fs::filesystem_error& error) {
      blame(result, to_error(error));
    }
    result.op = op;
    add_case(std::move(result), options, cases);
  }
}

/// Folders below `root` that hold a model.onnx, up to three levels down.
std::vector<fs::path> case_folders(const fs::path& root) {
  std::vector<fs::path> folders;
  for (auto it = fs::recursive_directory_iterator(root, fs::directory_options::skip_permission_denied);
       it != fs::recursive_directory_iterator(); ++it) {
    if (it.depth() > 3) it.disable_recursion_pending();
    if (it->path().filename() == "model.onnx") folders.push_back(it->path().parent_path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

[[noreturn]] void no_data(const std::string& where) {
  throw Error(ErrorCode::usage,
              "no test data sets here: a folder with input_0.pb and output_0.pb is needed, as test_data_set_0 beside "
              "model.onnx",
              {.file = where});
}

/// Whether MODEL is a folder of cases.
bool is_root(const VerifyOptions& options) {
  if (!options.suite.empty()) return true;
  return fs::is_directory(options.model) && !fs::exists(fs::path(options.model) / "model.onnx");
}

std::vector<Case> collect(const VerifyOptions& options) {
  std::vector<Case> cases;
  const fs::path model = options.suite.empty() ? options.model : options.suite;
  if (is_root(options)) {
    if (!fs::is_directory(model)) throw Error(ErrorCode::io, "there is no such folder", {.file = model.string()});
    if (!options.data_sets.empty())
      throw Error(ErrorCode::usage, "DATASET_DIR goes with one model, not with a folder of cases",
                  {.file = model.string()});
    for (const fs::path& c : case_folders(model)) {
      const std::string name = fs::relative(c, model).string();
      try {
        verify_model(c / "model.onnx", data_sets_of(c), name + "/", options, cases);
      } catch (const fs::filesystem_error& error) {  // of this case alone: the others are still to come
        Case result;
        result.name = name;
        blame(result, to_error(error));
        add_case(std::move(result), options, cases);
      }
    }
    if (cases.empty()) no_data(model.string());
    return cases;
  }
  const fs::path file = fs::is_directory(model) ? model / "model.onnx" : model;
  std::vector<fs::path> sets;
  for (const std::string& given : options.data_sets) {
    if (!fs::is_directory(given)) throw Error(ErrorCode::io, "a data set must be a folder", {.file = given});
    const std::vector<fs::path> found = data_sets_of(given);
    if (found.empty()) no_data(given);
    sets.insert(sets.end(), found.begin(), found.end());
  }
  if (options.data_sets.empty()) {
    if (!fs::exists(file)) throw Error(ErrorCode::io, "there is no such file", {.file = file.string()});
    sets = data_sets_of(file.has_parent_path() ? file.parent_path() : fs::path("."));
  }
  if (sets.empty()) no_data(file.parent_path().string());
  verify_model(file, sets, "", options, cases);
  return cases;
}

struct Totals {
  std::map<CaseStatus, int> count;
  double max_abs = 0, max_ulp = 0;  // of the cases that passed
  std::set<std::string> types;      // of the same

  void add(const Case& c) {
    ++count[c.status];
    if (c.status != CaseStatus::passed) return;
    max_abs = std::max(max_abs, c.max_abs);
    max_ulp = std::max(max_ulp, c.max_ulp);
    types.insert(c.types.begin(), c.types.end());
  }
  int operator[](CaseStatus status) const { return count.contains(status) ? count.at(status) : 0; }
};

using TotalsByOperator = std::map<std::string, Totals>;

TotalsByOperator by_operator(const std::vector<Case>& cases) {
  TotalsByOperator totals;
  for (const Case& c : cases) {
    // A model that is refused as a whole has no operators that could be counted.
    totals[!c.op.empty() ? c.op : c.status == CaseStatus::refused ? "(refused models)" : "(several operators)"].add(c);
  }
  return totals;
}

void print_json(const VerifyOptions& options, const std::vector<Case>& cases, const Totals& totals) {
  Json list = Json::array(), operators = Json::object();
  for (const Case& c : cases)
    list.push_back({{"name", c.name},
                    {"status", name(c.status)},
                    {"max_abs", c.max_abs},
                    {"max_ulp", c.max_ulp},
                    {"reason", c.reason},
                    {"operator", c.op}});
  for (const auto& [op, t] : by_operator(cases))
    operators[op] = {{"passed", t[CaseStatus::passed]},
                     {"failed", t[CaseStatus::failed]},
                     {"refused", t[CaseStatus::refused]},
                     {"max_abs", t.max_abs},
                     {"max_ulp", t.max_ulp},
                     {"types", t.types}};
  Json json = {{"passed", totals[CaseStatus::passed]},
               {"failed", totals[CaseStatus::failed]},
               {"refused", totals[CaseStatus::refused]},
               {"cases", list}};
  if (options.totals_only) json.erase("cases");
  if (!options.suite.empty()) json["operators"] = operators;
  write_json(json);
}

void print_operators(const std::vector<Case>& cases) {
  std::cout << "\noperator                      passed  failed  refused     max_abs     max_ulp\n";
  for (const auto& [op, t] : by_operator(cases))
    std::cout << std::left << std::setw(28) << op << std::right << std::setw(8) << t[CaseStatus::passed] << std::setw(8)
              << t[CaseStatus::failed] << std::setw(9) << t[CaseStatus::refused] << std::setw(12)
              << std::setprecision(2) << t.max_abs << std::setw(12) << std::setprecision(9) << t.max_ulp << '\n';
  std::cout << '\n';
}

int run_verify(const VerifyOptions& options) {
  if (options.model.empty() == options.suite.empty())
    throw Error(ErrorCode::usage, "give either MODEL or --suite DIR (see linnet verify --help)");
  const std::vector<Case> cases = collect(options);
  Totals totals;
  for (const Case& c : cases) totals.add(c);
  if (options.json) {
    print_json(options, cases, totals);
  } else {
    if (!options.suite.empty()) print_operators(cases);
    std::cout << totals[CaseStatus::passed] << " passed, " << totals[CaseStatus::failed] << " failed, "
              << totals[CaseStatus::refused] << " refused\n";
  }
  if (totals[CaseStatus::failed] > 0) return 1;
  // Of a folder of many models some are beyond Linnet as a matter of course; of the one asked for that is the answer.
  return totals[CaseStatus::refused] > 0 && !is_root(options) ? exit_code(ErrorCode::unsupported) : 0;
}

}  // namespace

void add_verify(CLI::App& app, Action& action) {
  auto options = std::make_shared<VerifyOptions>();
  CLI::App* verb =
      app.add_subcommand("verify", "Run a model on ONNX test data sets and compare with the expected outputs.");
  verb->add_option("MODEL", options->model,
                   "An ONNX file, a folder with model.onnx and test_data_set_*, or a folder of such folders.");
  verb->add_option("DATASET_DIR", options->data_sets, "Data sets to use instead of those beside the model.");
  verb->add_option("--suite", options->suite,
                   "A folder of cases, instead of MODEL: also prints totals by operator, of the models that have one.");
  verb->add_option("--rtol", options->tolerances.rtol, "Relative tolerance.")
      ->check(number_in(0.0, kMostTolerance))
      ->capture_default_str();
  verb->add_option("--atol", options->tolerances.atol, "Absolute tolerance.")
      ->check(number_in(0.0, kMostTolerance))
      ->capture_default_str();
  CLI::Option* json = verb->add_flag("--json", options->json, "Print one JSON object: passed, failed, refused, cases.");
  verb->add_flag("--totals", options->totals_only, "Of the JSON object the totals only, without the cases.")
      ->needs(json);
  verb->footer(
      "Types, shapes and integers must be equal; floats pass if |a - b| <= atol + rtol * |b|. A data set that\n"
      "contradicts its model is refused. 1 if a case failed, 6 if none failed but the one model was refused (of a\n"
      "folder of models some may be refused).\n" +
      app.get_footer());
  add_plan_flags(*verb, options->plan);
  verb->callback([options, &action] { action = [options] { return run_verify(*options); }; });
}

}  // namespace linnet::cli
