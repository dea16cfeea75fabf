// linnet: classify, verify, inspect, bench, ops, cpu.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <new>
#include <string>

#include "cli/verbs.h"
#include "linnet/error.h"
#include "linnet/version.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 verification failed, 2 usage, 3 a file cannot be read or written, 4 not ONNX or damaged,\n"
    "5 breaks ONNX's rules, 6 valid but not supported, 7 over a limit, 8 input does not fit, 9 picture, 10 out of "
    "memory,\n"
    "11 cancelled, 12 a defect in linnet.\n"
    "Environment: LINNET_MAX_ISA = scalar, neon, avx2 or avx512 caps the instruction set.\n";

int fail(const linnet::Error& error) {
  std::cerr << "linnet: " << error.what() << '\n';
  return linnet::exit_code(error.code());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Linnet: runs ONNX vision models on the CPU.", "linnet"};
  app.set_version_flag("--version", std::string(linnet::kVersion));
  app.require_subcommand(1);
  app.footer(kFooter);
  linnet::cli::Action action;
  linnet::cli::add_classify(app, action);
  linnet::cli::add_verify(app, action);
  linnet::cli::add_inspect(app, action);
  linnet::cli::add_bench(app, action);
  linnet::cli::add_ops(app, action);
  linnet::cli::add_cpu(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : linnet::exit_code(linnet::ErrorCode::usage);
  }
  try {
    const int code = action();
    std::cout.flush();
    if (!std::cout) throw linnet::Error(linnet::ErrorCode::io, "cannot write to standard output");
    return code;
  } catch (const linnet::Error& error) {
    return fail(error);
  } catch (const std::bad_alloc&) {
    return fail(linnet::Error(linnet::ErrorCode::no_memory, "out of memory"));
  } catch (const std::exception& error) {
    return fail(linnet::Error(linnet::ErrorCode::internal, error.what()));
  }
}
