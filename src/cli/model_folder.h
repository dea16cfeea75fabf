// Model folders in modelhub's layout: model/config.json, model/labels.json, model/model.onnx, sample_data/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linnet/image.h"

namespace linnet::cli {

/// What config.json allows of one axis.
struct DimLimit {
  std::int64_t min = 0;
  std::optional<std::int64_t> max;
};

/// What config.json says of the folder's model.
struct FolderConfig {
  std::string preset = "modelhub";   // modelhub.preset
  std::vector<DimLimit> dim_limits;  // channels, height, width; empty: no limits
};

/// Throws Error(format) for text that is no JSON or does not follow the schema. `path` is for messages.
FolderConfig parse_config(std::string_view text, const std::string& path);

struct ModelFolder {
  std::string model;   // path of model.onnx
  std::string labels;  // path of labels.json; empty where there is none
  FolderConfig config;
  std::vector<std::string> samples;  // pictures of sample_data, sorted
};

/// The ONNX file that MODEL names: itself, or model/model.onnx of a folder, which must exist (Error `io`).
std::string model_file(const std::string& model);

/// Throws Error: `io` where the folder has no model/model.onnx, `format` for a config.json that cannot be read.
ModelFolder read_model_folder(const std::string& folder);

/// Throws Error(image) if the picture's channels, height or width break the folder's limits.
void check_limits(const FolderConfig& config, const Image& image, const std::string& path);

}  // namespace linnet::cli
