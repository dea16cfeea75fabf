// Pictures that are right: their pixels against Pillow's.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <thread>

#include "image/picture_files.h"

namespace {

using namespace linnet;
using namespace linnet::test;

int largest_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  REQUIRE(a.size() == b.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(int{a[i]} - int{b[i]}));
  return largest;
}

std::vector<std::uint8_t> reference_pixels(const std::string& name, std::size_t count) {
  ReferenceReader reference(name.substr(0, name.find('.')) + ".raw");
  return reference.values<std::uint8_t>(count);
}

struct Expected {
  const char* file;
  int channels;
  int file_channels;
  int bit_depth;
};

Image picture_5x3() {
  Image picture;
  picture.width = 5;
  picture.height = 3;
  picture.channels = 3;
  ReferenceReader reference("exif.raw");
  picture.pixels = reference.values<std::uint8_t>(45);
  return picture;
}

// rgb444.jpg with an EXIF segment after SOI.
FileBytes with_orientation(int orientation, bool big_endian) {
  std::string tiff = big_endian ? std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19)
                                : std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18);
  tiff.push_back(static_cast<char>(orientation));
  if (!big_endian) tiff.push_back('\0');
  std::string segment("\xFF\xE1\0", 3);
  segment.push_back(static_cast<char>(2 + 6 + tiff.size() + 6));
  segment.append("Exif\0\0", 6).append(tiff).append(6, '\0');
  FileBytes file = read_data("rgb444.jpg");
  const FileBytes inserted = to_bytes(segment);
  file.insert(file.begin() + 2, inserted.begin(), inserted.end());
  return file;
}

}  // namespace

TEST_CASE("M07 M08: every kind of PNG decodes to Pillow's pixels") {
  const Expected kinds[] = {{"grey.png", 1, 1, 8},          {"grey_alpha.png", 2, 2, 8}, {"rgb.png", 3, 3, 8},
                            {"rgba.png", 4, 4, 8},          {"grey1.png", 1, 1, 1},      {"grey2.png", 1, 1, 2},
                            {"grey4.png", 1, 1, 4},         {"rgb16.png", 3, 3, 16},     {"palette.png", 3, 1, 4},
                            {"palette_alpha.png", 4, 1, 4}, {"interlaced.png", 3, 3, 8}};
  for (const Expected& kind : kinds) {
    INFO(kind.file);
    const Image picture = load_image(data_path(kind.file));
    CHECK(picture.width == 19);
    CHECK(picture.height == 13);
    CHECK(picture.format == ImageFormat::png);
    CHECK(picture.channels == kind.channels);
    CHECK(picture.file_channels == kind.file_channels);
    CHECK(picture.file_bit_depth == kind.bit_depth);
    CHECK(largest_difference(picture.pixels, reference_pixels(kind.file, picture.pixels.size())) == 0);
  }
}

TEST_CASE("every kind of JPEG decodes to within three levels of Pillow's pixels") {
  const Expected kinds[] = {{"luma.jpg", 1, 1, 8},
                            {"rgb444.jpg", 3, 3, 8},
                            {"rgb420.jpg", 3, 3, 8},
                            {"progressive.jpg", 3, 3, 8},
                            {"restarts.jpg", 3, 3, 8}};
  for (const Expected& kind : kinds) {
    INFO(kind.file);
    const Image picture = load_image(data_path(kind.file));
    CHECK(picture.width == 35);
    CHECK(picture.height == 27);
    CHECK(picture.format == ImageFormat::jpeg);
    CHECK(picture.channels == kind.channels);
    CHECK(largest_difference(picture.pixels, reference_pixels(kind.file, picture.pixels.size())) <= 3);
  }
}

TEST_CASE("M21: bytes after the end of a picture are ignored") {
  for (const char* name : {"rgb.png", "rgb420.jpg"}) {
    FileBytes file = read_data(name);
    const Image before = decode_image(file);
    file.insert(file.end(), 100, std::byte{0xFF});
    CHECK(decode_image(file).pixels == before.pixels);
  }
}

TEST_CASE("M18: pictures decode in several threads at once") {
  const FileBytes file = read_data("progressive.jpg");
  const std::vector<std::uint8_t> expected = decode_image(file).pixels;
  std::array<int, 4> equal{};
  std::vector<std::thread> threads;
  for (int& count : equal) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) count += decode_image(file).pixels == expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(equal == std::array{50, 50, 50, 50});
}

TEST_CASE("M14: the contents decide, not the name") {
  const FileBytes png = read_data("rgb.png");
  CHECK(decode_image(png, {}, "photo.jpg").format == ImageFormat::png);
}

TEST_CASE("the eight EXIF orientations turn a picture as Pillow does") {
  const Image stored = picture_5x3();
  ReferenceReader reference("exif.raw");
  (void)reference.values<std::uint8_t>(45);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    INFO("orientation " << orientation);
    const Image turned = oriented(stored, orientation);
    CHECK(turned.width == (orientation >= 5 ? 3 : 5));
    CHECK(turned.height == (orientation >= 5 ? 5 : 3));
    CHECK(turned.pixels == reference.values<std::uint8_t>(45));
  }
  CHECK_THROWS_AS(oriented(stored, 0), Error);
  CHECK_THROWS_AS(oriented(stored, 9), Error);
}

TEST_CASE("M11: EXIF orientation is read, and applied only on request") {
  for (const bool big_endian : {false, true}) {
    const FileBytes file = with_orientation(6, big_endian);
    const Image ignored = decode_image(file);
    CHECK(ignored.exif_orientation == 6);
    CHECK(ignored.width == 35);
    const Image applied = decode_image(file, {.limits = {}, .apply_exif_orientation = true});
    CHECK(applied.exif_orientation == 1);
    CHECK(applied.width == 27);
    CHECK(applied.pixels == oriented(ignored, 6).pixels);
  }
  CHECK(decode_image(with_orientation(9, false)).exif_orientation == 1);
}

TEST_CASE("the first EXIF segment counts: what more there is goes on with it") {
  const FileBytes one = with_orientation(6, false);
  const auto followed_by = [&](const std::string& data) {
    const std::string segment =
        std::string("\xFF\xE1\0", 3) + static_cast<char>(2 + 6 + data.size()) + std::string("Exif\0\0", 6) + data;
    const FileBytes inserted = to_bytes(segment);
    FileBytes file = one;
    const auto end = file.begin() + 2 + 2 + std::to_integer<int>(one[5]);  // of the first, which is short
    file.insert(end, inserted.begin(), inserted.end());
    return file;
  };
  CHECK(decode_image(followed_by("the rest of a maker note")).exif_orientation == 6);
  CHECK(decode_image(followed_by(std::string("II*\0\x08\0\0\0\0\0", 10))).exif_orientation == 6);
}
