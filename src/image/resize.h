// Two ways to resize 8-bit pictures, each the arithmetic of a library that networks were trained with.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace linnet::image {

/// Interleaved 8-bit rows.
struct Pixels {
  std::span<const std::uint8_t> data;  // [height][width][channels]
  int width = 0;
  int height = 0;
  int channels = 0;
};

/// OpenCV's INTER_LINEAR on float32: half-pixel centres, edges repeated, two by two source pixels whatever the scale, no
/// rounding. Returns [height][width][channels] in 0..255.
std::vector<float> resize_bilinear(const Pixels& source, int width, int height);

/// Pillow's BILINEAR: a triangle filter, widened by the scale when it shrinks the picture; first along the rows, then along
/// the columns, each pass in 22-bit fixed point and rounded to 8 bits. The result equals Pillow's bit for bit.
std::vector<std::uint8_t> resize_antialiased(const Pixels& source, int width, int height);

}  // namespace linnet::image
