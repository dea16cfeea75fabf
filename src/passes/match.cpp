#include "passes/match.h"

#include "graph/index.h"
#include "ops/fused_operators.h"
#include "ops/node_context.h"

namespace linnet::passes {

bool is_onnx(const graph::Node& node, std::string_view op_type) {
  return node.domain.empty() && node.op_type == op_type;
}

bool is_fused(const graph::Node& node, std::string_view op_type) {
  return node.domain == ops::kFusedDomain && node.op_type == op_type;
}

bool is_convolution(const graph::Node& node) { return is_onnx(node, "Conv") || is_fused(node, "FusedConv"); }

std::string why_not_private(const graph::Graph& graph, graph::ValueId id) {
  const graph::Value& value = graph.value(id);
  if (value.graph_output) return "'" + value.name + "' is an output of the graph";
  if (value.consumers.size() != 1) {
    return "'" + value.name + "' has " + std::to_string(value.consumers.size()) + " consumers";
  }
  return {};
}

const graph::Node* producer_of(const graph::Graph& graph, graph::ValueId id) {
  if (id == graph::kNoValue) return nullptr;
  const graph::NodeId producer = graph.value(id).producer;
  return producer == graph::kNoNode ? nullptr : &graph.node(producer);
}

std::vector<std::size_t> output_places(const graph::Graph& graph) {
  std::vector<std::size_t> places(graph::at(graph.value_count()));
  for (const graph::NodeId id : graph.order()) {
    const std::vector<graph::ValueId>& outputs = graph.node(id).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != graph::kNoValue) places[graph::at(outputs[i])] = i;
    }
  }
  return places;
}

graph::ValueId input_of(const graph::Node& node, std::size_t i) {
  return i < node.inputs.size() ? node.inputs[i] : graph::kNoValue;
}

std::optional<float> constant_scalar(const graph::Graph& graph, graph::ValueId id) {
  if (id == graph::kNoValue) return std::nullopt;
  const graph::Value& value = graph.value(id);
  if (!value.is_constant() || value.desc.type != DataType::float32 || value.constant->size() != 1) return std::nullopt;
  return value.constant->data<float>()[0];
}

void absorb(graph::Graph& graph, graph::NodeId node, graph::NodeId absorbed) {
  const graph::ValueId output = graph.node(absorbed).outputs[0];
  graph.remove_node(absorbed);
  graph.set_output(node, 0, output);
}

void make_fused(graph::Graph& graph, graph::NodeId id) {
  const graph::Node& node = graph.node(id);
  if (node.domain.empty()) graph.set_op(id, "Fused" + node.op_type, std::string(ops::kFusedDomain), ops::kFusedOpset);
}

std::string activation_of(const graph::Graph& graph, graph::NodeId id) {
  return ops::NodeContext(graph, id).attribute_string(ops::kActivation, "none");
}

}  // namespace linnet::passes
