#include "linnet/tensor.h"

#include <cstring>
#include <utility>

#include "base/aligned_buffer.h"
#include "base/checked_math.h"
#include "base/out_of_memory.h"
#include "base/tensor_access.h"
#include "linnet/error.h"

namespace linnet {

std::string_view to_string(DataType type) noexcept {
  switch (type) {
    case DataType::undefined: return "undefined";
    case DataType::float32: return "float";
    case DataType::uint8: return "uint8";
    case DataType::int8: return "int8";
    case DataType::uint16: return "uint16";
    case DataType::int16: return "int16";
    case DataType::int32: return "int32";
    case DataType::int64: return "int64";
    case DataType::string: return "string";
    case DataType::boolean: return "bool";
    case DataType::float16: return "float16";
    case DataType::float64: return "double";
    case DataType::uint32: return "uint32";
    case DataType::uint64: return "uint64";
    case DataType::complex64: return "complex64";
    case DataType::complex128: return "complex128";
    case DataType::bfloat16: return "bfloat16";
  }
  return "undefined";
}

std::size_t element_bytes(DataType type) noexcept {
  switch (type) {
    case DataType::uint8:
    case DataType::int8:
    case DataType::boolean: return 1;
    case DataType::uint16:
    case DataType::int16:
    case DataType::float16:
    case DataType::bfloat16: return 2;
    case DataType::float32:
    case DataType::int32:
    case DataType::uint32: return 4;
    case DataType::float64:
    case DataType::int64:
    case DataType::uint64: return 8;
    case DataType::undefined:
    case DataType::string:
    case DataType::complex64:
    case DataType::complex128: return 0;
  }
  return 0;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i != 0) text += ',';
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

namespace {

std::int64_t count_elements(DataType type, const Shape& shape) {
  if (element_bytes(type) == 0) {
    throw Error(ErrorCode::usage, "no tensor of type " + std::string(to_string(type)) + " can exist");
  }
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw Error(ErrorCode::usage, "a tensor extent is negative in " + to_string(shape));
  }
  const std::int64_t count = base::checked_product(shape, "a tensor's elements");
  (void)base::checked_mul(count, static_cast<std::int64_t>(element_bytes(type)), "a tensor's bytes");
  return count;
}

}  // namespace

Tensor::Tensor(DataType type, Shape shape)
    : type_(type), shape_(std::move(shape)), size_(count_elements(type, shape_)), writable_(true) {
  base::guard_memory([&] {
    auto buffer = std::make_shared<base::AlignedBuffer>(bytes(), base::AlignedBuffer::Fill::zero);
    data_ = buffer->data();
    owner_ = std::move(buffer);
  });
}

Tensor Tensor::share(DataType type, Shape shape, const void* data, std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.type_ = type;
  tensor.size_ = count_elements(type, shape);
  tensor.shape_ = std::move(shape);
  if (data == nullptr && tensor.bytes() != 0)
    throw Error(ErrorCode::usage, "a tensor with elements is no view of a null pointer");
  tensor.data_ = data;
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::view(DataType type, Shape shape, const void* data) {
  return share(type, std::move(shape), data, nullptr);
}

Tensor TensorAccess::without_bytes(const Tensor& tensor) {
  Tensor rest = tensor;
  rest.data_ = nullptr;
  rest.writable_ = false;
  rest.owner_.reset();
  return rest;
}

void Tensor::swap(Tensor& other) noexcept {
  std::swap(type_, other.type_);
  shape_.swap(other.shape_);
  std::swap(size_, other.size_);
  std::swap(data_, other.data_);
  std::swap(writable_, other.writable_);
  owner_.swap(other.owner_);
}

void* Tensor::mutable_raw() {
  if (!writable_) throw Error(ErrorCode::usage, "a borrowed or shared tensor is read-only; clone() it first");
  return const_cast<void*>(data_);
}

Tensor Tensor::clone() const {
  if (type_ == DataType::undefined) return {};
  return base::guard_memory([&] {
    Tensor copy(type_, shape_);
    if (bytes() != 0) std::memcpy(copy.mutable_raw(), data_, bytes());
    return copy;
  });
}

Tensor Tensor::reshaped(Shape shape) const {
  if (count_elements(type_, shape) != size_) {
    throw Error(ErrorCode::usage,
                "cannot view " + to_string(shape_) + " as " + to_string(shape) + ": the element counts differ");
  }
  return base::guard_memory([&] {
    Tensor other = *this;
    other.shape_ = std::move(shape);
    return other;
  });
}

void Tensor::require_type(DataType type) const {
  if (type != type_) {
    throw Error(ErrorCode::usage, "the tensor's type differs",
                {.expected = std::string(to_string(type)), .found = std::string(to_string(type_))});
  }
}

}  // namespace linnet
