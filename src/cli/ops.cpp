// linnet ops: the operator list.
#include <iomanip>
#include <iostream>
#include <map>
#include <sstream>
#include <string_view>

#include "cli/json.h"
#include "cli/text_file.h"
#include "cli/verbs.h"
#include "linnet/error.h"
#include "linnet/operators.h"

namespace linnet::cli {

namespace {

std::string joined(const std::vector<std::string>& words, const char* between = " ") {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

void print_operators_json(const std::vector<OperatorInfo>& operators) {
  Json list = Json::array();
  for (const OperatorInfo& op : operators)
    list.push_back({{"domain", op.domain},
                    {"name", op.name},
                    {"first_opset", op.first_opset},
                    {"last_opset", op.last_opset},
                    {"attributes", op.attributes},
                    {"types", op.types},
                    {"limits", op.limits}});
  write_json(Json{{"operators", list}});
}

/// "float, int64 | 12 | 0 | 3": types, passed, refused, the worst error in ULP.
std::string tested_columns(const nlohmann::json& totals) {
  std::ostringstream text;
  text << joined(totals.at("types").get<std::vector<std::string>>(), ", ") << " | " << totals.at("passed").get<int>()
       << " | " << totals.at("refused").get<int>() << " | " << totals.at("max_ulp").get<double>();
  return text.str();
}

/// What `linnet verify --suite DIR --json --totals` printed, by operator: of each the first file that has it.
std::map<std::string, std::string> read_results(const std::vector<std::string>& files) {
  constexpr std::size_t kMostBytes = std::size_t{16} << 20;
  std::map<std::string, std::string> results;
  for (const std::string& file : files) {
    const std::string what = "the file of --results";
    const nlohmann::json json = parse_json(read_text_file(file, kMostBytes, what), file, what);
    try {
      for (const auto& [name, totals] : json.at("operators").get_ref<const nlohmann::json::object_t&>())
        results.emplace(name, tested_columns(totals));
    } catch (const nlohmann::json::exception& error) {
      throw Error(ErrorCode::format,
                  "these are no totals of linnet verify --suite DIR --json --totals: " + std::string(error.what()),
                  {.file = file});
    }
  }
  return results;
}

/// Totals are an operator's, and stand once.
std::string tested(const std::map<std::string, std::string>& results, const OperatorInfo& op) {
  const auto found = op.domain == "ai.onnx" ? results.find(op.name) : results.end();
  return found == results.end() ? " |  |  | " : found->second;
}

constexpr std::string_view kPreface = R"(# Operators

Written by `linnet ops --markdown --results docs/operators.json docs/operators_newer.json`; do not edit. An operator stands once
for each range of opset versions that differ in what they mean. Any attribute that is not listed is refused, and so is a type that an
operator does not take; what else is refused stands under limits.

Types stand by the type parameters of ONNX's schemas. `floats` are float, float16, bfloat16 and double, `integers` int8 to
int64 and uint8 to uint64, `numbers` both, `all` numbers and bool. float16 and bfloat16 are computed in float
(docs/numerics.md).

The last four columns are measured, and stand in an operator's last row: ONNX's own node tests that use this operator alone,
the types of the tensors of those that passed, and the worst error of their floats in units in the last place, against
expected numbers that have errors of their own. They are those of ONNX 1.12, with the default tolerance (operators.json); of
operators that it has no tests of, those of ONNX 1.23.2, with `--rtol 1e-2 --atol 1e-3`, as ONNX widens its own for some
(operators_newer.json, by way of tests/conformance/write_node_cases.py). `linnet verify --suite DIR --json --totals >
docs/operators.json` measures anew.

| domain | operator | opsets | attributes | types | limits | types tested | passed | refused | worst ULP |
|---|---|---|---|---|---|---|---|---|---|
)";

void print_markdown(const std::vector<OperatorInfo>& operators, const std::vector<std::string>& results_files) {
  const std::map<std::string, std::string> results = read_results(results_files);
  std::cout << kPreface;
  for (std::size_t i = 0; i < operators.size(); ++i) {
    const OperatorInfo& op = operators[i];
    const bool last =
        i + 1 == operators.size() || operators[i + 1].name != op.name || operators[i + 1].domain != op.domain;
    std::cout << "| " << op.domain << " | " << op.name << " | " << op.first_opset << " to " << op.last_opset << " | "
              << joined(op.attributes) << " | " << op.types << " | " << op.limits << " | "
              << (last ? tested(results, op) : " |  |  | ") << " |\n";
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
    std::vector<std::string> results;
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("ops", "List the operators: domain, name, opset versions, and the attributes that are read.");
  CLI::Option* json = verb->add_flag("--json", options->json, "Print one JSON object.");
  CLI::Option* markdown =
      verb->add_flag("--markdown", options->markdown, "Print the page docs/operators.md.")->excludes(json);
  verb->add_option(
          "--results", options->results,
          "The totals that `linnet verify --suite DIR --json --totals` printed, for the page; several files: of each "
          "operator the first that has it.")
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
