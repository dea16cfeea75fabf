// The flags that all verbs which plan a model share.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "linnet/session.h"

namespace linnet::cli {

struct PlanFlags {
  int threads = 0;
  std::string convolution = "auto";
  std::vector<std::string> disabled_passes;
  std::vector<std::string> shapes;  // "data:1x3x224x224"
  std::vector<std::string> outputs;
  std::string tuning;  // a path, kNoTuning, or empty: default_tuning_file() if it is there
};

constexpr const char* kNoTuning = "none";

/// A number of so much at least and at most, written as people do. CLI::Range lets NaN pass, takes no text for 0 and 010 for 8.
template <typename T>
CLI::Validator number_in(T least, T most) {
  std::ostringstream range;
  range << CLI::detail::type_name<T>() << " in [" << least << " - " << most << ']';
  const auto refusal = [least, most, expected = range.str()](const std::string& text) -> std::string {
    const std::size_t digits = text.starts_with('-') ? 1 : 0;
    const bool padded =
        text.size() > digits + 1 && text[digits] == '0' && text[digits + 1] >= '0' && text[digits + 1] <= '9';
    T value{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool fits = error == std::errc() && stop == end && !padded && value >= least && value <= most;
    return fits ? "" : "'" + text + "' is no " + expected;
  };
  return CLI::Validator(refusal, range.str());
}

/// Adds MODEL, which is required.
void add_model_argument(CLI::App& verb, std::string& model);

/// Adds --batch.
void add_batch_flag(CLI::App& verb, int& batch);

/// Adds --threads, --convolution, --disable-pass, --shape, --output and --tuning.
void add_plan_flags(CLI::App& verb, PlanFlags& flags);

/// Whether a file that was asked for by name need be there.
enum class FileMayBeMissing { no, yes };

/// Throws Error(usage) for a shape that cannot be read, and what load_tuning throws.
SessionOptions session_options(const PlanFlags& flags, FileMayBeMissing tuning = FileMayBeMissing::no);

/// linnet/tuning in the user's folder for caches; empty where there is none.
std::string default_tuning_file();

/// Gives every required input of `model` a shape in `options`: an open first extent is `batch`. Throws Error(usage) if another
/// extent is open.
void bind_open_shapes(SessionOptions& options, const Model& model, int batch, const std::string& file);

}  // namespace linnet::cli
