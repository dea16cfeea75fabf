// Where the data of tests lie, and how a test leaves where they do not.
//
//   const auto folder = test::data_dir() / "models" / "resnet18";
//   if (test::skip_without(folder)) return;
#pragma once

#include <stdlib.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

namespace linnet::test {

inline std::filesystem::path source_dir() {
#ifdef LINNET_SOURCE_DIR
  return LINNET_SOURCE_DIR;
#else
  return ".";
#endif
}

/// What ships with the project, in modelhub's layout.
inline std::filesystem::path bundled_dir() { return source_dir() / "examples" / "cifar10-resnet20"; }
inline std::filesystem::path bundled_model() { return bundled_dir() / "model" / "model.onnx"; }

/// $LINNET_DATA, or the folder `shared` beside the project.
inline std::filesystem::path data_dir() {
  if (const char* folder = getenv("LINNET_DATA")) return folder;
  return source_dir() / ".." / "shared";
}

/// The ONNX backend test data as Debian's package libonnx-testdata installs them.
inline std::filesystem::path onnx_testdata_dir() { return "/usr/share/libonnx-testdata/data"; }

/// True, with a warning in the test's output, where `path` does not exist. Catch2 2.x knows no skipped tests.
inline bool skip_without(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return false;
  WARN("skipped: there is no " << path.string());
  SUCCEED();
  return true;
}

inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  std::vector<std::byte> bytes(static_cast<std::size_t>(stream.tellg()));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

/// The folders right under `path`, sorted by name.
inline std::vector<std::filesystem::path> folders_of(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace linnet::test
