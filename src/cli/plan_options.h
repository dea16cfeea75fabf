// The flags that all verbs which plan a model share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "linnet/session.h"

namespace linnet::cli {

struct PlanFlags {
  int threads = 0;
  std::string convolution = "auto";
  std::vector<std::string> disabled_passes;
  std::vector<std::string> shapes;  // "data:1x3x224x224"
  std::vector<std::string> outputs;
};

/// Adds --threads, --convolution, --disable-pass, --shape and --output.
void add_plan_flags(CLI::App& verb, PlanFlags& flags);

/// Throws Error(usage) for a shape that cannot be read.
SessionOptions session_options(const PlanFlags& flags);

}  // namespace linnet::cli
