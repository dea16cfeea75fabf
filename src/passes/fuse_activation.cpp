// An activation that alone reads a convolution, a Gemm or a ScaleShift becomes that node's `activation`. It is applied
// after the residual (ops/fused_operators.h), so fuse_residual_add runs first.
#include <optional>
#include <vector>

#include "ops/fused_operators.h"
#include "ops/unary.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

struct Activation {
  std::string name;
  ops::UnaryParameters parameters;
  std::string refusal;

  [[nodiscard]] bool is_clamp() const { return name == "Relu" || name == "Clip"; }
};

// The activation that a node is; none for any other operator.
std::optional<Activation> read_activation(const Graph& graph, NodeId id) {
  const ops::NodeContext node(graph, id);
  if (!node.node().domain.empty()) return std::nullopt;
  const std::string& op = node.op_type();
  if (op == "Clip") {
    const std::optional<ops::UnaryParameters> bounds = ops::clip_bounds(node);
    if (!bounds) return Activation{op, {}, "its bounds are not constant"};
    return Activation{op, *bounds, {}};
  }
  const bool fused = op == "Relu" || op == "Sigmoid" || op == "Tanh" || op == "HardSwish" || op == "Swish" ||
                     op == "LeakyRelu" || op == "Elu" || op == "HardSigmoid" ||
                     (op == "Gelu" && node.attribute_string("approximate", "none") == "none");
  if (!fused) return std::nullopt;
  return Activation{op, ops::unary_parameters(node, ops::unary_function(node)), {}};
}

bool takes_activation(const graph::Node& node) {
  return is_convolution(node) || is_onnx(node, "Gemm") || is_fused(node, "FusedGemm") || is_fused(node, "ScaleShift");
}

std::string why_not(const Graph& graph, NodeId target, ValueId between, const Activation& activation) {
  if (!activation.refusal.empty()) return activation.refusal;
  if (std::string reason = why_not_private(graph, between); !reason.empty()) return reason;
  if (activation_of(graph, target) != "none") return "'" + graph.value(between).name + "' is activated already";
  if (graph.value(between).desc.type != DataType::float32) return "'" + graph.value(between).name + "' is not float";
  if (!is_convolution(graph.node(target)) && !activation.is_clamp()) {
    return "a " + graph.node(target).op_type + " takes Relu and Clip only";
  }
  return {};
}

}  // namespace

void fuse_activation(Graph& graph, PassContext& context) {
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const std::optional<Activation> activation = read_activation(graph, id);
    if (!activation) continue;
    const ValueId between = input_of(graph.node(id), 0);
    const graph::Node* producer = producer_of(graph, between);
    if (producer == nullptr || !takes_activation(*producer)) continue;
    const NodeId target = graph.value(between).producer;
    if (const std::string reason = why_not(graph, target, between, *activation); !reason.empty()) {
      context.refused(id, reason);
      continue;
    }
    make_fused(graph, target);
    graph::Attributes& attributes = graph.attributes(target);
    attributes.set(ops::kActivation, activation->name);
    attributes.set(ops::kActivationAlpha, activation->parameters.alpha);
    attributes.set(ops::kActivationBeta, activation->parameters.beta);
    absorb(graph, target, id);
    context.applied();
  }
}

}  // namespace linnet::passes
