// The geometry that convolution and pooling share: kernel, strides, dilations and pads of up to three spatial axes.
#pragma once

#include <array>
#include <cstdint>

#include "reference/call.h"

namespace linnet::reference {

/// Depth, height and width; missing leading axes have extent 1.
using Extents = std::array<std::int64_t, 3>;

struct Window {
  Extents input = {1, 1, 1};
  Extents output = {1, 1, 1};
  Extents kernel = {1, 1, 1};
  Extents stride = {1, 1, 1};
  Extents dilation = {1, 1, 1};
  Extents pad_begin = {0, 0, 0};
  Extents pad_end = {0, 0, 0};

  /// The input coordinate under tap `tap` of window `position` on `axis`; negative or too large: padding.
  [[nodiscard]] std::int64_t source(std::size_t axis, std::int64_t position, std::int64_t tap) const {
    return position * stride[axis] - pad_begin[axis] + tap * dilation[axis];
  }
  [[nodiscard]] bool inside(std::size_t axis, std::int64_t coordinate) const {
    return coordinate >= 0 && coordinate < input[axis];
  }
};

/// For Conv and the pools, with `output` by the operator's formula. `kernel` is the spatial part of the weights' shape,
/// or the attribute kernel_shape.
Window make_window(const Call& call, const Shape& input, const std::vector<std::int64_t>& kernel);
/// For ConvTranspose: `input` is the smaller picture, `output` the larger.
Window make_transpose_window(const Call& call, const Shape& input, const std::vector<std::int64_t>& kernel);

/// [N, C, spatial...] with the extents of `spatial` as many as `like` has.
Shape with_spatial(std::int64_t n, std::int64_t c, const Extents& spatial, const Shape& like);

/// Calls body(d, h, w) for all positions of `extents`.
template <typename Body>
void for_each(const Extents& extents, Body body) {
  for (std::int64_t d = 0; d < extents[0]; ++d) {
    for (std::int64_t h = 0; h < extents[1]; ++h) {
      for (std::int64_t w = 0; w < extents[2]; ++w) body(d, h, w);
    }
  }
}

inline std::int64_t volume(const Extents& extents) { return extents[0] * extents[1] * extents[2]; }
inline std::int64_t position(const Extents& extents, std::int64_t d, std::int64_t h, std::int64_t w) {
  return (d * extents[1] + h) * extents[2] + w;
}

}  // namespace linnet::reference
