// Pictures of which decoders make different things: refused, as a guess would be a wrong answer without a sign.
#include <string_view>

#include "image/picture_files.h"
#include "linnet/preprocess.h"

namespace linnet::test::contradictory_picture_test {

namespace {

constexpr int kSof0 = 0xC0, kSof2 = 0xC2, kSos = 0xDA, kDqt = 0xDB, kApp0 = 0xE0, kApp14 = 0xEE;

std::string text_of(const FileBytes& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

/// A JPEG file in parts: its segments up to and with the first SOS, and the rest.
struct Jpeg {
  struct Part {
    int code = 0;
    std::string data;  // without marker and length
  };
  std::vector<Part> segments;
  std::string rest;

  explicit Jpeg(const std::string& name) {
    const std::string file = text_of(read_data(name));
    std::size_t at = 2;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(file.at(i)); };
    while (segments.empty() || segments.back().code != kSos) {
      const std::size_t length = byte(at + 2) * 256U + byte(at + 3);
      segments.push_back({byte(at + 1), file.substr(at + 4, length - 2)});
      at += 2 + length;
    }
    rest = file.substr(at);
  }

  static std::string text(const Part& part) {
    const std::size_t length = part.data.size() + 2;
    return std::string{'\xFF', static_cast<char>(part.code), static_cast<char>(length >> 8),
                       static_cast<char>(length & 255)} +
           part.data;
  }
  [[nodiscard]] FileBytes bytes() const {
    std::string file = "\xFF\xD8";
    for (const Part& part : segments) file += text(part);
    return to_bytes(file + rest);
  }

  Jpeg& without(int code) {
    std::erase_if(segments, [&](const Part& part) { return part.code == code; });
    return *this;
  }
  Jpeg& with(int code, std::string data) {
    segments.insert(segments.begin(), {code, std::move(data)});
    return *this;
  }
  Jpeg& with_jfif() { return with(kApp0, std::string("JFIF\0\1\1\0\0\1\0\1\0\0", 14)); }
  Jpeg& with_adobe(char transform) { return with(kApp14, std::string("Adobe\0\144\0\0\0\0", 11) + transform); }
  Jpeg& with_ids(std::string_view ids) {
    for (Part& part : segments) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (part.code == kSof0 || part.code == kSof2) part.data.at(6 + 3 * i) = ids[i];
        if (part.code == kSos) part.data.at(1 + 2 * i) = ids[i];
      }
    }
    return *this;
  }
};

Jpeg plain() { return Jpeg("rgb444.jpg").without(kApp0).without(kApp14); }

}  // namespace

TEST_CASE("a JPEG whose markers and component ids contradict each other about its colours is refused") {
  const auto refused = [](const Jpeg& jpeg) { return decode_error(jpeg.bytes()) == ErrorCode::image; };
  const auto pixels = [](const Jpeg& jpeg) { return decode_image(jpeg.bytes()).pixels; };
  // JFIF says YCbCr.
  CHECK(refused(plain().with_ids("RGB").with_jfif()));
  CHECK(refused(plain().with_ids("RGB").with_jfif().with_adobe(0)));
  // Adobe's transform 1, or another than 0 and 1, is YCbCr.
  CHECK(refused(plain().with_ids("RGB").with_adobe(1)));
  CHECK(refused(plain().with_ids("RGB").with_adobe(2)));
  // A marker that only one of two decoders knows: JFIF without its body, Adobe's of another version.
  CHECK(refused(plain().with_adobe(0).with(kApp0, std::string("JFIF\0", 5))));
  CHECK(refused(plain().with(kApp14, std::string("Adobe\1\0\0\0\0\0\0", 12))));

  const std::vector<std::uint8_t> ycbcr = pixels(plain()), rgb = pixels(plain().with_ids("RGB"));
  CHECK(ycbcr != rgb);
  CHECK(pixels(plain().with_jfif()) == ycbcr);
  CHECK(pixels(plain().with_adobe(1)) == ycbcr);
  CHECK(pixels(plain().with_adobe(1).with_jfif()) == ycbcr);
  CHECK(pixels(plain().with_adobe(0).with_jfif()) == ycbcr);
  CHECK(pixels(plain().with_ids("rgb")) == ycbcr);
  CHECK(pixels(plain().with_adobe(0)) == rgb);
  CHECK(pixels(plain().with_ids("RGB").with_adobe(0)) == rgb);
}

TEST_CASE("Adobe's marker after the first scan comes too late for some decoders") {
  Jpeg jpeg = plain();
  jpeg.rest.insert(jpeg.rest.size() - 2, Jpeg::text({kApp14, std::string("Adobe\0\144\0\0\0\0\0", 12)}));
  CHECK(decode_error(jpeg.bytes()) == ErrorCode::image);
}

TEST_CASE("a progressive JPEG that replaces a quantisation table in use is refused") {
  const Jpeg whole("progressive.jpg");
  const auto table = std::find_if(whole.segments.begin(), whole.segments.end(),
                                  [](const Jpeg::Part& part) { return part.code == kDqt; });
  REQUIRE(table != whole.segments.end());
  Jpeg::Part changed = *table;
  changed.data.at(1) = static_cast<char>(changed.data.at(1) ^ 1);
  const auto with = [&](const Jpeg::Part& part) {
    Jpeg jpeg = whole;
    jpeg.rest.insert(jpeg.rest.size() - 2, Jpeg::text(part));
    return jpeg.bytes();
  };
  CHECK(decode_error(with(changed)) == ErrorCode::image);
  CHECK(decode_image(with(*table)).pixels == decode_image(whole.bytes()).pixels);  // the same once more
  Jpeg::Part unused = changed;
  unused.data = unused.data.substr(0, 65);
  unused.data[0] = 3;
  CHECK(decode_image(with(unused)).pixels == decode_image(whole.bytes()).pixels);
  // Of a baseline file each component has its one scan, and every decoder the table that it found then.
  Jpeg baseline = plain();
  const auto expected = decode_image(baseline.bytes()).pixels;
  baseline.rest.insert(baseline.rest.size() - 2, Jpeg::text(changed));
  CHECK(decode_image(baseline.bytes()).pixels == expected);
}

TEST_CASE("a JPEG with coefficients that no picture has is refused") {
  // A quantisation table of another picture, whose steps are up to 200 times as large: decoders that compute in 16 bits and those
  // that compute in 32 make of it what has nothing in common.
  for (const char* const name : {"luma.jpg", "rgb444.jpg", "rgb420.jpg", "progressive.jpg"}) {
    Jpeg jpeg(name);
    INFO(name);
    CHECK(decode_error(jpeg.bytes()) == std::nullopt);
    for (Jpeg::Part& part : jpeg.segments) {
      if (part.code == kDqt) std::fill(part.data.begin() + 1, part.data.begin() + 65, '\xFF');
    }
    CHECK(decode_error(jpeg.bytes()) == ErrorCode::image);
  }
}

TEST_CASE("a PNG whose first chunks of data are empty is the same picture") {
  const std::string raw("\0\1\2\3\0\4\5\6", 8), empty = png_chunk("IDAT");
  for (const std::string& palette : {std::string(), png_chunk("PLTE" + std::string(21, 'x'))}) {
    const std::string head = png_header(3, 2, 8, palette.empty() ? 0 : 3) + palette;
    const Image expected = decode_image(to_bytes(head + png_data(raw) + kPngEnd));
    CHECK(decode_image(to_bytes(head + empty + png_data(raw) + kPngEnd)).pixels == expected.pixels);
    CHECK(decode_image(to_bytes(head + empty + empty + png_data(raw) + empty + kPngEnd)).pixels == expected.pixels);
    CHECK(decode_error(to_bytes(head + empty + kPngEnd)) == ErrorCode::image);
  }
}

TEST_CASE("a picture that antialiasing would make too large on the way is refused") {
  Image picture;
  picture.width = 1;
  picture.height = 16384;
  picture.channels = 3;
  picture.pixels.resize(3 * 16384);
  Preprocessing steps;
  set_option(steps, "resize", "16384x1");
  try {
    (void)preprocess(picture, steps);
    FAIL("it was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::limit);
  }
  set_option(steps, "filter", "bilinear");  // goes row by row
  CHECK(preprocess(picture, steps).shape() == Shape{1, 3, 1, 16384});
  set_option(steps, "filter", "antialias");
  set_option(steps, "resize", "4096x1");
  CHECK(preprocess(picture, steps).shape() == Shape{1, 3, 1, 4096});
}

}  // namespace linnet::test::contradictory_picture_test
