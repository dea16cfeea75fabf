// What an operator sees of its node: attributes, input types and shapes, known constants. Common to inference and planning.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "linnet/error.h"

namespace linnet::ops {

/// Told of the bytes that inference adds to a graph or to its copy of a subgraph. May throw.
using Meter = std::function<void(std::size_t bytes)>;

class NodeContext {
 public:
  NodeContext(const graph::Graph& graph, graph::NodeId id, const Meter* meter = nullptr)
      : graph_(graph), id_(id), meter_(meter) {}

  [[nodiscard]] const graph::Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] const graph::Node& node() const { return graph_.node(id_); }
  [[nodiscard]] graph::NodeId id() const noexcept { return id_; }
  [[nodiscard]] const Meter* meter() const noexcept { return meter_; }  // null: nobody counts
  [[nodiscard]] const std::string& op_type() const { return node().op_type; }
  [[nodiscard]] int opset() const { return node().opset; }

  [[nodiscard]] std::size_t input_count() const { return node().inputs.size(); }
  [[nodiscard]] std::size_t output_count() const { return node().outputs.size(); }
  /// False for an omitted optional input, also beyond the end of the list.
  [[nodiscard]] bool has_input(std::size_t i) const;
  [[nodiscard]] bool has_output(std::size_t i) const;
  /// Throws Error(model) if the input is missing.
  [[nodiscard]] const graph::TensorDesc& input(std::size_t i) const;
  /// The bytes of input i if they are known for ever, else null.
  [[nodiscard]] const Tensor* constant(std::size_t i) const;
  /// A constant int64 or int32 input as a list (a scalar is a list of one). Throws Error(unsupported) if it is not constant.
  [[nodiscard]] std::vector<std::int64_t> constant_ints(std::size_t i) const;
  /// The same of one element; throws Error(model) where there are none or more.
  [[nodiscard]] std::int64_t constant_int(std::size_t i) const;

  // Attributes. The getters with a default return it where the attribute is absent; all throw Error(model) if the kind differs.
  [[nodiscard]] bool has_attribute(std::string_view name) const { return node().attributes.has(name); }
  [[nodiscard]] std::int64_t attribute_int(std::string_view name, std::int64_t fallback) const;
  [[nodiscard]] float attribute_float(std::string_view name, float fallback) const;
  [[nodiscard]] std::string attribute_string(std::string_view name, std::string_view fallback) const;
  [[nodiscard]] std::vector<std::int64_t> attribute_ints(std::string_view name,
                                                         std::vector<std::int64_t> fallback = {}) const;
  [[nodiscard]] std::vector<float> attribute_floats(std::string_view name, std::vector<float> fallback = {}) const;
  /// Null where absent.
  [[nodiscard]] const Tensor* attribute_tensor(std::string_view name) const;

  /// Negative axes counted from the end; throws Error(model) outside [-rank, rank).
  [[nodiscard]] std::size_t axis(std::int64_t value, std::size_t rank,
                                 std::string_view where = "attribute 'axis'") const;

  // Refusals: one Error with the node, operator and file filled in.
  [[noreturn]] void fail(ErrorCode code, std::string message, std::string where = {}, std::string expected = {},
                         std::string found = {}) const;
  /// "input 2 'conv1.weight'".
  [[nodiscard]] std::string input_label(std::size_t i) const;

 private:
  const graph::Graph& graph_;
  graph::NodeId id_;
  const Meter* meter_;
};

/// Runs `action`; what it throws without a node, as base/checked_math.h does, gets this one.
template <typename Action>
void with_node(const graph::Graph& graph, graph::NodeId id, const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    const ErrorDetails& details = error.details();
    if (!details.node.empty() || error.code() == ErrorCode::no_memory) throw;
    NodeContext(graph, id).fail(error.code(), error.message(), details.where, details.expected, details.found);
  }
}

/// For shape inference: an operator checks its inputs and attributes in full here and states its outputs.
class InferContext : public NodeContext {
 public:
  InferContext(const graph::Graph& graph, graph::NodeId id, const Meter* meter = nullptr)
      : NodeContext(graph, id, meter), outputs_(node().outputs.size()) {}

  void set_output(std::size_t i, DataType type, graph::DimList shape) {
    set(i, {type, std::move(shape), graph::Layout::plain});
  }
  void set_output_unknown_rank(std::size_t i, DataType type) { set(i, {type, std::nullopt, graph::Layout::plain}); }
  void set(std::size_t i, graph::TensorDesc desc) {
    if (i < outputs_.size()) outputs_[i] = std::move(desc);
  }
  [[nodiscard]] const std::vector<graph::TensorDesc>& outputs() const noexcept { return outputs_; }

 private:
  std::vector<graph::TensorDesc> outputs_;
};

/// NumPy broadcasting of two shapes (ONNX "Multidirectional Broadcasting"); throws through `context` where it is impossible.
/// A symbolic extent against 1 is the symbol; two different symbols give an unknown extent.
graph::DimList broadcast(const NodeContext& context, const graph::DimList& a, const graph::DimList& b);

}  // namespace linnet::ops
