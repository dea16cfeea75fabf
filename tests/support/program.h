// The built program as a user runs it: a process with its own exit code, standard output and standard error.
//
//   const Ran ran = run_program({"classify", model, "cat.png", "--json"});
//   CHECK(ran.code == 0);
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/temp_dir.h"

namespace linnet::test {

struct Ran {
  int code = -1;  // -1: it did not end by itself
  std::string out, err;

  [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// Standard input is `input`, or empty. The program takes the shell's place: a signal that ends it is not one of the shell's codes.
inline Ran run_program(const std::vector<std::string>& arguments, const std::string& input = "/dev/null") {
  const TempDir dir;
  std::string command = "exec " + shell_quoted(LINNET_PROGRAM);
  for (const std::string& argument : arguments) command += " " + shell_quoted(argument);
  const std::string out = dir.path() / "out", err = dir.path() / "err";
  command += " <" + shell_quoted(input) + " >" + shell_quoted(out) + " 2>" + shell_quoted(err);
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c,concurrency-mt-unsafe): our own program
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1, .out = read_text(out), .err = read_text(err)};
}

}  // namespace linnet::test
