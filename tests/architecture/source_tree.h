// Reading the source tree as text, for the tests of the house rules.
#pragma once

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace linnet::test {

inline std::filesystem::path source_root() { return LINNET_SOURCE_DIR; }

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// All C++ files under root/folder, as paths relative to the root with '/' between the parts.
inline std::vector<std::string> source_files(const std::string& folder) {
  std::vector<std::string> files;
  const std::filesystem::path top = source_root() / folder;
  if (!std::filesystem::exists(top)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(top)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".h" && extension != ".cpp" && extension != ".inc") continue;
    files.push_back(entry.path().lexically_relative(source_root()).generic_string());
  }
  return files;
}

struct Include {
  std::string name;  // as written, without the quotes
  bool angled = false;
};

inline std::vector<Include> includes_of(const std::string& file) {
  static const std::regex directive(R"re(^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"])re");
  std::vector<Include> includes;
  std::istringstream text(read_text(source_root() / file));
  for (std::string line; std::getline(text, line);) {
    std::smatch match;
    if (std::regex_search(line, match, directive)) includes.push_back({match[2].str(), match[1].str() == "<"});
  }
  return includes;
}

/// The text without // comments, so that a rule about code is not broken by a sentence about it.
inline std::string code_of(const std::string& file) {
  static const std::regex comment("//[^\n]*");
  return std::regex_replace(read_text(source_root() / file), comment, "");
}

}  // namespace linnet::test
