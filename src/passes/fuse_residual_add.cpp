// Add(conv(x), r) becomes a convolution that starts from r: no pass over memory for the Add.
//
// The convolution's result must have no other reader, so r cannot depend on it and no cycle arises. Where both operands
// are convolutions (a residual block with a projection), the later one takes the other's result: by then it is there.
#include <vector>

#include "ops/fused_operators.h"
#include "ops/node_context.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

// Why operand `i` of the Add cannot be the convolution that takes the other one; empty if it can.
std::string why_not(const Graph& graph, const graph::Node& add, std::size_t i) {
  const ValueId own = add.inputs[i];
  if (std::string reason = why_not_private(graph, own); !reason.empty()) return reason;
  const ops::NodeContext conv(graph, graph.value(own).producer);
  if (conv.has_input(ops::kConvResidual)) return "'" + graph.value(own).name + "' has a residual already";
  if (activation_of(graph, conv.id()) != "none") return "'" + graph.value(own).name + "' is activated before the Add";
  const graph::TensorDesc& desc = graph.value(own).desc;
  if (desc.type != DataType::float32 || !same_shape(desc, graph.value(add.inputs[1 - i]).desc)) {
    return "its operands are not known to have the same shape";
  }
  return {};
}

bool is_convolved(const Graph& graph, ValueId value) {
  const graph::Node* producer = producer_of(graph, value);
  return producer != nullptr && is_convolution(*producer);
}

}  // namespace

void fuse_residual_add(Graph& graph, PassContext& context) {
  const std::vector<NodeId> order = graph.order();
  std::vector<std::size_t> place;  // by NodeId
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto id = static_cast<std::size_t>(order[i]);
    if (place.size() <= id) place.resize(id + 1);
    place[id] = i;
  }
  for (const NodeId id : order) {
    const graph::Node& add = graph.node(id);
    if (!is_onnx(add, "Add") || add.inputs.size() != 2 || add.opset < 7) continue;
    std::vector<std::size_t> candidates;
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      if (is_convolved(graph, add.inputs[i])) candidates.push_back(i);
    }
    const auto producer_place = [&](std::size_t i) {
      return place[static_cast<std::size_t>(graph.value(add.inputs[i]).producer)];
    };
    if (candidates.size() == 2 && producer_place(0) < producer_place(1)) std::swap(candidates[0], candidates[1]);
    std::string reason;
    for (const std::size_t i : candidates) {
      const std::string refusal = why_not(graph, add, i);
      if (refusal.empty()) {
        const NodeId conv = graph.value(add.inputs[i]).producer;
        const ValueId residual = add.inputs[1 - i];
        make_fused(graph, conv);
        graph.set_input(conv, ops::kConvResidual, residual);
        absorb(graph, conv, id);
        // The convolution now stands where the Add stood; later blocks compare with that.
        place[static_cast<std::size_t>(conv)] = place[static_cast<std::size_t>(id)];
        context.applied();
        reason.clear();
        break;
      }
      reason += (reason.empty() ? "" : "; ") + refusal;
    }
    if (!reason.empty()) context.refused(id, reason);
  }
}

}  // namespace linnet::passes
