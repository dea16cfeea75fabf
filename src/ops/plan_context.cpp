#include "ops/plan_context.h"

#include <algorithm>

#include "base/checked_math.h"
#include "base/parallel_for.h"
#include "kernels/cpu.h"

namespace linnet::ops {

const Placement& PlanContext::placement_in(std::size_t i) const {
  static const Placement kOmitted;
  return has_input(i) ? placements_[static_cast<std::size_t>(node().inputs[i])] : kOmitted;
}

const Placement& PlanContext::placement_out(std::size_t i) const {
  static const Placement kOmitted;
  return has_output(i) ? placements_[static_cast<std::size_t>(node().outputs[i])] : kOmitted;
}

// A constant that was folded for one set of input shapes has no id in the common graph: its packing is this plan's alone.
bool PlanContext::are_common(Inputs constants) const {
  const graph::Graph* const common = options_.common;
  return common != nullptr && std::all_of(constants.begin(), constants.end(), [&](std::size_t i) {
           if (constant(i) == nullptr) return true;
           const graph::ValueId id = node().inputs[i];
           return id < common->value_count() && common->value(id).is_constant();
         });
}

WeightStore::Buffer PlanContext::pack(Inputs of, std::string_view what, std::size_t bytes,
                                      const std::function<void(std::byte*)>& fill, base::AlignedBuffer::Fill memory) {
  std::string key =
      std::to_string(static_cast<int>(table_.isa)) + ' ' + std::string(what) + ' ' + std::to_string(bytes);
  for (const std::size_t i : of) key += ' ' + (constant(i) == nullptr ? "none" : std::to_string(node().inputs[i]));
  return (are_common(of) ? *options_.common_weights : weights_).get(key, bytes, fill, memory);
}

Blocking PlanContext::tuned_blocking(const std::string& shape) {
  const int threads = options_.threads;
  step_.tuning_key =
      options_.machine + " | " + std::to_string(threads) + (threads == 1 ? " thread | " : " threads | ") + shape;
  if (options_.tuning == nullptr) return {};
  const auto found = options_.tuning->blockings.find(step_.tuning_key);
  step_.tuned = found != options_.tuning->blockings.end();
  return step_.tuned ? found->second : Blocking{};
}

void PlanContext::packed(Inputs of) {
  const bool for_all_plans = are_common(of);
  for (const std::size_t i : of) {
    if (!has_input(i)) continue;
    consumed(i);
    if (for_all_plans) step_.packed_inputs |= 1U << i;
  }
}

void PlanContext::require_table_room(std::int64_t entries, std::int64_t entry_bytes) const {
  const std::int64_t bytes = base::checked_mul(entries, entry_bytes, "a step's tables");
  if (bytes <= options_.max_table_bytes) return;
  fail(ErrorCode::limit, "the step needs too large tables", {},
       "at most " + std::to_string(options_.max_table_bytes) + " bytes (max_arena_bytes)",
       std::to_string(bytes) + " bytes");
}

void PlanContext::parallel_for(std::int64_t n, const std::function<void(std::int64_t)>& body) const {
  base::parallel_for(options_.packing_threads, n, body);
}

std::string isa_label(const PlanContext& context) { return kernels::name(context.kernels().isa); }

std::string tile_label(const PlanContext& context) {
  const auto& tile = context.kernels().tile;
  return std::to_string(tile.pixels) + "x" + std::to_string(tile.channels);
}

}  // namespace linnet::ops
