// linnet verify: runs a model on ONNX test data sets and compares with their expected outputs.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/plan_options.h"
#include "cli/verbs.h"
#include "linnet/convert.h"
#include "linnet/error.h"
#include "linnet/session.h"
#include "linnet/tensor_file.h"

namespace linnet::cli {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

struct VerifyOptions {
  std::string model, suite;
  std::vector<std::string> data_sets;
  PlanFlags plan;
  double rtol = 1e-3, atol = 1e-7;
  bool json = false;
};

enum class Status : std::uint8_t { passed, failed, refused };
const char* name(Status status) {
  return status == Status::passed ? "passed" : (status == Status::failed ? "failed" : "refused");
}

struct Case {
  std::string name;
  std::string op;  // the model's only operator; empty if it has several, or could not be loaded
  Status status = Status::passed;
  double max_abs = 0;
  double max_ulp = 0;  // of float outputs
  std::string reason;
};

/// Distance in representable floats; both finite.
double ulp_distance(float a, float b) {
  const auto ordered = [](float x) {
    std::int32_t bits = 0;
    std::memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? static_cast<std::int64_t>(std::numeric_limits<std::int32_t>::min()) - bits
                    : static_cast<std::int64_t>(bits);
  };
  return static_cast<double>(std::abs(ordered(a) - ordered(b)));
}

template <typename T, bool kCountUlp = std::is_same_v<T, float>>
void compare_values(const Tensor& actual, const Tensor& expected, const VerifyOptions& options,
                    const std::string& where, Case& result) {
  const std::span<const T> a = actual.data<T>(), b = expected.data<T>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double difference = std::fabs(x - y);
    if (std::isfinite(difference)) result.max_abs = std::max(result.max_abs, difference);
    if constexpr (kCountUlp) {
      if (std::isfinite(x) && std::isfinite(y)) result.max_ulp = std::max(result.max_ulp, ulp_distance(a[i], b[i]));
    }
    const bool close = std::isfinite(y) && difference <= options.atol + options.rtol * std::fabs(y);
    if (close || result.status == Status::failed) continue;
    result.status = Status::failed;
    std::ostringstream text;
    text << where << " element " << i << " is " << std::setprecision(9) << x << ", expected " << y;
    result.reason = text.str();
  }
}

/// As float32, which holds both exactly.
void compare_halves(const Tensor& actual, const Tensor& expected, const VerifyOptions& options,
                    const std::string& where, Case& result) {
  compare_values<float, false>(convert(actual, DataType::float32), convert(expected, DataType::float32), options, where,
                               result);
}

void compare(const Tensor& actual, const Tensor& expected, const VerifyOptions& options, const std::string& where,
             Case& result) {
  if (actual.type() != expected.type() || actual.shape() != expected.shape()) {
    result.status = Status::failed;
    result.reason = where + " is " + std::string(to_string(actual.type())) + to_string(actual.shape()) + ", expected " +
                    std::string(to_string(expected.type())) + to_string(expected.shape());
    return;
  }
  switch (actual.type()) {
    case DataType::float32: return compare_values<float>(actual, expected, options, where, result);
    case DataType::float64: return compare_values<double>(actual, expected, options, where, result);
    case DataType::float16:
    case DataType::bfloat16: return compare_halves(actual, expected, options, where, result);
    case DataType::int8: return compare_values<std::int8_t>(actual, expected, options, where, result);
    case DataType::int16: return compare_values<std::int16_t>(actual, expected, options, where, result);
    case DataType::int32: return compare_values<std::int32_t>(actual, expected, options, where, result);
    case DataType::int64: return compare_values<std::int64_t>(actual, expected, options, where, result);
    case DataType::uint8: return compare_values<std::uint8_t>(actual, expected, options, where, result);
    case DataType::uint16: return compare_values<std::uint16_t>(actual, expected, options, where, result);
    case DataType::uint32: return compare_values<std::uint32_t>(actual, expected, options, where, result);
    case DataType::uint64: return compare_values<std::uint64_t>(actual, expected, options, where, result);
    case DataType::boolean: return compare_values<bool>(actual, expected, options, where, result);
    default: throw Error(ErrorCode::unsupported, where + " has a type that cannot be compared");
  }
}

/// input_0.pb, input_1.pb, ...: as many as there are.
std::vector<std::pair<std::string, Tensor>> load_all(const fs::path& folder, const std::string& stem) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!fs::exists(path)) return tensors;
    std::string tensor_name;
    Tensor tensor = load_tensor(path.string(), &tensor_name);
    tensors.emplace_back(std::move(tensor_name), std::move(tensor));
  }
}

/// By name where every tensor names an input of its own, else by place.
std::vector<NamedTensor> bind_inputs(const std::vector<ValueInfo>& infos,
                                     std::vector<std::pair<std::string, Tensor>> tensors) {
  std::vector<std::string> names;
  for (const ValueInfo& info : infos) {
    if (!info.optional) names.push_back(info.name);
  }
  for (const ValueInfo& info : infos) {
    if (info.optional) names.push_back(info.name);
  }
  const bool by_name = std::all_of(tensors.begin(), tensors.end(), [&](const auto& t) {
    return std::find(names.begin(), names.end(), t.first) != names.end();
  });
  std::vector<NamedTensor> inputs;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    inputs.emplace_back(by_name || i >= names.size() ? tensors[i].first : names[i], std::move(tensors[i].second));
  }
  return inputs;
}

/// Data sets from before ONNX had a way to store bfloat16 hold its bits as uint16.
Tensor as_declared(Tensor tensor, DataType declared) {
  if (declared != DataType::bfloat16 || tensor.type() != DataType::uint16) return tensor;
  Tensor result(DataType::bfloat16, tensor.shape());
  std::memcpy(result.mutable_raw(), tensor.raw(), tensor.bytes());
  return result;
}

std::vector<NamedTensor> load_inputs(const std::vector<ValueInfo>& infos, const fs::path& folder) {
  std::vector<NamedTensor> inputs = bind_inputs(infos, load_all(folder, "input"));
  for (auto& [input, tensor] : inputs) {
    const auto info =
        std::find_if(infos.begin(), infos.end(), [&wanted = input](const ValueInfo& i) { return i.name == wanted; });
    if (info != infos.end()) tensor = as_declared(std::move(tensor), info->type);
  }
  return inputs;
}

void run_case(Session& session, const fs::path& folder, const VerifyOptions& options, Case& result) {
  const std::vector<Tensor> outputs = session.run(load_inputs(session.plan().inputs(), folder));
  const auto expected = load_all(folder, "output");
  if (expected.empty()) throw Error(ErrorCode::io, "the data set has no output_0.pb", {.file = folder.string()});
  if (expected.size() > outputs.size()) {
    result.status = Status::failed;
    result.reason =
        "the model has " + std::to_string(outputs.size()) + " outputs, the data set " + std::to_string(expected.size());
    return;
  }
  for (std::size_t i = 0; i < expected.size() && result.status == Status::passed; ++i) {
    compare(outputs[i], as_declared(expected[i].second, outputs[i].type()), options,
            "output '" + session.plan().outputs()[i].name + "'", result);
  }
}

std::vector<fs::path> data_sets_of(const fs::path& folder) {
  std::vector<fs::path> sets;
  if (fs::exists(folder / "output_0.pb")) return {folder};
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && fs::exists(entry.path() / "output_0.pb")) sets.push_back(entry.path());
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

void print_line(const Case& c) {
  const char* const mark =
      c.status == Status::passed ? "[PASS]" : (c.status == Status::failed ? "[FAIL]" : "[REFUSED]");
  std::cout << mark << ' ' << c.name;
  if (c.status == Status::passed || c.max_abs > 0)
    std::cout << "  max_abs " << std::setprecision(2) << c.max_abs << "  max_ulp " << std::setprecision(9) << c.max_ulp;
  if (!c.reason.empty()) std::cout << "  " << c.reason;
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
      run_case(*session, set, options, result);
    } catch (const Error& error) {
      result.status = error.code() == ErrorCode::unsupported ? Status::refused : Status::failed;
      result.reason = error.what();
    }
    result.op = op;
    if (!options.json) print_line(result);
    cases.push_back(std::move(result));
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
      verify_model(c / "model.onnx", data_sets_of(c), fs::relative(c, model).string() + "/", options, cases);
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
  std::map<Status, int> count;
  double max_abs = 0, max_ulp = 0;  // of the cases that passed

  void add(const Case& c) {
    ++count[c.status];
    if (c.status != Status::passed) return;
    max_abs = std::max(max_abs, c.max_abs);
    max_ulp = std::max(max_ulp, c.max_ulp);
  }
  int operator[](Status status) const { return count.contains(status) ? count.at(status) : 0; }
};

using TotalsByOperator = std::map<std::string, Totals>;

TotalsByOperator by_operator(const std::vector<Case>& cases) {
  TotalsByOperator totals;
  for (const Case& c : cases) {
    // A model that is refused as a whole has no operators that could be counted.
    totals[!c.op.empty() ? c.op : c.status == Status::refused ? "(refused models)" : "(several operators)"].add(c);
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
    operators[op] = {{"passed", t[Status::passed]},
                     {"failed", t[Status::failed]},
                     {"refused", t[Status::refused]},
                     {"max_abs", t.max_abs},
                     {"max_ulp", t.max_ulp}};
  Json json = {{"passed", totals[Status::passed]},
               {"failed", totals[Status::failed]},
               {"refused", totals[Status::refused]},
               {"cases", list}};
  if (!options.suite.empty()) json["operators"] = operators;
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void print_operators(const std::vector<Case>& cases) {
  std::cout << "\noperator                      passed  failed  refused     max_abs     max_ulp\n";
  for (const auto& [op, t] : by_operator(cases))
    std::cout << std::left << std::setw(28) << op << std::right << std::setw(8) << t[Status::passed] << std::setw(8)
              << t[Status::failed] << std::setw(9) << t[Status::refused] << std::setw(12) << std::setprecision(2)
              << t.max_abs << std::setw(12) << std::setprecision(9) << t.max_ulp << '\n';
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
    std::cout << totals[Status::passed] << " passed, " << totals[Status::failed] << " failed, "
              << totals[Status::refused] << " refused\n";
  }
  if (totals[Status::failed] > 0) return 1;
  // Of a folder of many models some are beyond Linnet as a matter of course; of the one asked for that is the answer.
  return totals[Status::refused] > 0 && !is_root(options) ? exit_code(ErrorCode::unsupported) : 0;
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
  verb->add_option("--rtol", options->rtol, "Relative tolerance.")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_option("--atol", options->atol, "Absolute tolerance.")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  verb->add_flag("--json", options->json, "Print one JSON object: passed, failed, refused, cases.");
  verb->footer(
      "Types and shapes must be equal; values pass if |a - b| <= atol + rtol * |b|. Exit code 1 if a case failed, 6 if "
      "none failed but the one model was refused\n(of a folder of models some may be refused).");
  add_plan_flags(*verb, options->plan);
  verb->callback([options, &action] { action = [options] { return run_verify(*options); }; });
}

}  // namespace linnet::cli
