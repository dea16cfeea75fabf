#include <array>
#include <utility>

#include "base/file.h"
#include "base/out_of_memory.h"
#include "image/fence.h"
#include "image/picture.h"
#include "image/stb_decoder.h"
#include "linnet/image.h"

namespace linnet {

namespace {

using image::Bytes;

struct Magic {
  std::string_view bytes;
  std::size_t offset;
  const char* name;
};

// In this order: a longer or rarer sign before one that it contains.
constexpr std::array kOtherFormats = {
    Magic{"GIF8", 0, "GIF"},
    Magic{"WEBP", 8, "WebP"},
    Magic{"ftypavif", 4, "AVIF"},
    Magic{"ftyphei", 4, "HEIC"},
    Magic{"ftypmif1", 4, "HEIF"},
    Magic{std::string_view("II*\0", 4), 0, "TIFF"},
    Magic{std::string_view("MM\0*", 4), 0, "TIFF"},
    Magic{"8BPS", 0, "PSD"},
    Magic{"%PDF", 0, "PDF"},
    Magic{std::string_view("\0\0\0\x0CjP  ", 8), 0, "JPEG 2000"},
    Magic{std::string_view("\xFF\x0A", 2), 0, "JPEG XL"},
    Magic{std::string_view("\0\0\1\0", 4), 0, "ICO"},
    Magic{"#?RADIANCE", 0, "Radiance HDR"},
    Magic{"<svg", 0, "SVG"},
    Magic{"<?xml", 0, "XML (SVG?)"},
    Magic{"BM", 0, "BMP"},
    Magic{"P5", 0, "PNM"},
    Magic{"P6", 0, "PNM"},
};

constexpr std::string_view kPngSignature("\x89PNG\r\n\x1A\n", 8);
constexpr std::string_view kJpegSignature("\xFF\xD8\xFF", 3);

bool starts_with(Bytes bytes, std::string_view sign, std::size_t offset = 0) {
  if (bytes.size() < offset + sign.size()) return false;
  for (std::size_t i = 0; i < sign.size(); ++i) {
    if (bytes[offset + i] != std::byte{static_cast<unsigned char>(sign[i])}) return false;
  }
  return true;
}

image::Inspected inspect(Bytes bytes, const ImageLimits& limits) {
  if (starts_with(bytes, kPngSignature)) return image::inspect_png(bytes, limits);
  if (starts_with(bytes, kJpegSignature)) return image::inspect_jpeg(bytes, limits);
  ErrorDetails details{.expected = "JPEG or PNG", .found = "an unknown kind of file"};
  if (bytes.empty()) details.found = "an empty file";
  // The beginning of a signature and nothing else.
  const std::size_t size = bytes.size();
  const bool cut = (size > 0 && size < kPngSignature.size() && starts_with(bytes, kPngSignature.substr(0, size))) ||
                   (size > 0 && size < kJpegSignature.size() && starts_with(bytes, kJpegSignature.substr(0, size)));
  if (cut) details.found = "a truncated file";
  for (const Magic& format : kOtherFormats) {
    if (!starts_with(bytes, format.bytes, format.offset)) continue;
    details.found = format.name;
    break;
  }
  image::refuse("the file is not a picture that Linnet decodes", std::move(details));
}

Image turned(const Image& picture, int orientation) {
  // The tag says where the stored first row and first column belong: 5 to 8 swap rows and columns.
  const bool transposed = orientation >= 5;
  const bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;  // of the source
  const bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image result = picture;
  result.exif_orientation = 1;
  result.width = transposed ? picture.height : picture.width;
  result.height = transposed ? picture.width : picture.height;
  const auto channels = static_cast<std::size_t>(picture.channels);
  auto* out = result.pixels.data();
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      const int along_x = transposed ? y : x;
      const int along_y = transposed ? x : y;
      const int source_x = mirror_x ? picture.width - 1 - along_x : along_x;
      const int source_y = mirror_y ? picture.height - 1 - along_y : along_y;
      const std::size_t pixel = static_cast<std::size_t>(source_y) * static_cast<std::size_t>(picture.width) +
                                static_cast<std::size_t>(source_x);
      for (std::size_t c = 0; c < channels; ++c) *out++ = picture.pixels[pixel * channels + c];
    }
  }
  return result;
}

Image decode(Bytes bytes, const DecodeOptions& options) {
  const std::int64_t size = static_cast<std::int64_t>(bytes.size());
  if (size > options.limits.max_file_bytes) {
    throw Error(
        ErrorCode::limit, "the picture's file is over the limit ImageLimits::max_file_bytes",
        {.expected = "at most " + std::to_string(options.limits.max_file_bytes), .found = std::to_string(size)});
  }
  const image::Inspected inspected = inspect(bytes, options.limits);
  Image picture;
  picture.width = inspected.width;
  picture.height = inspected.height;
  picture.channels = inspected.channels;
  picture.pixels = image::decode_pixels(bytes, inspected);
  picture.format = inspected.format;
  picture.file_channels = inspected.file_channels;
  picture.file_bit_depth = inspected.file_bit_depth;
  picture.exif_orientation = inspected.exif_orientation;
  if (options.apply_exif_orientation && picture.exif_orientation != 1) return turned(picture, picture.exif_orientation);
  return picture;
}

}  // namespace

std::string_view to_string(ImageFormat format) noexcept {
  switch (format) {
    case ImageFormat::unknown: return "unknown";
    case ImageFormat::jpeg: return "jpeg";
    case ImageFormat::png: return "png";
  }
  return "unknown";
}

Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options, std::string_view name) {
  return base::guard_memory([&] {
    try {
      return base::guard_memory([&] { return decode(bytes, options); });
    } catch (const Error& error) {
      ErrorDetails details = error.details();
      details.file = name;
      throw Error(error.code(), error.message(), std::move(details));
    }
  });
}

Image load_image(const std::filesystem::path& path, const DecodeOptions& options) {
  return base::guard_memory([&] {
    const auto file = base::FileBuffer::read(path.string(), options.limits.max_file_bytes);
    return decode_image(std::as_const(*file).bytes(), options, path.string());
  });
}

Image oriented(const Image& picture, int orientation) {
  if (orientation < 1 || orientation > 8) {
    throw Error(ErrorCode::usage, "an EXIF orientation is a number from 1 to 8",
                {.found = std::to_string(orientation)});
  }
  image::check_picture(picture);
  return base::guard_memory([&] { return turned(picture, orientation); });
}

}  // namespace linnet
