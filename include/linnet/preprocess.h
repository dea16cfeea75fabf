// From a picture to a network's input: a list of steps that is data, can be printed, and has names for the usual recipes.
//
//   linnet::Preprocessing steps = linnet::preset("torchvision");
//   linnet::set_option(steps, "crop", "227");                       // every step can be set by hand
//   for (const std::string& line : linnet::describe(steps)) std::puts(line.c_str());
//   linnet::Tensor input = linnet::preprocess(linnet::load_image("cat.jpg"), steps);    // float32 [1,3,227,227]
//
// The steps, always in this order; each is one group of fields of Preprocessing:
//   1 channels   3: alpha is dropped (never composited) and grey replicated; 1: luma, (19595 R + 38470 G + 7471 B) / 65536
//   2 resize     none | exact (both sides, the aspect ratio may change) | shortest_side (the aspect ratio is kept)
//   3 crop       a centred window; a picture smaller than it is refused
//   4 colour     rgb | bgr
//   5 values     y = (x * scale - mean[c]) / std[c] with x in 0..255; c counts after step 4
//   6 layout     nchw | nhwc, batch 1
//
// The presets
//   modelhub     both sides to 256, plain bilinear on float32 (OpenCV's INTER_LINEAR: half-pixel centres, edges repeated, no
//                antialiasing, no rounding); window 224 at (16,16); /255; mean .485 .456 .406, std .229 .224 .225; RGB; NCHW
//   torchvision  shortest side to 256 (the other: truncated), antialiased bilinear as in Pillow, rounded to 8 bits; window 224,
//                offset round((side - 224) / 2), half to even; the rest as above
//   onnx-zoo     as torchvision, but the other side is rounded (half to even) and the offset is side / 2 - 112, truncated:
//                the imagenet_preprocess.py of the ONNX model zoo
//   cifar10      both sides to 32, antialiased bilinear; /255; mean .4914 .4822 .4465, std .2470 .2435 .2616; RGB; NCHW
//
// Sources: modelhub-ai/resnet-50 processing.py on MXNet 1.3.1; torchvision.transforms on PIL images; onnx/models
// imagenet_preprocess.py; Pillow 9.4 Resample.c and OpenCV 4.6 resize.cpp, whose results the resizing reproduces: the first
// exactly, the second to within float rounding. Pillow 12.0 gives the same as 9.4; 13.0 resizes the rows of some pictures before
// their columns, which moves values by up to one of 255 levels.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "linnet/image.h"
#include "linnet/tensor.h"

namespace linnet {

enum class ResizeMode : std::uint8_t { none, exact, shortest_side };
/// bilinear samples two by two pixels whatever the scale; bilinear_antialias widens its triangle when it shrinks a picture.
enum class ResizeFilter : std::uint8_t { bilinear, bilinear_antialias };
enum class ColorOrder : std::uint8_t { rgb, bgr };
enum class Layout : std::uint8_t { nchw, nhwc };
/// How the longer side of a shortest_side resize becomes a whole number.
enum class SideRounding : std::uint8_t { truncate, nearest };
/// Where the window starts: floor((side - crop) / 2); round((side - crop) / 2) half to even; side / 2 - crop / 2 in integers.
enum class CropOffset : std::uint8_t { down, nearest, half_minus_half };

struct Preprocessing {
  std::string name = "custom";  ///< the preset it started from; set_option() appends " (changed)"

  int channels = 3;  ///< 1 or 3
  ResizeMode resize = ResizeMode::none;
  int resize_width = 0;   ///< pixels; the shortest side for shortest_side
  int resize_height = 0;  ///< pixels; unused for shortest_side
  SideRounding side_rounding = SideRounding::truncate;
  ResizeFilter filter = ResizeFilter::bilinear_antialias;
  int crop_width = 0;  ///< pixels; 0 for no crop
  int crop_height = 0;
  CropOffset crop_offset = CropOffset::nearest;
  ColorOrder color = ColorOrder::rgb;
  float scale = 1.0f;
  std::vector<float> mean = {0.0f};  ///< one for all channels, or one each
  std::vector<float> std = {1.0f};   ///< the same; never 0
  Layout layout = Layout::nchw;
};

/// The named recipe; `usage`, listing the names, for another one.
Preprocessing preset(std::string_view name);
/// "modelhub", "torchvision", "onnx-zoo", "cifar10".
std::vector<std::string> list_presets();

/// Sets one step from text; `usage` with the accepted forms for anything else. The options:
///   resize   none | WIDTHxHEIGHT | SIDE (the shortest side; also short:SIDE)
///   filter   bilinear | antialias
///   crop     none | SIDE | WIDTHxHEIGHT; CropOffset::down, whatever the preset's own crop does
///   scale    a number | 1/255
///   mean     one number or one a channel, separated by commas; in units of x * scale
///   std      the same, not 0
///   color    rgb | bgr
///   layout   nchw | nhwc
///   channels 1 | 3
void set_option(Preprocessing& steps, std::string_view option, std::string_view value);

/// `usage` if a field makes no sense: a side outside 1..16384, a mean or std of the wrong length, zero or not finite, ...
void validate(const Preprocessing& steps);

/// One line a step, for people: "resize: shortest side to 256, antialiased bilinear (Pillow)".
std::vector<std::string> describe(const Preprocessing& steps);

/// [1,C,H,W] or [1,H,W,C] for a picture of that size; `image` if it is smaller than the crop.
Shape output_shape(const Preprocessing& steps, int image_width, int image_height);
/// The same where it does not depend on the picture (there is a crop or an exact resize).
std::optional<Shape> output_shape(const Preprocessing& steps);

/// Runs the steps. Throws `usage` (validate), `image` (no pixels, smaller than the crop), `limit` (a side over 16384 pixels
/// or a resized picture over 64 Mpixel, also one of which antialiasing has only resized the columns yet), `no_memory`.
Tensor preprocess(const Image& image, const Preprocessing& steps);
/// The same into a slot of a batch; `usage` if `output` does not have exactly the elements of output_shape().
void preprocess_into(const Image& image, const Preprocessing& steps, std::span<float> output);

}  // namespace linnet
