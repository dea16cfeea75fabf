#include "cli/plan_options.h"

#include <charconv>

#include "linnet/error.h"

namespace linnet::cli {

namespace {

[[noreturn]] void bad_shape(const std::string& text) {
  throw Error(ErrorCode::usage, "cannot read a shape",
              {.file = {},
               .node = {},
               .op = {},
               .where = "--shape",
               .expected = "NAME:AxBxC, such as data:1x3x224x224",
               .found = text});
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

void add_plan_flags(CLI::App& verb, PlanFlags& flags) {
  verb.add_option("--threads", flags.threads, "Threads; 0: as many as the affinity mask and the cgroup allow.")
      ->capture_default_str();
  verb.add_option("--convolution", flags.convolution, "auto: Winograd where the shape makes it faster; direct: never.")
      ->check(CLI::IsMember({"auto", "direct"}))
      ->capture_default_str();
  verb.add_option("--disable-pass", flags.disabled_passes,
                  "Switch a rewrite of the graph off (see `linnet inspect --passes`); may be repeated.");
  verb.add_option("--shape", flags.shapes,
                  "NAME:AxBxC, the shape of an input; may be repeated. An open batch is 1 by default.");
  verb.add_option("--output", flags.outputs, "Any named tensor of the model instead of its outputs; may be repeated.");
}

SessionOptions session_options(const PlanFlags& flags) {
  SessionOptions options;
  options.threads = flags.threads;
  options.convolution = flags.convolution == "direct" ? Convolution::direct : Convolution::automatic;
  options.disabled_passes = flags.disabled_passes;
  options.outputs = flags.outputs;
  for (const std::string& text : flags.shapes) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) bad_shape(text);
    options.input_shapes[text.substr(0, colon)] = parse_shape(text, colon + 1);
  }
  return options;
}

}  // namespace linnet::cli
