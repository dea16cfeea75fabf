#include "reference/window.h"

#include <algorithm>

namespace linnet::reference {

namespace {

struct Spatial {
  std::size_t rank;
  std::size_t first;  // of the three axes
};

Spatial spatial_of(const Call& call, const Shape& input) {
  call.require(input.size() >= 3 && input.size() <= 5, "needs one to three spatial axes, has " + to_string(input));
  const std::size_t rank = input.size() - 2;
  return {rank, 3 - rank};
}

void fill(const Call& call, const std::string& name, std::int64_t fallback, Spatial spatial, Extents& extents) {
  const std::vector<std::int64_t> list = call.attribute(name, std::vector<std::int64_t>());
  call.require(list.empty() || list.size() == spatial.rank, "attribute '" + name + "' has the wrong length");
  for (std::size_t i = 0; i < spatial.rank; ++i) extents[spatial.first + i] = list.empty() ? fallback : list[i];
}

void fill_pads(const Call& call, Spatial spatial, Window& window) {
  const std::vector<std::int64_t> pads = call.attribute("pads", std::vector<std::int64_t>());
  call.require(pads.empty() || pads.size() == 2 * spatial.rank, "attribute 'pads' has the wrong length");
  if (pads.empty()) return;
  for (std::size_t i = 0; i < spatial.rank; ++i) {
    window.pad_begin[spatial.first + i] = pads[i];
    window.pad_end[spatial.first + i] = pads[spatial.rank + i];
  }
}

Window common(const Call& call, const Shape& input, const std::vector<std::int64_t>& kernel, Spatial spatial) {
  Window window;
  call.require(kernel.size() == spatial.rank, "the kernel has the wrong rank");
  for (std::size_t i = 0; i < spatial.rank; ++i) {
    window.input[spatial.first + i] = input[2 + i];
    window.kernel[spatial.first + i] = kernel[i];
  }
  fill(call, "strides", 1, spatial, window.stride);
  fill(call, "dilations", 1, spatial, window.dilation);
  return window;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

Window make_window(const Call& call, const Shape& input, const std::vector<std::int64_t>& kernel) {
  const Spatial spatial = spatial_of(call, input);
  Window window = common(call, input, kernel, spatial);
  const std::string auto_pad = call.attribute("auto_pad", "NOTSET");
  const bool ceil_mode = call.attribute("ceil_mode", std::int64_t{0}) != 0;
  if (auto_pad == "NOTSET" || auto_pad.empty()) fill_pads(call, spatial, window);
  for (std::size_t axis = spatial.first; axis < 3; ++axis) {
    const std::int64_t covered = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      window.output[axis] = ceil_div(window.input[axis], window.stride[axis]);
      const std::int64_t total =
          std::max<std::int64_t>((window.output[axis] - 1) * window.stride[axis] + covered - window.input[axis], 0);
      const std::int64_t smaller = total / 2;
      window.pad_begin[axis] = auto_pad == "SAME_UPPER" ? smaller : total - smaller;
      window.pad_end[axis] = total - window.pad_begin[axis];
      continue;
    }
    const std::int64_t room = window.input[axis] + window.pad_begin[axis] + window.pad_end[axis] - covered;
    call.require(room > (ceil_mode ? -window.stride[axis] : -1), "the window is larger than the padded input");
    window.output[axis] = (ceil_mode ? ceil_div(room, window.stride[axis]) : room / window.stride[axis]) + 1;
    // "Sliding windows that would start in the right padded region are ignored."
    if (ceil_mode && (window.output[axis] - 1) * window.stride[axis] >= window.input[axis] + window.pad_begin[axis]) {
      --window.output[axis];
    }
  }
  return window;
}

Window make_transpose_window(const Call& call, const Shape& input, const std::vector<std::int64_t>& kernel) {
  const Spatial spatial = spatial_of(call, input);
  Window window = common(call, input, kernel, spatial);
  Extents output_padding = {0, 0, 0};
  fill(call, "output_padding", 0, spatial, output_padding);
  const std::string auto_pad = call.attribute("auto_pad", "NOTSET");
  std::vector<std::int64_t> output_shape = call.attribute("output_shape", std::vector<std::int64_t>());
  // Some exporters wrote batch and channels too.
  if (output_shape.size() == spatial.rank + 2) output_shape.erase(output_shape.begin(), output_shape.begin() + 2);
  if (auto_pad == "NOTSET" || auto_pad.empty()) fill_pads(call, spatial, window);
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  for (std::size_t axis = spatial.first; axis < 3; ++axis) {
    const std::int64_t full = window.stride[axis] * (window.input[axis] - 1) + output_padding[axis] +
                              (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    if (output_shape.empty() && !same) {
      window.output[axis] = full - window.pad_begin[axis] - window.pad_end[axis];
      continue;
    }
    window.output[axis] =
        output_shape.empty() ? window.input[axis] * window.stride[axis] : output_shape[axis - spatial.first];
    const std::int64_t total = std::max<std::int64_t>(full - window.output[axis], 0);
    window.pad_begin[axis] = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    window.pad_end[axis] = total - window.pad_begin[axis];
  }
  return window;
}

Shape with_spatial(std::int64_t n, std::int64_t c, const Extents& spatial, const Shape& like) {
  Shape shape = {n, c};
  for (std::size_t axis = 5 - like.size(); axis < 3; ++axis) shape.push_back(spatial[axis]);
  return shape;
}

}  // namespace linnet::reference
