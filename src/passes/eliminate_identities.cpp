// Removes nodes that give back their input bit for bit: Identity, Dropout (this is inference), and the operators that
// happen to do nothing with these attributes and shapes.
#include <algorithm>
#include <bit>
#include <vector>

#include "graph/index.h"
#include "ops/node_context.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::at;
using graph::Graph;
using graph::kNoNode;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;

bool is_one_of(const graph::Node& node, std::initializer_list<std::string_view> ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op_type) != ops.end();
}

bool unused(const Graph& graph, ValueId id) {
  return id == kNoValue || (graph.value(id).consumers.empty() && !graph.value(id).graph_output);
}

// An integer list that is input `index` or, before some opset, attribute `name`; empty where it is not known.
std::vector<std::int64_t> int_list(const ops::NodeContext& context, std::size_t index, std::string_view name) {
  if (context.constant(index) != nullptr) return context.constant_ints(index);
  return context.has_attribute(name) ? context.attribute_ints(name) : std::vector<std::int64_t>{};
}

bool all_are(const std::vector<std::int64_t>& list, std::int64_t wanted) {
  return !list.empty() && std::all_of(list.begin(), list.end(), [wanted](std::int64_t x) { return x == wanted; });
}

bool is_identity_permutation(const ops::NodeContext& context) {
  if (!context.has_attribute("perm")) return context.input(0).has_rank() && context.input(0).shape->size() <= 1;
  const std::vector<std::int64_t> perm = context.attribute_ints("perm");
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return true;
}

// A Slice that keeps every extent keeps every element, unless it walks backwards.
bool walks_forwards(const ops::NodeContext& context) {
  if (!context.has_input(4)) return true;
  if (context.constant(4) == nullptr) return false;
  const std::vector<std::int64_t> steps = context.constant_ints(4);
  return std::all_of(steps.begin(), steps.end(), [](std::int64_t step) { return step > 0; });
}

// x*1, x/1, x-0 and x+(-0) are x for every x; x+(+0) is not: it makes -0 into +0.
bool is_neutral_operand(const Graph& graph, const graph::Node& node, std::size_t index) {
  const std::optional<float> scalar = constant_scalar(graph, input_of(node, index));
  if (!scalar) return false;
  const auto bits = std::bit_cast<std::uint32_t>(*scalar);
  if (node.op_type == "Mul") return bits == std::bit_cast<std::uint32_t>(1.0f);
  if (node.op_type == "Div") return index == 1 && bits == std::bit_cast<std::uint32_t>(1.0f);
  if (node.op_type == "Add") return bits == std::bit_cast<std::uint32_t>(-0.0f);
  return index == 1 && bits == 0;  // Sub
}

// The input that the node's output 0 equals; kNoValue where it does something.
ValueId same_input(const Graph& graph, NodeId id) {
  const graph::Node& node = graph.node(id);
  const ValueId x = input_of(node, 0);
  if (x == kNoValue || node.outputs.empty() || node.outputs[0] == kNoValue) return kNoValue;
  const ops::NodeContext context(graph, id);
  const graph::TensorDesc& in = graph.value(x).desc;
  const graph::TensorDesc& out = graph.value(node.outputs[0]).desc;
  const bool keeps_shape = same_shape(in, out);
  if (is_one_of(node, {"Identity"})) return x;
  // Since opset 12 training is an input; unused() has been asked about the mask by the caller.
  if (is_one_of(node, {"Dropout"})) {
    if (!context.has_input(2)) return x;
    const Tensor* training = context.constant(2);
    return training != nullptr && training->size() == 1 && !training->data<bool>()[0] ? x : kNoValue;
  }
  if (is_one_of(node, {"Cast"})) return in.type != DataType::undefined && in.type == out.type ? x : kNoValue;
  if (is_one_of(node, {"Transpose"})) return is_identity_permutation(context) ? x : kNoValue;
  if (is_one_of(node, {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile"}))
    return keeps_shape ? x : kNoValue;
  if (is_one_of(node, {"Slice"})) return keeps_shape && walks_forwards(context) ? x : kNoValue;
  if (is_one_of(node, {"Pad"})) return all_are(int_list(context, 1, "pads"), 0) ? x : kNoValue;
  if (is_one_of(node, {"Concat", "Sum", "Max", "Min", "Mean"})) return node.inputs.size() == 1 ? x : kNoValue;
  if (!is_one_of(node, {"Add", "Sub", "Mul", "Div"})) return kNoValue;
  for (const std::size_t other : {std::size_t{1}, std::size_t{0}}) {
    const ValueId kept = input_of(node, 1 - other);
    if (kept == kNoValue || !is_neutral_operand(graph, node, other)) continue;
    if (same_shape(graph.value(kept).desc, out)) return kept;
  }
  return kNoValue;
}

// A graph output keeps its name: what wrote x writes it instead. Empty if that was possible.
std::string rename_producer(Graph& graph, NodeId id, ValueId x, std::vector<std::size_t>& places) {
  const ValueId output = graph.node(id).outputs[0];
  const graph::Value& source = graph.value(x);
  if (source.producer == kNoNode) return "the output '" + graph.value(output).name + "' copies an input or a constant";
  if (source.graph_output)
    return "'" + source.name + "' and '" + graph.value(output).name + "' are both outputs of the graph";
  const NodeId producer = source.producer;
  graph.remove_node(id);
  graph.set_output(producer, places[at(x)], output);
  places[at(output)] = places[at(x)];
  graph.replace_uses(x, output);
  return {};
}

}  // namespace

void eliminate_identities(Graph& graph, PassContext& context) {
  const std::vector<NodeId> order = graph.order();
  std::vector<std::size_t> places = output_places(graph);
  for (const NodeId id : order) {
    const ValueId x = same_input(graph, id);
    if (x == kNoValue) continue;
    const auto& outputs = graph.node(id).outputs;
    if (!std::all_of(outputs.begin() + 1, outputs.end(), [&](ValueId output) { return unused(graph, output); })) {
      context.refused(id, "a second output is used");
      continue;
    }
    if (graph.value(outputs[0]).graph_output) {
      if (const std::string reason = rename_producer(graph, id, x, places); !reason.empty()) {
        context.refused(id, reason);
        continue;
      }
    } else {
      const ValueId output = outputs[0];
      graph.remove_node(id);
      graph.replace_uses(output, x);
    }
    context.applied();
  }
}

}  // namespace linnet::passes
