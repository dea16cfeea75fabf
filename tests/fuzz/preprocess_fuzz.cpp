// Every preset on a picture of any size and kind, with one of its steps set from text.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "linnet/preprocess.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::ByteSource source(fuzz::bytes_of(data, size));
  const std::vector<std::string> presets = list_presets();
  Preprocessing steps = preset(presets[static_cast<std::size_t>(source.below(static_cast<int>(presets.size())))]);
  Image picture;
  picture.width = 1 + source.below(90);
  picture.height = 1 + source.below(90);
  picture.channels = 1 + source.below(4);
  picture.pixels.resize(static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) *
                        static_cast<std::size_t>(picture.channels));
  for (std::uint8_t& x : picture.pixels) x = source.byte();
  constexpr const char* kOptions[] = {"resize", "filter", "crop",   "scale",   "mean",
                                      "std",    "color",  "layout", "channels"};
  fuzz::may_refuse([&] {
    if (size > 4)
      set_option(steps, kOptions[data[0] % std::size(kOptions)],
                 fuzz::text_of(data + 4, std::min<std::size_t>(size - 4, 20)));
  });
  fuzz::may_refuse([&] {
    // Small, as a sanitized run of 224 pixels takes a quarter of a second; a crop of the largest still fits or does not.
    steps.resize_width = std::min(steps.resize_width, 40);
    steps.resize_height = std::min(steps.resize_height, 41);
    steps.crop_width = std::min(steps.crop_width, 35);
    steps.crop_height = std::min(steps.crop_height, 36);
    const Tensor tensor = preprocess(picture, steps);
    if (tensor.shape() != output_shape(steps, picture.width, picture.height)) std::abort();
  });
  return 0;
}
