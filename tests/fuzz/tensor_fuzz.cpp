// The .pb files of test data sets.
#include <string>

#include "fuzz/fuzz_target.h"
#include "onnx/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::may_refuse([&] {
    std::string name;
    (void)onnx::load_tensor(fuzz::bytes_of(data, size), "fuzz.pb", &name);
  });
  return 0;
}
