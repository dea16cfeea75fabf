// Tensor bytes in files beside the model, fenced in: a model file must not make us read anything but its own data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "base/file.h"
#include "linnet/tensor.h"
#include "onnx/wire.h"

namespace linnet::onnx {

/// TensorProto.external_data.
struct ExternalEntry {
  std::string location;
  std::int64_t offset = 0;
  std::optional<std::int64_t> length;
  std::optional<std::string> checksum;  // SHA-1 of the whole file, in hexadecimal digits
};

class ExternalData {
 public:
  /// `folder` is where locations start; none: external data is refused.
  ExternalData(std::optional<std::string> folder, std::int64_t max_file_bytes)
      : folder_(std::move(folder)), max_file_bytes_(max_file_bytes) {}

  /// Reads a tensor's bytes into memory of its own. The location is a relative path below the folder, without "..", through
  /// no symbolic link, to a regular file with one name (a hard link could lead anywhere). `message` is for messages.
  Tensor read(const ExternalEntry& entry, DataType type, const Shape& shape, std::size_t bytes, const Message& message);

 private:
  using Identity = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  using Range = std::tuple<Identity, std::int64_t, std::size_t>;

  void open(const std::string& location, const Message& message);
  void verify_checksum(const ExternalEntry& entry, const Message& message);

  std::optional<std::string> folder_;
  std::int64_t max_file_bytes_;
  // The file used last. One is enough: tensors of one file mostly follow each other, and descriptors are scarce.
  std::string open_location_;
  base::FileHandle open_file_;
  base::FileFacts open_facts_;
  std::map<Range, Tensor> tensors_;        // a weight that two initializers name is read once
  std::map<Identity, std::int64_t> read_;  // bytes read of each file: at most its size
  std::map<Identity, std::string> digests_;
};

}  // namespace linnet::onnx
