// linnet limits: what a file or a caller may ask for at most, by default.
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <vector>

#include "cli/json.h"
#include "cli/verbs.h"
#include "linnet/image.h"
#include "linnet/session.h"

namespace linnet::cli {

namespace {

struct Limit {
  const char* name;
  std::int64_t value;
  const char* what;
};

std::vector<Limit> limits() {
  const LoadOptions load;
  const SessionOptions session;
  const ImageLimits image;
  return {
      {"LoadOptions::max_file_bytes", load.max_file_bytes,
       "a model file (never over 2 GiB), and each file of external data"},
      {"LoadOptions::max_object_bytes", load.max_object_bytes,
       "memory for a model's objects, tensors aside; 3 bytes more for each byte of the file that is no tensor's"},
      {"LoadOptions::max_nodes", load.max_nodes, "nodes of a model, subgraphs included"},
      {"LoadOptions::max_tensor_bytes", load.max_tensor_bytes, "one tensor"},
      {"LoadOptions::max_rank", load.max_rank, "extents of one tensor"},
      {"LoadOptions::max_name_bytes", load.max_name_bytes, "one name"},
      {"LoadOptions::max_attributes", load.max_attributes, "attributes of one node"},
      {"LoadOptions::max_attribute_bytes", load.max_attribute_bytes, "numbers or text of one attribute"},
      {"LoadOptions::max_depth", load.max_depth, "nested messages; nested calls of functions and subgraphs"},
      {"LoadOptions::max_call_nodes", load.max_call_nodes,
       "nodes that a model's own functions write out; one more for each 8 bytes of the file"},
      {"SessionOptions::max_plans", static_cast<std::int64_t>(session.max_plans), "sets of input shapes kept planned"},
      {"SessionOptions::max_arena_bytes", session.max_arena_bytes, "activations and scratch of a session"},
      {"SessionOptions::max_loop_trips", session.max_loop_trips, "trips of one Loop, steps of one Scan"},
      {"SessionOptions::max_folded_bytes", session.max_folded_bytes,
       "constants that planning computes, beyond the model's own; 32 times as much in all"},
      {"ImageLimits::max_width", image.max_width, "a picture's columns"},
      {"ImageLimits::max_height", image.max_height, "a picture's rows"},
      {"ImageLimits::max_pixels", image.max_pixels, "a picture's pixels"},
      {"ImageLimits::max_file_bytes", image.max_file_bytes, "a picture's file"},
      {"ImageLimits::max_memory_bytes", image.max_memory_bytes, "memory to decode a picture"},
      {"ImageLimits::max_scans", image.max_scans, "scans of a JPEG"},
  };
}

int run_limits(bool json) {
  Json object;
  for (const Limit& limit : limits()) {
    object[limit.name] = limit.value;
    if (!json)
      std::cout << std::left << std::setw(34) << limit.name << std::setw(14) << limit.value << limit.what << '\n';
  }
  if (json) write_json(object);
  return 0;
}

}  // namespace

void add_limits(CLI::App& app, Action& action) {
  auto json = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand("limits", "Show what a file may ask for at most, by default.");
  verb->add_flag("--json", *json, "Print one JSON object.");
  verb->callback([json, &action] { action = [json] { return run_limits(*json); }; });
}

}  // namespace linnet::cli
