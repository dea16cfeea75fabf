// From bytes to a plan: the loader, inference, every pass, packing and the memory plan.
#include "fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::may_refuse([&] {
    const Plan plan(Model::load(fuzz::bytes_of(data, size), fuzz::small_load()), fuzz::small_session());
    (void)plan.report();
  });
  return 0;
}
