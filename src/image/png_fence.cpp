// The PNG fence: signature, IHDR, every chunk's length and CRC, the order that matters, up to IEND.
// Source: PNG specification, third edition (W3C), sections 5 and 11.
#include <algorithm>
#include <array>
#include <string>

#include "image/fence.h"

namespace linnet::image {

namespace {

constexpr std::size_t kSignatureBytes = 8;
constexpr std::size_t kChunkFrame = 12;          // length, type, CRC
constexpr std::int64_t kDeflateMaxRatio = 1032;  // no deflate stream expands further: 258 bytes from two 1-bit codes

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t n = 0; n < 256; ++n) {
    std::uint32_t c = n;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1u) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[n] = c;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

std::uint32_t crc32(Bytes bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const std::byte b : bytes) crc = kCrcTable[(crc ^ std::to_integer<std::uint32_t>(b)) & 0xFFu] ^ (crc >> 8);
  return ~crc;
}

struct Chunk {
  std::string type;  // four letters
  Bytes data;
  std::size_t offset = 0;  // of the chunk in the file
};

Chunk read_chunk(Bytes file, std::size_t offset) {
  const std::size_t left = file.size() - offset;
  if (left < kChunkFrame)
    refuse("the PNG file is truncated", {.where = at_byte(offset), .expected = "a chunk up to IEND"});
  const std::uint32_t length = be32(file, offset);
  if (length > left - kChunkFrame) {
    refuse("the PNG file is truncated, or a chunk's length is wrong",
           {.where = at_byte(offset),
            .expected = std::to_string(length) + " bytes and a CRC",
            .found = std::to_string(left - 8)});
  }
  Chunk chunk;
  for (std::size_t i = 4; i < 8; ++i) {
    const int c = byte_at(file, offset + i);
    if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
      refuse("a PNG chunk type is not four letters", {.where = at_byte(offset)});
    chunk.type += static_cast<char>(c);
  }
  chunk.data = file.subspan(offset + 8, length);
  chunk.offset = offset;
  if (crc32(file.subspan(offset + 4, std::size_t{length} + 4)) != be32(file, offset + 8 + length)) {
    refuse("a PNG chunk is damaged: its CRC does not match",
           {.where = "chunk " + chunk.type + " at " + at_byte(offset)});
  }
  return chunk;
}

struct Header {
  int width = 0;
  int height = 0;
  int depth = 0;
  int color_type = 0;
  int samples = 0;  // stored, a pixel
  bool interlaced = false;
};

Header read_header(const Chunk& chunk, const ImageLimits& limits) {
  if (chunk.type != "IHDR" || chunk.data.size() != 13)
    refuse("a PNG file must begin with IHDR", {.where = at_byte(chunk.offset)});
  const std::uint32_t width = be32(chunk.data, 0);
  const std::uint32_t height = be32(chunk.data, 4);
  check_extent(width, height, limits);
  Header header;
  header.width = static_cast<int>(width);
  header.height = static_cast<int>(height);
  header.depth = byte_at(chunk.data, 8);
  header.color_type = byte_at(chunk.data, 9);
  const bool small = header.depth == 1 || header.depth == 2 || header.depth == 4;
  const bool eight = header.depth == 8;
  const bool sixteen = header.depth == 16;
  bool valid = false;
  switch (header.color_type) {
    case 0:
      valid = small || eight || sixteen;
      header.samples = 1;
      break;
    case 2:
      valid = eight || sixteen;
      header.samples = 3;
      break;
    case 3:
      valid = small || eight;
      header.samples = 1;
      break;
    case 4:
      valid = eight || sixteen;
      header.samples = 2;
      break;
    case 6:
      valid = eight || sixteen;
      header.samples = 4;
      break;
    default: break;
  }
  if (!valid) {
    refuse("a PNG colour type and bit depth that do not go together",
           {.found = "type " + std::to_string(header.color_type) + ", depth " + std::to_string(header.depth)});
  }
  const int interlace = byte_at(chunk.data, 12);
  if (byte_at(chunk.data, 10) != 0 || byte_at(chunk.data, 11) != 0 || interlace > 1) {
    refuse("an unknown PNG compression, filter or interlace method", {.where = "IHDR"});
  }
  header.interlaced = interlace == 1;
  return header;
}

std::int64_t pass_bytes(const Header& header, int width, int height) {
  if (width == 0 || height == 0) return 0;
  const std::int64_t row = (std::int64_t{width} * header.depth * header.samples + 7) / 8 + 1;
  return row * height;
}

// What the compressed data must unpack to: each row with its filter byte, seven reduced pictures when interlaced.
std::int64_t unpacked_bytes(const Header& header) {
  if (!header.interlaced) return pass_bytes(header, header.width, header.height);
  constexpr std::array<std::array<int, 4>, 7> kAdam7 = {{{0, 0, 8, 8},
                                                         {4, 0, 8, 8},
                                                         {0, 4, 4, 8},
                                                         {2, 0, 4, 4},
                                                         {0, 2, 2, 4},
                                                         {1, 0, 2, 2},
                                                         {0, 1, 1, 2}}};  // x0 y0 dx dy
  std::int64_t total = 0;
  for (const auto& [x0, y0, dx, dy] : kAdam7) {
    total += pass_bytes(header, (header.width - x0 + dx - 1) / dx, (header.height - y0 + dy - 1) / dy);
  }
  return total;
}

// The chunks between IHDR and IEND, one after the other.
class ChunkOrder {
 public:
  explicit ChunkOrder(const Header& header) : header_(header) {}

  void take(const Chunk& chunk) {
    if (chunk.type == "IDAT") {
      take_data(chunk);
    } else {
      if (seen_idat_) idat_closed_ = true;
      if (chunk.type == "PLTE") take_palette(chunk);
      else if (chunk.type == "tRNS") take_transparency(chunk);
      else if (chunk.type == "eXIf") orientation_ = exif_orientation(chunk.data);
      else if (chunk.type == "IHDR") refuse("a second PNG IHDR", {.where = at_byte(chunk.offset)});
      else if (chunk.type == "CgBI") refuse("Apple's CgBI variant of PNG is not supported");
      else if (chunk.type[0] >= 'A' && chunk.type[0] <= 'Z')
        refuse("an unknown critical PNG chunk", {.found = chunk.type});
    }
  }

  void finish() const {
    if (!seen_idat_) refuse("the PNG file has no picture data", {.expected = "IDAT before IEND"});
  }

  [[nodiscard]] std::int64_t idat_bytes() const { return idat_bytes_; }
  [[nodiscard]] bool transparent() const { return transparent_; }
  [[nodiscard]] int orientation() const { return orientation_; }
  [[nodiscard]] std::size_t palette_entries() const { return header_.color_type == 3 ? palette_ : 0; }
  [[nodiscard]] std::size_t palette_offset() const { return palette_offset_; }
  [[nodiscard]] std::size_t data_offset() const { return data_offset_; }
  [[nodiscard]] std::size_t empty_bytes() const { return empty_bytes_; }

 private:
  void take_data(const Chunk& chunk) {
    if (idat_closed_) refuse("the PNG picture data are interrupted by another chunk", {.where = at_byte(chunk.offset)});
    if (header_.color_type == 3 && palette_ == 0) refuse("a palette PNG without PLTE before its data");
    if (!seen_idat_) data_offset_ = chunk.offset;
    if (idat_bytes_ == 0) empty_bytes_ = chunk.offset - data_offset_;
    seen_idat_ = true;
    idat_bytes_ += static_cast<std::int64_t>(chunk.data.size());
  }

  void take_palette(const Chunk& chunk) {
    const std::size_t entries = chunk.data.size() / 3;
    const bool grey = header_.color_type == 0 || header_.color_type == 4;
    if (entries == 0 || entries > 256 || chunk.data.size() % 3 != 0 || palette_ != 0 || seen_idat_ || grey) {
      refuse("a PNG PLTE chunk of a wrong size or in a wrong place", {.where = at_byte(chunk.offset)});
    }
    palette_ = entries;
    palette_offset_ = chunk.offset;
  }

  void take_transparency(const Chunk& chunk) {
    const std::size_t size = chunk.data.size();
    bool valid = !seen_idat_ && !transparent_;
    if (header_.color_type == 3) valid = valid && size >= 1 && size <= palette_;
    else valid = valid && header_.samples % 2 == 1 && size == 2 * static_cast<std::size_t>(header_.samples);
    if (!valid) refuse("a PNG tRNS chunk of a wrong size or in a wrong place", {.where = at_byte(chunk.offset)});
    transparent_ = true;
  }

  Header header_;
  std::size_t palette_ = 0;
  std::size_t palette_offset_ = 0;
  std::size_t data_offset_ = 0;  // of the first IDAT
  std::size_t empty_bytes_ = 0;  // of it and its followers that hold nothing
  std::int64_t idat_bytes_ = 0;
  int orientation_ = 1;
  bool seen_idat_ = false;
  bool idat_closed_ = false;
  bool transparent_ = false;
};

// The decoder's steps, each with what it holds at once. While a buffer grows, the old and the new one exist. A deflate bomb
// meets this budget long before it meets the machine's memory.
std::int64_t decoder_bytes(const Header& header, const ChunkOrder& order, std::int64_t unpacked) {
  const std::int64_t pixels = std::int64_t{header.width} * header.height;
  const bool palette = header.color_type == 3;
  const std::int64_t samples = header.samples + (order.transparent() && !palette ? 1 : 0);
  const std::int64_t stored = pixels * samples * (header.depth == 16 ? 2 : 1);
  // The decoder's guess of the unpacked size leaves out the filter bytes of the seven interlaced pictures and is doubled once.
  const std::int64_t buffer = header.interlaced ? 2 * unpacked : unpacked;
  const std::int64_t collect = 3 * order.idat_bytes();
  const std::int64_t unpack = 2 * order.idat_bytes() + (header.interlaced ? buffer + unpacked : buffer);
  const std::int64_t unfilter = buffer + (header.interlaced ? 2 : 1) * stored + (palette ? 4 * pixels : 0);
  const std::int64_t narrow = stored + stored / 2;  // 16 bits to 8
  return std::max({collect, unpack, unfilter, narrow}) + kDecoderSlack;
}

}  // namespace

Inspected inspect_png(Bytes file, const ImageLimits& limits) {
  Chunk chunk = read_chunk(file, kSignatureBytes);
  const Header header = read_header(chunk, limits);
  ChunkOrder order(header);
  std::size_t offset = kSignatureBytes;
  for (;;) {
    offset += kChunkFrame + chunk.data.size();
    chunk = read_chunk(file, offset);
    if (chunk.type == "IEND") break;
    order.take(chunk);
  }
  order.finish();
  const std::int64_t unpacked = unpacked_bytes(header);
  Inspected picture;
  picture.format = ImageFormat::png;
  picture.width = header.width;
  picture.height = header.height;
  picture.file_channels = header.samples;
  picture.file_bit_depth = header.depth;
  picture.channels = (header.color_type == 3 ? 3 : header.samples) + (order.transparent() ? 1 : 0);
  picture.exif_orientation = order.orientation();
  picture.palette_entries = order.palette_entries();
  picture.palette_offset = order.palette_offset();
  picture.empty_offset = order.data_offset();
  picture.empty_bytes = order.empty_bytes();
  picture.decoder_bytes = decoder_bytes(header, order, unpacked);
  picture.used_bytes = offset + kChunkFrame + chunk.data.size();
  check_memory(picture, limits);
  if (unpacked > kDeflateMaxRatio * order.idat_bytes()) {
    refuse("the PNG picture data are too short for the picture",
           {.expected = std::to_string(unpacked) + " bytes unpacked",
            .found = std::to_string(order.idat_bytes()) + " bytes packed"});
  }
  return picture;
}

}  // namespace linnet::image
