// float16 and bfloat16 tensors are computed in float32. It runs before anything is inferred, so that no later pass and no
// operator meets a 16-bit type anywhere but at a Cast or BitCast. What round_float16, which stands before it, has not marked
// to be rounded keeps more bits than the model asked for, never fewer. A Cast to a 16-bit type inside the model keeps its rounding: Cast, then Cast back.
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/half.h"
#include "base/joined.h"
#include "graph/index.h"
#include "ops/control_flow.h"
#include "passes/match.h"
#include "passes/narrow_types.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::at;
using graph::Graph;
using graph::kNoNode;
using graph::NodeId;
using graph::ValueId;

template <typename T>
Tensor widened_as(const Tensor& narrow) {
  Tensor wide(DataType::float32, narrow.shape());
  float* out = wide.mutable_data<float>().data();
  // Bytes from a file need not be aligned to two.
  const auto* in = static_cast<const std::byte*>(narrow.raw());
  for (std::size_t i = 0; i < static_cast<std::size_t>(narrow.size()); ++i) {
    T element;
    std::memcpy(&element, in + i * sizeof(T), sizeof(T));
    out[i] = base::to_float(element);
  }
  return wide;
}
Tensor widened(const Tensor& narrow) {
  return narrow.type() == DataType::float16 ? widened_as<Float16>(narrow) : widened_as<BFloat16>(narrow);
}

NodeId add_cast(Graph& graph, ValueId from, ValueId to, DataType type) {
  graph::Node cast;
  cast.name = base::joined(graph.value(to).name, "/Cast");
  cast.op_type = "Cast";
  cast.opset = 13;
  cast.inputs = {from};
  cast.outputs = {to};
  cast.attributes.set("to", static_cast<std::int64_t>(type));
  return graph.add_node(std::move(cast));
}

ValueId add_twin(Graph& graph, ValueId id, DataType type) {
  graph::TensorDesc desc = graph.value(id).desc;
  desc.type = type;
  const std::string suffix = type == DataType::float32 ? "/float32" : "/16 bits";
  return graph.add_value(graph.unique_name(graph.value(id).name + suffix), std::move(desc));
}

// The value keeps its type for whoever is outside; everybody inside reads the twin.
void widen_at_input(Graph& graph, ValueId id) {
  const ValueId wide = add_twin(graph, id, DataType::float32);
  graph.replace_uses(id, wide);
  add_cast(graph, id, wide, DataType::float32);
}

// Whoever is inside has the value as `inside`, whoever is outside as `outside`.
void cast_at_output(Graph& graph, ValueId id, std::vector<std::size_t>& places, DataType inside, DataType outside) {
  const ValueId twin = add_twin(graph, id, inside);
  graph.set_output(graph.value(id).producer, std::exchange(places[at(id)], 0), twin);
  graph.replace_uses(id, twin);
  add_cast(graph, twin, id, outside);
  graph.value(id).desc.type = outside;
}

void widen_constant(Graph& graph, ValueId id, PassContext& context) {
  graph::Value& value = graph.value(id);
  if (value.graph_output) {  // the caller sees the narrow bytes
    const ValueId wide =
        graph.add_constant(graph.unique_name(value.name + "/float32"), context.made_of(*value.constant, widened));
    graph.replace_uses(id, wide);
    return;
  }
  value.constant = context.made_of(*value.constant, widened);
  value.desc.type = DataType::float32;
}

// The result of a cast, or of a subgraph, has 16 bits, and is then taken back to 32 for those who compute with it.
bool makes_narrow(const graph::Node& node) {
  return made_by_attribute(node) != DataType::undefined || first_body(node) != nullptr;
}
bool keep_rounding(Graph& graph, NodeId id, const std::vector<DataType>& types) {
  if (!makes_narrow(graph.node(id))) return false;
  bool kept = false;
  const std::vector<ValueId> outputs = graph.node(id).outputs;
  for (const ValueId output : outputs) {
    if (output == graph::kNoValue || !is_narrow(types[at(output)])) continue;
    graph.value(output).desc.type = types[at(output)];
    widen_at_input(graph, output);
    kept = true;
  }
  return kept;
}

// An operand that must have 16 bits is narrowed again, which rounds what was computed, as the model has it: a BitCast reads
// its bytes, a subgraph has declared it.
struct NarrowOperand {
  NodeId node;
  std::size_t input;
  DataType type;
};
void narrow_operand(Graph& graph, const NarrowOperand& operand) {
  const auto& [id, input, type] = operand;
  const ValueId wide = graph.node(id).inputs[input];
  const ValueId narrow = add_twin(graph, wide, type);
  add_cast(graph, wide, narrow, type);
  graph.set_input(id, input, narrow);
}

// Of a BitCast, or a node with that body.
bool wants_narrow(const graph::Node& node, const Graph* body, std::size_t input) {
  if (body == nullptr) return true;
  const auto inside = input_in_body(node, *body, input);
  return inside && body->value(body->inputs[*inside]).desc.kind == ValueKind::tensor;
}

// Constant, ConstantOfShape: the bytes are an attribute.
bool widen_attributes(Graph& graph, NodeId id, PassContext& context) {
  bool changed = false;
  std::vector<std::pair<std::string, Tensor>> wide;
  for (const auto& [key, attribute] : graph.node(id).attributes.entries()) {
    const auto* tensor = std::get_if<Tensor>(&attribute);
    if (tensor != nullptr && is_narrow(tensor->type())) wide.emplace_back(key, context.made_of(*tensor, widened));
  }
  for (auto& [key, tensor] : wide) {
    graph.attributes(id).set(key, std::move(tensor));
    changed = true;
  }
  return changed;
}

// The elements of a sequence are float32 outside, so the body of a SequenceMap takes and gives float32: what it gives has been
// rounded by the cast that stands at each of its outputs.
void open_map_body(Graph& graph, NodeId id) {
  const Graph* const body = is_onnx(graph.node(id), "SequenceMap") ? ops::find_body(graph.node(id), "body") : nullptr;
  if (body == nullptr) return;
  auto copy = std::make_shared<Graph>(*body);
  for (const ValueId input : copy->inputs) {
    DataType& type = copy->value(input).desc.type;
    if (is_narrow(type)) type = DataType::float32;
  }
  const std::vector<DataType> types = narrow_types(*copy);
  std::vector<std::size_t> places = output_places(*copy);
  const std::vector<ValueId> outputs = copy->outputs;
  for (const ValueId output : outputs) {
    const DataType type = types[at(output)];
    if (is_narrow(type) && copy->value(output).producer != kNoNode)
      cast_at_output(*copy, output, places, type, DataType::float32);
  }
  copy->sort();
  graph.attributes(id).set("body", std::shared_ptr<const Graph>(std::move(copy)));
}

// A bound that a Clip leaves out is the type's least or greatest number, not float32's. (Before opset 11 bounds are attributes,
// with defaults of float32.)
void bound_clips(Graph& graph, const std::vector<NodeId>& nodes, const std::vector<DataType>& types) {
  std::map<std::pair<DataType, std::size_t>, ValueId> bounds;
  for (const NodeId id : nodes) {
    const graph::Node& node = graph.node(id);
    if (!is_onnx(node, "Clip") || node.opset < 11 || input_of(node, 0) == graph::kNoValue) continue;
    const DataType type = types[at(input_of(node, 0))];
    if (!is_narrow(type)) continue;
    for (const std::size_t input : {std::size_t{1}, std::size_t{2}}) {
      if (input_of(graph.node(id), input) != graph::kNoValue) continue;
      const auto [bound, missing] = bounds.try_emplace({type, input});
      if (missing) {
        const float most = type == DataType::float16 ? 65504.0f : 0x1.FEp127f;
        Tensor tensor(DataType::float32, {});
        tensor.mutable_data<float>()[0] = input == 1 ? -most : most;
        bound->second = graph.add_constant(graph.unique_name(input == 1 ? "lowest" : "max"), std::move(tensor));
      }
      graph.set_input(id, input, bound->second);
    }
  }
}

// By value: 1 where keep_rounding casts it.
std::vector<char> kept_values(const Graph& graph) {
  std::vector<char> kept(at(graph.value_count()));
  for (const NodeId id : graph.order()) {
    if (!makes_narrow(graph.node(id))) continue;
    for (const ValueId output : graph.node(id).outputs) {
      if (output != graph::kNoValue) kept[at(output)] = 1;
    }
  }
  return kept;
}

std::vector<NarrowOperand> narrow_operands(const Graph& graph, const std::vector<DataType>& types) {
  std::vector<NarrowOperand> operands;
  for (const NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    const Graph* const body = first_body(node);
    if (body == nullptr && !is_onnx(node, "BitCast")) continue;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId input = node.inputs[i];
      if (input != graph::kNoValue && is_narrow(types[at(input)]) && wants_narrow(node, body, i))
        operands.push_back({id, i, types[at(input)]});
    }
  }
  return operands;
}

}  // namespace

std::vector<ValueId> cast_values(const Graph& graph, const std::vector<DataType>& types) {
  const std::vector<char> kept = kept_values(graph);
  std::vector<ValueId> values;
  for (ValueId id = 0; id < static_cast<ValueId>(types.size()); ++id) {
    const graph::Value& value = graph.value(id);
    if (is_narrow(types[at(id)]) && (value.graph_input || value.graph_output || kept[at(id)] != 0))
      values.push_back(id);
  }
  for (const auto& [node, input, type] : narrow_operands(graph, types))
    values.push_back(graph.node(node).inputs[input]);
  return values;
}

void widen_float16(Graph& graph, PassContext& context) {
  if (!has_narrow(graph)) return;
  const std::vector<DataType> types = narrow_types(graph);
  run_in_bodies(graph, types, context, widen_float16);
  const ValueId count = graph.value_count();
  const std::vector<NodeId> order = graph.order();
  bound_clips(graph, order, types);
  std::vector<std::size_t> places = output_places(graph);
  for (const NodeId id : order) open_map_body(graph, id);
  const std::vector<char> kept = kept_values(graph);
  const std::vector<NarrowOperand> operands = narrow_operands(graph, types);
  const std::size_t casts = cast_values(graph, types).size();
  graph.reserve(casts, casts);  // the lists of a large graph do not double
  for (ValueId id = 0; id < count; ++id) {
    if (!is_narrow(types[at(id)]) || kept[at(id)] != 0) continue;
    graph::Value& value = graph.value(id);
    if (value.graph_input) {
      if (!value.consumers.empty()) widen_at_input(graph, id);
    } else if (value.constant) {
      widen_constant(graph, id, context);
    } else if (value.graph_output && value.producer != kNoNode) {
      cast_at_output(graph, id, places, DataType::float32, types[at(id)]);
    } else if (is_narrow(value.desc.type)) {
      value.desc.type = DataType::float32;
    } else {
      continue;  // its type is not stated: inference finds it
    }
    context.applied();
  }
  for (const NarrowOperand& operand : operands) {
    narrow_operand(graph, operand);
    context.applied();
  }
  for (const NodeId id : order) {
    const bool rounded = keep_rounding(graph, id, types);
    const bool widened_here = widen_attributes(graph, id, context);
    if (rounded || widened_here) context.applied();
  }
}

}  // namespace linnet::passes
