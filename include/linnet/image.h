// Pictures: JPEG and PNG bytes to 8-bit pixels, behind a fence.
//
//   linnet::Image cat = linnet::load_image("cat.jpg");            // throws linnet::Error: io, limit, image
//   std::uint8_t red = cat.pixels[(y * cat.width + x) * cat.channels];
//   linnet::Tensor input = linnet::preprocess(cat, linnet::preset("torchvision"));   // see linnet/preprocess.h
//
// What is decoded, and how
//   JPEG   baseline, extended and progressive Huffman files of 8 bits with 1 (grey) or 3 (YCbCr or RGB) components, any
//          sampling that stb_image knows. Refused by name: arithmetic, lossless, hierarchical and 12-bit files, and four
//          components (CMYK, YCCK): turning ink into light needs the file's colour profile, and a guess would be a wrong
//          answer without a sign.
//          So is a file whose markers contradict each other about its colours (JFIF beside components named R, G, B), that
//          replaces a quantisation table of a progressive picture, or that ends before a progressive picture's low frequencies
//          are whole, or has coefficients far beyond what 8-bit samples give: decoders differ about these.
//          The decoder differs from libjpeg (Pillow, OpenCV) by at most 4 of 255 levels, and in two places by more: the last
//          columns (the last but one of an even width, the last of an odd one) of a 4:2:2 file, which stb_image interpolates from
//          the wrong neighbour; and pictures of up to 6 columns whose colours have half as many.
//   PNG    every colour type and bit depth, interlaced or not. Palettes are expanded; 1, 2 and 4-bit grey is scaled to
//          0..255; of 16 bits the upper 8 are kept (as Pillow and libpng's strip_16 do); tRNS becomes an alpha channel.
//          gAMA, iCCP and sRGB chunks are ignored: networks are trained on the stored numbers. Apple's CgBI is refused.
//   EXIF   the orientation is ignored unless DecodeOptions::apply_exif_orientation is set: Pillow, OpenCV's decoder as used
//          in training pipelines, and modelhub all hand the stored rows to the network.
//   else   GIF, BMP, WebP, HEIC, TIFF, ... are recognised by their first bytes and refused by name.
//
// What is refused: a file that ends early, anywhere (missing EOI or IEND, entropy-coded data that runs out before the last
// block, too few PNG rows), a PNG chunk with a wrong CRC, more scans, pixels or bytes than ImageLimits allows. A picture
// is whole or it is an error, never half grey. Bytes after EOI or IEND are ignored; so is the Adler-32 of PNG's pixels, for the
// CRCs have covered every byte. (Not the order of IDAT chunks: where whole ones have changed places the pixels are wrong.)
//
// Memory: sizes are checked from the header, before anything is allocated, and every allocation of the decoder is counted
// against the same budget. Thread-safe: no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace linnet {

enum class ImageFormat : std::uint8_t { unknown, jpeg, png };

/// "jpeg", "png" or "unknown".
std::string_view to_string(ImageFormat format) noexcept;

/// Rows from top to bottom, pixels from left to right, channels interleaved: pixels[(y * width + x) * channels + c].
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;                  ///< 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha
  std::vector<std::uint8_t> pixels;  ///< [height][width][channels], 0..255

  ImageFormat format = ImageFormat::unknown;
  int file_channels = 0;     ///< as stored: a palette PNG has 1, a JPEG 1 or 3
  int file_bit_depth = 0;    ///< as stored: 1, 2, 4, 8 or 16 bits a channel
  int exif_orientation = 1;  ///< 1..8 as found (JPEG: EXIF, PNG: eXIf); 1 when absent or applied
};

/// Checked before anything is decoded; exceeding one is an Error of code `limit` that names it.
struct ImageLimits {
  int max_width = 16384;
  int max_height = 16384;
  std::int64_t max_pixels = std::int64_t{64} << 20;  ///< width x height
  std::int64_t max_file_bytes = std::int64_t{256} << 20;
  std::int64_t max_memory_bytes = std::int64_t{1} << 30;  ///< all of the decoder's allocations and the pixels together
  int max_scans = 100;                                    ///< of a JPEG; a progressive file needs about 10
};

struct DecodeOptions {
  ImageLimits limits;
  bool apply_exif_orientation = false;  ///< turn and mirror the pixels as the EXIF tag asks (eight cases)
};

/// Decodes a whole JPEG or PNG file held in memory. `name` is only used as details().file of an error.
/// Throws Error: `image` (not a picture, damaged, truncated, a kind that is not supported), `limit`, `no_memory`.
Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options = {}, std::string_view name = {});

/// Reads and decodes a regular file (or a link to one). Throws what decode_image() throws, and `io` for a file that is
/// missing, unreadable, or not a regular file: directories, pipes and devices are refused, so that nothing can hang.
Image load_image(const std::filesystem::path& path, const DecodeOptions& options = {});

/// The picture turned and mirrored as EXIF orientation `orientation` asks (1..8, 1: as it is); `usage` for another number,
/// `image` for pixels that are not as many as the picture's size says.
Image oriented(const Image& image, int orientation);

}  // namespace linnet
