// float16 and bfloat16 tensors are computed in float32. It runs before anything is inferred, so that no later pass and no
// operator meets a 16-bit type anywhere but at a Cast or BitCast. What round_float16, which stands before it, has not marked
// to be rounded keeps more bits than the model asked for, never fewer. A Cast to a 16-bit type inside the model keeps its rounding: Cast, then Cast back.
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "base/half.h"
#include "ops/control_flow.h"
#include "passes/match.h"
#include "passes/narrow_types.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

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
  cast.name = graph.value(to).name + "/Cast";
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
void cast_at_output(Graph& graph, ValueId id, DataType inside, DataType outside) {
  const NodeId producer = graph.value(id).producer;
  const ValueId twin = add_twin(graph, id, inside);
  const auto& outputs = graph.node(producer).outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == id) graph.set_output(producer, i, twin);
  }
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
    if (output == graph::kNoValue || !is_narrow(types[static_cast<std::size_t>(output)])) continue;
    graph.value(output).desc.type = types[static_cast<std::size_t>(output)];
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

bool wants_narrow(const graph::Node& node, std::size_t input) {
  if (is_onnx(node, "BitCast")) return true;
  const Graph* body = first_body(node);
  const auto inside = body == nullptr ? std::nullopt : input_in_body(node, *body, input);
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
  const std::vector<ValueId> outputs = copy->outputs;
  for (const ValueId output : outputs) {
    const DataType type = types[static_cast<std::size_t>(output)];
    if (is_narrow(type) && copy->value(output).producer != kNoNode)
      cast_at_output(*copy, output, type, DataType::float32);
  }
  copy->sort();
  graph.attributes(id).set("body", std::shared_ptr<const Graph>(std::move(copy)));
}

}  // namespace

void widen_float16(Graph& graph, PassContext& context) {
  if (!has_narrow(graph)) return;
  const std::vector<DataType> types = narrow_types(graph);
  run_in_bodies(graph, types, context, widen_float16);
  const ValueId count = graph.value_count();
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) open_map_body(graph, id);
  const auto narrow = [&](ValueId id) {
    return id != graph::kNoValue && is_narrow(types[static_cast<std::size_t>(id)]);
  };
  std::vector<NarrowOperand> narrow_operands;
  for (const NodeId id : order) {
    const graph::Node& node = graph.node(id);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (narrow(node.inputs[i]) && wants_narrow(node, i))
        narrow_operands.push_back({id, i, types[static_cast<std::size_t>(node.inputs[i])]});
    }
  }
  const auto kept = [&](ValueId id) {  // by keep_rounding
    const NodeId producer = graph.value(id).producer;
    return producer != kNoNode && makes_narrow(graph.node(producer));
  };
  for (ValueId id = 0; id < count; ++id) {
    if (!narrow(id) || kept(id)) continue;
    graph::Value& value = graph.value(id);
    if (value.graph_input) {
      if (!value.consumers.empty()) widen_at_input(graph, id);
    } else if (value.constant) {
      widen_constant(graph, id, context);
    } else if (value.graph_output && value.producer != kNoNode) {
      cast_at_output(graph, id, DataType::float32, types[static_cast<std::size_t>(id)]);
    } else if (is_narrow(value.desc.type)) {
      value.desc.type = DataType::float32;
    } else {
      continue;  // its type is not stated: inference finds it
    }
    context.applied();
  }
  for (const NarrowOperand& operand : narrow_operands) {
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
