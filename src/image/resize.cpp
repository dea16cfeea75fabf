#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace linnet::image {

namespace {

std::size_t count(int a, int b, int c = 1) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c);
}

// --- OpenCV -------------------------------------------------------------------------------------------------------------

// An output position lies between two source positions.
struct Tap {
  int first = 0;
  int second = 0;
  float weight = 0.0f;  // of the second
};

std::vector<Tap> linear_taps(int source, int target) {
  const double scale = static_cast<double>(source) / target;
  std::vector<Tap> taps(static_cast<std::size_t>(target));
  for (int i = 0; i < target; ++i) {
    const auto position = static_cast<float>((i + 0.5) * scale - 0.5);  // rounded to float here, as OpenCV does
    const int floor = static_cast<int>(std::floor(position));
    Tap& tap = taps[static_cast<std::size_t>(i)];
    tap.first = std::clamp(floor, 0, source - 1);
    tap.second = std::clamp(floor + 1, 0, source - 1);
    tap.weight = tap.first == tap.second ? 0.0f : position - static_cast<float>(floor);
  }
  return taps;
}

void stretch_row(const Pixels& source, int y, const std::vector<Tap>& taps, std::vector<float>& row) {
  const std::uint8_t* in = source.data.data() + count(y, source.width, source.channels);
  float* out = row.data();
  for (const Tap& tap : taps) {
    const std::uint8_t* a = in + count(tap.first, source.channels);
    const std::uint8_t* b = in + count(tap.second, source.channels);
    for (int c = 0; c < source.channels; ++c) {
      *out++ = static_cast<float>(a[c]) * (1.0f - tap.weight) + static_cast<float>(b[c]) * tap.weight;
    }
  }
}

// --- Pillow -------------------------------------------------------------------------------------------------------------

constexpr int kPrecisionBits = 32 - 8 - 2;  // Pillow's PRECISION_BITS: 8 bits of pixel, 2 of head room

// The source positions [first, first + weights) that make one output position.
struct Window {
  int first = 0;
  std::vector<std::int32_t> weights;  // sum to about 1 << kPrecisionBits
};

Window triangle_window(int source, double center, double filter_scale) {
  Window window;
  window.first = std::max(0, static_cast<int>(center - filter_scale + 0.5));
  const int end = std::min(source, static_cast<int>(center + filter_scale + 0.5));
  std::vector<double> weights;
  double sum = 0.0;
  for (int x = window.first; x < end; ++x) {
    const double distance = std::abs((x - center + 0.5) * (1.0 / filter_scale));
    weights.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
    sum += weights.back();
  }
  for (double weight : weights) {
    if (sum != 0.0) weight /= sum;
    window.weights.push_back(static_cast<std::int32_t>(0.5 + weight * (1 << kPrecisionBits)));
  }
  return window;
}

std::vector<Window> triangle_windows(int source, int target) {
  const double scale = static_cast<double>(source) / target;
  const double filter_scale = std::max(scale, 1.0);
  std::vector<Window> windows;
  windows.reserve(static_cast<std::size_t>(target));
  for (int i = 0; i < target; ++i) windows.push_back(triangle_window(source, (i + 0.5) * scale, filter_scale));
  return windows;
}

// Resizes the middle one of the extents [outer][middle][inner]: rows are [height][width][channels] with the channels inside,
// columns are [1][height][width * channels]. One function is both of Pillow's passes.
std::vector<std::uint8_t> resample(std::span<const std::uint8_t> source, int outer, int middle, int inner, int target) {
  const std::vector<Window> windows = triangle_windows(middle, target);
  const auto step = static_cast<std::size_t>(inner);
  std::vector<std::uint8_t> result(count(outer, target, inner));
  std::vector<std::int32_t> sums(step);
  std::uint8_t* out = result.data();
  for (int o = 0; o < outer; ++o) {
    const std::uint8_t* line = source.data() + count(o, middle, inner);
    for (const Window& window : windows) {
      std::fill(sums.begin(), sums.end(), 1 << (kPrecisionBits - 1));
      const std::uint8_t* in = line + count(window.first, inner);
      for (const std::int32_t weight : window.weights) {
        for (std::size_t i = 0; i < step; ++i) sums[i] += in[i] * weight;
        in += step;
      }
      for (const std::int32_t sum : sums) *out++ = static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
    }
  }
  return result;
}

}  // namespace

std::vector<float> resize_bilinear(const Pixels& source, int width, int height) {
  const std::vector<Tap> columns = linear_taps(source.width, width);
  const std::vector<Tap> rows = linear_taps(source.height, height);
  const std::size_t row_size = count(width, source.channels);
  std::vector<float> result(row_size * static_cast<std::size_t>(height));
  std::vector<float> upper(row_size);
  std::vector<float> lower(row_size);
  int upper_y = -1;  // which source rows the two hold: neighbouring output rows often share them
  int lower_y = -1;
  float* out = result.data();
  for (const Tap& tap : rows) {
    if (tap.first == lower_y) {
      std::swap(upper, lower);
      std::swap(upper_y, lower_y);
    }
    if (tap.first != upper_y) stretch_row(source, upper_y = tap.first, columns, upper);
    if (tap.second != lower_y) stretch_row(source, lower_y = tap.second, columns, lower);
    for (std::size_t i = 0; i < row_size; ++i) *out++ = upper[i] * (1.0f - tap.weight) + lower[i] * tap.weight;
  }
  return result;
}

std::vector<std::uint8_t> resize_antialiased(const Pixels& source, int width, int height) {
  std::vector<std::uint8_t> pixels;
  std::span<const std::uint8_t> current = source.data;
  if (width != source.width) {
    pixels = resample(current, source.height, source.width, source.channels, width);
    current = pixels;
  }
  if (height != source.height) return resample(current, 1, source.height, width * source.channels, height);
  return {current.begin(), current.end()};
}

}  // namespace linnet::image
