// A session on a model that a test has built.
#pragma once

#include <cstddef>
#include <vector>

#include "linnet/linnet.h"
#include "support/onnx_builder.h"

namespace linnet::test {

inline Session session_of(const OnnxModel& model, const SessionOptions& options = {}) {
  // The bytes outlive every session of the tests.
  static std::vector<std::vector<std::byte>> files;
  files.push_back(model.bytes());
  return Session(Model::load(files.back()), options);
}

}  // namespace linnet::test
