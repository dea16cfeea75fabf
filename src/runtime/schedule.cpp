#include "runtime/schedule.h"

#include <algorithm>
#include <map>
#include <utility>

#include "graph/index.h"
#include "ops/eager.h"

namespace linnet::runtime {

namespace {

using graph::at;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

int next_even(int time) { return time % 2 == 0 ? time : time + 1; }

/// Identity is the one plain operator that also takes sequences and optional values.
bool runs_between_plans(const Graph& graph, const Node& node) {
  if (ops::is_dynamic(node)) return true;
  return node.op_type == "Identity" && node.domain.empty() && !node.inputs.empty() && node.inputs[0] != kNoValue &&
         graph.value(node.inputs[0]).desc.kind != ValueKind::tensor;
}

/// Whether input i is in a set of bits, which only the first 32 inputs can be in.
bool contains(std::uint32_t set, std::size_t i) { return i < 32 && (set >> i & 1U) != 0; }

/// When each node runs.
class Times {
 public:
  Times(const Graph& graph, bool folded)
      : graph_(graph),
        folded_(folded),
        ready_(at(graph.value_count()), -1),
        known_(at(graph.value_count()), 0),
        times_(at(graph.node_count())) {
    for (const NodeId id : graph.order()) place(id);
  }
  [[nodiscard]] int of(NodeId id) const { return times_[at(id)]; }

 private:
  void place(NodeId id) {
    const Node& node = graph_.node(id);
    const bool between = runs_between_plans(graph_, node);
    const std::uint32_t deciding = between ? 0 : ops::value_inputs(node);
    int time = between ? -1 : 0;
    int all_known = 0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue) continue;
      const int ready = ready_[at(node.inputs[i])], known = known_[at(node.inputs[i])];
      const int earliest = between ? (ready % 2 == 0 ? ready + 1 : ready) : next_even(ready);
      time = std::max(time, earliest);
      if (contains(deciding, i)) time = std::max(time, known);
      all_known = std::max(all_known, known);
    }
    times_[at(id)] = time;
    int known = between ? time + 1 : time;
    const bool follows = folded_ && (ops::tells_shape(node) || all_known <= time);
    if (!between && !follows) known = time + 2;
    for (const ValueId output : node.outputs) {
      if (output == kNoValue) continue;
      ready_[at(output)] = time;
      known_[at(output)] = known;
    }
  }

  const Graph& graph_;
  const bool folded_;
  std::vector<int> ready_, known_;  // by value: computed at, known to the plan of
  std::vector<int> times_;          // by node
};

/// By value: whether the shape of something depends on its elements.
std::vector<bool> deciding_values(const Graph& graph) {
  std::vector<bool> wanted(at(graph.value_count()));
  const std::vector<NodeId>& order = graph.order();
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const Node& node = graph.node(*it);
    const bool followed =
        !ops::tells_shape(node) && std::any_of(node.outputs.begin(), node.outputs.end(),
                                               [&](ValueId id) { return id != kNoValue && wanted[at(id)]; });
    const std::uint32_t deciding = ops::value_inputs(node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue && (followed || contains(deciding, i))) wanted[at(node.inputs[i])] = true;
    }
  }
  return wanted;
}

/// The part of a graph that runs at one time.
class Cutter {
 public:
  Cutter(const Graph& graph, const std::vector<NodeId>& nodes) : graph_(graph), nodes_(nodes) {}

  Segment cut() {
    Graph& part = segment_.graph;
    part.file = graph_.file;
    part.ir_version = graph_.ir_version;
    part.name = graph_.name;
    for (const NodeId id : nodes_) add(id);
    find_outputs();
    find_known();
    return std::move(segment_);
  }

 private:
  void add(NodeId id) {
    Node node = graph_.node(id);
    node.name = graph_.label(id);
    for (ValueId& input : node.inputs) {
      if (input != kNoValue) input = source(input);
    }
    for (ValueId& output : node.outputs) {
      if (output == kNoValue) continue;
      const ValueId inside = segment_.graph.add_value(graph_.value(output).name);
      inside_.emplace(output, inside);
      output = inside;
    }
    segment_.graph.add_node(std::move(node));
  }

  /// The value inside: computed there, a constant, or an input from now on.
  ValueId source(ValueId outer) {
    if (const auto known = inside_.find(outer); known != inside_.end()) return known->second;
    const graph::Value& value = graph_.value(outer);
    ValueId inside = kNoValue;
    if (value.is_constant()) {
      inside = segment_.graph.add_constant(value.name, *value.constant);
    } else {
      inside = segment_.graph.add_value(value.name, value.desc);
      segment_.graph.add_input(inside);
      segment_.inputs.push_back(outer);
    }
    inside_.emplace(outer, inside);
    return inside;
  }

  void find_outputs() {
    for (const NodeId id : nodes_) {
      for (const ValueId output : graph_.node(id).outputs) {
        if (output == kNoValue) continue;
        const graph::Value& value = graph_.value(output);
        const std::size_t readers = segment_.graph.value(inside_.at(output)).consumers.size();
        if (!value.graph_output && value.consumers.size() == readers) continue;
        segment_.graph.add_output(inside_.at(output));
        segment_.outputs.push_back(output);
      }
    }
  }

  /// From the inputs that decide shapes back to the segment's inputs on which they depend.
  void find_known() {
    const Graph& part = segment_.graph;
    const std::vector<bool> wanted = deciding_values(part);
    for (const ValueId input : part.inputs) segment_.known.push_back(wanted[at(input)]);
  }

  const Graph& graph_;
  const std::vector<NodeId>& nodes_;
  Segment segment_;
  std::map<ValueId, ValueId> inside_;
};

/// Says after which item each value may go: the last that reads it, unless the graph gives it out.
void note_releases(const Graph& graph, Schedule& schedule) {
  std::vector<std::ptrdiff_t> last(at(graph.value_count()), -1);
  for (std::size_t i = 0; i < schedule.items.size(); ++i) {
    for (const ValueId id : reads(graph, schedule, schedule.items[i])) {
      if (id != kNoValue) last[at(id)] = static_cast<std::ptrdiff_t>(i);
    }
  }
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    if (last[at(id)] >= 0 && !graph.value(id).graph_output)
      schedule.items[static_cast<std::size_t>(last[at(id)])].release.push_back(id);
  }
}

}  // namespace

const std::vector<ValueId>& reads(const Graph& graph, const Schedule& schedule, const Schedule::Item& item) {
  return item.segment >= 0 ? schedule.segments[at(item.segment)].inputs : graph.node(item.node).inputs;
}

bool needs_schedule(const Graph& graph, bool folded) {
  const auto is_tensor = [&](ValueId id) { return graph.value(id).desc.kind == ValueKind::tensor; };
  if (!std::all_of(graph.inputs.begin(), graph.inputs.end(), is_tensor)) return true;
  const Times times(graph, folded);
  if (!std::all_of(graph.order().begin(), graph.order().end(), [&](NodeId id) { return times.of(id) == 0; }))
    return true;
  const std::vector<bool> wanted = deciding_values(graph);
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    const graph::Value& value = graph.value(id);
    if (wanted[at(id)] && value.producer == graph::kNoNode && !value.is_constant()) return true;
  }
  return false;
}

Schedule make_schedule(const Graph& graph, bool folded) {
  const Times times(graph, folded);
  std::map<int, std::vector<NodeId>> by_time;
  for (const NodeId id : graph.order()) by_time[times.of(id)].push_back(id);
  Schedule schedule;
  for (const auto& [time, nodes] : by_time) {
    if (time % 2 == 0) {
      schedule.items.push_back({static_cast<int>(schedule.segments.size()), graph::kNoNode, {}});
      schedule.segments.push_back(Cutter(graph, nodes).cut());
    } else {
      for (const NodeId id : nodes) schedule.items.push_back({-1, id, {}});
    }
  }
  note_releases(graph, schedule);
  return schedule;
}

}  // namespace linnet::runtime
