#include "cli/program.h"

#include <CLI/CLI.hpp>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "base/printable.h"
#include "cli/text_file.h"
#include "cli/verbs.h"
#include "linnet/error.h"
#include "linnet/version.h"

namespace linnet::cli {

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 verification failed, 2 usage, 3 a file cannot be read or written, 4 not ONNX or damaged,\n"
    "5 breaks ONNX's rules, 6 valid but not supported, 7 over a limit, 8 input does not fit, 9 picture, 10 out of "
    "memory,\n"
    "11 cancelled, 12 a defect in linnet.\n"
    "Environment: LINNET_MAX_ISA = scalar, neon, avx2 or avx512 caps the instruction set.\n";

int fail(const Error& error) {
  std::cerr << "linnet: " << error.what() << '\n';
  return exit_code(error.code());
}

/// `code`, unless what was printed has not all arrived.
int finished(int code) {
  std::cout.flush();
  return std::cout ? code : fail(Error(ErrorCode::io, "cannot write to standard output"));
}

/// Nothing that an option or argument takes may be empty: no path, name or number is.
void refuse_empty_values(CLI::App& app) {
  for (CLI::App* const verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    for (CLI::Option* const option : verb->get_options()) {
      if (option->get_items_expected_max() == 0) continue;
      option->check([](const std::string& value) { return std::string(value.empty() ? "is empty" : ""); });
    }
  }
}

/// CLI11 takes [a,b] for a list of two where several values may stand. It is one path, and ./[a,b] is the same one.
void name_paths_in_brackets(CLI::App& app, std::vector<std::string>& arguments) {
  if (arguments.size() < 2) return;
  const std::vector<CLI::App*> verbs =
      app.get_subcommands([&](const CLI::App* one) { return one->check_name(arguments[1]); });
  if (verbs.empty()) return;
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with('[') || !arguments[i].ends_with(']')) continue;
    const CLI::Option* const option = verbs[0]->get_option_no_throw(arguments[i - 1]);
    const bool one_value = option != nullptr && option->get_items_expected_max() > 0 && !option->get_allow_extra_args();
    if (!one_value) arguments[i].insert(0, "./");
  }
}

}  // namespace

int run_program(int argc, char** argv) {
  // Where a file may not grow, write() fails instead, which is said, and tune removes what it has half written. A reader that is
  // gone is another matter: SIGPIPE ends this program as it ends others.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app{"Linnet: runs ONNX vision models on the CPU.", "linnet"};
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  app.footer(kFooter);
  Action action;
  add_classify(app, action);
  add_verify(app, action);
  add_inspect(app, action);
  add_bench(app, action);
  add_tune(app, action);
  add_ops(app, action);
  add_cpu(app, action);
  add_limits(app, action);
  refuse_empty_values(app);
  std::vector<std::string> arguments(argv, argv + argc);
  name_paths_in_brackets(app, arguments);
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  try {
    app.parse(argc, pointers.data());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app.exit(error);
      return finished(0);
    }
    const std::string verb = argc > 1 ? argv[1] : "-";
    if (!verb.starts_with('-') && app.get_subcommands([&](CLI::App* one) { return one->check_name(verb); }).empty())
      return fail(
          Error(ErrorCode::usage, "there is no such verb: see linnet --help", {.found = base::printable(verb)}));
    std::cerr << base::printable(error.what()) << "\nRun with --help for more information.\n";
    return exit_code(ErrorCode::usage);
  }
  try {
    return finished(action());
  } catch (const Error& error) {
    return fail(error);
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(to_error(error));
  } catch (const std::bad_alloc&) {
    return fail(Error(ErrorCode::no_memory, "out of memory"));
  } catch (const std::exception& error) {
    return fail(Error(ErrorCode::internal, error.what()));
  }
}

}  // namespace linnet::cli
