// Small files of people: labels, configurations, totals.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "linnet/error.h"

namespace linnet::cli {

/// All of a regular file. `what` it is begins the message: Error `io`, also for anything that is no regular file, or `limit`.
std::string read_text_file(const std::filesystem::path& path, std::size_t most_bytes, const std::string& what);

/// Throws Error(format) for text that is no JSON or too deeply nested: nlohmann copies a value by recursion.
nlohmann::json parse_json(std::string_view text, const std::string& path, const std::string& what);

/// What std::filesystem could not do.
Error to_error(const std::filesystem::filesystem_error& error);

}  // namespace linnet::cli
