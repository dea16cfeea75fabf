#include "ops/plan_context.h"

#include "base/parallel_for.h"

namespace linnet::ops {

WeightStore::Buffer WeightStore::get(const std::string& key, std::size_t bytes,
                                     const std::function<void(std::byte*)>& fill, base::AlignedBuffer::Fill memory) {
  const auto make = [&] {
    auto made = std::make_shared<base::AlignedBuffer>(bytes, memory);
    fill(made->data());
    return made;
  };
  if (key.empty()) return make();
  // Filling under the lock: two plans that are made at once for one model want the same buffers, and neither twice.
  const std::lock_guard lock(mutex_);
  Buffer& buffer = buffers_[key];
  if (buffer == nullptr) {
    buffer = make();
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

// What a packing may depend on is the operator, its attributes, its constants and the kernels, so that is the key. One
// filter may be shared by nodes with different scales, so all of a node's constants count. They are told by their ids in the
// common graph; a constant that was folded for one set of input shapes has no such id, and its packing is not shared.
std::string PlanContext::pack_key() const {
  std::string key = op_type() + ' ' + std::to_string(static_cast<int>(table_.isa));
  for (const auto& [name, attribute] : node().attributes.entries()) key += ' ' + name + '=' + to_string(attribute);
  for (std::size_t i = 0; i < input_count(); ++i) {
    if (constant(i) == nullptr) continue;
    const graph::ValueId id = node().inputs[i];
    const graph::Graph* common = options_.common;
    if (common == nullptr || id >= common->value_count() || !common->value(id).is_constant()) return {};
    key += ' ' + std::to_string(i) + ':' + std::to_string(id);
  }
  return key;
}

WeightStore::Buffer PlanContext::pack(std::size_t input, std::string_view what, std::size_t bytes,
                                      const std::function<void(std::byte*)>& fill, base::AlignedBuffer::Fill memory) {
  std::string key = pack_key();
  if (!key.empty()) key += " / " + std::to_string(input) + ' ' + std::string(what) + ' ' + std::to_string(bytes);
  return weights_.get(key, bytes, fill, memory);
}

Blocking PlanContext::tuned_blocking(const std::string& shape) {
  step_.tuning_key = options_.machine + " | " + shape;
  if (options_.tuning == nullptr) return {};
  const auto found = options_.tuning->blockings.find(step_.tuning_key);
  step_.tuned = found != options_.tuning->blockings.end();
  return step_.tuned ? found->second : Blocking{};
}

void PlanContext::packed(std::size_t input) {
  consumed(input);
  if (!pack_key().empty()) step_.packed_inputs |= 1U << input;  // without a key the packing is this plan's alone
}

void PlanContext::parallel_for(std::int64_t n, const std::function<void(std::int64_t)>& body) const {
  base::parallel_for(options_.threads, n, body);
}

}  // namespace linnet::ops
