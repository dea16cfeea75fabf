// Random numbers that are the same everywhere, and tensors of them.
#pragma once

#include <cstdint>
#include <utility>

#include "reference/tensor.h"

namespace linnet::test {

/// splitmix64: one 64-bit state, and the same sequence on every machine (the distributions of <random> are not).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  /// In [low, high).
  double uniform(double low, double high) { return low + (high - low) * static_cast<double>(next() >> 11) * 0x1p-53; }
  /// In [low, high], both included.
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool chance(double probability) { return uniform(0, 1) < probability; }

 private:
  std::uint64_t state_;
};

/// Numbers of `type` in [low, high).
inline reference::Tensor random_reals(Random& random, reference::Shape shape, double low, double high,
                                      reference::Type type = reference::Type::float32) {
  reference::Tensor tensor = reference::Tensor::make(type, std::move(shape));
  for (double& value : tensor.reals) value = reference::round_to(type, random.uniform(low, high));
  return tensor;
}

}  // namespace linnet::test
