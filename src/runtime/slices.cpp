#include "runtime/slices.h"

#include <cstring>
#include <utility>

namespace linnet::runtime {

namespace {

/// Elements before the axis, and bytes from it on, of a slice.
struct Extents {
  std::size_t outer = 1, inner_bytes = 1;

  Extents(const Shape& slice_shape, DataType type, std::size_t axis) : inner_bytes(element_bytes(type)) {
    for (std::size_t i = 0; i < slice_shape.size(); ++i)
      (i < axis ? outer : inner_bytes) *= static_cast<std::size_t>(slice_shape[i]);
  }
};

}  // namespace

Tensor slice(const Tensor& x, std::size_t axis, std::int64_t index) {
  Shape shape = x.shape();
  const auto along = static_cast<std::size_t>(shape[axis]);
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  Tensor result(x.type(), shape);
  if (result.bytes() == 0) return result;
  const Extents extents(shape, x.type(), axis);
  const auto* in = static_cast<const std::byte*>(x.raw()) + static_cast<std::size_t>(index) * extents.inner_bytes;
  auto* out = static_cast<std::byte*>(result.mutable_raw());
  for (std::size_t o = 0; o < extents.outer; ++o)
    std::memcpy(out + o * extents.inner_bytes, in + o * along * extents.inner_bytes, extents.inner_bytes);
  return result;
}

Tensor stack(std::span<const Tensor> parts, std::size_t axis) {
  Shape shape = parts[0].shape();
  const Extents extents(shape, parts[0].type(), axis);
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), static_cast<std::int64_t>(parts.size()));
  Tensor result(parts[0].type(), std::move(shape));
  if (result.bytes() == 0) return result;
  auto* out = static_cast<std::byte*>(result.mutable_raw());
  for (std::size_t o = 0; o < extents.outer; ++o) {
    for (const Tensor& part : parts) {
      std::memcpy(out, static_cast<const std::byte*>(part.raw()) + o * extents.inner_bytes, extents.inner_bytes);
      out += extents.inner_bytes;
    }
  }
  return result;
}

}  // namespace linnet::runtime
