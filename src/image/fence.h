// What stands between a stranger's bytes and stb_image: the file is walked, measured and checked first, and only a file
// that has passed is decoded. stb_image 2.27 (Debian 12) reads damaged files as if they were whole (zeros for missing JPEG
// data, no PNG checksums) and trusts table sizes; none of that can be switched on or off from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "linnet/error.h"
#include "linnet/image.h"

namespace linnet::image {

using Bytes = std::span<const std::byte>;

/// What the decoder needs besides what grows with the picture: its own structures and line buffers.
inline constexpr std::int64_t kDecoderSlack = 1 << 20;

/// A file that has passed the fence.
struct Inspected {
  ImageFormat format = ImageFormat::unknown;
  int width = 0;
  int height = 0;
  int channels = 0;        ///< the decoder will deliver, 1..4
  int file_channels = 0;   ///< as stored
  int file_bit_depth = 0;  ///< as stored
  int exif_orientation = 1;
  std::size_t palette_entries = 0;  ///< of a palette PNG, and where its PLTE chunk begins
  std::size_t palette_offset = 0;
  std::size_t empty_offset = 0;  ///< IDAT chunks of a PNG that hold nothing, before the first that does
  std::size_t empty_bytes = 0;
  std::int64_t decoder_bytes = 0;  ///< the most that the decoder may allocate
  std::size_t used_bytes = 0;      ///< up to and with EOI or IEND
};

/// Checks the whole file, its entropy-coded data included. Errors carry no file name: decode_image() adds it.
Inspected inspect_jpeg(Bytes file, const ImageLimits& limits);
Inspected inspect_png(Bytes file, const ImageLimits& limits);

/// width, height and their product against the limits; zero is `image`, too much is `limit`.
void check_extent(std::int64_t width, std::int64_t height, const ImageLimits& limits);
/// The decoder's memory and the pixels against max_memory_bytes.
void check_memory(const Inspected& picture, const ImageLimits& limits);

/// The orientation, 1..8, in a TIFF block (the body of an EXIF segment); 1 for anything absent or odd.
int exif_orientation(Bytes tiff);

[[noreturn]] inline void refuse(std::string message, ErrorDetails details = {}) {
  throw Error(ErrorCode::image, std::move(message), std::move(details));
}

inline int byte_at(Bytes bytes, std::size_t offset) { return std::to_integer<int>(bytes[offset]); }
inline int be16(Bytes bytes, std::size_t offset) { return byte_at(bytes, offset) << 8 | byte_at(bytes, offset + 1); }
inline std::uint32_t be32(Bytes bytes, std::size_t offset) {
  return static_cast<std::uint32_t>(be16(bytes, offset)) << 16 | static_cast<std::uint32_t>(be16(bytes, offset + 2));
}
inline std::string at_byte(std::size_t offset) { return "byte " + std::to_string(offset); }

}  // namespace linnet::image
