// Tensors: a type, a shape and bytes.
//
//   linnet::Tensor image(linnet::DataType::float32, {1, 3, 224, 224});      // owns 64-byte aligned memory, zeroed
//   image.mutable_data<float>()[0] = 0.5f;
//   linnet::Tensor same = image;                                            // shares the bytes: copies are cheap
//   linnet::Tensor mine = linnet::Tensor::view(linnet::DataType::float32, {2}, my_floats);  // borrows; keep them alive
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace linnet {

/// Element types, numbered as TensorProto.DataType of ONNX.
enum class DataType : std::uint8_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,  ///< known by name only; no tensor of it exists
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,   ///< known by name only
  complex128 = 15,  ///< known by name only
  bfloat16 = 16,
};

/// ONNX's name of the type: "float", "uint8", "int64", "bool", "float16", ...
std::string_view to_string(DataType type) noexcept;
/// Bytes of one element; 0 for undefined, string and complex.
std::size_t element_bytes(DataType type) noexcept;

/// IEEE half and bfloat16 are carried as bits; the library computes them in float32.
struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

/// The DataType of a C++ type: data_type_of<float>() == DataType::float32.
template <typename T>
constexpr DataType data_type_of() noexcept {
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<U, float>) return DataType::float32;
  else if constexpr (std::is_same_v<U, double>) return DataType::float64;
  else if constexpr (std::is_same_v<U, bool>) return DataType::boolean;
  else if constexpr (std::is_same_v<U, std::uint8_t>) return DataType::uint8;
  else if constexpr (std::is_same_v<U, std::int8_t>) return DataType::int8;
  else if constexpr (std::is_same_v<U, std::uint16_t>) return DataType::uint16;
  else if constexpr (std::is_same_v<U, std::int16_t>) return DataType::int16;
  else if constexpr (std::is_same_v<U, std::uint32_t>) return DataType::uint32;
  else if constexpr (std::is_same_v<U, std::int32_t>) return DataType::int32;
  else if constexpr (std::is_same_v<U, std::uint64_t>) return DataType::uint64;
  else if constexpr (std::is_same_v<U, std::int64_t>) return DataType::int64;
  else if constexpr (std::is_same_v<U, Float16>) return DataType::float16;
  else if constexpr (std::is_same_v<U, BFloat16>) return DataType::bfloat16;
  else return DataType::undefined;
}

/// Extents, outermost first. Empty: a scalar.
using Shape = std::vector<std::int64_t>;

/// "[1,3,224,224]"; "[]" for a scalar.
std::string to_string(const Shape& shape);

/// A dense row-major tensor. Copies share the bytes; clone() copies them.
class Tensor {
 public:
  /// No type, no elements.
  Tensor() = default;
  /// Owns zeroed, 64-byte aligned memory. Throws Error: `limit` if the byte count does not fit 63 bits, `no_memory`,
  /// `usage` for a negative extent or a type without elements.
  Tensor(DataType type, Shape shape);
  Tensor(const Tensor&) = default;
  Tensor& operator=(const Tensor&) = default;
  /// Leaves a tensor without type and elements behind.
  Tensor(Tensor&& other) noexcept { swap(other); }
  Tensor& operator=(Tensor&& other) noexcept {
    Tensor(std::move(other)).swap(*this);
    return *this;
  }
  ~Tensor() = default;
  /// Borrows the caller's elements, which must outlive the tensor and everything that shares it.
  static Tensor view(DataType type, Shape shape, const void* data);
  /// Shares `data`, kept alive by `owner` (a mapped file, another buffer). Such a tensor is read-only. This and view() throw
  /// `usage` for elements at a null pointer.
  static Tensor share(DataType type, Shape shape, const void* data, std::shared_ptr<const void> owner);
  /// Owns a copy of `values`. Throws `usage` if their number is not the shape's.
  template <typename T>
  static Tensor of(Shape shape, std::span<const T> values);

  [[nodiscard]] DataType type() const noexcept { return type_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t rank() const noexcept { return shape_.size(); }
  /// Number of elements (1 for a scalar, 0 for an empty tensor).
  [[nodiscard]] std::int64_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return static_cast<std::size_t>(size_) * element_bytes(type_); }

  [[nodiscard]] const void* raw() const noexcept { return data_; }
  /// Throws `usage` for a borrowed or shared (read-only) tensor.
  [[nodiscard]] void* mutable_raw();
  /// The elements. Throws `usage` if T is not the tensor's type.
  template <typename T>
  [[nodiscard]] std::span<const T> data() const;
  template <typename T>
  [[nodiscard]] std::span<T> mutable_data();

  /// A tensor with its own copy of the bytes.
  [[nodiscard]] Tensor clone() const;
  /// The same bytes under another shape of as many elements (throws `usage` otherwise).
  [[nodiscard]] Tensor reshaped(Shape shape) const;

 private:
  friend struct TensorAccess;  // the library's own

  void require_type(DataType type) const;
  void swap(Tensor& other) noexcept;

  DataType type_ = DataType::undefined;
  Shape shape_;
  std::int64_t size_ = 0;
  const void* data_ = nullptr;
  bool writable_ = false;
  std::shared_ptr<const void> owner_;
};

template <typename T>
std::span<const T> Tensor::data() const {
  require_type(data_type_of<T>());
  return {static_cast<const T*>(data_), static_cast<std::size_t>(size_)};
}

template <typename T>
std::span<T> Tensor::mutable_data() {
  require_type(data_type_of<T>());
  return {static_cast<T*>(mutable_raw()), static_cast<std::size_t>(size_)};
}

template <typename T>
Tensor Tensor::of(Shape shape, std::span<const T> values) {
  return view(data_type_of<T>(), {static_cast<std::int64_t>(values.size())}, values.data())
      .clone()
      .reshaped(std::move(shape));
}

}  // namespace linnet
