// How libFuzzer finds the mutator of models. One input in five is left to its own byte-wise mutations.
#include <cstring>

#include "fuzz/graph_mutator.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  if (seed % 5 != 0) {
    const std::string mutated = linnet::fuzz::mutate_model({reinterpret_cast<const char*>(data), size}, seed);
    if (mutated.size() <= max_size && !mutated.empty()) {
      std::memcpy(data, mutated.data(), mutated.size());
      return mutated.size();
    }
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
