#include "plan/planner.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "base/tensor_access.h"
#include "graph/index.h"
#include "linnet/error.h"
#include "ops/op_def.h"
#include "passes/pass.h"
#include "plan/image_groups.h"
#include "plan/joined_values.h"
#include "plan/memory_plan.h"
#include "plan/row_strips.h"

namespace linnet::plan {

namespace {

using graph::at;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;
using ops::Halo;
using ops::Placement;

/// Zeroes the border of an output as part of the step: its interior and its border are written by the same phase, and no
/// two threads touch the same plane's border.
void write_border(ops::Step& step, std::size_t output, const Placement& out, const kernels::Table& table) {
  const std::int64_t planes = out.shape[0] * out.channel_blocks();
  kernels::ZeroBorderArguments border;
  border.y = {nullptr, out.image_stride, out.plane_stride, out.row_stride};
  border.blocks = static_cast<int>(out.channel_blocks());
  border.height = static_cast<int>(out.shape[2]);
  border.width = static_cast<int>(out.shape[3]);
  border.top = out.halo.top;
  border.left = out.halo.left;
  border.bottom = out.halo.bottom;
  border.right = out.halo.right;
  const int last_phase = step.phases - 1;
  step.run = [inner = std::move(step.run), border, planes, last_phase, output, origin = out.origin,
              zero = table.zero_border](const ops::RunArgs& args) {
    inner(args);
    if (args.phase != last_phase) return;
    const ops::Range mine = ops::split(planes, args.threads, args.thread);
    kernels::ZeroBorderArguments b = border;
    b.y.data = args.out<float>(output) + origin;
    b.plane_begin = mine.first;
    b.plane_end = mine.last;
    zero(b);
  };
}

/// What each thread has for itself in a group per thread: of one thread, all of whose buffers lie together, as another may
/// be many steps ahead.
struct OwnMemory {
  MemoryPlan plan;
  std::size_t stride = 0;  // from one thread's to the next one's
  std::size_t slot = 0;    // of all threads' together, in the plan around it
};

/// Between what two threads write: a page and a line, so that equal offsets do not compete for the same cache sets; and beyond the
/// reach of prefetchers that follow one thread's strides past the end of its own, into what another is writing.
constexpr std::size_t kApart = std::size_t{128} * 1024 + 4096 + kArenaAlignment;

std::size_t aligned(std::size_t bytes) { return base::round_up(bytes, kArenaAlignment); }

class Planner {
 public:
  Planner(const graph::Graph& common, const PlanTarget& target, ops::WeightStore& common_weights)
      : common_(common), graph_(common), target_(target), common_weights_(common_weights) {}

  void bind_inputs(const std::vector<Shape>& shapes, std::span<const Tensor> known);
  std::shared_ptr<const ShapePlan> plan();

 private:
  void require_static(NodeId id) const;
  void request_halos();
  void place_values();
  /// For `output` of node `id`, or for all.
  void require_room(std::size_t bytes, NodeId id = graph::kNoNode, ValueId output = kNoValue) const;
  [[nodiscard]] NodeId largest_node() const;
  void plan_steps();
  ops::Step plan_step(NodeId id, const ops::PlanOptions& options);
  ops::Step plan_grouped_step(NodeId id, const ImageGroup& group, const ops::PlanOptions& options);
  void fuse_neighbours();
  [[nodiscard]] const ImageGroup* group_of(std::int32_t index) const;
  void release_packed(const graph::Node& node, const ops::Step& step);
  void find_roots();
  void find_split_roots();
  void touch(ValueId id, std::int32_t index, bool writes);
  [[nodiscard]] std::size_t buffer_bytes(ValueId id) const;
  void share_in_place(std::int32_t index);
  void assign_buffers();
  [[nodiscard]] ValueId root(ValueId id) const;
  [[nodiscard]] BufferRef buffer(ValueId id, const ImageGroup* group = nullptr);
  [[nodiscard]] PlannedValue planned_value(ValueId id);

  const graph::Graph& common_;
  graph::Graph graph_;
  const PlanTarget& target_;
  ops::WeightStore& common_weights_;
  ops::WeightStore weights_;  // packed of what these shapes alone have
  std::shared_ptr<ShapePlan> plan_ = std::make_shared<ShapePlan>();
  std::vector<Halo> halos_;            // by value
  std::vector<Placement> placements_;  // by value
  std::vector<std::int32_t> readers_;  // by value: consumers that have not packed a copy of their own
  std::vector<ops::Step> steps_;       // views included, in the order of the graph
  std::vector<ValueId> joined_;        // by value: the Concat's output that it lies in, or kNoValue
  std::vector<ValueId> parent_;        // by value: whose buffer it shares; itself for a root
  std::vector<std::size_t> offset_;    // by value: the byte where it begins in the buffer of its root
  std::vector<ImageGroup> groups_;
  std::vector<const ImageGroup*> inside_;   // by root: the group that alone touches it, whose images are all it holds
  std::vector<std::int32_t> first_, last_;  // by root: first and last step that touches it
  MemoryPlan memory_;
  std::vector<OwnMemory> own_memory_;  // by group
  std::vector<std::int32_t> slot_;  // by root: index of graph_.inputs, plan_->constants or MemoryPlan::offsets; or -1
};

void Planner::bind_inputs(const std::vector<Shape>& shapes, std::span<const Tensor> known) {
  std::map<std::string, std::int64_t, std::less<>> extents;  // by symbol: passes take those of one for equal
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    graph::Value& value = graph_.value(graph_.inputs[i]);
    ErrorDetails details{.file = graph_.file,
                         .node = {},
                         .op = {},
                         .where = "input '" + value.name + "'",
                         .expected = graph::to_string(value.desc),
                         .found = to_string(shapes[i])};
    if (value.desc.has_rank()) {
      bool fits = value.desc.shape->size() == shapes[i].size();
      for (std::size_t d = 0; fits && d < shapes[i].size(); ++d) {
        const graph::Dim& dim = (*value.desc.shape)[d];
        fits = !dim.known() || dim.value == shapes[i][d];
      }
      if (!fits) throw Error(ErrorCode::input, "an input's shape does not fit the model", details);
      for (std::size_t d = 0; d < shapes[i].size(); ++d) {
        const graph::Symbol& symbol = (*value.desc.shape)[d].symbol;
        if (symbol.empty()) continue;
        const auto [known_extent, added] = extents.emplace(symbol.text(), shapes[i][d]);
        if (added || known_extent->second == shapes[i][d]) continue;
        details.expected += " with " + known_extent->first + " = " + std::to_string(known_extent->second);
        throw Error(ErrorCode::input, "the extent '" + known_extent->first + "' would have two values", details);
      }
    }
    value.desc.shape = graph::DimList(shapes[i].begin(), shapes[i].end());
    if (i >= known.size() || known[i].type() == DataType::undefined) continue;
    value.constant = known[i];
    value.graph_input = false;
  }
  std::erase_if(graph_.inputs, [this](ValueId id) { return !graph_.value(id).graph_input; });
  plan_->passes = passes::run_passes(graph_, passes::Stage::shapes, target_.disabled_passes, target_.max_folded_bytes);
}

void Planner::require_static(NodeId id) const {
  const graph::Node& node = graph_.node(id);
  for (const ValueId output : node.outputs) {
    if (output == kNoValue || graph_.value(output).desc.is_static()) continue;
    throw Error(ErrorCode::unsupported, "a shape depends on the data of an input",
                {.file = graph_.file,
                 .node = graph_.label(id),
                 .op = graph::op_label(node),
                 .where = "output '" + graph_.value(output).name + "'",
                 .expected = "a shape known from the input shapes",
                 .found = graph::to_string(graph_.value(output).desc)});
  }
}

/// From the last node to the first, so that a view's request reaches the buffer that it shares.
void Planner::request_halos() {
  halos_.assign(at(graph_.value_count()), Halo{});
  const std::vector<NodeId>& order = graph_.order();
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const graph::Node& node = graph_.node(*it);
    const ops::OpDef& def = ops::require_operator(graph_, *it);
    const ops::NodeContext context(graph_, *it);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input == kNoValue || graph_.value(input).desc.layout != graph::Layout::nchw16c) continue;
      halos_[at(input)] = larger(halos_[at(input)], def.halo(context, i));
    }
  }
  joined_ = join_concat_inputs(graph_);
  join_halos(graph_, joined_, halos_);
}

void Planner::require_room(std::size_t bytes, NodeId id, ValueId output) const {
  if (bytes <= static_cast<std::size_t>(target_.max_arena_bytes)) return;
  const NodeId node = id == graph::kNoNode ? largest_node() : id;
  const bool known = node != graph::kNoNode;
  throw Error(ErrorCode::limit, "these input shapes need too large an arena",
              {.file = graph_.file,
               .node = known ? graph_.label(node) : "",
               .op = known ? graph::op_label(graph_.node(node)) : "",
               .where = output != kNoValue ? "output '" + graph_.value(output).name + "'"
                                           : "all buffers, of which this node has the largest",
               .expected = "at most " + std::to_string(target_.max_arena_bytes) + " bytes (max_arena_bytes)",
               .found = std::to_string(bytes) + " bytes"});
}

/// The node whose outputs or scratch take the most.
NodeId Planner::largest_node() const {
  NodeId worst = graph::kNoNode;
  std::size_t most = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ops::Step& step = steps_[i];
    std::size_t bytes =
        std::max(step.shared_scratch_bytes, step.thread_scratch_bytes * static_cast<std::size_t>(target_.threads));
    for (const ValueId output : step.outputs) {
      if (output != kNoValue) bytes = std::max(bytes, buffer_bytes(output));
    }
    if (bytes <= most) continue;
    most = bytes;
    worst = graph_.order()[i];
  }
  return worst;
}

void Planner::place_values() {
  placements_.assign(at(graph_.value_count()), Placement{});
  const auto place = [this](ValueId id) {
    const graph::Value& value = graph_.value(id);
    placements_[at(id)] = ops::place(value.desc.type, value.desc.static_shape(), value.desc.layout, halos_[at(id)]);
  };
  for (const ValueId input : graph_.inputs) place(input);
  for (const NodeId id : graph_.order()) {
    require_static(id);
    for (const ValueId input : graph_.node(id).inputs) {
      if (input != kNoValue && graph_.value(input).constant) place(input);
    }
    for (const ValueId output : graph_.node(id).outputs) {
      if (output == kNoValue) continue;
      place(output);
      require_room(placements_[at(output)].bytes, id, output);  // before its step is planned, whose tables grow with it
    }
  }
  for (const ValueId output : graph_.outputs) {
    if (graph_.value(output).constant) place(output);
  }
  JoinedPlaces places = join_placements(graph_, joined_, placements_);
  parent_ = std::move(places.roots);
  offset_ = std::move(places.offsets);
}

/// Drops constants whose last reader has just packed them, as planning goes: never all weights twice.
void Planner::release_packed(const graph::Node& node, const ops::Step& step) {
  if (!target_.on_packed) return;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const ValueId input = node.inputs[i];
    if (input == kNoValue || i >= 32 || (step.packed_inputs >> i & 1U) == 0 || --readers_[at(input)] > 0) continue;
    graph::Value& value = graph_.value(input);
    if (!value.is_constant() || value.graph_output) continue;
    drop_bytes(value);
    target_.on_packed(input);
  }
}

void Planner::plan_steps() {
  readers_.resize(at(graph_.value_count()));
  for (ValueId id = 0; id < graph_.value_count(); ++id)
    readers_[at(id)] = static_cast<std::int32_t>(graph_.value(id).consumers.size());
  const ops::PlanOptions options{.winograd = target_.winograd,
                                 .threads = target_.threads,
                                 .packing_threads = target_.threads,
                                 .tuning = &target_.tuning,
                                 .machine = target_.machine,
                                 .common = &common_,
                                 .common_weights = &common_weights_};
  const std::vector<NodeId>& order = graph_.order();
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ImageGroup* const group = group_of(static_cast<std::int32_t>(i));
    steps_.push_back(group == nullptr ? plan_step(order[i], options) : plan_grouped_step(order[i], *group, options));
    plan_->macs += steps_.back().macs;
  }
  fuse_neighbours();
}

ops::Step Planner::plan_step(NodeId id, const ops::PlanOptions& options) {
  const graph::Node& node = graph_.node(id);
  ops::Step step = ops::plan_node(graph_, id, *target_.table, options, weights_, placements_);
  release_packed(node, step);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    if (output != kNoValue && step.run && placements_[at(output)].halo.any())
      write_border(step, i, placements_[at(output)], *target_.table);
  }
  return step;
}

/// Planned as if the batch were as large as the group's share of it.
ops::Step Planner::plan_grouped_step(NodeId id, const ImageGroup& group, const ops::PlanOptions& options) {
  std::vector<std::pair<ValueId, Placement>> whole;
  for (const auto* values : {&graph_.node(id).inputs, &graph_.node(id).outputs}) {
    for (const ValueId value : *values) {
      if (value == kNoValue || graph_.value(value).constant) continue;
      whole.emplace_back(value, placements_[at(value)]);
    }
  }
  for (const auto& [value, placement] : whole) placements_[at(value)] = place_images(placement, group.images);
  ops::PlanOptions grouped = options;
  if (group.per_thread) grouped.threads = 1;
  ops::Step step = plan_step(id, grouped);
  for (const auto& [value, placement] : whole) placements_[at(value)] = placement;
  step.macs *= group.times;
  return step;
}

/// Steps that follow each other and can go through the rows of the value between them together become one.
void Planner::fuse_neighbours() {
  for (std::int32_t i = 0; i + 1 < static_cast<std::int32_t>(steps_.size()); ++i) {
    ops::Step &first = steps_[at(i)], &second = steps_[at(i + 1)];
    const ImageGroup* const group = group_of(i);
    if (!first.rows_written.run || !second.rows_read.run || group != group_of(i + 1)) continue;
    const ValueId between = first.outputs[0];
    const graph::Value& value = graph_.value(between);
    if (second.inputs[0] != between || value.consumers.size() > 1 || value.graph_output) continue;
    const int threads = group != nullptr && group->per_thread ? 1 : target_.threads;
    Placement out = placements_[at(second.outputs[0])];
    if (group != nullptr) out = place_images(out, group->images);
    std::optional<ops::Step> fused = fuse_by_rows(first, second, placements_[at(between)], out, threads);
    if (!fused) continue;
    first = std::move(*fused);
    if (out.halo.any()) write_border(first, 0, out, *target_.table);
    second = {};
  }
}

const ImageGroup* Planner::group_of(std::int32_t index) const {
  const auto next = std::upper_bound(groups_.begin(), groups_.end(), index,
                                     [](std::int32_t i, const ImageGroup& group) { return i < group.first; });
  return next != groups_.begin() && index < std::prev(next)->last ? &*std::prev(next) : nullptr;
}

ValueId Planner::root(ValueId id) const {
  while (parent_[at(id)] != id) id = parent_[at(id)];
  return id;
}

/// Output 0 takes over the buffer of an input that nothing reads afterwards.
void Planner::share_in_place(std::int32_t index) {
  const ops::Step& step = steps_[at(index)];
  if (step.in_place < 0) return;
  const ValueId input = step.inputs[at(step.in_place)], output = step.outputs[0];
  if (input == kNoValue || output == kNoValue || joined_[at(output)] != kNoValue) return;
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

void Planner::find_roots() {
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
void Planner::find_split_roots() {
  constexpr std::int32_t kNowhere = -1;
  std::vector<std::int32_t> only(parent_.size(), kNowhere);  // by root: its group plus 1; 0: none, or several
  const auto touched = [&](ValueId id, const ImageGroup* group) {
    if (id == kNoValue) return;
    const std::int32_t mine = group == nullptr ? 0 : static_cast<std::int32_t>(group - groups_.data()) + 1;
    std::int32_t& known = only[at(root(id))];
    known = known == kNowhere || known == mine ? mine : 0;
  };
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ImageGroup* const group = group_of(static_cast<std::int32_t>(i));
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

std::size_t Planner::buffer_bytes(ValueId id) const {
  const ImageGroup* const group = inside_[at(id)];
  return group == nullptr ? placements_[at(id)].bytes : place_images(placements_[at(id)], group->images).bytes;
}

/// A group goes through its steps again and again: what it shares with others is at work from its first step to its last.
void Planner::touch(ValueId id, std::int32_t index, bool writes) {
  if (id == kNoValue) return;
  const ValueId r = root(id);
  const ImageGroup* const group = inside_[at(r)] == nullptr ? group_of(index) : nullptr;
  if (writes && first_[at(r)] < 0) first_[at(r)] = group == nullptr ? index : group->first;
  last_[at(r)] = std::max(last_[at(r)], group == nullptr ? index : group->last - 1);
}

void Planner::assign_buffers() {
  std::vector<BufferUse> uses;
  std::vector<std::vector<BufferUse>> own_uses(groups_.size());
  slot_.assign(parent_.size(), -1);
  for (std::size_t i = 0; i < parent_.size(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const graph::Value& value = graph_.value(id);
    // Inputs and constants have bytes of their own, though a view of one counts as writing it.
    if (parent_[i] != id || first_[i] < 0 || value.graph_input || value.constant) continue;
    const ImageGroup* const group = inside_[i];
    auto& among =
        group != nullptr && group->per_thread ? own_uses[static_cast<std::size_t>(group - groups_.data())] : uses;
    slot_[i] = static_cast<std::int32_t>(among.size());
    among.push_back({buffer_bytes(id), first_[i], last_[i]});
  }
  own_memory_.resize(groups_.size());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (!groups_[i].per_thread) continue;
    MemoryPlan plan = plan_memory(own_uses[i]);
    const std::size_t stride = aligned(plan.arena_bytes) + kApart;
    own_memory_[i] = {std::move(plan), stride, uses.size()};
    uses.push_back({stride * static_cast<std::size_t>(target_.threads), groups_[i].first, groups_[i].last - 1});
  }
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) slot_[at(graph_.inputs[i])] = static_cast<std::int32_t>(i);
  memory_ = plan_memory(uses);
  std::size_t shared = 0, per_thread = 0;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const ops::Step& step = steps_[i];
    const ImageGroup* const group = group_of(static_cast<std::int32_t>(i));
    const bool alone = group != nullptr && group->per_thread;
    if (!alone) shared = std::max(shared, step.shared_scratch_bytes);
    per_thread = std::max(per_thread, step.thread_scratch_bytes + (alone ? aligned(step.shared_scratch_bytes) : 0));
  }
  plan_->shared_scratch_offset = memory_.arena_bytes;
  plan_->thread_scratch_offset = plan_->shared_scratch_offset + aligned(shared);
  plan_->thread_scratch_stride = per_thread == 0 ? 0 : aligned(per_thread) + kApart;
  plan_->arena_bytes =
      plan_->thread_scratch_offset + plan_->thread_scratch_stride * static_cast<std::size_t>(target_.threads);
  require_room(plan_->arena_bytes);
}

BufferRef Planner::buffer(ValueId id, const ImageGroup* group) {
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
      slot_[at(r)] = static_cast<std::int32_t>(plan_->constants.size());
      plan_->constants.push_back(misaligned ? value.constant->clone() : *value.constant);
    }
    ref.data = static_cast<const std::byte*>(plan_->constants[at(slot_[at(r)])].raw());
  } else if (slot_[at(r)] >= 0) {
    ref.kind = BufferRef::Kind::arena;
    const auto slot = at(slot_[at(r)]);
    const ImageGroup* const inside = inside_[at(r)];
    if (inside != nullptr && inside->per_thread) {
      const OwnMemory& own = own_memory_[static_cast<std::size_t>(inside - groups_.data())];
      ref.offset = memory_.offsets[own.slot] + own.plan.offsets[slot] + offset_[at(id)];
      ref.apart = static_cast<std::ptrdiff_t>(own.stride);
    } else {
      ref.offset = memory_.offsets[slot] + offset_[at(id)];
    }
  }
  return ref;
}

PlannedValue Planner::planned_value(ValueId id) {
  const graph::Value& value = graph_.value(id);
  return {value.name, value.desc.type, value.desc.static_shape(), buffer(id),
          static_cast<std::size_t>(placements_[at(id)].elements()) * element_bytes(value.desc.type)};
}

std::shared_ptr<const ShapePlan> Planner::plan() {
  request_halos();
  place_values();
  groups_ = choose_image_groups(graph_, placements_, target_.threads);
  plan_steps();
  find_roots();
  assign_buffers();
  for (const ValueId input : graph_.inputs) plan_->inputs.push_back(planned_value(input));
  for (const ValueId output : graph_.outputs) plan_->outputs.push_back(planned_value(output));
  const ImageGroup* previous = nullptr;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    ops::Step& step = steps_[i];
    if (!step.run) continue;
    const ImageGroup* const group = group_of(static_cast<std::int32_t>(i));
    if (group != nullptr && group != previous)
      plan_->repetitions.push_back({plan_->steps.size(), 0, group->times, group->per_thread});
    if (group != nullptr) plan_->repetitions.back().last = plan_->steps.size() + 1;
    previous = group;
    PlannedStep planned;
    for (const ValueId id : step.inputs) planned.inputs.push_back(buffer(id, group));
    for (const ValueId id : step.outputs) planned.outputs.push_back(buffer(id, group));
    // The first that is not omitted: a node whose outputs are all omitted is dead.
    const auto shown =
        std::find_if(step.outputs.begin(), step.outputs.end(), [](ValueId id) { return id != kNoValue; });
    if (shown != step.outputs.end()) planned.output = graph::to_string(graph_.value(*shown).desc);
    if (group != nullptr)
      planned.output += " by " + std::to_string(group->images) + (group->per_thread ? " a thread" : "");
    planned.step = std::move(step);
    plan_->steps.push_back(std::move(planned));
  }
  return plan_;
}

}  // namespace

StepReport report_of(const PlannedStep& planned) {
  const ops::Step& step = planned.step;
  return {step.name,         step.op, step.algorithm,  step.kernel, planned.output, step.macs,
          step.weight_bytes, 0.0,     step.tuning_key, step.tuned};
}

void drop_bytes(graph::Value& value) { value.constant = TensorAccess::without_bytes(*value.constant); }

std::shared_ptr<const ShapePlan> plan_shapes(const graph::Graph& graph, const std::vector<Shape>& input_shapes,
                                             std::span<const Tensor> known, const PlanTarget& target,
                                             ops::WeightStore& weights) {
  Planner planner(graph, target, weights);
  planner.bind_inputs(input_shapes, known);
  return planner.plan();
}

}  // namespace linnet::plan
