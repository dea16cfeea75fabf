// Tuning as a text file: a first line that says what it is, then "key: tiles N, chunk N, panel_parts N", a line a blocking.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/out_of_memory.h"
#include "linnet/error.h"
#include "linnet/tuning.h"

namespace linnet {

namespace {

constexpr std::string_view kFirstLine = "linnet-tuning 1";
constexpr std::int64_t kMostBytes = 16 << 20;
constexpr std::int32_t kMostOfAnything = 1 << 20;
constexpr int kMostWriters = 1000;  // of one file, those included that ended before they were done

struct Field {
  std::string_view name;
  std::int32_t Blocking::*member;
};
constexpr Field kFields[] = {
    {": tiles ", &Blocking::tiles}, {", chunk ", &Blocking::chunk}, {", panel_parts ", &Blocking::panel_parts}};

/// Takes the fields off the end of `line`, last one first; what is left is the key. False: the line is none of ours.
bool take_fields(std::string_view& line, Blocking& blocking) {
  for (std::size_t i = std::size(kFields); i-- > 0;) {
    const std::size_t at = line.rfind(kFields[i].name);
    if (at == std::string_view::npos) return false;
    std::int32_t& value = blocking.*kFields[i].member;
    const char* const end = line.data() + line.size();
    const auto [stop, error] = std::from_chars(line.data() + at + kFields[i].name.size(), end, value);
    if (error != std::errc() || stop != end || value < 0 || value > kMostOfAnything) return false;
    line = line.substr(0, at);
  }
  return !line.empty();
}

[[noreturn]] void bad_line(const std::string& path, std::size_t number, std::string_view expected,
                           std::string_view found) {
  throw Error(ErrorCode::format, "not a tuning file; delete it and run `linnet tune` again",
              {.file = path,
               .where = "line " + std::to_string(number),
               .expected = std::string(expected),
               .found = std::string(found.substr(0, 80))});
}

}  // namespace

Tuning load_tuning(const std::string& path) {
  return base::guard_memory([&] {
    const auto file = base::FileBuffer::read(path, kMostBytes);
    std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
    Tuning tuning;
    for (std::size_t number = 1; number == 1 || !text.empty(); ++number) {
      const std::size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      const std::string_view whole = line;
      Blocking blocking;
      if (number == 1) {
        if (line != kFirstLine) bad_line(path, number, kFirstLine, line);
      } else if (!take_fields(line, blocking)) {
        bad_line(path, number, "KEY: tiles N, chunk N, panel_parts N", whole);
      } else {
        tuning.blockings[std::string(line)] = blocking;
      }
    }
    return tuning;
  });
}

namespace {

std::string to_text(const Tuning& tuning) {
  std::string text = std::string(kFirstLine) + '\n';
  for (const auto& [key, blocking] : tuning.blockings) {
    text += key;
    for (const Field& field : kFields) text.append(field.name).append(std::to_string(blocking.*field.member));
    text += '\n';
  }
  return text;
}

void require_readable(const std::string& path, const Tuning& tuning) {
  if (path.find('\0') != std::string::npos)
    throw Error(ErrorCode::usage, "a path that holds a NUL character", {.file = path});
  for (const auto& [key, blocking] : tuning.blockings) {
    const bool one_line = !key.empty() && key.find('\n') == std::string::npos;
    const bool numbers = std::all_of(std::begin(kFields), std::end(kFields), [&, &b = blocking](const Field& field) {
      return b.*field.member >= 0 && b.*field.member <= kMostOfAnything;
    });
    if (!one_line || !numbers) {
      throw Error(ErrorCode::usage, "a blocking that load_tuning would refuse",
                  {.expected = "a key of one line, and numbers from 0 to " + std::to_string(kMostOfAnything),
                   .found = "'" + key.substr(0, 80) + "'"});
    }
  }
}

void save(const std::string& path, const Tuning& tuning) {
  require_readable(path, tuning);
  const std::string text = to_text(tuning);
  if (std::cmp_greater(text.size(), kMostBytes)) {
    throw Error(ErrorCode::usage, "more blockings than load_tuning would read",
                {.expected = "at most " + std::to_string(kMostBytes) + " bytes", .found = std::to_string(text.size())});
  }
  std::error_code ignored;  // what cannot be looked at cannot be written either
  if (std::filesystem::exists(path, ignored) && !std::filesystem::is_regular_file(path, ignored))
    throw Error(ErrorCode::io, "cannot write the file", {.file = path, .expected = "a regular file, or none"});
  std::string target = std::filesystem::canonical(path, ignored).string();  // a link stays one
  if (target.empty()) target = path;
  // A file that nobody else writes, another thread or a process in another container: x refuses one that is there.
  std::string beside;
  std::FILE* file = nullptr;
  for (int i = 0; file == nullptr && (i == 0 || (errno == EEXIST && i < kMostWriters)); ++i) {
    beside = target + ".tmp" + std::to_string(i);
    file = std::fopen(beside.c_str(), "wxe");
  }
  if (file == nullptr) throw Error(ErrorCode::io, "cannot write the file", {.file = beside});
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written || std::rename(beside.c_str(), target.c_str()) != 0) {
    std::remove(beside.c_str());
    throw Error(ErrorCode::io, "cannot write the file", {.file = path});
  }
}

}  // namespace

void save_tuning(const std::string& path, const Tuning& tuning) {
  base::guard_memory([&] { save(path, tuning); });
}

}  // namespace linnet
