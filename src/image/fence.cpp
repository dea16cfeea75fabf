#include "image/fence.h"

#include <string>

namespace linnet::image {

namespace {

void check_limit(std::int64_t value, std::int64_t most, const char* name, const char* what) {
  if (value <= most) return;
  throw Error(ErrorCode::limit, std::string("the picture's ") + what + " is over the limit ImageLimits::" + name,
              {.expected = "at most " + std::to_string(most), .found = std::to_string(value)});
}

// TIFF blocks come in both byte orders.
struct TiffReader {
  Bytes bytes;
  bool big_endian = false;

  [[nodiscard]] std::uint32_t u16(std::size_t offset) const {
    const auto first = static_cast<std::uint32_t>(byte_at(bytes, offset));
    const auto second = static_cast<std::uint32_t>(byte_at(bytes, offset + 1));
    return big_endian ? first << 8 | second : second << 8 | first;
  }
  [[nodiscard]] std::uint32_t u32(std::size_t offset) const {
    return big_endian ? u16(offset) << 16 | u16(offset + 2) : u16(offset + 2) << 16 | u16(offset);
  }
};

}  // namespace

void check_extent(std::int64_t width, std::int64_t height, const ImageLimits& limits) {
  if (width == 0 || height == 0) {
    refuse("a picture without pixels", {.found = std::to_string(width) + "x" + std::to_string(height)});
  }
  check_limit(width, limits.max_width, "max_width", "width");
  check_limit(height, limits.max_height, "max_height", "height");
  check_limit(width * height, limits.max_pixels, "max_pixels", "number of pixels");  // both are below 2^32
}

void check_memory(const Inspected& picture, const ImageLimits& limits) {
  const std::int64_t pixels = std::int64_t{picture.width} * picture.height * picture.channels;
  check_limit(picture.decoder_bytes + pixels, limits.max_memory_bytes, "max_memory_bytes", "decoding memory in bytes");
}

int exif_orientation(Bytes tiff) {
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::uint32_t kShort = 3;
  if (tiff.size() < 8) return 1;
  const bool big = byte_at(tiff, 0) == 'M' && byte_at(tiff, 1) == 'M';
  const bool little = byte_at(tiff, 0) == 'I' && byte_at(tiff, 1) == 'I';
  const TiffReader reader{tiff, big};
  if ((!big && !little) || reader.u16(2) != 42) return 1;
  const std::size_t directory = reader.u32(4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = reader.u16(directory);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return 1;
    if (reader.u16(entry) != kOrientationTag) continue;
    const std::uint32_t value = reader.u16(entry + 8);
    const bool valid = reader.u16(entry + 2) == kShort && reader.u32(entry + 4) == 1 && value >= 1 && value <= 8;
    return valid ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace linnet::image
