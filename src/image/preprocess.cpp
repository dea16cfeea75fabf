#include "linnet/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "base/out_of_memory.h"
#include "image/picture.h"
#include "image/resize.h"
#include "linnet/error.h"

namespace linnet {

namespace {

constexpr int kMaxSide = 16384;
constexpr std::int64_t kMaxResizedPixels = std::int64_t{64} << 20;

struct Extent {
  int width = 0;
  int height = 0;
};

std::string to_text(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

[[noreturn]] void refuse_option(const char* where, const char* expected, std::string found) {
  throw Error(ErrorCode::usage, "a preprocessing step that makes no sense",
              {.where = where, .expected = expected, .found = std::move(found)});
}

// round() of Python: half to even. Of sides of pictures and their ratios: 64 bits are enough.
std::int64_t round_half_even(double value) {
  const double floor = std::floor(value);
  const double rest = value - floor;
  const auto low = static_cast<std::int64_t>(floor);
  if (rest != 0.5) return rest > 0.5 ? low + 1 : low;
  return low % 2 == 0 ? low : low + 1;
}

std::int64_t longer_side(const Preprocessing& steps, std::int64_t longer, std::int64_t shorter) {
  const std::int64_t side = steps.resize_width;
  if (steps.side_rounding == SideRounding::truncate) return side * longer / shorter;
  const double ratio = static_cast<double>(side) / static_cast<double>(shorter);
  return round_half_even(ratio * static_cast<double>(longer));
}

Extent shortest_side_extent(const Preprocessing& steps, int width, int height) {
  const std::int64_t longer = longer_side(steps, std::max(width, height), std::min(width, height));
  const std::int64_t new_width = width <= height ? steps.resize_width : longer;
  const std::int64_t new_height = width <= height ? longer : steps.resize_width;
  if (longer > kMaxSide || new_width * new_height > kMaxResizedPixels) {
    throw Error(ErrorCode::limit, "the resized picture is too large: its aspect ratio is extreme",
                {.expected = "at most " + std::to_string(kMaxSide) + " pixels a side",
                 .found = to_text(new_width, new_height)});
  }
  return {static_cast<int>(new_width), static_cast<int>(new_height)};
}

Extent resized_extent(const Preprocessing& steps, int width, int height) {
  if (steps.resize == ResizeMode::none) return {width, height};
  const Extent resized = steps.resize == ResizeMode::exact ? Extent{steps.resize_width, steps.resize_height}
                                                           : shortest_side_extent(steps, width, height);
  // With antialiasing columns are resized before rows.
  if (steps.filter == ResizeFilter::bilinear_antialias && resized.width != width &&
      std::int64_t{resized.width} * height > kMaxResizedPixels) {
    throw Error(ErrorCode::limit, "the picture is too large between the resizing of its columns and of its rows",
                {.expected = "at most 64 Mpixel", .found = to_text(resized.width, height)});
  }
  return resized;
}

Extent final_extent(const Preprocessing& steps, Extent resized) {
  if (steps.crop_width == 0) return resized;
  if (steps.crop_width > resized.width || steps.crop_height > resized.height) {
    throw Error(ErrorCode::image, "the picture is smaller than the crop window",
                {.where = "crop",
                 .expected = "at least " + to_text(steps.crop_width, steps.crop_height),
                 .found = to_text(resized.width, resized.height)});
  }
  return {steps.crop_width, steps.crop_height};
}

int crop_offset(CropOffset rule, int side, int crop) {
  switch (rule) {
    case CropOffset::down: return (side - crop) / 2;
    case CropOffset::nearest: return static_cast<int>(round_half_even((side - crop) / 2.0));
    case CropOffset::half_minus_half: return side / 2 - crop / 2;
  }
  return 0;
}

Shape shape_of(const Preprocessing& steps, Extent extent) {
  if (steps.layout == Layout::nchw) return {1, steps.channels, extent.height, extent.width};
  return {1, extent.height, extent.width, steps.channels};
}

// Step 1. Returns `picture`'s own pixels where there is nothing to do, and `buffer` otherwise.
image::Pixels with_channels(const Image& picture, int channels, std::vector<std::uint8_t>& buffer) {
  image::Pixels result{picture.pixels, picture.width, picture.height, channels};
  if (picture.channels == channels) return result;
  const auto stride = static_cast<std::size_t>(picture.channels);
  const bool grey = picture.channels <= 2;
  buffer.reserve(picture.pixels.size() / stride * static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < picture.pixels.size(); i += stride) {
    const std::uint8_t* p = picture.pixels.data() + i;
    if (channels == 3) {
      buffer.insert(buffer.end(), {p[0], grey ? p[0] : p[1], grey ? p[0] : p[2]});
    } else {
      // The rounding and weights of Pillow's convert("L"), ITU-R 601.
      buffer.push_back(grey ? p[0]
                            : static_cast<std::uint8_t>((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16));
    }
  }
  result.data = buffer;
  return result;
}

float channel_value(const std::vector<float>& values, int channel) {
  return values.size() == 1 ? values.front() : values[static_cast<std::size_t>(channel)];
}

// Steps 3 to 6 from [resized.height][resized.width][channels].
template <typename T>
void write_values(const Preprocessing& steps, std::span<const T> pixels, Extent resized, Extent window,
                  std::span<float> output) {
  const int x0 = steps.crop_width == 0 ? 0 : crop_offset(steps.crop_offset, resized.width, window.width);
  const int y0 = steps.crop_width == 0 ? 0 : crop_offset(steps.crop_offset, resized.height, window.height);
  const bool planar = steps.layout == Layout::nchw;
  const auto channels = static_cast<std::size_t>(steps.channels);
  const auto width = static_cast<std::size_t>(window.width);
  const std::size_t plane = width * static_cast<std::size_t>(window.height);
  for (int c = 0; c < steps.channels; ++c) {
    const int source_channel = steps.color == ColorOrder::bgr ? steps.channels - 1 - c : c;
    const float mean = channel_value(steps.mean, c);
    const float deviation = channel_value(steps.std, c);
    const auto channel = static_cast<std::size_t>(c);
    float* out = output.data() + (planar ? channel * plane : channel);
    const std::size_t step = planar ? 1 : channels;
    for (int y = 0; y < window.height; ++y) {
      const std::size_t row =
          static_cast<std::size_t>(y0 + y) * static_cast<std::size_t>(resized.width) + static_cast<std::size_t>(x0);
      const T* in = pixels.data() + row * channels + static_cast<std::size_t>(source_channel);
      for (std::size_t x = 0; x < width; ++x, in += channels, out += step) {
        *out = (static_cast<float>(*in) * steps.scale - mean) / deviation;
      }
    }
  }
}

void run(const Image& picture, const Preprocessing& steps, Extent resized, Extent window, std::span<float> output) {
  std::vector<std::uint8_t> buffer;
  const image::Pixels source = with_channels(picture, steps.channels, buffer);
  if (resized.width == source.width && resized.height == source.height) {
    write_values<std::uint8_t>(steps, source.data, resized, window, output);
  } else if (steps.filter == ResizeFilter::bilinear) {
    write_values<float>(steps, image::resize_bilinear(source, resized.width, resized.height), resized, window, output);
  } else {
    write_values<std::uint8_t>(steps, image::resize_antialiased(source, resized.width, resized.height), resized, window,
                               output);
  }
}

void check_side(int value, const char* where) {
  if (value < 1 || value > kMaxSide) refuse_option(where, "1 to 16384 pixels", std::to_string(value));
}

/// `last` is the enumeration's last choice.
template <typename Choice>
void check_choice(Choice choice, Choice last, const char* where) {
  if (choice > last) refuse_option(where, "one of its choices", std::to_string(static_cast<int>(choice)));
}

void check_channel_values(const std::vector<float>& values, int channels, const char* where, bool nonzero) {
  if (values.size() != 1 && std::cmp_not_equal(values.size(), channels)) {
    refuse_option(where, "one value, or one a channel", std::to_string(values.size()) + " values");
  }
  for (const float value : values) {
    if (!std::isfinite(value) || (nonzero && value == 0.0f)) {
      refuse_option(where, nonzero ? "finite values other than 0" : "finite values", std::to_string(value));
    }
  }
}

/// That no pixel becomes infinite, nor NaN.
void check_results(const Preprocessing& steps) {
  constexpr double kMost = std::numeric_limits<float>::max();
  const auto largest = [](const std::vector<float>& values, auto of) {
    return of(*std::max_element(values.begin(), values.end(), [&](float a, float b) { return of(a) < of(b); }));
  };
  const double before =
      255.0 * std::abs(double{steps.scale}) + largest(steps.mean, [](float value) { return std::abs(double{value}); });
  const double by = largest(steps.std, [](float value) { return 1 / std::abs(double{value}); });
  if (before > kMost || by > kMost || before * by > kMost)
    refuse_option("std", "with scale and mean, finite results", std::to_string(steps.std.front()));
}

}  // namespace

void validate(const Preprocessing& steps) {
  if (steps.channels != 1 && steps.channels != 3) refuse_option("channels", "1 or 3", std::to_string(steps.channels));
  check_choice(steps.resize, ResizeMode::shortest_side, "resize");
  check_choice(steps.side_rounding, SideRounding::nearest, "side_rounding");
  check_choice(steps.filter, ResizeFilter::bilinear_antialias, "filter");
  check_choice(steps.crop_offset, CropOffset::half_minus_half, "crop_offset");
  check_choice(steps.color, ColorOrder::bgr, "color");
  check_choice(steps.layout, Layout::nhwc, "layout");
  if (steps.resize != ResizeMode::none) check_side(steps.resize_width, "resize");
  if (steps.resize == ResizeMode::exact) check_side(steps.resize_height, "resize");
  if (std::int64_t{steps.resize_width} * steps.resize_height > kMaxResizedPixels) {
    refuse_option("resize", "at most 64 Mpixel", to_text(steps.resize_width, steps.resize_height));
  }
  if (steps.crop_width != 0 || steps.crop_height != 0) {
    check_side(steps.crop_width, "crop");
    check_side(steps.crop_height, "crop");
    if (steps.resize == ResizeMode::exact &&
        (steps.crop_width > steps.resize_width || steps.crop_height > steps.resize_height)) {
      refuse_option("crop", "no more than the resize leaves", to_text(steps.crop_width, steps.crop_height));
    }
  }
  if (!std::isfinite(steps.scale)) refuse_option("scale", "a finite number", std::to_string(steps.scale));
  check_channel_values(steps.mean, steps.channels, "mean", false);
  check_channel_values(steps.std, steps.channels, "std", true);
  check_results(steps);
}

Shape output_shape(const Preprocessing& steps, int image_width, int image_height) {
  validate(steps);
  if (image_width < 1 || image_height < 1) {
    throw Error(ErrorCode::image, "a picture without pixels", {.found = to_text(image_width, image_height)});
  }
  return shape_of(steps, final_extent(steps, resized_extent(steps, image_width, image_height)));
}

std::optional<Shape> output_shape(const Preprocessing& steps) {
  validate(steps);
  if (steps.crop_width != 0) return shape_of(steps, {steps.crop_width, steps.crop_height});
  if (steps.resize == ResizeMode::exact) return shape_of(steps, {steps.resize_width, steps.resize_height});
  return std::nullopt;
}

void preprocess_into(const Image& picture, const Preprocessing& steps, std::span<float> output) {
  validate(steps);
  image::check_picture(picture);
  const Extent resized = resized_extent(steps, picture.width, picture.height);
  const Extent window = final_extent(steps, resized);
  const std::int64_t elements = std::int64_t{window.width} * window.height * steps.channels;
  if (std::cmp_not_equal(output.size(), elements)) {
    throw Error(ErrorCode::usage, "the output does not have the preprocessed picture's size",
                {.expected = std::to_string(elements) + " floats", .found = std::to_string(output.size())});
  }
  base::guard_memory([&] { run(picture, steps, resized, window, output); });
}

Tensor preprocess(const Image& picture, const Preprocessing& steps) {
  return base::guard_memory([&] {
    image::check_picture(picture);
    Tensor result(DataType::float32, output_shape(steps, picture.width, picture.height));
    preprocess_into(picture, steps, result.mutable_data<float>());
    return result;
  });
}

}  // namespace linnet
