// The named recipes, their description, and setting a step from text.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "base/out_of_memory.h"
#include "linnet/error.h"
#include "linnet/preprocess.h"

namespace linnet {

namespace {

constexpr float kPerLevel = 1.0f / 255.0f;

Preprocessing imagenet(std::string_view name) {
  Preprocessing steps;
  steps.name = name;
  steps.resize = ResizeMode::shortest_side;
  steps.resize_width = 256;
  steps.crop_width = 224;
  steps.crop_height = 224;
  steps.scale = kPerLevel;
  steps.mean = {0.485f, 0.456f, 0.406f};
  steps.std = {0.229f, 0.224f, 0.225f};
  return steps;
}

Preprocessing modelhub() {
  Preprocessing steps = imagenet("modelhub");
  steps.resize = ResizeMode::exact;
  steps.resize_height = 256;
  steps.filter = ResizeFilter::bilinear;
  steps.crop_offset = CropOffset::down;
  return steps;
}

Preprocessing torchvision() { return imagenet("torchvision"); }

Preprocessing onnx_zoo() {
  Preprocessing steps = imagenet("onnx-zoo");
  steps.side_rounding = SideRounding::nearest;
  steps.crop_offset = CropOffset::half_minus_half;
  return steps;
}

Preprocessing cifar10() {
  Preprocessing steps;
  steps.name = "cifar10";
  steps.resize = ResizeMode::exact;
  steps.resize_width = 32;
  steps.resize_height = 32;
  steps.scale = kPerLevel;
  steps.mean = {0.4914f, 0.4822f, 0.4465f};
  steps.std = {0.2470f, 0.2435f, 0.2616f};
  return steps;
}

struct NamedPreset {
  std::string_view name;
  Preprocessing (*make)();
};
constexpr std::array kPresets = {NamedPreset{"modelhub", modelhub}, NamedPreset{"torchvision", torchvision},
                                 NamedPreset{"onnx-zoo", onnx_zoo}, NamedPreset{"cifar10", cifar10}};

// --- text to values -----------------------------------------------------------------------------------------------------

[[noreturn]] void refuse_value(std::string_view option, std::string_view expected, std::string_view value) {
  throw Error(ErrorCode::usage, "a preprocessing option with a value that it does not take",
              {.where = "option '" + std::string(option) + "'",
               .expected = std::string(expected),
               .found = "'" + std::string(value) + "'"});
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr std::string_view kResizeForms = "none, WIDTHxHEIGHT or SIDE (the shortest side)";
constexpr std::string_view kCropForms = "none, SIDE or WIDTHxHEIGHT";

struct Sides {
  int width = 0;
  int height = 0;
  bool one = false;
};

Sides parse_sides(std::string_view option, std::string_view forms, std::string_view text) {
  const std::size_t cross = text.find('x');
  const bool one = cross == std::string_view::npos;
  const std::optional<int> width = number<int>(text.substr(0, cross));
  const std::optional<int> height = one ? width : number<int>(text.substr(cross + 1));
  if (!width || !height || *width < 1 || *height < 1) refuse_value(option, forms, text);
  return {*width, *height, one};
}

void set_resize(Preprocessing& steps, std::string_view text) {
  if (text == "none") {
    steps.resize = ResizeMode::none;
    steps.resize_width = steps.resize_height = 0;
    return;
  }
  constexpr std::string_view kShort = "short:";
  const bool prefixed = text.starts_with(kShort);
  const Sides sides = parse_sides("resize", kResizeForms, prefixed ? text.substr(kShort.size()) : text);
  if (prefixed && !sides.one) refuse_value("resize", kResizeForms, text);
  steps.resize = sides.one ? ResizeMode::shortest_side : ResizeMode::exact;
  steps.resize_width = sides.width;
  steps.resize_height = sides.one ? 0 : sides.height;
}

void set_crop(Preprocessing& steps, std::string_view text) {
  const Sides sides = text == "none" ? Sides{} : parse_sides("crop", kCropForms, text);
  steps.crop_width = sides.width;
  steps.crop_height = sides.height;
  steps.crop_offset = CropOffset::down;
}

void set_scale(Preprocessing& steps, std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<float> top = number<float>(text.substr(0, slash));
  const std::optional<float> bottom = slash == std::string_view::npos ? 1.0f : number<float>(text.substr(slash + 1));
  if (!top || !bottom || !std::isfinite(*top / *bottom))
    refuse_value("scale", "a number, or a fraction such as 1/255", text);
  steps.scale = *top / *bottom;
}

std::vector<float> parse_list(std::string_view option, std::string_view text) {
  constexpr std::string_view kForms = "one number, or one a channel separated by commas";
  std::vector<float> values;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const std::optional<float> value = number<float>(rest.substr(0, comma));
    if (!value || !std::isfinite(*value) || values.size() == 3) refuse_value(option, kForms, text);
    values.push_back(*value);
    if (comma == std::string_view::npos) return values;
    rest.remove_prefix(comma + 1);
  }
}

void set_mean(Preprocessing& steps, std::string_view text) { steps.mean = parse_list("mean", text); }

void set_std(Preprocessing& steps, std::string_view text) {
  std::vector<float> values = parse_list("std", text);
  if (std::find(values.begin(), values.end(), 0.0f) != values.end()) refuse_value("std", "numbers other than 0", text);
  steps.std = std::move(values);
}

void set_filter(Preprocessing& steps, std::string_view text) {
  if (text == "bilinear") steps.filter = ResizeFilter::bilinear;
  else if (text == "antialias") steps.filter = ResizeFilter::bilinear_antialias;
  else refuse_value("filter", "bilinear or antialias", text);
}

void set_color(Preprocessing& steps, std::string_view text) {
  if (text == "rgb") steps.color = ColorOrder::rgb;
  else if (text == "bgr") steps.color = ColorOrder::bgr;
  else refuse_value("color", "rgb or bgr", text);
}

void set_layout(Preprocessing& steps, std::string_view text) {
  if (text == "nchw") steps.layout = Layout::nchw;
  else if (text == "nhwc") steps.layout = Layout::nhwc;
  else refuse_value("layout", "nchw or nhwc", text);
}

void set_channels(Preprocessing& steps, std::string_view text) {
  if (text != "1" && text != "3") refuse_value("channels", "1 or 3", text);
  steps.channels = text == "1" ? 1 : 3;
}

struct Option {
  std::string_view name;
  void (*set)(Preprocessing&, std::string_view);
};
constexpr std::array kOptions = {
    Option{"resize", set_resize}, Option{"filter", set_filter}, Option{"crop", set_crop},
    Option{"scale", set_scale},   Option{"mean", set_mean},     Option{"std", set_std},
    Option{"color", set_color},   Option{"layout", set_layout}, Option{"channels", set_channels}};

// "a, b, c" of the names in a table.
template <typename Table>
std::string names_of(const Table& table) {
  std::string names;
  for (const auto& entry : table) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

// --- values to text -----------------------------------------------------------------------------------------------------

std::string to_text(float value) {
  if (value == kPerLevel) return "1/255";
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::string(text.data(), end) : "?";
}

std::string to_text(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += (text.empty() ? "" : ", ") + to_text(value);
  return values.size() == 1 ? text : "(" + text + ")";
}

std::string to_text(int width, int height) { return std::to_string(width) + "x" + std::to_string(height); }

std::string describe_resize(const Preprocessing& steps) {
  if (steps.resize == ResizeMode::none) return "resize: none";
  std::string text = "resize: ";
  if (steps.resize == ResizeMode::exact) {
    text += "to " + to_text(steps.resize_width, steps.resize_height);
  } else {
    text += "shortest side to " + std::to_string(steps.resize_width) + ", the other side " +
            (steps.side_rounding == SideRounding::truncate ? "truncated" : "rounded");
  }
  return text + (steps.filter == ResizeFilter::bilinear ? ", bilinear without antialiasing on float32 (OpenCV)"
                                                        : ", antialiased bilinear on 8 bits (Pillow)");
}

std::string describe_crop(const Preprocessing& steps) {
  if (steps.crop_width == 0) return "crop: none";
  std::string text = "crop: " + to_text(steps.crop_width, steps.crop_height) + " from the centre, offset ";
  switch (steps.crop_offset) {
    case CropOffset::down: return text + "(side - crop) / 2 rounded down";
    case CropOffset::nearest: return text + "(side - crop) / 2 rounded half to even";
    case CropOffset::half_minus_half: return text + "side / 2 - crop / 2 in whole numbers";
  }
  return text;
}

}  // namespace

Preprocessing preset(std::string_view name) {
  return base::guard_memory([&] {
    for (const NamedPreset& candidate : kPresets) {
      if (candidate.name == name) return candidate.make();
    }
    throw Error(ErrorCode::usage, "there is no such preprocessing preset",
                {.expected = "one of " + names_of(kPresets), .found = "'" + std::string(name) + "'"});
  });
}

std::vector<std::string> list_presets() {
  return base::guard_memory([&] {
    std::vector<std::string> names;
    names.reserve(std::size(kPresets));
    for (const NamedPreset& candidate : kPresets) names.emplace_back(candidate.name);
    return names;
  });
}

void set_option(Preprocessing& steps, std::string_view option, std::string_view value) {
  base::guard_memory([&] {
    const auto found =
        std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& o) { return o.name == option; });
    if (found == kOptions.end()) {
      throw Error(ErrorCode::usage, "there is no such preprocessing option",
                  {.expected = "one of " + names_of(kOptions), .found = "'" + std::string(option) + "'"});
    }
    found->set(steps, value);
    constexpr std::string_view kChanged = " (changed)";
    if (steps.name != "custom" && !steps.name.ends_with(kChanged)) steps.name += kChanged;
  });
}

std::vector<std::string> describe(const Preprocessing& steps) {
  return base::guard_memory([&]() -> std::vector<std::string> {
    return {"preset: " + steps.name,
            steps.channels == 3 ? "channels: 3, alpha dropped, grey replicated" : "channels: 1, luma (ITU-R 601)",
            describe_resize(steps),
            describe_crop(steps),
            std::string("colour: ") + (steps.channels == 1              ? "grey"
                                       : steps.color == ColorOrder::rgb ? "RGB"
                                                                        : "BGR"),
            "values: (x * " + to_text(steps.scale) + " - mean) / std, mean " + to_text(steps.mean) + ", std " +
                to_text(steps.std),
            steps.layout == Layout::nchw ? "layout: NCHW, float32" : "layout: NHWC, float32"};
  });
}

}  // namespace linnet
