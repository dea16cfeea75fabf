// Resizing against what Pillow and OpenCV gave for the same pictures (see make_references.py).
#include <algorithm>
#include <cmath>
#include <sstream>

#include "image/picture_files.h"
#include "image/resize.h"

namespace {

using namespace linnet;
using namespace linnet::test;

}  // namespace

TEST_CASE("resizing equals Pillow's bit for bit and OpenCV's to a hundredth of a level") {
  ReferenceReader reference("resizes.bin");
  int cases = 0;
  for (; !reference.at_end(); ++cases) {
    const std::string line = reference.line();
    INFO("width, height, channels, new width, new height: " << line);
    int w = 0, h = 0, c = 0, new_w = 0, new_h = 0;
    std::istringstream(line) >> w >> h >> c >> new_w >> new_h;
    const auto source = reference.values<std::uint8_t>(static_cast<std::size_t>(w * h * c));
    const std::size_t size = static_cast<std::size_t>(new_w * new_h * c);
    const auto pillow = reference.values<std::uint8_t>(size);
    const auto opencv = reference.values<std::uint16_t>(size);  // in 1/256 levels
    const image::Pixels pixels{source, w, h, c};
    CHECK(image::resize_antialiased(pixels, new_w, new_h) == pillow);
    const std::vector<float> linear = image::resize_bilinear(pixels, new_w, new_h);
    REQUIRE(linear.size() == size);
    float worst = 0.0f;
    for (std::size_t i = 0; i < size; ++i)
      worst = std::max(worst, std::abs(linear[i] - static_cast<float>(opencv[i]) / 256.0f));
    CHECK(worst < 0.01f);  // the reference itself is rounded to 1/512
  }
  CHECK(cases == 15);
}

TEST_CASE("resizing to the same size changes nothing") {
  const std::vector<std::uint8_t> source = {1, 2, 3, 4, 5, 6, 7, 8, 9, 250, 251, 252};
  const image::Pixels pixels{source, 2, 2, 3};
  CHECK(image::resize_antialiased(pixels, 2, 2) == source);
  const std::vector<float> same = image::resize_bilinear(pixels, 2, 2);
  CHECK(std::equal(same.begin(), same.end(), source.begin(), source.end(),
                   [](float a, std::uint8_t b) { return a == static_cast<float>(b); }));
}

TEST_CASE("a flat picture stays flat at any size") {
  const std::vector<std::uint8_t> source(7 * 5, 201);
  for (const int side : {1, 2, 6, 7, 8, 100}) {
    const std::vector<std::uint8_t> smooth = image::resize_antialiased({source, 7, 5, 1}, side, side + 1);
    CHECK(std::all_of(smooth.begin(), smooth.end(), [](std::uint8_t v) { return v == 201; }));
  }
}
