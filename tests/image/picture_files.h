// What the picture tests share: the files under tests/image/data and small hostile pictures built byte by byte.
#pragma once

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "linnet/error.h"
#include "linnet/image.h"

namespace linnet::test {

using FileBytes = std::vector<std::byte>;

inline std::string data_path(const std::string& name) {
  return std::string(LINNET_SOURCE_DIR) + "/tests/image/data/" + name;
}

inline FileBytes to_bytes(const std::string& text) {
  FileBytes bytes(text.size());
  if (!text.empty()) std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

inline FileBytes read_data(const std::string& name) {
  std::ifstream file(data_path(name), std::ios::binary);
  REQUIRE(file.good());
  return to_bytes(std::string(std::istreambuf_iterator<char>(file), {}));
}

/// Takes the pieces of a reference file off its front.
class ReferenceReader {
 public:
  explicit ReferenceReader(const std::string& name) : bytes_(read_data(name)) {}

  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  std::string line() {
    std::string text;
    while (bytes_.at(at_) != std::byte{'\n'}) text += static_cast<char>(bytes_[at_++]);
    ++at_;
    return text;
  }
  template <typename T>
  std::vector<T> values(std::size_t count) {
    REQUIRE(count * sizeof(T) <= bytes_.size() - at_);
    std::vector<T> result(count);
    std::memcpy(result.data(), bytes_.data() + at_, count * sizeof(T));
    at_ += count * sizeof(T);
    return result;
  }

 private:
  FileBytes bytes_;
  std::size_t at_ = 0;
};

/// The code of the Error that decoding gives; none if it succeeds.
inline std::optional<ErrorCode> decode_error(const FileBytes& bytes, const DecodeOptions& options = {}) {
  try {
    (void)decode_image(bytes, options, "test picture");
    return std::nullopt;
  } catch (const Error& error) {
    CHECK(error.details().file == "test picture");
    return error.code();
  }
}

// --- PNG, built ---------------------------------------------------------------------------------------------------------

inline std::string be32_text(std::uint32_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(value >> shift & 0xFF);
  return text;
}

inline std::string png_chunk(const std::string& type_and_data) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : type_and_data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1u) != 0 ? (crc >> 1) ^ 0xEDB88320u : crc >> 1;
  }
  return be32_text(static_cast<std::uint32_t>(type_and_data.size() - 4)) + type_and_data + be32_text(~crc);
}

inline const std::string kPngSignature = "\x89PNG\r\n\x1A\n";
inline const std::string kPngEnd = png_chunk("IEND");

inline std::string png_header(std::uint32_t width, std::uint32_t height, int depth = 8, int color_type = 0,
                              int interlace = 0) {
  std::string data = "IHDR" + be32_text(width) + be32_text(height);
  for (const int value : {depth, color_type, 0, 0, interlace}) data += static_cast<char>(value);
  return kPngSignature + png_chunk(data);
}

/// `raw` as a zlib stream of stored blocks (with a zero Adler-32, which nothing here reads).
inline std::string zlib_stored(const std::string& raw) {
  std::string out = "\x78\x01";
  for (std::size_t at = 0; at == 0 || at < raw.size();) {
    const std::size_t size = std::min<std::size_t>(raw.size() - at, 65535);
    out += at + size == raw.size() ? '\1' : '\0';
    for (const std::size_t value : {size, size ^ 0xFFFFu}) {
      out += static_cast<char>(value & 0xFF);
      out += static_cast<char>(value >> 8);
    }
    out += raw.substr(at, size);
    at += size == 0 ? 1 : size;
  }
  return out + std::string(4, '\0');
}

inline std::string png_data(const std::string& raw) { return png_chunk("IDAT" + zlib_stored(raw)); }

}  // namespace linnet::test
