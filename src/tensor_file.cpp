#include "linnet/tensor_file.h"

#include "base/file.h"
#include "base/out_of_memory.h"
#include "linnet/model.h"
#include "onnx/load.h"

namespace linnet {

Tensor load_tensor(const std::string& path, std::string* name) {
  return base::guard_memory([&] {
    const auto file = base::FileBuffer::read(path, LoadOptions().max_tensor_bytes);
    return onnx::load_tensor(file->bytes(), path, name);
  });
}

Datum load_datum(const std::string& path, ValueKind kind, std::string* name) {
  return base::guard_memory([&] {
    const auto file = base::FileBuffer::read(path, LoadOptions().max_tensor_bytes);
    return onnx::load_datum(file->bytes(), path, kind, name);
  });
}

}  // namespace linnet
