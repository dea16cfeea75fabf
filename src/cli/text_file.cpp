#include "cli/text_file.h"

#include <fstream>
#include <system_error>

namespace linnet::cli {

namespace {

constexpr int kMostLevels = 32;

}  // namespace

std::string read_text_file(const std::filesystem::path& path, std::size_t most_bytes, const std::string& what) {
  std::error_code status_error;
  const std::filesystem::file_status status = std::filesystem::status(path, status_error);
  // Asked before opening: a pipe without a writer would block for ever.
  if (!std::filesystem::is_regular_file(status)) {
    const bool missing = status.type() == std::filesystem::file_type::not_found;
    throw Error(
        ErrorCode::io, what + " cannot be read",
        {.file = path.string(), .expected = "a regular file", .found = missing ? "nothing there" : "something else"});
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(most_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (!file.eof() && file.gcount() == 0))
    throw Error(ErrorCode::io, what + " cannot be read", {.file = path.string()});
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > most_bytes) {
    throw Error(ErrorCode::limit, what + " is too large",
                {.file = path.string(), .expected = "at most " + std::to_string(most_bytes) + " bytes"});
  }
  return text;
}

nlohmann::json parse_json(std::string_view text, const std::string& path, const std::string& what) {
  const auto require_shallow = [&](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    if (depth > kMostLevels) {
      throw Error(ErrorCode::format, what + " is nested too deeply",
                  {.file = path, .expected = "at most " + std::to_string(kMostLevels) + " levels"});
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text, require_shallow);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ErrorCode::format, what + " cannot be read: " + error.what(), {.file = path});
  }
}

Error to_error(const std::filesystem::filesystem_error& error) {
  return Error(ErrorCode::io, "cannot look at a file or folder: " + error.code().message(),
               {.file = error.path1().string()});
}

}  // namespace linnet::cli
