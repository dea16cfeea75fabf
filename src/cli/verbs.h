// The verbs of the program, one file each. A verb adds its subcommand, and its action is called after parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace linnet::cli {

/// What main() runs for the subcommand that was given; returns the exit code. Throws linnet::Error.
using Action = std::function<int()>;

void add_classify(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_tune(CLI::App& app, Action& action);
void add_ops(CLI::App& app, Action& action);
void add_cpu(CLI::App& app, Action& action);
void add_limits(CLI::App& app, Action& action);

}  // namespace linnet::cli
