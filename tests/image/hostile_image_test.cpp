// Pictures that are wrong: each is refused with the right code, and a part of a picture is never returned.
#include <sys/stat.h>

#include <filesystem>

#include "image/picture_files.h"
#include "support/processor_seconds.h"
#include "support/temp_dir.h"

namespace {

using namespace linnet;
using namespace linnet::test;

std::optional<ErrorCode> load_error(const std::filesystem::path& path, const DecodeOptions& options = {}) {
  try {
    (void)load_image(path, options);
    return std::nullopt;
  } catch (const Error& error) {
    CHECK(error.details().file == path.string());
    return error.code();
  }
}

// Offset of the n-th (from 0) marker FF `code` of a JPEG file.
std::size_t find_marker(const FileBytes& file, int code, int n = 0) {
  for (std::size_t i = 0; i + 1 < file.size(); ++i) {
    if (file[i] == std::byte{0xFF} && file[i + 1] == std::byte{static_cast<unsigned char>(code)} && n-- == 0) return i;
  }
  FAIL("the file has no such marker");
  return 0;
}

void set_byte(FileBytes& file, std::size_t offset, int value) {
  file.at(offset) = std::byte{static_cast<unsigned char>(value)};
}

FileBytes jpeg_with(const char* name, int marker, std::size_t offset, int value) {
  FileBytes file = read_data(name);
  set_byte(file, find_marker(file, marker) + offset, value);
  return file;
}

constexpr int kSof0 = 0xC0;
constexpr int kSos = 0xDA;

}  // namespace

TEST_CASE("M05: a picture that is cut anywhere is refused") {
  for (const char* name : {"rgb.png", "interlaced.png", "palette_alpha.png", "luma.jpg", "rgb420.jpg",
                           "progressive.jpg", "restarts.jpg"}) {
    const FileBytes whole = read_data(name);
    REQUIRE(decode_error(whole) == std::nullopt);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      INFO(name << " cut to " << size << " of " << whole.size() << " bytes");
      FileBytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK(decode_error(cut) == ErrorCode::image);
    }
  }
}

TEST_CASE("a JPEG whose data end early is refused even if it is closed with EOI") {
  // What stb_image and browsers show as a picture with a grey lower half.
  const auto closed_at = [](const FileBytes& whole, std::size_t size) {
    FileBytes file = whole;
    file.resize(size);
    for (const int end : {0xFF, 0xD9}) file.push_back(std::byte{static_cast<unsigned char>(end)});
    return file;
  };
  for (const char* name : {"luma.jpg", "rgb420.jpg", "restarts.jpg"}) {
    const FileBytes whole = read_data(name);
    // The last byte of the data may hold nothing but padding.
    for (std::size_t size = find_marker(whole, kSos) + 14; size + 3 < whole.size(); ++size) {
      INFO(name << " cut to " << size << " of " << whole.size() << " bytes");
      CHECK(decode_error(closed_at(whole, size)) == ErrorCode::image);
    }
  }
  // A progressive file may end after a scan: that is what it is for. Inside a scan it may not, nor after one that leaves low
  // frequencies to later ones, which libjpeg would smooth.
  const FileBytes progressive = read_data("progressive.jpg");
  int accepted = 0;
  int scans = 0;
  for (std::size_t size = 2; size + 2 <= progressive.size(); ++size) {
    scans += progressive[size - 2] == std::byte{0xFF} && progressive[size - 1] == std::byte{kSos} ? 1 : 0;
    accepted += decode_error(closed_at(progressive, size)) == std::nullopt ? 1 : 0;
  }
  CHECK(scans > 5);
  INFO(accepted << " cuts accepted, " << scans << " scans");
  CHECK(accepted >= 1);
  CHECK(accepted <= 3);  // at the end of the last scan's data, and less a byte of padding
}

TEST_CASE("M06: every single-bit flip of a PNG is refused") {
  const FileBytes whole = read_data("palette_alpha.png");
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    FileBytes flipped = whole;
    flipped[bit / 8] ^= std::byte{static_cast<unsigned char>(1u << (bit % 8))};
    INFO("bit " << bit);
    CHECK(decode_error(flipped) != std::nullopt);
  }
}

TEST_CASE("every single-bit flip of a JPEG decodes to a whole picture or is refused") {
  for (const char* name : {"rgb420.jpg", "progressive.jpg", "restarts.jpg"}) {
    const FileBytes whole = read_data(name);
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      FileBytes flipped = whole;
      flipped[bit / 8] ^= std::byte{static_cast<unsigned char>(1u << (bit % 8))};
      INFO(name << " bit " << bit);
      try {
        const Image picture = decode_image(flipped);
        CHECK(picture.pixels.size() == static_cast<std::size_t>(picture.width) *
                                           static_cast<std::size_t>(picture.height) *
                                           static_cast<std::size_t>(picture.channels));
      } catch (const Error& error) {
        const bool expected = error.code() == ErrorCode::image || error.code() == ErrorCode::limit;
        INFO(error.what());
        CHECK(expected);
      }
    }
  }
}

TEST_CASE("M01 M03: picture bombs are refused from the header") {
  const std::string data = png_data(std::string(100, '\0')) + kPngEnd;
  CHECK(decode_error(to_bytes(png_header(65535, 65535) + data)) == ErrorCode::limit);
  CHECK(decode_error(to_bytes(png_header(1u << 24, 1) + data)) == ErrorCode::limit);
  CHECK(decode_error(to_bytes(png_header(1, 0xFFFFFFFFu) + data)) == ErrorCode::limit);
  CHECK(decode_error(to_bytes(png_header(16384, 16384) + data)) == ErrorCode::limit);       // pixels
  CHECK(decode_error(to_bytes(png_header(8192, 8192, 16, 6) + data)) == ErrorCode::limit);  // memory
  CHECK(decode_error(to_bytes(png_header(8000, 8000) + data)) == ErrorCode::image);         // too few data for that
  for (const int side : {65500, 8000}) {
    FileBytes jpeg = read_data("rgb420.jpg");
    const std::size_t sof = find_marker(jpeg, kSof0);
    for (const std::size_t field : {5u, 7u}) {
      set_byte(jpeg, sof + field, side >> 8);
      set_byte(jpeg, sof + field + 1, side & 0xFF);
    }
    CHECK(decode_error(jpeg) == (side == 8000 ? ErrorCode::image : ErrorCode::limit));
  }
}

TEST_CASE("M02: a deflate bomb stops at the size of the picture") {
  // 64 bytes of pixels, and data that unpack to 10 MB.
  const std::string bomb = png_header(8, 8) + png_data(std::string(10'000'000, '\0')) + kPngEnd;
  const std::optional<ErrorCode> error = decode_error(to_bytes(bomb));
  CHECK(error == ErrorCode::limit);
}

TEST_CASE("pictures without pixels are refused") {
  const std::string data = png_data("") + kPngEnd;
  CHECK(decode_error(to_bytes(png_header(0, 5) + data)) == ErrorCode::image);
  CHECK(decode_error(to_bytes(png_header(5, 0) + data)) == ErrorCode::image);
  CHECK(decode_error(jpeg_with("luma.jpg", kSof0, 6, 0)) == ErrorCode::image);  // 27 rows: 00 1B
  CHECK(decode_error(jpeg_with("luma.jpg", kSof0, 8, 0)) == ErrorCode::image);
}

TEST_CASE("malformed PNG files are refused") {
  const std::string header = png_header(4, 2);
  const std::string rows(10, '\0');  // two rows of a filter byte and four pixels
  const std::string good = header + png_data(rows) + kPngEnd;
  REQUIRE(decode_error(to_bytes(good)) == std::nullopt);
  const std::string bad[] = {
      header + kPngEnd,                                                         // no data
      kPngSignature + png_data(rows) + kPngEnd,                                 // no header
      header + png_header(4, 2).substr(8) + png_data(rows) + kPngEnd,           // two headers
      header + png_data(rows),                                                  // no IEND
      header + png_data(rows.substr(1)) + kPngEnd,                              // a byte too few
      header + png_chunk("IDAT") + kPngEnd,                                     // no zlib stream
      header + png_chunk("IDATnot a zlib stream") + kPngEnd,                    //
      header + png_data(rows) + png_chunk("tEXta") + png_data(rows) + kPngEnd,  // data interrupted
      header + png_chunk("ABCDx") + png_data(rows) + kPngEnd,                   // unknown critical chunk
      header + png_chunk("a1cdx") + png_data(rows) + kPngEnd,                   // no chunk type
      header + png_data("\5" + rows.substr(1)) + kPngEnd,                       // filter type 5
      header + png_chunk("PLTE\1\2\3") + png_data(rows) + kPngEnd,              // palette of a grey picture
      kPngSignature + png_chunk("CgBI1234") + header.substr(8) + png_data(rows) + kPngEnd,
      png_header(4, 2, 8, 3) + png_data(rows) + kPngEnd,                          // palette picture without one
      png_header(4, 2, 8, 3) + png_chunk("PLTE\1\2") + png_data(rows) + kPngEnd,  //
      png_header(4, 2, 8, 3) + png_chunk("tRNS\1") + png_chunk("PLTE\1\2\3") + png_data(rows) + kPngEnd,
      png_header(4, 2, 3) + png_data(rows) + kPngEnd,        // depth 3
      png_header(4, 2, 8, 5) + png_data(rows) + kPngEnd,     // colour type 5
      png_header(4, 2, 16, 3) + png_data(rows) + kPngEnd,    //
      png_header(4, 2, 8, 0, 2) + png_data(rows) + kPngEnd,  // interlace method 2
  };
  for (const std::string& file : bad) {
    INFO("case " << (&file - bad));
    CHECK(decode_error(to_bytes(file)) == ErrorCode::image);
  }
  std::string damaged = good;
  damaged[good.size() - kPngEnd.size() - 1] ^= 1;  // the CRC of IDAT
  CHECK(decode_error(to_bytes(damaged)) == ErrorCode::image);
}

// The CRC covers each byte that is stored, so a wrong sum over the unpacked ones is the encoder's mistake, not damage. libpng
// lets it pass too.
TEST_CASE("a wrong Adler-32 under a right CRC is the encoder's mistake, and the pixels are had") {
  std::string stream = zlib_stored(std::string("\0\1\2\3\4\0\5\6\7\x8", 10));
  const std::string right("\x00\x8C\x00\x25", 4);
  for (const std::string& sum : {right, std::string("\xFF\xFF\xFF\xFF"), std::string(4, '\0')}) {
    stream.replace(stream.size() - 4, 4, sum);
    const Image picture = decode_image(to_bytes(png_header(4, 2) + png_chunk("IDAT" + stream) + kPngEnd), {}, "sums");
    CHECK(picture.pixels == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8});
  }
}

TEST_CASE("M20: a million ancillary PNG chunks and large ones are skipped in linear time") {
  const std::string chunk = png_chunk("tEXt");
  std::string file = png_header(4, 2) + png_chunk("iTXt" + std::string(1'000'000, 't'));
  file.reserve(14'000'000);
  for (int i = 0; i < 1'000'000; ++i) file += chunk;
  file += png_data(std::string(10, '\0')) + kPngEnd;
  const FileBytes bytes = to_bytes(file);
  const double seconds = processor_seconds_of([&] { CHECK(decode_error(bytes) == std::nullopt); });
  CHECK(seconds < 2 * kSlowness);
}

TEST_CASE("M20: large APP and COM segments of a JPEG are skipped") {
  FileBytes file = read_data("luma.jpg");
  std::string segments;
  for (const char marker : {'\xE2', '\xEF', '\xFE'}) {
    for (int i = 0; i < 50; ++i) segments += std::string("\xFF") + marker + "\xFF\xFF" + std::string(0xFFFD, 's');
  }
  const FileBytes more = to_bytes(segments);
  file.insert(file.begin() + 2, more.begin(), more.end());
  const double seconds = processor_seconds_of([&] { CHECK(decode_error(file) == std::nullopt); });
  CHECK(seconds < 2 * kSlowness);
}

TEST_CASE("M09 M10: kinds of JPEG that are not supported are refused") {
  CHECK(decode_error(read_data("cmyk.jpg")) == ErrorCode::image);
  for (const int sof : {0xC3, 0xC5, 0xC9, 0xCA, 0xCB}) {
    INFO("SOF " << sof);
    CHECK(decode_error(jpeg_with("luma.jpg", kSof0, 1, sof)) == ErrorCode::image);
  }
  CHECK(decode_error(jpeg_with("luma.jpg", kSof0, 4, 12)) == ErrorCode::image);  // 12 bits a sample
}

TEST_CASE("malformed JPEG files are refused") {
  CHECK(decode_error(jpeg_with("rgb420.jpg", kSof0, 9, 2)) == ErrorCode::image);      // two components
  CHECK(decode_error(jpeg_with("rgb420.jpg", kSof0, 11, 0x32)) == ErrorCode::image);  // fractional subsampling
  CHECK(decode_error(jpeg_with("rgb420.jpg", kSof0, 11, 0)) == ErrorCode::image);
  CHECK(decode_error(jpeg_with("rgb420.jpg", kSof0, 12, 3)) == ErrorCode::image);     // a table that is not defined
  CHECK(decode_error(jpeg_with("rgb420.jpg", kSos, 6, 0x33)) == ErrorCode::image);    //
  CHECK(decode_error(jpeg_with("rgb420.jpg", kSos, 5, 9)) == ErrorCode::image);       // an unknown component
  CHECK(decode_error(jpeg_with("rgb420.jpg", 0xC4, 5, 0xFF)) == ErrorCode::image);    // 255 codes of one bit
  CHECK(decode_error(jpeg_with("rgb420.jpg", 0xDB, 4, 0x0F)) == ErrorCode::image);    // quantisation table 15
  CHECK(decode_error(jpeg_with("restarts.jpg", 0xD1, 1, 0xD3)) == ErrorCode::image);  // restart markers out of order
}

TEST_CASE("M04: a JPEG with too many scans is refused") {
  FileBytes file = read_data("luma.jpg");
  const std::size_t scan = find_marker(file, kSos);
  const FileBytes data(file.begin() + static_cast<std::ptrdiff_t>(scan), file.end() - 2);
  for (int i = 0; i < 10'000; ++i) file.insert(file.end() - 2, data.begin(), data.begin() + 11);
  CHECK(processor_seconds_of([&] { CHECK(decode_error(file) != std::nullopt); }) < 1);

  ImageLimits limits;
  limits.max_scans = 3;
  CHECK(decode_error(read_data("progressive.jpg"), {.limits = limits}) == ErrorCode::limit);
}

TEST_CASE("M19: every limit is enforced and can be set") {
  const FileBytes file = read_data("rgb420.jpg");  // 35x27
  ImageLimits limits;
  const auto refused = [&](auto member, std::int64_t value) {
    ImageLimits changed = limits;
    changed.*member = static_cast<std::remove_reference_t<decltype(changed.*member)>>(value);
    return decode_error(file, {.limits = changed}) == ErrorCode::limit;
  };
  CHECK(refused(&ImageLimits::max_width, 34));
  CHECK_FALSE(refused(&ImageLimits::max_width, 35));
  CHECK(refused(&ImageLimits::max_height, 26));
  CHECK_FALSE(refused(&ImageLimits::max_height, 27));
  CHECK(refused(&ImageLimits::max_pixels, 35 * 27 - 1));
  CHECK_FALSE(refused(&ImageLimits::max_pixels, 35 * 27));
  CHECK(refused(&ImageLimits::max_file_bytes, static_cast<std::int64_t>(file.size()) - 1));
  CHECK_FALSE(refused(&ImageLimits::max_file_bytes, static_cast<std::int64_t>(file.size())));
  CHECK(refused(&ImageLimits::max_memory_bytes, 1000));
}

TEST_CASE("M12 M13: what is not a picture is refused by name") {
  const auto found = [](const std::string& text) {
    try {
      (void)decode_image(to_bytes(text));
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::image);
      return error.details().found;
    }
    return std::string("decoded");
  };
  CHECK(found("") == "an empty file");
  CHECK(found("\xFF\xD8") == "a truncated file");
  CHECK(found("GIF89a\1\1") == "GIF");
  CHECK(found(std::string("RIFF\0\0\0\0WEBPVP8 ", 16)) == "WebP");
  CHECK(found("BM1234") == "BMP");
  CHECK(found("P6\n1 1\n255\nabc") == "PNM");
  CHECK(found("<svg xmlns='x'/>") == "SVG");
  CHECK(found("hello, this is text") == "an unknown kind of file");
}

TEST_CASE("M16: only regular files are read") {
  const test::TempDir folder;
  const std::filesystem::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::filesystem::path link = folder.path() / "link.png";
  std::filesystem::create_symlink(data_path("rgb.png"), link);
  CHECK(load_error(folder.path() / "missing.png") == ErrorCode::io);
  CHECK(load_error(folder.path()) == ErrorCode::io);
  CHECK(load_error(pipe) == ErrorCode::io);
  CHECK(load_error("/dev/zero") == ErrorCode::io);
  CHECK(load_error(link) == std::nullopt);
  ImageLimits limits;
  limits.max_file_bytes = 10;
  CHECK(load_error(link, {.limits = limits}) == ErrorCode::limit);
}
