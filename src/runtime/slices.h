// One slice of a tensor along an axis, and tensors stacked along a new one: how loops take and give lists.
#pragma once

#include <cstdint>
#include <span>

#include "linnet/tensor.h"

namespace linnet::runtime {

/// x[..., index, ...] without the axis.
Tensor slice(const Tensor& x, std::size_t axis, std::int64_t index);
/// The inverse: the parts, at least one and of one type and shape, side by side along a new axis at most of their rank.
Tensor stack(std::span<const Tensor> parts, std::size_t axis);

}  // namespace linnet::runtime
