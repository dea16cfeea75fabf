// The only door to stb_image.
#pragma once

#include <cstdint>
#include <vector>

#include "image/fence.h"

namespace linnet::image {

/// The pixels, [height][width][picture.channels], of a file that inspect_jpeg() or inspect_png() has passed as `picture`.
/// Never holds more than picture.decoder_bytes. Throws `image`, `limit` (that budget) and `no_memory`.
std::vector<std::uint8_t> decode_pixels(Bytes file, const Inspected& picture);

}  // namespace linnet::image
