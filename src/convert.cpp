#include "linnet/convert.h"

#include <algorithm>

#include "base/half.h"
#include "base/out_of_memory.h"
#include "linnet/error.h"

namespace linnet {

namespace {

[[noreturn]] void refuse(DataType type) {
  throw Error(ErrorCode::unsupported, "only floats convert",
              {.expected = "float, float16 or bfloat16", .found = std::string(to_string(type))});
}

template <typename T>
Tensor widened(const Tensor& tensor) {
  Tensor result(DataType::float32, tensor.shape());
  std::ranges::transform(tensor.data<T>(), result.mutable_data<float>().begin(), [](T x) { return base::to_float(x); });
  return result;
}

template <typename T, typename Narrow>
Tensor narrowed(const Tensor& tensor, Narrow narrow) {
  Tensor result(data_type_of<T>(), tensor.shape());
  std::ranges::transform(tensor.data<float>(), result.mutable_data<T>().begin(), narrow);
  return result;
}

Tensor to_float32(const Tensor& tensor) {
  switch (tensor.type()) {
    case DataType::float32: return tensor;
    case DataType::float16: return widened<Float16>(tensor);
    case DataType::bfloat16: return widened<BFloat16>(tensor);
    default: refuse(tensor.type());
  }
}

Tensor converted(const Tensor& tensor, DataType type) {
  // Every value of the narrow types is a float32, so going by way of it still rounds once.
  Tensor wide = to_float32(tensor);
  if (type == tensor.type()) return tensor;
  switch (type) {
    case DataType::float32: return wide;
    case DataType::float16: return narrowed<Float16>(wide, [](float x) { return base::to_float16(x); });
    case DataType::bfloat16: return narrowed<BFloat16>(wide, [](float x) { return base::to_bfloat16(x); });
    default: refuse(type);
  }
}

}  // namespace

Tensor convert(const Tensor& tensor, DataType type) {
  return base::guard_memory([&] { return converted(tensor, type); });
}

}  // namespace linnet
