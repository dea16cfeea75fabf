#include "graph/print.h"

#include <charconv>
#include <ostream>
#include <string>
#include <string_view>

#include "base/printable.h"

namespace linnet::graph {

namespace {

// Names come from files: a line break or a control character in one must not break the line format or a terminal.
using base::printable;

template <typename T>
std::string number(const Tensor& tensor) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, tensor.data<T>()[0]);
  return {text, end.ptr};
}

// " = 0.5" for one element of a common type: bounds of a Clip, axes, a Reshape to [-1].
std::string constant_text(const Tensor& tensor) {
  if (tensor.size() != 1) return {};
  switch (tensor.type()) {
    case DataType::float32: return " = " + number<float>(tensor);
    case DataType::float64: return " = " + number<double>(tensor);
    case DataType::int64: return " = " + number<std::int64_t>(tensor);
    case DataType::int32: return " = " + number<std::int32_t>(tensor);
    default: return {};
  }
}

std::string value_text(const Graph& graph, ValueId id) {
  if (id == kNoValue) return "-";
  const Value& value = graph.value(id);
  std::string text = "%" + printable(value.name);
  if (value.constant) text += " <" + to_string(value.desc) + constant_text(*value.constant) + ">";
  return text;
}

std::string attributes_text(const Node& node) {
  std::string text;
  for (const auto& [key, attribute] : node.attributes.entries()) {
    text += (text.empty() ? "" : ", ") + printable(key) + "=" + printable(to_string(attribute));
  }
  return text;
}

void print_indented(const Graph& graph, const std::string& indent, std::ostream& stream);

void print_node(const Graph& graph, NodeId id, const std::string& indent, std::ostream& stream) {
  const Node& node = graph.node(id);
  stream << indent;
  const char* separator = "";
  for (const ValueId output : node.outputs) {
    stream << separator << value_text(graph, output);
    if (output != kNoValue) stream << ' ' << printable(to_string(graph.value(output).desc));
    separator = ", ";
  }
  stream << " = " << printable(op_label(node)) << '(';
  separator = "";
  for (const ValueId input : node.inputs) {
    stream << separator << value_text(graph, input);
    separator = ", ";
  }
  stream << ')';
  if (!node.attributes.entries().empty()) stream << " {" << attributes_text(node) << '}';
  stream << "  # node '" << printable(graph.label(id)) << "'\n";
  for (const auto& [key, attribute] : node.attributes.entries()) {
    const auto* body = std::get_if<std::shared_ptr<const Graph>>(&attribute);
    if (body == nullptr) continue;
    stream << indent << "  " << printable(key) << ":\n";
    print_indented(**body, indent + "    ", stream);
  }
}

/// What a graph holds, but for its first line.
void print_indented(const Graph& graph, const std::string& indent, std::ostream& stream) {
  for (const ValueId id : graph.inputs)
    stream << indent << "input " << value_text(graph, id) << ' ' << printable(to_string(graph.value(id).desc)) << '\n';
  for (const NodeId id : graph.order()) print_node(graph, id, indent, stream);
  for (const ValueId id : graph.outputs)
    stream << indent << "output " << value_text(graph, id) << ' ' << printable(to_string(graph.value(id).desc)) << '\n';
}

std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}
// A label's lines, each escaped and set flush left.
std::string label_line(std::string_view text) { return escaped(printable(text)) + "\\l"; }

std::string node_label(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  std::string label = label_line(op_label(node)) + label_line(graph.label(id));
  for (const auto& [key, attribute] : node.attributes.entries())
    label += label_line(key + " = " + to_string(attribute));
  for (const ValueId input : node.inputs) {
    if (input != kNoValue && graph.value(input).is_constant()) label += label_line(value_text(graph, input));
  }
  return label;
}

// The box that an edge starts from: the producer, or the value itself for graph inputs.
std::string source_of(const Graph& graph, ValueId id) {
  const NodeId producer = graph.value(id).producer;
  return producer == kNoNode ? "v" + std::to_string(id) : "n" + std::to_string(producer);
}

void print_edge(const Graph& graph, ValueId id, const std::string& target, std::ostream& stream) {
  const Value& value = graph.value(id);
  stream << "  " << source_of(graph, id) << " -> " << target << " [label=\""
         << escaped(printable(value.name + " " + to_string(value.desc))) << "\"];\n";
}

}  // namespace

void print_text(const Graph& graph, std::ostream& stream) {
  stream << "graph '" << printable(graph.name) << "'\n";
  print_indented(graph, "", stream);
}

void print_dot(const Graph& graph, std::ostream& stream) {
  stream << "digraph \"" << escaped(printable(graph.name)) << "\" {\n  node [shape=box, fontname=\"monospace\"];\n";
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.value(id);
    stream << "  v" << id << " [shape=ellipse, label=\"" << escaped(printable(value.name)) << "\"];\n";
  }
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    const std::string box = "n" + std::to_string(id);
    stream << "  " << box << " [label=\"" << node_label(graph, id) << "\"];\n";
    for (const ValueId input : node.inputs) {
      if (input != kNoValue && !graph.value(input).is_constant()) print_edge(graph, input, box, stream);
    }
  }
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId id = graph.outputs[i];
    const Value& value = graph.value(id);
    stream << "  o" << i << " [shape=ellipse, label=\"" << escaped(printable(value.name)) << "\"];\n";
    // A constant that is an output has no box of its own yet.
    if (value.is_constant())
      stream << "  v" << id << " [label=\"" << escaped(printable(value_text(graph, id))) << "\"];\n";
    print_edge(graph, id, "o" + std::to_string(i), stream);
  }
  stream << "}\n";
}

}  // namespace linnet::graph
