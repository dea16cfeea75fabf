// One meaning, one spelling: exporters write the same thing in several ways, and each later pass, layout rule and kernel
// should have to know one. All rewrites but the last three are the same sum or product; those drop a rounding or two:
//   Sum of two                                        -> Add
//   ReduceMean over the spatial axes                  -> GlobalAveragePool (and Flatten where keepdims = 0)
//   AveragePool, MaxPool with one window for all      -> GlobalAveragePool, GlobalMaxPool
//   x * Sigmoid(x)                                    -> Swish
//   x * HardSigmoid(x, 1/6, 1/2); x * Clip(x + 3, 0, 6) / 6 in any order   -> HardSwish
//   x * (Erf(x / sqrt(2)) + 1) / 2 in any order       -> Gelu
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/unary.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

// Puts a node of one input in the place of `id`, under its name and writing its output.
void replace_node(Graph& graph, NodeId id, std::string op_type, int opset, ValueId input) {
  Node node;
  node.name = graph.node(id).name;
  node.op_type = std::move(op_type);
  node.opset = opset;
  node.inputs = {input};
  node.outputs = {graph.node(id).outputs[0]};
  graph.remove_node(id);
  graph.add_node(std::move(node));
}

bool rewrite_sum(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  // Before opset 7 Add broadcasts by attribute; Sum does not broadcast before 8, which Add allows to be absent.
  if (!is_onnx(node, "Sum") || node.inputs.size() != 2 || node.opset < 7) return false;
  graph.set_op(id, "Add", "", node.opset);
  return true;
}

// The axes a ReduceMean names, counted from the front; empty where they are not known.
std::vector<std::int64_t> reduced_axes(const ops::NodeContext& node, std::int64_t rank) {
  std::vector<std::int64_t> axes;
  if (node.has_attribute("axes")) {
    axes = node.attribute_ints("axes");
  } else if (node.constant(1) != nullptr) {
    axes = node.constant_ints(1);
  }
  for (std::int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  std::sort(axes.begin(), axes.end());
  return axes;
}

bool rewrite_mean(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (!is_onnx(node, "ReduceMean") || node.inputs.empty()) return false;
  const ops::NodeContext context(graph, id);
  const graph::TensorDesc& in = context.input(0);
  if (in.type != DataType::float32 || !in.has_rank() || in.shape->size() != 4) return false;
  if (reduced_axes(context, 4) != std::vector<std::int64_t>{2, 3}) return false;
  if ((*in.shape)[2].value == 0 || (*in.shape)[3].value == 0) return false;  // a mean of nothing, which no pool has
  const int opset = node.opset;
  const ValueId x = node.inputs[0];
  if (context.attribute_int("keepdims", 1) != 0) {
    replace_node(graph, id, "GlobalAveragePool", opset, x);
    return true;
  }
  graph::TensorDesc desc = in;
  desc.shape = graph::DimList{(*in.shape)[0], (*in.shape)[1], 1, 1};
  const ValueId pooled =
      graph.add_value(graph.unique_name(graph.value(node.outputs[0]).name + "/pooled"), std::move(desc));
  Node pool;
  pool.name = graph.label(id) + "/GlobalAveragePool";
  pool.op_type = "GlobalAveragePool";
  pool.opset = opset;
  pool.inputs = {x};
  pool.outputs = {pooled};
  graph.add_node(std::move(pool));
  replace_node(graph, id, "Flatten", opset, pooled);  // axis = 1
  return true;
}

bool rewrite_pool(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  const bool mean = is_onnx(node, "AveragePool");
  if ((!mean && !is_onnx(node, "MaxPool")) || node.inputs.empty() || node.outputs.empty()) return false;
  const ops::NodeContext context(graph, id);
  if (context.has_output(1)) return false;
  const std::string kind = context.attribute_string("auto_pad", "NOTSET");
  if (kind != "NOTSET" && kind != "VALID") return false;
  const auto all = [&](std::string_view name, std::int64_t wanted) {
    const std::vector<std::int64_t> list = context.attribute_ints(name);
    return std::all_of(list.begin(), list.end(), [wanted](std::int64_t x) { return x == wanted; });
  };
  if ((kind == "NOTSET" && !all("pads", 0)) || !all("dilations", 1)) return false;
  const graph::TensorDesc& in = context.input(0);
  const std::vector<std::int64_t> kernel = context.attribute_ints("kernel_shape");
  if (in.type != DataType::float32 || !in.has_rank() || in.shape->size() != kernel.size() + 2) return false;
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const graph::Dim& extent = (*in.shape)[i + 2];
    if (!extent.known() || extent.value != kernel[i]) return false;
  }
  replace_node(graph, id, mean ? "GlobalAveragePool" : "GlobalMaxPool", node.opset, node.inputs[0]);
  return true;
}

bool near(std::optional<float> found, double wanted) {
  // One sixth as float32 or as nine digits of it: a unit in the last place is not another function.
  return found && std::abs(static_cast<double>(*found) - wanted) <= wanted * 3e-7;
}

// The operand beside `known` of a two-operand node; kNoValue if `known` is none.
ValueId other_operand(const Node& node, ValueId known) {
  if (node.inputs.size() != 2) return kNoValue;
  if (node.inputs[0] == known) return node.inputs[1];
  return node.inputs[1] == known ? node.inputs[0] : kNoValue;
}

// Whether `value` is Clip(x + 3, 0, 6).
bool is_clipped_shift(const Graph& graph, ValueId value, ValueId x) {
  const Node* clip = producer_of(graph, value);
  if (clip == nullptr || !is_onnx(*clip, "Clip")) return false;
  const auto bounds = ops::clip_bounds(ops::NodeContext(graph, graph.value(value).producer));
  if (!bounds || bounds->alpha != 0.0f || bounds->beta != 6.0f) return false;
  const Node* shift = producer_of(graph, clip->inputs[0]);
  if (shift == nullptr || !is_onnx(*shift, "Add")) return false;
  return constant_scalar(graph, other_operand(*shift, x)) == 3.0f;
}

// If `value` is t / 6 or t * (1/6), t; else kNoValue.
ValueId sixfold(const Graph& graph, ValueId value) {
  const Node* node = producer_of(graph, value);
  if (node == nullptr || node->inputs.size() != 2) return kNoValue;
  if (is_onnx(*node, "Div")) return constant_scalar(graph, node->inputs[1]) == 6.0f ? node->inputs[0] : kNoValue;
  if (!is_onnx(*node, "Mul")) return kNoValue;
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    if (near(constant_scalar(graph, node->inputs[i]), 1.0 / 6.0)) return node->inputs[1 - i];
  }
  return kNoValue;
}

// The x of which `gate` is the sigmoid (or hard sigmoid), as one node.
bool is_gate(const Graph& graph, ValueId gate, ValueId x, std::string_view op) {
  const Node* node = producer_of(graph, gate);
  if (node == nullptr || !is_onnx(*node, op) || input_of(*node, 0) != x) return false;
  if (op != "HardSigmoid") return true;
  const ops::NodeContext context(graph, graph.value(gate).producer);
  return near(context.attribute_float("alpha", 0.2f), 1.0 / 6.0) && near(context.attribute_float("beta", 0.5f), 0.5);
}

bool is_product_with(const Graph& graph, const Node& product, ValueId x, ValueId gate, std::string_view what) {
  if (x == kNoValue || gate == kNoValue || product.outputs.empty()) return false;
  if (what == "Swish") return is_gate(graph, gate, x, "Sigmoid");
  const ValueId scaled = sixfold(graph, gate);
  return is_gate(graph, gate, x, "HardSigmoid") || (scaled != kNoValue && is_clipped_shift(graph, scaled, x));
}

// The tail of x * Clip(x + 3, 0, 6) / 6 where the division comes last: `id` divides a product.
ValueId divided_hard_swish(const Graph& graph, NodeId id) {
  const ValueId product_value = sixfold(graph, graph.node(id).outputs[0]);
  const Node* product = producer_of(graph, product_value);
  if (product == nullptr || !is_onnx(*product, "Mul") || product->inputs.size() != 2) return kNoValue;
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    if (is_clipped_shift(graph, product->inputs[1 - i], product->inputs[i])) return product->inputs[i];
  }
  return kNoValue;
}

// Nodes in between that someone else reads simply stay: the rewrite only changes what writes the final value.
bool rewrite_swish(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if ((!is_onnx(node, "Mul") && !is_onnx(node, "Div")) || node.inputs.size() != 2 || node.outputs.empty()) return false;
  if (graph.value(node.outputs[0]).desc.type != DataType::float32) return false;
  const auto replace = [&](ValueId x, bool hard) {
    // No operand may have been broadcast: a constant 3 of shape [1,1,1,1] raises the rank of a vector.
    if (!same_shape(graph.value(x).desc, graph.value(node.outputs[0]).desc)) return false;
    if (hard) {
      replace_node(graph, id, "HardSwish", 14, x);
    } else {
      replace_node(graph, id, "Swish", 24, x);  // the first opset that has it; alpha = 1
    }
    return true;
  };
  if (const ValueId x = divided_hard_swish(graph, id); x != kNoValue) return replace(x, true);
  if (!is_onnx(node, "Mul")) return false;
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    const ValueId x = node.inputs[i];
    const ValueId gate = node.inputs[1 - i];
    if (is_product_with(graph, node, x, gate, "Swish")) return replace(x, false);
    if (is_product_with(graph, node, x, gate, "HardSwish")) return replace(x, true);
  }
  return false;
}

// The operand of a product beside a constant near `factor`; kNoValue where it is no such product.
ValueId multiplied_by(const Graph& graph, ValueId value, double factor) {
  const Node* node = producer_of(graph, value);
  if (node == nullptr || !is_onnx(*node, "Mul") || node->inputs.size() != 2) return kNoValue;
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    if (near(constant_scalar(graph, node->inputs[i]), factor)) return node->inputs[1 - i];
  }
  return kNoValue;
}

// Whether `value` is Erf(x / sqrt(2)) + 1.
bool is_one_plus_erf(const Graph& graph, ValueId value, ValueId x) {
  const Node* sum = producer_of(graph, value);
  if (sum == nullptr || !is_onnx(*sum, "Add") || sum->inputs.size() != 2) return false;
  const std::size_t one = constant_scalar(graph, sum->inputs[0]) == 1.0f ? 0 : 1;
  if (constant_scalar(graph, sum->inputs[one]) != 1.0f) return false;
  const Node* erf = producer_of(graph, sum->inputs[1 - one]);
  if (erf == nullptr || !is_onnx(*erf, "Erf")) return false;
  if (multiplied_by(graph, erf->inputs[0], std::sqrt(0.5)) == x) return true;
  const Node* quotient = producer_of(graph, erf->inputs[0]);
  return quotient != nullptr && is_onnx(*quotient, "Div") && quotient->inputs[0] == x &&
         near(constant_scalar(graph, quotient->inputs[1]), std::sqrt(2.0));
}

// As in rewrite_swish, nodes in between stay if someone else reads them.
bool rewrite_gelu(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (!is_onnx(node, "Mul") || node.inputs.size() != 2 || node.outputs.empty()) return false;
  if (graph.value(node.outputs[0]).desc.type != DataType::float32) return false;
  const auto replace = [&](ValueId x, ValueId gate) {
    if (x == kNoValue || gate == kNoValue || !is_one_plus_erf(graph, gate, x)) return false;
    if (!same_shape(graph.value(x).desc, graph.value(graph.node(id).outputs[0]).desc)) return false;
    replace_node(graph, id, "Gelu", 20, x);
    return true;
  };
  if (const Node* product = producer_of(graph, multiplied_by(graph, node.outputs[0], 0.5));
      product != nullptr && is_onnx(*product, "Mul") && product->inputs.size() == 2) {
    const ValueId a = product->inputs[0], b = product->inputs[1];
    return replace(a, b) || replace(b, a);
  }
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    const ValueId a = node.inputs[i], b = node.inputs[1 - i];
    if (replace(multiplied_by(graph, a, 0.5), b) || replace(a, multiplied_by(graph, b, 0.5))) return true;
  }
  return false;
}

}  // namespace

void canonicalize_operators(Graph& graph, PassContext& context) {
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (rewrite_sum(graph, id) || rewrite_mean(graph, id) || rewrite_pool(graph, id) || rewrite_swish(graph, id) ||
        rewrite_gelu(graph, id))
      context.applied();
  }
}

}  // namespace linnet::passes
