// The presets against Pillow, OpenCV and numpy, and every step set by hand.
#include "linnet/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <sstream>

#include "image/picture_files.h"

namespace {

using namespace linnet;
using namespace linnet::test;

// 3x2 pixels; channel c of pixel i holds 10 * i + c.
Image small_picture(int channels) {
  Image picture;
  picture.width = 3;
  picture.height = 2;
  picture.channels = channels;
  for (int i = 0; i < 6; ++i) {
    for (int c = 0; c < channels; ++c) picture.pixels.push_back(static_cast<std::uint8_t>(10 * i + c));
  }
  return picture;
}

std::vector<float> values_of(const Image& picture, const Preprocessing& steps) {
  const Tensor tensor = preprocess(picture, steps);
  const std::span<const float> data = tensor.data<float>();
  return {data.begin(), data.end()};
}

template <typename Function>
std::optional<ErrorCode> error_of(Function function) {
  try {
    function();
    return std::nullopt;
  } catch (const Error& error) {
    return error.code();
  }
}

void check_preset(ReferenceReader& reference, const Image& picture) {
  std::istringstream line(reference.line());
  std::string name;
  std::size_t width = 0, height = 0, step = 0;
  line >> name >> width >> height >> step;
  INFO(name << " on " << picture.width << "x" << picture.height);
  const std::vector<float> values = values_of(picture, preset(name));
  REQUIRE(values.size() == 3 * width * height);
  const std::size_t per_row = (width + step - 1) / step;
  const std::size_t rows = (height + step - 1) / step;
  const auto expected = reference.values<float>(3 * rows * per_row);
  // One level of 8 bits is 1/255 before it is divided by std; the resizing is exact, so float rounding is all there is.
  float worst = 0.0f;
  std::size_t at = 0;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t y = 0; y < height; y += step) {
      for (std::size_t x = 0; x < width; x += step)
        worst = std::max(worst, std::abs(values[(c * height + y) * width + x] - expected[at++]));
    }
  }
  CHECK(worst < 1e-5f);
}

}  // namespace

TEST_CASE("each preset gives what Pillow, OpenCV and numpy give") {
  ReferenceReader reference("presets.bin");
  int pictures = 0;
  for (; !reference.at_end(); ++pictures) {
    Image picture;
    std::istringstream(reference.line()) >> picture.width >> picture.height;
    picture.channels = 3;
    picture.pixels = reference.values<std::uint8_t>(static_cast<std::size_t>(picture.width) *
                                                    static_cast<std::size_t>(picture.height) * 3);
    for (std::size_t i = 0; i < list_presets().size(); ++i) check_preset(reference, picture);
  }
  CHECK(pictures == 3);
}

TEST_CASE("presets have names, shapes and descriptions") {
  CHECK(list_presets() == std::vector<std::string>{"modelhub", "torchvision", "onnx-zoo", "cifar10"});
  for (const std::string& name : list_presets()) {
    const Preprocessing steps = preset(name);
    CHECK(steps.name == name);
    CHECK(output_shape(steps) == (name == "cifar10" ? Shape{1, 3, 32, 32} : Shape{1, 3, 224, 224}));
    CHECK(describe(steps).size() == 7);
    CHECK(describe(steps).front() == "preset: " + name);
  }
  CHECK(error_of([] { (void)preset("imagenet"); }) == ErrorCode::usage);
}

TEST_CASE("sides and offsets follow each recipe's rounding") {
  Preprocessing torch = preset("torchvision");
  Preprocessing zoo = preset("onnx-zoo");
  for (Preprocessing* steps : {&torch, &zoo}) set_option(*steps, "crop", "none");
  // 256 * 213 / 320 and the reverse: 384.6
  CHECK(output_shape(torch, 320, 213) == Shape{1, 3, 256, 384});
  CHECK(output_shape(zoo, 320, 213) == Shape{1, 3, 256, 385});
  CHECK(output_shape(torch, 213, 320) == Shape{1, 3, 384, 256});
  CHECK_FALSE(output_shape(torch).has_value());
}

TEST_CASE("the crop is centred by the rule") {
  const Image picture = small_picture(1);  // 0 10 20 / 30 40 50
  Preprocessing steps;
  steps.channels = 1;
  steps.crop_offset = CropOffset::nearest;
  set_option(steps, "crop", "2x1");
  CHECK(steps.crop_offset == CropOffset::down);  // set by hand: as most programs have it
  CHECK(values_of(picture, steps) == std::vector<float>{0, 10});
  steps.crop_offset = CropOffset::nearest;  // 0.5 to even: 0
  CHECK(values_of(picture, steps) == std::vector<float>{0, 10});
  steps.crop_offset = CropOffset::half_minus_half;  // 3/2 - 2/2 = 0 and 2/2 - 1/2 = 1
  CHECK(values_of(picture, steps) == std::vector<float>{30, 40});
  set_option(steps, "crop", "4");
  CHECK(error_of([&] { (void)preprocess(picture, steps); }) == ErrorCode::image);
}

TEST_CASE("channels, colour order, values and layout") {
  Preprocessing steps;
  CHECK(preprocess(small_picture(3), steps).shape() == Shape{1, 3, 2, 3});
  CHECK(values_of(small_picture(3), steps) ==
        std::vector<float>{0, 10, 20, 30, 40, 50, 1, 11, 21, 31, 41, 51, 2, 12, 22, 32, 42, 52});
  CHECK(values_of(small_picture(4), steps) == values_of(small_picture(3), steps));  // alpha is dropped
  const std::vector<float> grey = values_of(small_picture(2), steps);
  CHECK(grey == values_of(small_picture(1), steps));
  CHECK(std::equal(grey.begin(), grey.begin() + 6, grey.begin() + 12));  // and grey replicated

  set_option(steps, "color", "bgr");
  set_option(steps, "mean", "2,1,0");
  set_option(steps, "std", "0.5");
  set_option(steps, "layout", "nhwc");
  CHECK(preprocess(small_picture(3), steps).shape() == Shape{1, 2, 3, 3});
  const std::vector<float> nhwc = values_of(small_picture(3), steps);
  CHECK(std::vector<float>(nhwc.begin(), nhwc.begin() + 6) == std::vector<float>{0, 0, 0, 20, 20, 20});

  Preprocessing luma;
  set_option(luma, "channels", "1");
  CHECK(preprocess(small_picture(3), luma).shape() == Shape{1, 1, 2, 3});
  CHECK(values_of(small_picture(3), luma).at(1) == 11.0f);  // of 10, 11, 12
}

TEST_CASE("a batch is filled slot by slot") {
  const Image picture = small_picture(3);
  std::vector<float> batch(2 * 18, -1.0f);
  preprocess_into(picture, {}, std::span(batch).subspan(18));
  CHECK(batch.front() == -1.0f);
  CHECK(std::vector<float>(batch.begin() + 18, batch.end()) == values_of(picture, {}));
  CHECK(error_of([&] { preprocess_into(picture, {}, batch); }) == ErrorCode::usage);
}

TEST_CASE("options are read from text") {
  Preprocessing steps = preset("modelhub");
  set_option(steps, "resize", "300x200");
  CHECK(steps.name == "modelhub (changed)");
  set_option(steps, "crop", "100");
  CHECK(steps.name == "modelhub (changed)");
  const std::array sides = {steps.resize_width, steps.resize_height, steps.crop_width, steps.crop_height};
  CHECK(sides == std::array{300, 200, 100, 100});
  set_option(steps, "resize", "short:240");
  const bool shortest = steps.resize == ResizeMode::shortest_side && steps.resize_width == 240;
  CHECK(shortest);
  set_option(steps, "resize", "none");
  const bool none = steps.resize == ResizeMode::none;
  CHECK(none);
  set_option(steps, "scale", "1/255");
  CHECK(steps.scale == 1.0f / 255.0f);
  set_option(steps, "scale", "0.5");
  CHECK(steps.scale == 0.5f);
  set_option(steps, "mean", "104,117,123");
  CHECK(steps.mean == std::vector<float>{104, 117, 123});
}

TEST_CASE("M26: options that make no sense are refused") {
  const std::pair<const char*, const char*> bad[] = {{"resize", ""},       {"resize", "0"},
                                                     {"resize", "-5"},     {"resize", "256x"},
                                                     {"resize", "x256"},   {"resize", "256x256x3"},
                                                     {"resize", "short:"}, {"resize", "short:2x2"},
                                                     {"resize", "256 "},   {"resize", "99999999999"},
                                                     {"crop", "big"},      {"crop", "0"},
                                                     {"scale", "1/0"},     {"scale", "nan"},
                                                     {"scale", "fast"},    {"scale", "inf"},
                                                     {"mean", "1,2,3,4"},  {"mean", ""},
                                                     {"mean", "1,,2"},     {"mean", "nan"},
                                                     {"std", "0"},         {"std", "1,0,1"},
                                                     {"color", "RGB"},     {"layout", "hwc"},
                                                     {"channels", "2"},    {"filter", "lanczos"},
                                                     {"gamma", "2"},       {"", ""}};
  for (const auto& [option, value] : bad) {
    INFO(option << " = " << value);
    Preprocessing steps;
    CHECK(error_of([&, o = option, v = value] { set_option(steps, o, v); }) == ErrorCode::usage);
    CHECK(steps.name == "custom");
  }
}

TEST_CASE("fields that make no sense are refused") {
  const auto refused = [](auto change) {
    Preprocessing steps = preset("modelhub");
    change(steps);
    return error_of([&] { validate(steps); }) == ErrorCode::usage;
  };
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  CHECK_FALSE(refused([](Preprocessing&) {}));
  CHECK(refused([](Preprocessing& s) { s.channels = 4; }));
  CHECK(refused([](Preprocessing& s) { s.resize_width = 0; }));
  CHECK(refused([](Preprocessing& s) { s.resize_height = 20000; }));
  CHECK(refused([](Preprocessing& s) { s.resize_width = s.resize_height = 16384; }));
  CHECK(refused([](Preprocessing& s) { s.crop_width = -1; }));
  CHECK(refused([](Preprocessing& s) { s.crop_width = 257; }));
  CHECK(refused([](Preprocessing& s) { s.crop_height = 0; }));
  CHECK(refused([&](Preprocessing& s) { s.scale = kNan; }));
  CHECK(refused([](Preprocessing& s) { s.mean = {}; }));
  CHECK(refused([](Preprocessing& s) { s.mean = {1, 2}; }));
  CHECK(refused([&](Preprocessing& s) { s.mean = {kNan}; }));
  CHECK(refused([](Preprocessing& s) { s.std = {1, 0, 1}; }));
  CHECK(refused([](Preprocessing& s) { s.std = {1e-45f}; }));  // pixels would become infinite
  CHECK(refused([](Preprocessing& s) { s.scale = 3e38f; }));
  CHECK(refused([](Preprocessing& s) {
    s.std = {1, 1e-3f, 1};
    s.mean = {3e38f};
  }));
  CHECK_FALSE(refused([](Preprocessing& s) { s.scale = 1e30f; }));
  CHECK(refused([](Preprocessing& s) { s.resize = ResizeMode{3}; }));
  CHECK(refused([](Preprocessing& s) { s.side_rounding = SideRounding{2}; }));
  CHECK(refused([](Preprocessing& s) { s.filter = ResizeFilter{2}; }));
  CHECK(refused([](Preprocessing& s) { s.crop_offset = CropOffset{3}; }));
  CHECK(refused([](Preprocessing& s) { s.color = ColorOrder{255}; }));
  CHECK(refused([](Preprocessing& s) { s.layout = Layout{2}; }));
}

TEST_CASE("M15: odd pictures and extreme aspect ratios") {
  Image thin;
  thin.width = 10000;
  thin.height = 1;
  thin.channels = 1;
  thin.pixels.assign(10000, 7);
  CHECK(error_of([&] { (void)preprocess(thin, preset("torchvision")); }) == ErrorCode::limit);
  CHECK(preprocess(thin, preset("modelhub")).shape() == Shape{1, 3, 224, 224});
  CHECK(error_of([&] { (void)output_shape(preset("onnx-zoo"), 2'000'000'000, 1); }) == ErrorCode::limit);
  Image dot = thin;
  dot.width = 1;
  dot.pixels.assign(1, 7);
  for (const std::string& name : list_presets())
    CHECK(error_of([&] { (void)preprocess(dot, preset(name)); }) == std::nullopt);
  Image empty;
  CHECK(error_of([&] { (void)preprocess(empty, preset("modelhub")); }) == ErrorCode::image);
  Image wrong = dot;
  wrong.pixels.resize(5);
  CHECK(error_of([&] { (void)preprocess(wrong, preset("modelhub")); }) == ErrorCode::image);
}
