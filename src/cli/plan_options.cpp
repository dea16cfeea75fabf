#include "cli/plan_options.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "linnet/error.h"

namespace linnet::cli {

namespace {

[[noreturn]] void bad_shape(const std::string& text) {
  throw Error(ErrorCode::usage, "cannot read a shape",
              {.where = "--shape", .expected = "NAME:AxBxC, such as data:1x3x224x224", .found = text});
}

Shape parse_shape(const std::string& text, std::size_t from) {
  Shape shape;
  const char* at = text.data() + from;
  const char* const end = text.data() + text.size();
  while (at != end) {
    std::int64_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error != std::errc() || extent < 0) bad_shape(text);
    shape.push_back(extent);
    at = next;
    if (at == end) break;
    if (*at != 'x' && *at != ',') bad_shape(text);
    if (++at == end) bad_shape(text);
  }
  return shape;
}

}  // namespace

void add_model_argument(CLI::App& verb, std::string& model) {
  verb.add_option("MODEL", model, "An ONNX file, - for standard input, or a folder in modelhub's layout.")->required();
}

void add_batch_flag(CLI::App& verb, int& batch) {
  verb.add_option("--batch", batch, "Images a run, where the model leaves the batch open.")
      ->check(number_in(1, 65536))
      ->capture_default_str();
}

void add_plan_flags(CLI::App& verb, PlanFlags& flags) {
  verb.add_option("--threads", flags.threads, "Threads; 0: as many as the affinity mask and the cgroup allow.")
      ->check(number_in(0, 1024))
      ->capture_default_str();
  verb.add_option("--convolution", flags.convolution, "auto: Winograd where the shape makes it faster; direct: never.")
      ->check(CLI::IsMember({"auto", "direct"}))
      ->capture_default_str();
  verb.add_option("--disable-pass", flags.disabled_passes,
                  "Switch a rewrite of the graph off (see `linnet inspect --passes`); may be repeated.")
      ->allow_extra_args(false);
  verb.add_option("--shape", flags.shapes,
                  "NAME:AxBxC, the shape of an input; may be repeated. An open batch is 1 by default.")
      ->allow_extra_args(false);
  verb.add_option("--output", flags.outputs, "Any named tensor of the model instead of its outputs; may be repeated.")
      ->allow_extra_args(false);
  verb.add_option("--tuning", flags.tuning,
                  "The file of `linnet tune`, which changes the speed and never a result; none: do without. By default "
                  "linnet/tuning in $XDG_CACHE_HOME or ~/.cache, if it is there.");
}

std::string default_tuning_file() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != '\0') return std::string(cache) + "/linnet/tuning";
  const char* const home = std::getenv("HOME");
  return home != nullptr && *home != '\0' ? std::string(home) + "/.cache/linnet/tuning" : std::string();
}

void bind_open_shapes(SessionOptions& options, const Model& model, int batch, const std::string& file) {
  for (const ValueInfo& info : model.inputs()) {
    if (info.optional || options.input_shapes.count(info.name) != 0) continue;
    Shape shape;
    for (std::size_t i = 0; i < info.shape.size(); ++i)
      shape.push_back(info.shape[i].value < 0 && i == 0 ? batch : info.shape[i].value);
    if (!info.has_rank || std::any_of(shape.begin(), shape.end(), [](std::int64_t d) { return d < 0; })) {
      throw Error(ErrorCode::usage, "an input's shape is open; give it with --shape " + info.name + ":AxBxC",
                  {.file = file, .where = "input '" + info.name + "'", .found = to_string(info)});
    }
    options.input_shapes[info.name] = std::move(shape);
  }
}

SessionOptions session_options(const PlanFlags& flags, FileMayBeMissing tuning) {
  SessionOptions options;
  options.threads = flags.threads;
  options.convolution = flags.convolution == "direct" ? Convolution::direct : Convolution::automatic;
  options.disabled_passes = flags.disabled_passes;
  options.outputs = flags.outputs;
  if (flags.tuning != kNoTuning) {
    const std::string file = flags.tuning.empty() ? default_tuning_file() : flags.tuning;
    const bool needed = !flags.tuning.empty() && tuning == FileMayBeMissing::no;
    std::error_code error;
    if (needed || (!file.empty() && std::filesystem::exists(file, error))) options.tuning = load_tuning(file);
  }
  for (const std::string& text : flags.shapes) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) bad_shape(text);
    const std::string input = text.substr(0, colon);
    if (!options.input_shapes.emplace(input, parse_shape(text, colon + 1)).second)
      throw Error(ErrorCode::usage, "two shapes for one input", {.where = "--shape", .found = "'" + input + "' twice"});
  }
  return options;
}

}  // namespace linnet::cli
