// Label files in all their forms: JSON objects and arrays, Python dicts, lines.
#include "cli/labels.h"
#include "fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::may_refuse([&] {
    for (const std::string& label : cli::parse_labels(fuzz::text_of(data, size), "labels")) {
      for (const char c : label) {
        if (static_cast<unsigned char>(c) < 0x20) std::abort();  // labels end up on terminals
      }
    }
  });
  return 0;
}
