#include "plan/joined_values.h"

#include <algorithm>
#include <numeric>

#include "graph/index.h"
#include "ops/blocked.h"

namespace linnet::plan {

namespace {

using graph::at;
using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::ValueId;

bool joins(const Graph& graph, const Node& node) {
  return node.op_type == "Concat" && node.domain.empty() && node.inputs.size() > 1 &&
         graph.value(node.outputs[0]).desc.layout == graph::Layout::nchw16c &&
         std::all_of(node.inputs.begin(), node.inputs.end(),
                     [&](ValueId input) { return ops::has_whole_blocks(graph.value(input).desc); });
}

}  // namespace

std::vector<ValueId> join_concat_inputs(const Graph& graph) {
  std::vector<ValueId> joined(at(graph.value_count()), kNoValue);
  for (const graph::NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (!joins(graph, node)) continue;
    for (const ValueId input : node.inputs) {
      const graph::Value& value = graph.value(input);
      if (value.producer == graph::kNoNode || value.constant || joined[at(input)] != kNoValue) continue;
      if (std::count(node.inputs.begin(), node.inputs.end(), input) == 1) joined[at(input)] = node.outputs[0];
    }
  }
  return joined;
}

void join_halos(const Graph& graph, const std::vector<ValueId>& joined, std::vector<ops::Halo>& halos) {
  // A Concat that lies in another comes before it.
  for (const graph::NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (!joins(graph, node)) continue;
    ops::Halo& all = halos[at(node.outputs[0])];
    for (const ValueId input : node.inputs) {
      if (joined[at(input)] == node.outputs[0]) all = larger(all, halos[at(input)]);
    }
  }
  for (auto it = graph.order().rbegin(); it != graph.order().rend(); ++it) {
    for (const ValueId output : graph.node(*it).outputs) {
      if (output != kNoValue && joined[at(output)] != kNoValue) halos[at(output)] = halos[at(joined[at(output)])];
    }
  }
}

JoinedPlaces join_placements(const Graph& graph, const std::vector<ValueId>& joined,
                             std::vector<ops::Placement>& placements) {
  JoinedPlaces places;
  places.roots.resize(joined.size());
  std::iota(places.roots.begin(), places.roots.end(), ValueId{0});
  places.offsets.assign(joined.size(), 0);
  for (auto it = graph.order().rbegin(); it != graph.order().rend(); ++it) {
    const Node& node = graph.node(*it);
    if (!joins(graph, node)) continue;
    const ValueId output = node.outputs[0];
    const ops::Placement& whole = placements[at(output)];
    const auto plane_bytes = static_cast<std::size_t>(whole.plane_stride) * element_bytes(whole.type);
    std::size_t offset = places.offsets[at(output)];
    for (const ValueId input : node.inputs) {
      ops::Placement& part = placements[at(input)];
      if (joined[at(input)] == output) {
        places.roots[at(input)] = places.roots[at(output)];
        places.offsets[at(input)] = offset;
        part.image_stride = whole.image_stride;
        part.within = output;
      }
      offset += static_cast<std::size_t>(part.channel_blocks()) * plane_bytes;
    }
  }
  return places;
}

}  // namespace linnet::plan
