#include "ops/plan_context.h"

#include <array>
#include <cstring>

namespace linnet::ops {

namespace {

/// 128 bits of content. Four independent sums of products keep it at the speed of memory.
std::array<std::uint64_t, 2> content_hash(const Tensor& tensor) {
  constexpr std::uint64_t kOdd[4] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0x27d4eb2f165667c5};
  std::uint64_t lanes[4] = {1, 2, 3, 4};
  const auto mix = [&](const std::uint64_t (&words)[4]) {
    for (int i = 0; i < 4; ++i) {
      lanes[i] = (lanes[i] ^ words[i]) * kOdd[i];
      lanes[i] ^= lanes[i] >> 29;
    }
  };
  const auto* bytes = static_cast<const std::byte*>(tensor.raw());
  const std::size_t size = tensor.bytes();
  std::uint64_t words[4];
  std::size_t at = 0;
  for (; at + sizeof words <= size; at += sizeof words) {
    std::memcpy(words, bytes + at, sizeof words);
    mix(words);
  }
  std::uint64_t tail[4] = {};
  if (at < size) std::memcpy(tail, bytes + at, size - at);
  mix(tail);
  for (int round = 0; round < 2; ++round) {  // each lane reaches each other
    const std::uint64_t turned[4] = {lanes[1] ^ size, lanes[2], lanes[3], lanes[0]};
    mix(turned);
  }
  return {lanes[0] ^ (lanes[2] * kOdd[1]), lanes[1] ^ (lanes[3] * kOdd[0])};
}

}  // namespace

WeightStore::Buffer WeightStore::get(const std::string& key, std::size_t bytes,
                                     const std::function<void(std::byte*)>& fill) {
  // Filling under the lock: two plans that are made at once for one model want the same buffers, and neither twice.
  const std::lock_guard lock(mutex_);
  Buffer& buffer = buffers_[key];
  if (buffer == nullptr) {
    auto made = std::make_shared<base::AlignedBuffer>(bytes, base::AlignedBuffer::Fill::zero);
    fill(made->data());
    buffer = std::move(made);
    bytes_ += bytes;
  }
  return buffer;
}

std::size_t WeightStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

const Placement& PlanContext::placement_in(std::size_t i) const {
  static const Placement kOmitted;
  return has_input(i) ? placements_[static_cast<std::size_t>(node().inputs[i])] : kOmitted;
}

const Placement& PlanContext::placement_out(std::size_t i) const {
  static const Placement kOmitted;
  return has_output(i) ? placements_[static_cast<std::size_t>(node().outputs[i])] : kOmitted;
}

// What a packing may depend on is the operator, its attributes, its constants and the kernels, so that is the key. The
// name of the constant would not do: a constant folded for one set of input shapes has other bytes under the same name in
// the graph of another, and one filter may be shared by nodes with different scales. Hashing reads at the speed of memory.
const std::string& PlanContext::pack_key() {
  if (!pack_key_.empty()) return pack_key_;
  pack_key_ = op_type() + ' ' + std::to_string(static_cast<int>(table_.isa));
  for (const auto& [name, attribute] : node().attributes.entries())
    pack_key_ += ' ' + name + '=' + to_string(attribute);
  for (std::size_t i = 0; i < input_count(); ++i) {
    const Tensor* tensor = constant(i);
    if (tensor == nullptr) continue;
    const auto [low, high] = content_hash(*tensor);
    pack_key_ += ' ' + std::to_string(i) + ':' + std::string(to_string(tensor->type())) + to_string(tensor->shape()) +
                 std::to_string(low) + '.' + std::to_string(high);
  }
  return pack_key_;
}

WeightStore::Buffer PlanContext::pack(std::size_t input, std::string_view what, std::size_t bytes,
                                      const std::function<void(std::byte*)>& fill) {
  const std::string key =
      pack_key() + " / " + std::to_string(input) + ' ' + std::string(what) + ' ' + std::to_string(bytes);
  return weights_.get(key, bytes, fill);
}

}  // namespace linnet::ops
