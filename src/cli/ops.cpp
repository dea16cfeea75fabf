// linnet ops: the operator list.
#include <fstream>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "cli/verbs.h"
#include "linnet/error.h"
#include "linnet/operators.h"

namespace linnet::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

using Json = nlohmann::ordered_json;

void print_operators_json(const std::vector<OperatorInfo>& operators) {
  Json list = Json::array();
  for (const OperatorInfo& op : operators)
    list.push_back({{"domain", op.domain},
                    {"name", op.name},
                    {"first_opset", op.first_opset},
                    {"last_opset", op.last_opset},
                    {"attributes", op.attributes},
                    {"limits", op.limits}});
  std::cout << Json{{"operators", list}}.dump(2) << '\n';
}

/// What `linnet verify --suite DIR --json --totals` printed; an empty object without a file.
Json read_results(const std::string& file) {
  if (file.empty()) return Json::object();
  std::ifstream stream(file);
  const Json json = Json::parse(stream, nullptr, false);
  if (!json.is_object() || !json.contains("operators") || !json["operators"].is_object())
    throw Error(ErrorCode::format, "these are no totals of linnet verify --suite DIR --json --totals", {.file = file});
  return json["operators"];
}

/// "float, int64 | 12 | 0 | 3": types, passed, refused, the worst error in ULP. Totals are an operator's, and stand once.
std::string tested(const Json& results, const OperatorInfo& op) {
  if (op.domain != "ai.onnx" || !results.contains(op.name)) return " |  |  | ";
  const Json& totals = results[op.name];
  std::string types;
  for (const Json& type : totals["types"]) types += (types.empty() ? "" : ", ") + type.get<std::string>();
  std::ostringstream text;
  text << types << " | " << totals["passed"].get<int>() << " | " << totals["refused"].get<int>() << " | "
       << totals["max_ulp"].get<double>();
  return text.str();
}

constexpr std::string_view kPreface = R"(# Operators

Written by `linnet ops --markdown --results docs/operators.json`; do not edit. An operator stands once for each range of
opset versions that differ in what they mean. Any attribute that is not listed is refused, and so is a type that an
operator does not take; what else is refused stands under limits.

The last four columns are measured, and stand in an operator's last row: ONNX's own node tests (1.12) that use this
operator alone, the types of the tensors of those that passed, and the worst error of their floats in units in the last
place, against expected numbers that have errors of their own. float16 and bfloat16 are taken wherever float is, and
computed in it (docs/numerics.md). `linnet verify --suite DIR --json --totals > docs/operators.json` measures anew.

| domain | operator | opsets | attributes | limits | types tested | passed | refused | worst ULP |
|---|---|---|---|---|---|---|---|---|
)";

void print_markdown(const std::vector<OperatorInfo>& operators, const std::string& results_file) {
  const Json results = read_results(results_file);
  std::cout << kPreface;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const OperatorInfo& op = operators[i];
    const bool last =
        i + 1 == operators.size() || operators[i + 1].name != op.name || operators[i + 1].domain != op.domain;
    std::cout << "| " << op.domain << " | " << op.name << " | " << op.first_opset << " to " << op.last_opset << " | "
              << joined(op.attributes) << " | " << op.limits << " | " << (last ? tested(results, op) : " |  |  | ")
              << " |\n";
  }
}

void print_list(const std::vector<OperatorInfo>& operators) {
  for (const OperatorInfo& op : operators)
    std::cout << std::left << std::setw(15) << op.domain << ' ' << std::setw(28) << op.name << ' ' << std::right
              << std::setw(2) << op.first_opset << " to " << std::setw(2) << op.last_opset << "  "
              << joined(op.attributes) << '\n';
}

}  // namespace

void add_ops(CLI::App& app, Action& action) {
  struct Options {
    bool json = false, markdown = false;
    std::string results;
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("ops", "List the operators: domain, name, opset versions, and the attributes that are read.");
  CLI::Option* json = verb->add_flag("--json", options->json, "Print one JSON object.");
  CLI::Option* markdown =
      verb->add_flag("--markdown", options->markdown, "Print the page docs/operators.md.")->excludes(json);
  verb->add_option("--results", options->results,
                   "The totals that `linnet verify --suite DIR --json --totals` printed, for the page.")
      ->needs(markdown);
  verb->callback([options, &action] {
    action = [options] {
      const std::vector<OperatorInfo> operators = supported_operators();
      if (options->markdown) print_markdown(operators, options->results);
      else (options->json ? print_operators_json : print_list)(operators);
      return 0;
    };
  });
}

}  // namespace linnet::cli
