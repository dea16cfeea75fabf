// The fence before the JPEG and PNG decoder, and the decoder behind it.
#include "fuzz/fuzz_target.h"
#include "linnet/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::may_refuse([&] {
    DecodeOptions options;
    options.limits.max_pixels = 1 << 20;
    options.limits.max_memory_bytes = std::int64_t{64} << 20;
    options.apply_exif_orientation = size % 2 == 0;
    const Image picture = decode_image(fuzz::bytes_of(data, size), options);
    const auto pixels = static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height);
    if (picture.pixels.size() != pixels * static_cast<std::size_t>(picture.channels) || pixels == 0) std::abort();
  });
  return 0;
}
