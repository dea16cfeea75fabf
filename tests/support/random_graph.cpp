#include "support/random_graph.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <variant>

#include "support/onnx_builder.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

struct SetAttribute {
  OnnxNode& node;
  const std::string& name;
  void operator()(std::int64_t value) const { node.set(name, value); }
  void operator()(double value) const { node.set(name, static_cast<float>(value)); }
  void operator()(const std::string& value) const { node.set(name, value.c_str()); }
  void operator()(const std::vector<std::int64_t>& values) const { node.set(name, values); }
  void operator()(const std::vector<double>& values) const {
    node.set(name, std::vector<float>(values.begin(), values.end()));
  }
  void operator()(const std::vector<std::string>& values) const { node.set(name, values); }
  void operator()(const reference::Tensor& value) const { node.set(name, from_reference(value)); }
};

std::vector<OnnxDim> dims_of(const reference::Shape& shape, bool symbolic_batch) {
  std::vector<OnnxDim> dims(shape.begin(), shape.end());
  if (symbolic_batch && !dims.empty()) dims[0] = OnnxDim("N");
  return dims;
}

/// Leaves out nodes and constants that no output needs.
void prune(RandomGraph& graph) {
  std::set<std::string> needed(graph.model.outputs.begin(), graph.model.outputs.end());
  std::vector<reference::Node> kept;
  for (auto node = graph.model.nodes.rbegin(); node != graph.model.nodes.rend(); ++node) {
    const bool is_needed = std::any_of(node->outputs.begin(), node->outputs.end(),
                                       [&](const std::string& name) { return needed.count(name) != 0; });
    if (!is_needed) continue;
    needed.insert(node->inputs.begin(), node->inputs.end());
    kept.push_back(*node);
  }
  std::reverse(kept.begin(), kept.end());
  graph.model.nodes = std::move(kept);
  std::erase_if(graph.model.constants, [&](const auto& entry) { return needed.count(entry.first) == 0; });
  std::erase_if(graph.overridable, [&](const std::string& name) { return needed.count(name) == 0; });
  std::erase_if(graph.model.inputs, [&](const std::string& name) { return needed.count(name) == 0; });
  std::erase_if(graph.inputs, [&](const auto& entry) { return needed.count(entry.first) == 0; });
}

RandomGraph with_output(const RandomGraph& graph, const std::string& output) {
  RandomGraph smaller = graph;
  smaller.model.outputs = {output};
  prune(smaller);
  return smaller;
}

/// `value` becomes an input, and what made it goes.
RandomGraph with_input(const RandomGraph& graph, const std::string& name, reference::Tensor value) {
  RandomGraph smaller = graph;
  for (double& number : value.reals) number = reference::round_to(value.type, number);
  value.errors.clear();
  std::erase_if(smaller.model.nodes, [&](const reference::Node& node) {
    return std::find(node.outputs.begin(), node.outputs.end(), name) != node.outputs.end();
  });
  smaller.model.inputs.push_back(name);
  smaller.inputs[name] = std::move(value);
  prune(smaller);
  return smaller;
}

/// The readers of a node's output read its input instead.
RandomGraph without_node(const RandomGraph& graph, std::size_t at) {
  RandomGraph smaller = graph;
  const reference::Node node = smaller.model.nodes[at];
  smaller.model.nodes.erase(smaller.model.nodes.begin() + static_cast<std::ptrdiff_t>(at));
  for (reference::Node& other : smaller.model.nodes) {
    for (std::string& input : other.inputs) {
      if (input == node.outputs[0]) input = node.inputs[0];
    }
  }
  prune(smaller);
  return smaller;
}

}  // namespace

std::vector<std::byte> encode(const RandomGraph& graph) {
  OnnxModel model(graph.ir_version, graph.opset);
  model.graph.name("random");
  for (const auto& name : graph.model.inputs) {
    model.graph.input(name, static_cast<DataType>(graph.inputs.at(name).type),
                      dims_of(graph.inputs.at(name).shape, graph.symbolic_batch));
  }
  for (const auto& [name, tensor] : graph.model.constants) {
    const bool is_input = graph.ir_version < 4 || std::find(graph.overridable.begin(), graph.overridable.end(), name) !=
                                                      graph.overridable.end();
    if (is_input) model.graph.input(name, static_cast<DataType>(tensor.type), dims_of(tensor.shape, false));
    model.graph.initializer(name, from_reference(tensor));
  }
  for (const reference::Node& node : graph.model.nodes) {
    OnnxNode proto(node.op_type, node.inputs, node.outputs, node.name);
    for (const auto& [name, value] : node.attributes) std::visit(SetAttribute{proto, name}, value);
    model.graph.node(proto);
  }
  const reference::Tensors values = reference::run(graph.model, graph.inputs);
  for (const std::string& name : graph.model.outputs) {
    const reference::Tensor& tensor = values.at(name);
    model.graph.output(name, static_cast<DataType>(tensor.type), dims_of(tensor.shape, graph.symbolic_batch));
  }
  return model.bytes();
}

std::string describe(const RandomGraph& graph) {
  std::ostringstream text;
  text << "seed " << graph.seed << ", opset " << graph.opset << ", IR " << graph.ir_version
       << (graph.symbolic_batch ? ", batch N\n" : "\n");
  const reference::Tensors values = reference::run(graph.model, graph.inputs);
  const auto list = [&](const std::vector<std::string>& names) {
    std::string line;
    for (const std::string& name : names) {
      const auto found = values.find(name);
      line +=
          " " + (name.empty() ? "-" : name) + (found == values.end() ? "" : reference::to_string(found->second.shape));
    }
    return line;
  };
  for (const reference::Node& node : graph.model.nodes) {
    text << "  " << node.op_type << list(node.inputs) << " ->" << list(node.outputs);
    for (const auto& [name, value] : node.attributes) {
      text << ' ' << name << '=';
      if (const auto* number = std::get_if<std::int64_t>(&value)) text << *number;
      if (const auto* real = std::get_if<double>(&value)) text << *real;
      if (const auto* string = std::get_if<std::string>(&value)) text << *string;
      if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&value)) text << reference::to_string(*numbers);
    }
    text << '\n';
  }
  text << "  outputs" << list(graph.model.outputs) << '\n';
  return text.str();
}

RandomGraph shrink(RandomGraph graph, const std::function<bool(const RandomGraph&)>& fails) {
  const auto still_fails = [&](const RandomGraph& candidate) {
    try {
      return candidate.model.nodes.size() < graph.model.nodes.size() && !candidate.model.nodes.empty() &&
             fails(candidate);
    } catch (const std::exception&) {
      return false;  // not a graph any more
    }
  };
  for (bool smaller = true; smaller;) {
    smaller = false;
    const reference::Tensors values = reference::run(graph.model, graph.inputs);
    std::vector<RandomGraph> candidates;
    for (std::size_t i = 0; i < graph.model.nodes.size(); ++i) {
      const reference::Node& node = graph.model.nodes[i];
      for (const std::string& output : node.outputs) candidates.push_back(with_output(graph, output));
      const bool is_output = std::count(graph.model.outputs.begin(), graph.model.outputs.end(), node.outputs[0]) != 0;
      if (node.inputs.empty() || is_output) continue;
      candidates.push_back(with_input(graph, node.outputs[0], values.at(node.outputs[0])));
      if (values.at(node.inputs[0]).shape == values.at(node.outputs[0]).shape)
        candidates.push_back(without_node(graph, i));
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const RandomGraph& a, const RandomGraph& b) {
      return a.model.nodes.size() < b.model.nodes.size();
    });
    for (RandomGraph& candidate : candidates) {
      if (!still_fails(candidate)) continue;
      graph = std::move(candidate);
      smaller = true;
      break;
    }
  }
  return graph;
}

}  // namespace linnet::test
