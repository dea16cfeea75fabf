// docs/reliability.md says of every row of the catalogue what comes of it, and which test covers it or why none does. This holds
// it to that.
#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
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

struct Test {
  std::string file, name;
  std::vector<std::string> rows;
  std::set<std::string> codes;  // ErrorCode::... in its body
};

std::set<std::string> codes_in(std::string_view body) {
  constexpr std::string_view kCode = "ErrorCode::";
  std::set<std::string> codes;
  for (std::size_t at = body.find(kCode); at != std::string_view::npos; at = body.find(kCode, at + 1)) {
    const std::string_view rest = body.substr(at + kCode.size());
    const auto is_letter = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
    codes.emplace(rest.begin(), std::find_if_not(rest.begin(), rest.end(), is_letter));
  }
  return codes;
}

/// The tests that name rows.
std::vector<Test> tests_of_rows() {
  std::vector<Test> all;
  const std::filesystem::path tests = source_dir() / "tests";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tests)) {
    const bool packaging = entry.path().string().ends_with("packaging/CMakeLists.txt");
    if (!packaging && !entry.path().string().ends_with("_test.cpp")) continue;
    const std::string text = text_of(entry.path());
    const std::string_view start_of_test = packaging ? "\npackaging_test(" : "\nTEST_CASE(";
    for (std::size_t at = text.find(start_of_test); at != std::string::npos; at = text.find(start_of_test, at + 1)) {
      const std::string_view rest = std::string_view(text).substr(at + 1);
      const std::string_view body = rest.substr(0, std::min(rest.find("\n}\n"), rest.find("\nTEST_CASE(")));
      const std::string_view name = rest.substr(rest.find('"') + 1, 200);
      Test test{std::filesystem::relative(entry.path(), tests).string(), std::string(name.substr(0, name.find('"'))),
                ids_of(name), codes_in(body)};
      if (!test.rows.empty()) all.push_back(std::move(test));
    }
  }
  return all;
}

/// Row -> the files whose tests name it.
std::map<std::string, std::set<std::string>> tested_rows() {
  std::map<std::string, std::set<std::string>> rows;
  for (const Test& test : tests_of_rows()) {
    for (const std::string& row : test.rows) rows[row].insert(test.file);
  }
  return rows;
}

struct Documented {
  std::string outcome, tests;
};

/// Row -> the last two columns of its line in the table: "| row | case | outcome | tests |".
std::map<std::string, Documented> documented_rows() {
  std::map<std::string, Documented> rows;
  std::istringstream lines(text_of(source_dir() / "docs" / "reliability.md"));
  for (std::string line; std::getline(lines, line);) {
    if (line.size() < 8 || !line.starts_with("| ") || !is_id(std::string_view(line).substr(2, 3)) || line[5] != ' ')
      continue;
    const std::size_t end = line.rfind(" |"), tests = line.rfind("| ", end - 1), outcome = line.rfind("| ", tests - 1);
    INFO(line);
    REQUIRE(outcome > 5);
    CHECK(rows.emplace(line.substr(2, 3), Documented{line.substr(outcome + 2, tests - outcome - 3),
                                                     line.substr(tests + 2, end - tests - 2)})
              .second);
  }
  return rows;
}

/// The codes of "works; refused: limit, model", or nothing where an outcome is written in another way than this one.
std::optional<std::set<std::string>> codes_of_outcome(std::string_view outcome) {
  constexpr std::string_view kWorks = "works", kRefused = "refused", kAnd = "; ", kWith = ": ", kComma = ", ";
  std::set<std::string> codes;
  if (outcome == "documented" || outcome == kWorks) return codes;
  if (outcome.starts_with(std::string(kWorks) + std::string(kAnd))) outcome.remove_prefix(kWorks.size() + kAnd.size());
  if (!outcome.starts_with(kRefused)) return std::nullopt;
  outcome.remove_prefix(kRefused.size());
  if (outcome.empty()) return codes;
  if (!outcome.starts_with(kWith)) return std::nullopt;
  outcome.remove_prefix(kWith.size());
  for (std::size_t end = outcome.find(kComma); end != std::string_view::npos; end = outcome.find(kComma)) {
    codes.emplace(outcome.substr(0, end));
    outcome.remove_prefix(end + kComma.size());
  }
  codes.emplace(outcome);
  return codes;
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
      CHECK(row->second.tests == (files.empty() ? "none" : files));
    }
  }
  CHECK(documented.size() == expected);
}

TEST_CASE("an outcome in the table of the catalogue lists the codes that the row's tests ask for, and no others") {
  const auto documented = documented_rows();
  const std::vector<Test> tests = tests_of_rows();
  for (const auto& [row, line] : documented) {
    INFO(row << ": " << line.outcome);
    const auto codes = codes_of_outcome(line.outcome);
    REQUIRE(codes.has_value());
    std::set<std::string> asked;
    for (const Test& test : tests) {
      if (std::find(test.rows.begin(), test.rows.end(), row) != test.rows.end())
        asked.insert(test.codes.begin(), test.codes.end());
    }
    for (const std::string& code : *codes) {
      INFO(code);
      CHECK(asked.count(code) == 1);
    }
  }
  for (const Test& test : tests) {
    std::set<std::string> listed;
    for (const std::string& row : test.rows) {
      INFO(row);
      REQUIRE(documented.count(row) == 1);
      listed.merge(codes_of_outcome(documented.at(row).outcome).value_or(std::set<std::string>{}));
    }
    for (const std::string& code : test.codes) {
      INFO(test.file << ": \"" << test.name << "\" asks for " << code);
      CHECK(listed.count(code) == 1);
    }
  }
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
