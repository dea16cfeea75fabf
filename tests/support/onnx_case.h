// Cases in the folder layout of the ONNX backend tests: model.onnx beside test_data_set_0/{input,output}_0.pb, ...
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "linnet/tensor.h"

namespace linnet::test {

/// One data set: tensors by their number; a name is empty where the file has none.
struct DataSet {
  std::string name;
  std::vector<std::pair<std::string, Tensor>> inputs;
  std::vector<std::pair<std::string, Tensor>> outputs;
};

/// Throws Error where a file is no tensor that Linnet reads.
DataSet load_data_set(const std::filesystem::path& folder);
/// All folders test_data_set_* beside a model.
std::vector<std::filesystem::path> data_sets_of(const std::filesystem::path& model_folder);

/// One .pb file.
Tensor load_tensor_file(const std::filesystem::path& path, std::string* name = nullptr);

}  // namespace linnet::test
