// BatchNormalization that no convolution could take becomes linnet.ScaleShift, one multiply-add an element:
//   scale = gamma / sqrt(variance + epsilon), shift = offset - mean * scale, in double, each rounded once.
#include <vector>

#include "ops/fused_operators.h"
#include "passes/batch_norm.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

void convert_batch_norm(graph::Graph& graph, PassContext& context) {
  const std::vector<graph::NodeId> order = graph.order();
  for (const graph::NodeId id : order) {
    const graph::Node& node = graph.node(id);
    if (!is_onnx(node, "BatchNormalization")) continue;
    const BatchNorm norm = read_batch_norm(graph, id);
    if (!norm.refusal.empty()) {
      context.refused(id, norm.refusal);
      continue;
    }
    const graph::TensorDesc& x = graph.value(node.inputs[0]).desc;
    if (x.type != DataType::float32) {
      context.refused(id, "it is not float");
      continue;
    }
    std::vector<double> shift(norm.scale.size());
    for (std::size_t c = 0; c < shift.size(); ++c) shift[c] = norm.offset[c] - norm.mean[c] * norm.scale[c];

    graph::Node scale_shift;
    scale_shift.name = node.name;
    scale_shift.op_type = "ScaleShift";
    scale_shift.domain = ops::kFusedDomain;
    scale_shift.opset = ops::kFusedOpset;
    scale_shift.outputs = {node.outputs[0]};
    scale_shift.inputs = {node.inputs[0], add_rounded(graph, graph.label(id) + "/scale", norm.scale),
                          add_rounded(graph, graph.label(id) + "/shift", shift)};
    graph.remove_node(id);
    graph.add_node(std::move(scale_shift));
    context.applied();
  }
}

}  // namespace linnet::passes
