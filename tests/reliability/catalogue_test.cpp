// docs/reliability.md says of every row of the catalogue which test covers it, or why none does. This holds it to that.
#include <cctype>
#include <map>
#include <set>
#include <sstream>

#include "reliability/hostile.h"
#include "support/data_dir.h"

using namespace linnet::test;

namespace {

// The sections of the catalogue and their rows.
constexpr std::pair<char, int> kSections[] = {{'A', 14}, {'B', 18}, {'C', 10}, {'D', 22}, {'E', 14},
                                              {'F', 24}, {'G', 28}, {'H', 20}, {'I', 22}, {'J', 22},
                                              {'K', 16}, {'L', 20}, {'M', 30}, {'N', 12}};

std::string text_of(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_bytes(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_id(std::string_view word) {
  return word.size() == 3 && word[0] >= 'A' && word[0] <= 'N' &&
         std::isdigit(static_cast<unsigned char>(word[1])) != 0 &&
         std::isdigit(static_cast<unsigned char>(word[2])) != 0;
}

/// The ids at the front of "B03 B04: malformed fields".
std::vector<std::string> ids_of(std::string_view name) {
  std::vector<std::string> ids;
  while (name.size() > 3 && is_id(name.substr(0, 3)) && (name[3] == ' ' || name[3] == ':')) {
    ids.emplace_back(name.substr(0, 3));
    if (name[3] == ':') return ids;
    name.remove_prefix(4);
  }
  return {};
}

/// Row -> the files whose tests name it.
std::map<std::string, std::set<std::string>> tested_rows() {
  std::map<std::string, std::set<std::string>> rows;
  const std::filesystem::path tests = source_dir() / "tests";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tests)) {
    const bool packaging = entry.path().string().ends_with("packaging/CMakeLists.txt");
    if (!packaging && !entry.path().string().ends_with("_test.cpp")) continue;
    const std::string text = text_of(entry.path());
    const std::string_view start_of_test = packaging ? "\npackaging_test(" : "\nTEST_CASE(";
    for (std::size_t at = text.find(start_of_test); at != std::string::npos; at = text.find(start_of_test, at + 1)) {
      for (std::string& id : ids_of(std::string_view(text).substr(text.find('"', at) + 1, 200))) {
        rows[std::move(id)].insert(std::filesystem::relative(entry.path(), tests).string());
      }
    }
  }
  return rows;
}

/// Row -> the last column of its line in the table.
std::map<std::string, std::string> documented_rows() {
  std::map<std::string, std::string> rows;
  std::istringstream lines(text_of(source_dir() / "docs" / "reliability.md"));
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 8 || !line.starts_with("| ") || !is_id(std::string_view(line).substr(2, 3)) || line[5] != ' ')
      continue;
    const std::size_t end = line.rfind(" |"), start = line.rfind("| ", end - 1);
    INFO(line);
    CHECK(rows.emplace(line.substr(2, 3), line.substr(start + 2, end - start - 2)).second);
  }
  return rows;
}

/// The lines of the table of other engines' bugs: "| bug | what | rows |".
std::vector<std::vector<std::string>> documented_bugs() {
  std::istringstream lines(text_of(source_dir() / "docs" / "reliability.md"));
  std::string line;
  while (std::getline(lines, line) && line != "## Bugs of other engines") {
  }
  std::vector<std::vector<std::string>> bugs;
  while (std::getline(lines, line) && !line.starts_with("## ")) {
    if (!line.starts_with("| ") || line.starts_with("| bug ")) continue;
    std::vector<std::string> rows;
    const std::size_t end = line.rfind(" |");
    std::istringstream words(line.substr(line.rfind("| ", end - 1) + 2, end - line.rfind("| ", end - 1) - 2));
    for (std::string word; words >> word;) rows.push_back(word.substr(0, 3));
    bugs.push_back(rows);
  }
  return bugs;
}

}  // namespace

TEST_CASE("the table of the catalogue has every row once and tells the truth about its tests") {
  const auto tested = tested_rows();
  const auto documented = documented_rows();
  std::size_t expected = 0;
  for (const auto& [section, count] : kSections) {
    for (int i = 1; i <= count; ++i, ++expected) {
      const std::string id = section + std::string(i < 10 ? "0" : "") + std::to_string(i);
      INFO(id);
      const auto row = documented.find(id);
      REQUIRE(row != documented.end());
      const auto tests = tested.find(id);
      std::string files;
      if (tests != tested.end()) {
        for (const std::string& file : tests->second) files += (files.empty() ? "" : ", ") + file;
      }
      CHECK(row->second == (files.empty() ? "none" : files));
    }
  }
  CHECK(documented.size() == expected);
}

TEST_CASE("forty bugs of other engines and more are made again by rows that have tests") {
  const auto tested = tested_rows();
  const auto bugs = documented_bugs();
  CHECK(bugs.size() >= 40);
  for (const std::vector<std::string>& rows : bugs) {
    CHECK_FALSE(rows.empty());
    for (const std::string& row : rows) {
      INFO(row);
      CHECK(tested.count(row) == 1);
    }
  }
}
