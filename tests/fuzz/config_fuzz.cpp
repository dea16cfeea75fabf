// JSON from strangers: the config.json of a model folder.
#include "cli/model_folder.h"
#include "fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::may_refuse([&] {
    const cli::FolderConfig config = cli::parse_config(fuzz::text_of(data, size), "config.json");
    Image picture;
    picture.width = picture.height = 8;
    picture.channels = 3;
    cli::check_limits(config, picture, "picture.png");
  });
  return 0;
}
