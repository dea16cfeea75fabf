// A channel shuffle (ShuffleNet, arXiv 1707.01083) as exporters write it:
//   Reshape [N,C,H,W] to [N,g,C/g,...], Transpose 0,2,1,..., Reshape to [N,C,H,W]
// becomes one ChannelShuffle, which also joins what a Concat before it joins, and deals out what a Split after it does
// (ShuffleNet v2, 1807.11164): channels then move once.
#include <string>
#include <utility>
#include <vector>

#include "ops/channel_gather.h"
#include "ops/fused_operators.h"
#include "ops/node_context.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;

bool has_channels(const Graph& graph, ValueId id) { return id != kNoValue && ops::has_channels(graph.value(id).desc); }
std::int64_t channels_of(const Graph& graph, ValueId id) { return (*graph.value(id).desc.shape)[1].value; }

/// 0, 2, 1, 3, ...
bool swaps_second_and_third(const std::vector<std::int64_t>& perm) {
  if (perm.size() < 3) return false;
  for (std::size_t i = 0; i < perm.size(); ++i) {
    const std::size_t from = i == 1 ? 2 : i == 2 ? 1 : i;
    if (!std::cmp_equal(perm[i], from)) return false;
  }
  return true;
}

/// Whether the node works along the channels of tensors [N,C,H,W].
bool along_channels(const Graph& graph, NodeId id) {
  const std::int64_t axis = ops::NodeContext(graph, id).attribute_int("axis", 0);
  return axis == 1 || axis == -3;
}

/// The nodes around a Transpose that shuffles channels.
struct Shuffle {
  NodeId apart = graph::kNoNode, transpose = graph::kNoNode, together = graph::kNoNode;
  NodeId concat = graph::kNoNode, split = graph::kNoNode;  // if there are
  std::int64_t group = 0;
};

/// The one node that reads `value`, if it is such an operator; else none, and why.
NodeId only_reader(const Graph& graph, ValueId value, std::string_view op_type, std::string& why_not) {
  why_not = why_not_private(graph, value);
  if (!why_not.empty()) return graph::kNoNode;
  const NodeId reader = graph.value(value).consumers[0];
  if (!is_onnx(graph.node(reader), op_type)) why_not = "no " + std::string(op_type) + " follows";
  return why_not.empty() ? reader : graph::kNoNode;
}

/// `why_not` stays empty where nothing looks like a shuffle.
bool find_shuffle(const Graph& graph, NodeId transpose, Shuffle& found, std::string& why_not) {
  const graph::Node& node = graph.node(transpose);
  if (!is_onnx(node, "Transpose") || !swaps_second_and_third(ops::NodeContext(graph, transpose).attribute_ints("perm")))
    return false;
  const graph::Node* const apart = producer_of(graph, node.inputs[0]);
  if (apart == nullptr || !is_onnx(*apart, "Reshape") || !has_channels(graph, apart->inputs[0])) return false;
  const graph::TensorDesc &x = graph.value(apart->inputs[0]).desc, &grouped = graph.value(node.inputs[0]).desc;
  if (!grouped.has_rank() || !(*grouped.shape)[0].same_as((*x.shape)[0])) return false;
  const graph::Dim &groups = (*grouped.shape)[1], &each = (*grouped.shape)[2];
  const std::int64_t channels = (*x.shape)[1].value;
  if (!groups.known() || !each.known() || groups.value < 1 || channels % groups.value != 0 ||
      each.value != channels / groups.value)
    return false;
  found.apart = graph.value(node.inputs[0]).producer;
  found.transpose = transpose;
  found.group = groups.value;
  why_not = why_not_private(graph, node.inputs[0]);
  if (why_not.empty()) found.together = only_reader(graph, node.outputs[0], "Reshape", why_not);
  if (!why_not.empty()) return false;
  const ValueId output = graph.node(found.together).outputs[0];
  if (!same_shape(x, graph.value(output).desc)) {
    why_not = "the Reshape after it does not lead back to " + graph::to_string(x);
    return false;
  }
  return true;
}

void find_concat(const Graph& graph, Shuffle& shuffle) {
  const ValueId x = graph.node(shuffle.apart).inputs[0];
  const graph::Node* const concat = producer_of(graph, x);
  if (concat == nullptr || !is_onnx(*concat, "Concat") || !why_not_private(graph, x).empty()) return;
  if (concat->inputs.size() > ops::kMostGatheredInputs || !along_channels(graph, graph.value(x).producer)) return;
  for (const ValueId input : concat->inputs) {
    if (!has_channels(graph, input)) return;
  }
  shuffle.concat = graph.value(x).producer;
}

void find_split(const Graph& graph, Shuffle& shuffle) {
  std::string why_not;
  const NodeId split = only_reader(graph, graph.node(shuffle.together).outputs[0], "Split", why_not);
  if (split == graph::kNoNode || !along_channels(graph, split)) return;
  for (const ValueId output : graph.node(split).outputs) {
    if (!has_channels(graph, output)) return;
  }
  shuffle.split = split;
}

void fuse(Graph& graph, const Shuffle& shuffle) {
  graph::Node fused;
  fused.name = graph.node(shuffle.transpose).name;
  fused.op_type = "ChannelShuffle";
  fused.domain = ops::kFusedDomain;
  fused.opset = ops::kFusedOpset;
  fused.inputs = {graph.node(shuffle.apart).inputs[0]};
  if (shuffle.concat != graph::kNoNode) fused.inputs = graph.node(shuffle.concat).inputs;
  fused.outputs = graph.node(shuffle.split != graph::kNoNode ? shuffle.split : shuffle.together).outputs;
  std::vector<std::int64_t> split;
  for (const ValueId output : fused.outputs) split.push_back(channels_of(graph, output));
  fused.attributes.set("group", shuffle.group);
  fused.attributes.set("split", std::move(split));
  for (const NodeId id : {shuffle.split, shuffle.together, shuffle.transpose, shuffle.apart, shuffle.concat}) {
    if (id != graph::kNoNode) graph.remove_node(id);
  }
  graph.add_node(std::move(fused));
}

}  // namespace

void fuse_channel_shuffle(Graph& graph, PassContext& context) {
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (!graph.node(id).alive) continue;
    Shuffle shuffle;
    std::string why_not;
    if (find_shuffle(graph, id, shuffle, why_not)) {
      find_concat(graph, shuffle);
      find_split(graph, shuffle);
      fuse(graph, shuffle);
      context.applied();
    } else if (!why_not.empty()) {
      context.refused(id, why_not);
    }
  }
}

}  // namespace linnet::passes
