#include "plan/buffers.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "graph/index.h"

namespace linnet::plan {

namespace {

using graph::at;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;

/// Between what two threads write: a page and a line, so that equal offsets do not compete for the same cache sets; and beyond the
/// reach of prefetchers that follow one thread's strides past the end of its own, into what another is writing.
constexpr std::size_t kApart = std::size_t{128} * 1024 + 4096 + kArenaAlignment;

}  // namespace

Buffers::Buffers(const graph::Graph& graph, const std::vector<ops::Step>& steps,
                 const std::vector<ops::Placement>& placements, const std::vector<ImageGroup>& groups,
                 JoinedPlaces places, int threads, ShapePlan& plan)
    : graph_(graph),
      steps_(steps),
      placements_(placements),
      groups_(groups),
      threads_(static_cast<std::size_t>(threads)),
      plan_(plan),
      parent_(std::move(places.roots)),
      offset_(std::move(places.offsets)) {
  find_roots();
  place_buffers();
  place_scratch();
}

ValueId Buffers::root(ValueId id) const {
  while (parent_[at(id)] != id) id = parent_[at(id)];
  return id;
}

std::size_t Buffers::index_of(const ImageGroup& group) const {
  return static_cast<std::size_t>(&group - groups_.data());
}

std::size_t Buffers::buffer_bytes(ValueId id) const {
  const ImageGroup* const group = inside_[at(id)];
  return group == nullptr ? placements_[at(id)].bytes : place_images(placements_[at(id)], group->images).bytes;
}

void Buffers::find_roots() {
  const auto end = static_cast<std::int32_t>(steps_.size());
  for (std::int32_t i = 0; i < end; ++i) {
    const ops::Step& step = steps_[at(i)];
    if (step.view_of < 0) continue;
    const ValueId viewed = step.inputs[at(step.view_of)];
    parent_[at(step.outputs[0])] = root(viewed);
    offset_[at(step.outputs[0])] = offset_[at(viewed)];
  }
  find_split_roots();
  first_.assign(parent_.size(), -1);
  last_.assign(parent_.size(), -1);
  for (std::int32_t i = 0; i < end; ++i) {
    for (const ValueId id : steps_[at(i)].outputs) touch(id, i, true);
    for (const ValueId id : steps_[at(i)].inputs) touch(id, i, false);
  }
  for (const ValueId output : graph_.outputs) last_[at(root(output))] = end;  // copied out after the last step
  for (std::int32_t i = 0; i < end; ++i) share_in_place(i);
}

/// A buffer that only one group touches holds only as many images as the group takes at a time.
void Buffers::find_split_roots() {
  constexpr std::int32_t kNowhere = -1;
  std::vector<std::int32_t> only(parent_.size(), kNowhere);  // by root: its group plus 1; 0: none, or several
  const auto touched = [&](ValueId id, const ImageGroup* group) {
    if (id == kNoValue) return;
    const std::int32_t mine = group == nullptr ? 0 : static_cast<std::int32_t>(group - groups_.data()) + 1;
    std::int32_t& known = only[at(root(id))];
    known = known == kNowhere || known == mine ? mine : 0;
  };
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ImageGroup* const group = group_of(groups_, static_cast<std::int32_t>(i));
    for (const ValueId id : steps_[i].outputs) touched(id, group);
    for (const ValueId id : steps_[i].inputs) touched(id, group);
  }
  for (const ValueId input : graph_.inputs) touched(input, nullptr);
  for (const ValueId output : graph_.outputs) touched(output, nullptr);
  inside_.assign(parent_.size(), nullptr);
  for (std::size_t i = 0; i < only.size(); ++i) {
    if (only[i] > 0) inside_[i] = &groups_[at(only[i] - 1)];
  }
}

/// A group goes through its steps again and again: what it shares with others is at work from its first step to its last.
void Buffers::touch(ValueId id, std::int32_t index, bool writes) {
  if (id == kNoValue) return;
  const ValueId r = root(id);
  const ImageGroup* const group = inside_[at(r)] == nullptr ? group_of(groups_, index) : nullptr;
  if (writes && first_[at(r)] < 0) first_[at(r)] = group == nullptr ? index : group->first;
  last_[at(r)] = std::max(last_[at(r)], group == nullptr ? index : group->last - 1);
}

/// Output 0 takes over the buffer of an input that nothing reads afterwards.
void Buffers::share_in_place(std::int32_t index) {
  const ops::Step& step = steps_[at(index)];
  if (step.in_place < 0) return;
  const ValueId input = step.inputs[at(step.in_place)], output = step.outputs[0];
  if (input == kNoValue || output == kNoValue || placements_[at(output)].within != kNoValue) return;
  const ValueId shared = root(input);
  const graph::Value& value = graph_.value(shared);
  if (value.graph_input || value.constant || last_[at(shared)] != index) return;
  if (inside_[at(shared)] != inside_[at(output)] || buffer_bytes(shared) != buffer_bytes(output) ||
      placements_[at(input)].bytes != placements_[at(output)].bytes)
    return;
  const auto uses = std::count_if(step.inputs.begin(), step.inputs.end(),
                                  [&](ValueId i) { return i != kNoValue && root(i) == shared; });
  if (uses != 1) return;  // another input reads the same bytes, perhaps elsewhere than where it is overwritten
  parent_[at(output)] = shared;
  last_[at(shared)] = std::max(last_[at(shared)], last_[at(output)]);
}

void Buffers::place_buffers() {
  std::vector<BufferUse> uses;
  std::vector<std::vector<BufferUse>> own_uses(groups_.size());
  slot_.assign(parent_.size(), -1);
  for (std::size_t i = 0; i < parent_.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const graph::Value& value = graph_.value(id);
    // Inputs and constants have bytes of their own, though a view of one counts as writing it.
    if (parent_[i] != id || first_[i] < 0 || value.graph_input || value.constant) continue;
    const ImageGroup* const group = inside_[i];
    auto& among = group != nullptr && group->per_thread ? own_uses[index_of(*group)] : uses;
    slot_[i] = static_cast<std::int32_t>(among.size());
    among.push_back({buffer_bytes(id), first_[i], last_[i]});
  }
  own_memory_.resize(groups_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (!groups_[i].per_thread) continue;
    MemoryPlan plan = plan_memory(own_uses[i]);
    const std::size_t stride = arena_aligned(plan.arena_bytes) + kApart;
    own_memory_[i] = {std::move(plan), stride, uses.size()};
    uses.push_back({stride * threads_, groups_[i].first, groups_[i].last - 1});
  }
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) slot_[at(graph_.inputs[i])] = static_cast<std::int32_t>(i);
  memory_ = plan_memory(uses);
}

void Buffers::place_scratch() {
  std::size_t shared = 0, per_thread = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ops::Step& step = steps_[i];
    const ImageGroup* const group = group_of(groups_, static_cast<std::int32_t>(i));
    const bool alone = group != nullptr && group->per_thread;
    if (!alone) shared = std::max(shared, step.shared_scratch_bytes);
    per_thread =
        std::max(per_thread, step.thread_scratch_bytes + (alone ? arena_aligned(step.shared_scratch_bytes) : 0));
  }
  plan_.shared_scratch_offset = memory_.arena_bytes;
  plan_.thread_scratch_offset = plan_.shared_scratch_offset + arena_aligned(shared);
  plan_.thread_scratch_stride = per_thread == 0 ? 0 : arena_aligned(per_thread) + kApart;
  plan_.arena_bytes = plan_.thread_scratch_offset + plan_.thread_scratch_stride * threads_;
}

BufferRef Buffers::ref(ValueId id, const ImageGroup* group) {
  BufferRef ref;
  if (id == kNoValue) return ref;
  const ValueId r = root(id);
  const graph::Value& value = graph_.value(r);
  if (group != nullptr && inside_[at(r)] == nullptr && !value.constant)
    ref.advance = static_cast<std::ptrdiff_t>(group->images * image_bytes(placements_[at(id)]));
  if (value.graph_input) {
    ref.kind = BufferRef::Kind::input;
    ref.index = static_cast<std::size_t>(slot_[at(r)]);
  } else if (value.constant) {
    ref.kind = BufferRef::Kind::constant;
    if (slot_[at(r)] < 0) {
      const bool misaligned = reinterpret_cast<std::uintptr_t>(value.constant->raw()) % 8 != 0;
      slot_[at(r)] = static_cast<std::int32_t>(plan_.constants.size());
      plan_.constants.push_back(misaligned ? value.constant->clone() : *value.constant);
    }
    ref.data = static_cast<const std::byte*>(plan_.constants[at(slot_[at(r)])].raw());
  } else if (slot_[at(r)] >= 0) {
    ref.kind = BufferRef::Kind::arena;
    const auto slot = at(slot_[at(r)]);
    const ImageGroup* const inside = inside_[at(r)];
    if (inside != nullptr && inside->per_thread) {
      const OwnMemory& own = own_memory_[index_of(*inside)];
      ref.offset = memory_.offsets[own.slot] + own.plan.offsets[slot] + offset_[at(id)];
      ref.apart = static_cast<std::ptrdiff_t>(own.stride);
    } else {
      ref.offset = memory_.offsets[slot] + offset_[at(id)];
    }
  }
  return ref;
}

NodeId Buffers::largest_node() const {
  NodeId worst = graph::kNoNode;
  std::size_t most = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ops::Step& step = steps_[i];
    std::size_t bytes = std::max(step.shared_scratch_bytes, step.thread_scratch_bytes * threads_);
    for (const ValueId output : step.outputs) {
      if (output != kNoValue) bytes = std::max(bytes, buffer_bytes(output));
    }
    if (bytes <= most) continue;
    most = bytes;
    worst = graph_.order()[i];
  }
  return worst;
}

}  // namespace linnet::plan
