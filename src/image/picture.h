// A picture that a caller has made need not be one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "linnet/error.h"
#include "linnet/image.h"

namespace linnet::image {

/// Refuses a picture without pixels, and one whose pixels are not as many as its size says.
inline void check_picture(const Image& picture) {
  const bool counted = picture.width > 0 && picture.height > 0 && picture.channels >= 1 && picture.channels <= 4;
  const auto pixels = std::int64_t{picture.width} * picture.height;  // without the channels, it fits 63 bits
  const std::size_t channels = counted ? static_cast<std::size_t>(picture.channels) : 1;
  if (counted && picture.pixels.size() % channels == 0 && std::cmp_equal(picture.pixels.size() / channels, pixels))
    return;
  throw Error(ErrorCode::image, "a picture whose pixels do not match its size",
              {.expected = std::to_string(picture.width) + "x" + std::to_string(picture.height) + "x" +
                           std::to_string(picture.channels),
               .found = std::to_string(picture.pixels.size()) + " bytes"});
}

}  // namespace linnet::image
