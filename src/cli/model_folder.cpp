#include "cli/model_folder.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/text_file.h"
#include "linnet/error.h"

namespace linnet::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = std::size_t{1} << 20;

[[noreturn]] void fail(ErrorCode code, const std::string& message, const fs::path& file, std::string where = {}) {
  throw Error(code, message, {.file = file.string(), .where = std::move(where)});
}

/// An extent. nlohmann would convert 1e200, too, which no integer holds.
std::int64_t extent(const nlohmann::json& value, const std::string& path) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
  if (!fits)
    fail(ErrorCode::format, "config.json does not follow modelhub's schema: a limit is no integer of 64 bits", path);
  return value.get<std::int64_t>();
}

/// The limits stand under io.input.single in the schema of today, directly under io.input in older folders.
std::vector<DimLimit> read_limits(const nlohmann::json& config, const std::string& path) {
  const nlohmann::json input = config.value("/model/io/input"_json_pointer, nlohmann::json::object());
  const nlohmann::json limits = input.contains("/single/dim_limits"_json_pointer)
                                    ? input["/single/dim_limits"_json_pointer]
                                    : input.value("dim_limits", nlohmann::json::array());
  std::vector<DimLimit> result;
  for (const nlohmann::json& limit : limits) {
    DimLimit l;
    if (limit.contains("min")) l.min = extent(limit.at("min"), path);
    if (limit.contains("max")) l.max = extent(limit.at("max"), path);
    result.push_back(l);
  }
  return result;
}

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

}  // namespace

FolderConfig parse_config(std::string_view text, const std::string& path) {
  const nlohmann::json config = parse_json(text, path, "config.json");
  try {
    return {.preset = config.value("/modelhub/preset"_json_pointer, std::string("modelhub")),
            .dim_limits = read_limits(config, path)};
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorCode::format, std::string("config.json does not follow modelhub's schema: ") + error.what(), path);
  }
}

std::string model_file(const std::string& model) {
  std::error_code ignored;  // what cannot be looked at is left to the loader's own error
  if (!fs::is_directory(model, ignored)) return model;
  const fs::path root = model, file = root / "model" / "model.onnx";
  if (!fs::exists(file)) {
    fail(ErrorCode::io,
         "the folder has no model/model.onnx; put the network there, or give the ONNX file itself (classify: with "
         "--labels " +
             (root / "model" / "labels.json").string() + ")",
         root);
  }
  return file.string();
}

ModelFolder read_model_folder(const std::string& folder) {
  const fs::path root = folder;
  ModelFolder result;
  result.model = model_file(folder);
  const fs::path labels = root / "model" / "labels.json";
  if (fs::exists(labels)) result.labels = labels.string();
  const fs::path config_path = root / "model" / "config.json";
  if (fs::exists(config_path))
    result.config = parse_config(read_text_file(config_path, kMaxConfigBytes, "config.json"), config_path.string());
  if (fs::is_directory(root / "sample_data")) {
    for (const fs::directory_entry& entry : fs::directory_iterator(root / "sample_data")) {
      std::error_code error;  // what cannot be looked at is a picture with an error of its own
      if ((entry.is_regular_file(error) || error) && is_picture(entry.path()))
        result.samples.push_back(entry.path().string());
    }
    std::sort(result.samples.begin(), result.samples.end());
  }
  return result;
}

void check_limits(const FolderConfig& config, const Image& image, const std::string& path) {
  const std::array<std::pair<const char*, std::int64_t>, 3> extents = {
      {{"channels", image.channels}, {"height", image.height}, {"width", image.width}}};
  for (std::size_t i = 0; i < std::min(config.dim_limits.size(), extents.size()); ++i) {
    const DimLimit& limit = config.dim_limits[i];
    const auto [what, value] = extents[i];
    if (value >= limit.min && (!limit.max || value <= *limit.max)) continue;
    std::string expected = "at least " + std::to_string(limit.min);
    if (limit.max) expected += ", at most " + std::to_string(*limit.max);
    throw Error(ErrorCode::image, "the picture does not comply with the model's input limits",
                {.file = path, .where = what, .expected = expected, .found = std::to_string(value)});
  }
}

}  // namespace linnet::cli
