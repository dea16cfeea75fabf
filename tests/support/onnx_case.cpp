#include "support/onnx_case.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "onnx/load.h"

namespace linnet::test {

namespace {

std::vector<std::pair<std::string, Tensor>> load_numbered(const std::filesystem::path& folder,
                                                          const std::string& stem) {
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (int i = 0;; ++i) {
    const std::filesystem::path path = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!std::filesystem::exists(path)) return tensors;
    std::string name;
    Tensor tensor = load_tensor_file(path, &name);
    tensors.emplace_back(std::move(name), std::move(tensor));
  }
}

}  // namespace

Tensor load_tensor_file(const std::filesystem::path& path, std::string* name) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  return onnx::load_tensor(std::as_bytes(std::span(text)), path.string(), name);
}

DataSet load_data_set(const std::filesystem::path& folder) {
  return {folder.filename().string(), load_numbered(folder, "input"), load_numbered(folder, "output")};
}

std::vector<std::filesystem::path> data_sets_of(const std::filesystem::path& model_folder) {
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(model_folder)) {
    if (entry.is_directory() && entry.path().filename().string().rfind("test_data_set_", 0) == 0) {
      folders.push_back(entry.path());
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace linnet::test
