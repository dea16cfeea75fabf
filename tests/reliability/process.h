// What tests of processes and their resources share: children with a deadline, and a network of many short steps.
//
//   CHECK(in_child([] { return works() ? 0 : 1; }) == 0);
//   if (in_own_process("L18*", {})) return;  // the parent has checked its child; what follows runs in the child alone
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "reliability/hostile.h"
#include "support/sanitized.h"

namespace linnet::test {

/// Many equal convolutions in a row: many steps of some microseconds.
inline std::vector<std::byte> long_network(int layers, std::int64_t channels = 8) {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < layers; ++i) {
    nodes.push_back(OnnxNode("Conv", {i == 0 ? "x" : "v" + std::to_string(i), "w"},
                             {i + 1 == layers ? "y" : "v" + std::to_string(i + 1)})
                        .set("pads", Ints{1, 1, 1, 1}));
  }
  return model_of(nodes, {{"x", {"N", channels, 16, 16}}}, {{"w", floats_of({channels, channels, 3, 3}, 0.01F)}})
      .bytes();
}

inline SessionOptions with_threads(int count) {
  SessionOptions options;
  options.threads = count;
  return options;
}

/// Runs `action` in a child made by fork, with a deadline; the child's exit code, or -1 where it hung or was killed.
inline int in_child(const std::function<int()>& action, int seconds = 60) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(static_cast<unsigned>(seconds));
    int code = 99;
    try {
      code = action();
    } catch (...) {
    }
    _exit(code);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// This very program again, with other arguments and more environment.
inline int run_self(const std::string& test, const std::vector<std::string>& environment, bool close_streams = false) {
  return in_child([&] {
    for (const std::string& entry : environment) putenv(const_cast<char*>(entry.c_str()));
    if (close_streams) {
      for (const int stream : {0, 1, 2}) close(stream);
    }
    execl("/proc/self/exe", "test_reliability", test.c_str(), static_cast<char*>(nullptr));
    return 98;
  });
}

/// For a test that spoils its process: true in the parent, once a process of its own has run the same test (`name`, which
/// may end in *) and ended with `code`; false in that process.
inline bool in_own_process(const std::string& name, int code = 0) {
  constexpr const char* kMark = "LINNET_TEST_IN_OWN_PROCESS";
  if (std::getenv(kMark) != nullptr) return false;
  CHECK(run_self(name, {std::string(kMark) + "=1"}) == code);
  return true;
}

/// Memory of the process's own; pages of the program, which come as its code is first run, aside.
inline std::int64_t resident_bytes() {
  std::ifstream stream("/proc/self/statm");
  std::int64_t size = 0, resident = 0, of_files = 0;
  stream >> size >> resident >> of_files;
  return (resident - of_files) * sysconf(_SC_PAGESIZE);
}

inline void write_bytes(const std::filesystem::path& path, const std::vector<std::byte>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace linnet::test
