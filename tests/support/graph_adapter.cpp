#include "support/graph_adapter.h"

#include <stdexcept>
#include <variant>

#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

struct ToReference {
  reference::Attribute operator()(std::int64_t value) const { return value; }
  reference::Attribute operator()(float value) const { return static_cast<double>(value); }
  reference::Attribute operator()(const std::string& value) const { return value; }
  reference::Attribute operator()(const std::vector<std::int64_t>& values) const { return values; }
  reference::Attribute operator()(const std::vector<float>& values) const {
    return std::vector<double>(values.begin(), values.end());
  }
  reference::Attribute operator()(const std::vector<std::string>& values) const { return values; }
  reference::Attribute operator()(const Tensor& value) const { return to_reference(value); }
  reference::Attribute operator()(const std::shared_ptr<const graph::Graph>&) const {
    throw std::invalid_argument("the oracle runs no subgraphs");
  }
};

std::vector<std::string> names_of(const graph::Graph& graph, const std::vector<graph::ValueId>& ids) {
  std::vector<std::string> names;
  for (const graph::ValueId id : ids) names.push_back(id == graph::kNoValue ? "" : graph.value(id).name);
  return names;
}

}  // namespace

reference::Model to_reference(const graph::Graph& graph) {
  reference::Model model;
  model.inputs = names_of(graph, graph.inputs);
  model.outputs = names_of(graph, graph.outputs);
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    const graph::Value& value = graph.value(id);
    if (value.constant) model.constants[value.name] = to_reference(*value.constant);
  }
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    reference::Node& copy = model.nodes.emplace_back();
    copy.name = graph.label(id);
    copy.op_type = node.op_type;
    copy.domain = node.domain;
    copy.opset = node.opset;
    copy.inputs = names_of(graph, node.inputs);
    copy.outputs = names_of(graph, node.outputs);
    for (const auto& [name, value] : node.attributes.entries())
      copy.attributes[name] = std::visit(ToReference(), value);
  }
  return model;
}

std::vector<reference::Tensor> interpret(const graph::Graph& graph, const reference::Tensors& inputs,
                                         const reference::Options& options) {
  const reference::Model model = to_reference(graph);
  const reference::Tensors values = reference::run(model, inputs, options);
  std::vector<reference::Tensor> outputs;
  for (const std::string& name : model.outputs) outputs.push_back(values.at(name));
  return outputs;
}

reference::Tensors random_inputs(const graph::Graph& graph, std::uint64_t seed, std::int64_t symbolic) {
  Random random(seed);
  reference::Tensors inputs;
  for (const graph::ValueId id : graph.inputs) {
    const graph::Value& value = graph.value(id);
    const auto type = static_cast<reference::Type>(value.desc.type);
    if (value.constant || !reference::is_real(type) || !value.desc.shape) continue;
    Shape shape;
    for (const graph::Dim& dim : *value.desc.shape) shape.push_back(dim.known() ? dim.value : symbolic);
    inputs[value.name] = random_reals(random, shape, -1, 1, type);
  }
  return inputs;
}

}  // namespace linnet::test
