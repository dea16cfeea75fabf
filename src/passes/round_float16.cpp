// A tensor that the model has in float16 or bfloat16 is rounded to it: widen_float16 will compute the operator in float32,
// and a linnet.RoundTo behind it gives each number the bits that the standard asks for. Operators that only choose among
// numbers of that type need none. Where this pass is disabled, values between operators keep their float32.
#include <algorithm>
#include <string_view>
#include <vector>

#include "ops/fused_operators.h"
#include "passes/match.h"
#include "passes/narrow_types.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;

/// Each number of the result is one of an input's, or a constant of the type, or one with another sign or without its
/// fraction. (Of OneHot the constants are tensors of the type too, of Pad and Clip from opset 11 on.)
constexpr std::string_view kExact[] = {"Abs",
                                       "BitCast",
                                       "Cast",
                                       "Ceil",
                                       "CenterCropPad",
                                       "Clip",
                                       "Concat",
                                       "Constant",
                                       "ConstantOfShape",
                                       "DepthToSpace",
                                       "Dropout",
                                       "Expand",
                                       "EyeLike",
                                       "Flatten",
                                       "Floor",
                                       "Gather",
                                       "GatherElements",
                                       "GatherND",
                                       "GlobalMaxPool",
                                       "Identity",
                                       "Max",
                                       "MaxPool",
                                       "MaxUnpool",
                                       "Min",
                                       "Neg",
                                       "OneHot",
                                       "Pad",
                                       "ReduceMax",
                                       "ReduceMin",
                                       "Relu",
                                       "Reshape",
                                       "ReverseSequence",
                                       "Round",
                                       "Shape",
                                       "Sign",
                                       "Slice",
                                       "SpaceToDepth",
                                       "Split",
                                       "Squeeze",
                                       "Tile",
                                       "TopK",
                                       "Transpose",
                                       "Trilu",
                                       "Unsqueeze",
                                       "Where"};

bool has_float_attributes(const graph::Node& node) {
  return node.opset < 11 && (is_onnx(node, "Clip") || is_onnx(node, "Pad"));
}

bool is_exact(const graph::Node& node) {
  if (has_float_attributes(node)) return false;
  return std::any_of(std::begin(kExact), std::end(kExact), [&](std::string_view op) { return is_onnx(node, op); });
}

/// Rounding before these two is rounding behind them, as their bounds are numbers of the type: so it can wait, and they may
/// be fused with what computes their input.
NodeId postponed_to(const Graph& graph, ValueId id) {
  const graph::Value& value = graph.value(id);
  if (value.graph_output || value.consumers.size() != 1) return kNoNode;
  const graph::Node& reader = graph.node(value.consumers[0]);
  const bool keeps = is_onnx(reader, "Relu") || (is_onnx(reader, "Clip") && !has_float_attributes(reader));
  return keeps && input_of(reader, 0) == id ? value.consumers[0] : kNoNode;
}

void round(Graph& graph, NodeId producer, std::size_t output, DataType type) {
  const ValueId id = graph.node(producer).outputs[output];
  graph::TensorDesc desc = graph.value(id).desc;
  desc.type = type;
  const ValueId wide = graph.add_value(graph.unique_name(graph.value(id).name + "/unrounded"), std::move(desc));
  graph.set_output(producer, output, wide);
  graph::Node node;
  node.name = graph.value(id).name + "/RoundTo";
  node.op_type = "RoundTo";
  node.domain = ops::kFusedDomain;
  node.opset = ops::kFusedOpset;
  node.inputs = {wide};
  node.outputs = {id};
  node.attributes.set("to", static_cast<std::int64_t>(type));
  graph.add_node(std::move(node));
}

}  // namespace

void round_float16(Graph& graph, PassContext& context) {
  if (!has_narrow(graph)) return;
  const std::vector<DataType> types = narrow_types(graph);
  run_in_bodies(graph, types, context, round_float16);
  std::vector<bool> unrounded(types.size(), false);
  const auto at = [](ValueId id) { return static_cast<std::size_t>(id); };
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const graph::Node& node = graph.node(id);
    const ValueId first = input_of(node, 0);
    if (is_exact(node) && (first == kNoValue || !unrounded[at(first)])) continue;
    if (first_body(node) != nullptr) continue;  // its subgraphs' outputs have been rounded
    const std::vector<ValueId> outputs = node.outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoValue || !is_narrow(types[at(outputs[i])])) continue;
      if (postponed_to(graph, outputs[i]) != kNoNode) {
        unrounded[at(outputs[i])] = true;
        continue;
      }
      // A graph output is narrowed by the Cast that widen_float16 puts there, if nobody inside reads it.
      if (graph.value(outputs[i]).graph_output && graph.value(outputs[i]).consumers.empty()) continue;
      round(graph, id, i, types[at(outputs[i])]);
      context.applied();
    }
  }
}

}  // namespace linnet::passes
