// linnet ops: the operator list.
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/verbs.h"
#include "linnet/operators.h"

namespace linnet::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

void print_operators_json(const std::vector<OperatorInfo>& operators) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const OperatorInfo& op : operators)
    list.push_back({{"domain", op.domain},
                    {"name", op.name},
                    {"first_opset", op.first_opset},
                    {"last_opset", op.last_opset},
                    {"attributes", op.attributes}});
  std::cout << nlohmann::ordered_json{{"operators", list}}.dump(2) << '\n';
}

void print_markdown(const std::vector<OperatorInfo>& operators) {
  std::cout
      << "# Operators\n\nWritten by `linnet ops --markdown`; do not edit. An operator stands once for each range of "
         "opset versions that differ\nin what they mean. Any attribute that is not listed is refused, and so is a "
         "type that an operator does not take.\n\n| domain | operator | opsets | attributes |\n|---|---|---|---|\n";
  for (const OperatorInfo& op : operators)
    std::cout << "| " << op.domain << " | " << op.name << " | " << op.first_opset << " to " << op.last_opset << " | "
              << joined(op.attributes) << " |\n";
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
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("ops", "List the operators: domain, name, opset versions, and the attributes that are read.");
  CLI::Option* json = verb->add_flag("--json", options->json, "Print one JSON object.");
  verb->add_flag("--markdown", options->markdown, "Print the page docs/operators.md.")->excludes(json);
  verb->callback([options, &action] {
    action = [options] {
      const std::vector<OperatorInfo> operators = supported_operators();
      (options->json ? print_operators_json : options->markdown ? print_markdown : print_list)(operators);
      return 0;
    };
  });
}

}  // namespace linnet::cli
