#include "plan/planner.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/tensor_access.h"
#include "graph/index.h"
#include "linnet/error.h"
#include "ops/op_def.h"
#include "passes/pass.h"
#include "plan/buffers.h"
#include "plan/image_groups.h"
#include "plan/joined_values.h"
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

class Planner {
 public:
  Planner(const graph::Graph& common, const PlanTarget& target, ops::WeightStore& common_weights)
      : common_(common), graph_(common), target_(target), common_weights_(common_weights) {}

  void bind_inputs(const std::vector<Shape>& shapes, std::span<const Tensor> known);
  std::shared_ptr<const ShapePlan> plan();

 private:
  void require_static(NodeId id) const;
  [[nodiscard]] std::vector<Halo> requested_halos() const;
  void place_values();
  /// For `output` of node `id`; or for all, of which that node has the largest.
  void require_room(std::size_t bytes, NodeId id, ValueId output = kNoValue) const;
  void plan_steps();
  ops::Step plan_step(NodeId id, const ops::PlanOptions& options);
  ops::Step plan_grouped_step(NodeId id, const ImageGroup& group, const ops::PlanOptions& options);
  void fuse_neighbours();
  void release_packed(const graph::Node& node, const ops::Step& step);
  void add_values(Buffers& buffers);
  void add_steps(Buffers& buffers);

  const graph::Graph& common_;
  graph::Graph graph_;
  const PlanTarget& target_;
  ops::WeightStore& common_weights_;
  ops::WeightStore weights_;  // packed of what these shapes alone have
  std::shared_ptr<ShapePlan> plan_ = std::make_shared<ShapePlan>();
  std::vector<Placement> placements_;  // by value
  JoinedPlaces places_;
  std::vector<ImageGroup> groups_;
  std::vector<std::int32_t> readers_;  // by value: consumers that have not packed a copy of their own
  std::vector<ops::Step> steps_;       // views included, in the order of the graph
};

void Planner::bind_inputs(const std::vector<Shape>& shapes, std::span<const Tensor> known) {
  std::map<std::string, std::int64_t, std::less<>> extents;  // by symbol: passes take those of one for equal
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    graph::Value& value = graph_.value(graph_.inputs[i]);
    ErrorDetails details{.file = graph_.file,
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

/// By value: the largest that a reader asks for.
std::vector<Halo> Planner::requested_halos() const {
  std::vector<Halo> halos(at(graph_.value_count()));
  for (const NodeId id : graph_.order()) {
    const graph::Node& node = graph_.node(id);
    const ops::OpDef& def = ops::require_operator(graph_, id);
    const ops::NodeContext context(graph_, id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input == kNoValue || graph_.value(input).desc.layout != graph::Layout::nchw16c) continue;
      halos[at(input)] = larger(halos[at(input)], def.halo(context, i));
    }
  }
  return halos;
}

void Planner::require_room(std::size_t bytes, NodeId id, ValueId output) const {
  if (bytes <= static_cast<std::size_t>(target_.max_arena_bytes)) return;
  const bool known = id != graph::kNoNode;
  throw Error(ErrorCode::limit, "these input shapes need too large an arena",
              {.file = graph_.file,
               .node = known ? graph_.label(id) : "",
               .op = known ? graph::op_label(graph_.node(id)) : "",
               .where = output != kNoValue ? "output '" + graph_.value(output).name + "'"
                                           : "all buffers, of which this node has the largest",
               .expected = "at most " + std::to_string(target_.max_arena_bytes) + " bytes (max_arena_bytes)",
               .found = std::to_string(bytes) + " bytes"});
}

void Planner::place_values() {
  const std::vector<ValueId> joined = join_concat_inputs(graph_);
  std::vector<Halo> halos = requested_halos();
  join_halos(graph_, joined, halos);
  placements_.assign(at(graph_.value_count()), Placement{});
  const auto place = [&](ValueId id) {
    const graph::Value& value = graph_.value(id);
    placements_[at(id)] = ops::place(value.desc.type, value.desc.static_shape(), value.desc.layout, halos[at(id)]);
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
  places_ = join_placements(graph_, joined, placements_);
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
                                 .weights_past_l3 = target_.weights_past_l3,
                                 .threads = target_.threads,
                                 .packing_threads = target_.threads,
                                 .tuning = &target_.tuning,
                                 .machine = target_.machine,
                                 .common = &common_,
                                 .common_weights = &common_weights_,
                                 .max_table_bytes = target_.max_arena_bytes};
  const std::vector<NodeId>& order = graph_.order();
  for (std::size_t i = 0; i < order.size(); ++i) {
    const ImageGroup* const group = group_of(groups_, static_cast<std::int32_t>(i));
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
    const ImageGroup* const group = group_of(groups_, i);
    if (!first.rows_written.run || !second.rows_read.run || group != group_of(groups_, i + 1)) continue;
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

void Planner::add_values(Buffers& buffers) {
  const auto planned = [&](ValueId id) -> PlannedValue {
    const graph::Value& value = graph_.value(id);
    return {value.name, value.desc.type, value.desc.static_shape(), buffers.ref(id),
            static_cast<std::size_t>(placements_[at(id)].elements()) * element_bytes(value.desc.type)};
  };
  for (const ValueId input : graph_.inputs) plan_->inputs.push_back(planned(input));
  for (const ValueId output : graph_.outputs) plan_->outputs.push_back(planned(output));
}

void Planner::add_steps(Buffers& buffers) {
  const ImageGroup* previous = nullptr;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    ops::Step& step = steps_[i];
    if (!step.run) continue;
    const ImageGroup* const group = group_of(groups_, static_cast<std::int32_t>(i));
    if (group != nullptr && group != previous)
      plan_->repetitions.push_back({plan_->steps.size(), 0, group->times, group->per_thread});
    if (group != nullptr) plan_->repetitions.back().last = plan_->steps.size() + 1;
    previous = group;
    PlannedStep planned;
    for (const ValueId id : step.inputs) planned.inputs.push_back(buffers.ref(id, group));
    for (const ValueId id : step.outputs) planned.outputs.push_back(buffers.ref(id, group));
    // The first that is not omitted: a node whose outputs are all omitted is dead.
    const auto shown =
        std::find_if(step.outputs.begin(), step.outputs.end(), [](ValueId id) { return id != kNoValue; });
    if (shown != step.outputs.end()) planned.output = graph::to_string(graph_.value(*shown).desc);
    if (group != nullptr)
      planned.output += " by " + std::to_string(group->images) + (group->per_thread ? " a thread" : "");
    planned.step = std::move(step);
    plan_->steps.push_back(std::move(planned));
  }
}

std::shared_ptr<const ShapePlan> Planner::plan() {
  place_values();
  groups_ = choose_image_groups(graph_, placements_, target_.threads);
  plan_steps();
  Buffers buffers(graph_, steps_, placements_, groups_, std::move(places_), target_.threads, *plan_);
  require_room(plan_->arena_bytes, buffers.largest_node());
  add_values(buffers);
  add_steps(buffers);
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
