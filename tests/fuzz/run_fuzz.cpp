// From bytes to results: whatever loads and is small enough is run, twice, and must compute the same bits.
#include <cstring>
#include <vector>

#include "fuzz/fuzz_target.h"

namespace {

using namespace linnet;

constexpr std::int64_t kMostElements = 1 << 16;
constexpr std::int64_t kMostMacs = 1 << 24;

/// A tensor for an input: extents that the model leaves open are 1; false where it would be too large or is no array.
bool fill(const ValueInfo& info, std::vector<NamedTensor>& inputs) {
  Shape shape;
  std::int64_t elements = 1;
  for (const ValueInfo::Dim& dim : info.shape) {
    shape.push_back(dim.value < 0 ? 1 : dim.value);
    if (shape.back() > kMostElements) return false;
    elements *= shape.back();
    if (elements > kMostElements) return false;
  }
  if (!info.has_rank || element_bytes(info.type) == 0) return false;
  Tensor tensor(info.type, shape);
  if (info.type == DataType::float32) {
    for (std::size_t i = 0; float& x : tensor.mutable_data<float>()) x = static_cast<float>(i++ % 17) - 8;
  }
  inputs.emplace_back(info.name, std::move(tensor));
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::may_refuse([&] {
    Session session(Model::load(fuzz::bytes_of(data, size), fuzz::small_load()), fuzz::small_session());
    if (session.plan().report().macs > kMostMacs) return;
    std::vector<NamedTensor> inputs;
    for (const ValueInfo& info : session.plan().inputs()) {
      if (!info.optional && !fill(info, inputs)) return;
    }
    const std::vector<Tensor> first = session.run(inputs);
    const std::vector<Tensor> second = session.run(inputs);
    for (std::size_t i = 0; i < first.size(); ++i) {
      const bool same = first[i].bytes() == second[i].bytes() &&
                        (first[i].bytes() == 0 || std::memcmp(first[i].raw(), second[i].raw(), first[i].bytes()) == 0);
      if (!same) std::abort();
    }
  });
  return 0;
}
