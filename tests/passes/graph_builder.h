// Small graphs for the tests of passes: built by name, run by the reference interpreter before and after a pass.
//
//   GraphBuilder b;
//   b.input("x", {1, 3, 8, 8});
//   b.random("w", {16, 3, 3, 3});
//   b.node("Conv", {"x", "w"}, {"y"}).node("Relu", {"y"}, {"z"}).output("z");
//   check_pass(b.graph, "fuse_activation");          // same results; returns what the pass reported
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "graph/print.h"
#include "graph/verify.h"
#include "linnet/error.h"
#include "passes/pass.h"
#include "reference/interpreter.h"
#include "support/graph_adapter.h"

namespace linnet::test {

inline graph::TensorDesc float_desc(graph::DimList shape) {
  return {DataType::float32, std::move(shape), graph::Layout::plain};
}

class GraphBuilder {
 public:
  using AttributeList = std::vector<std::pair<std::string, graph::Attribute>>;

  graph::Graph graph;
  int opset = 13;

  GraphBuilder& input(const std::string& name, graph::DimList shape, DataType type = DataType::float32) {
    const graph::ValueId id = graph.add_value(name, {type, std::move(shape), graph::Layout::plain});
    graph.add_input(id);
    return *this;
  }
  GraphBuilder& constant(const std::string& name, Tensor tensor) {
    graph.add_constant(name, std::move(tensor));
    return *this;
  }
  GraphBuilder& floats(const std::string& name, Shape shape, std::vector<float> values) {
    return constant(name, Tensor::of<float>(std::move(shape), values));
  }
  GraphBuilder& ints(const std::string& name, std::vector<std::int64_t> values) {
    return constant(name, Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values));
  }
  /// Uniform in [low, high), the same in every run.
  GraphBuilder& random(const std::string& name, Shape shape, float low = -1, float high = 1) {
    Tensor tensor(DataType::float32, std::move(shape));
    std::uniform_real_distribution<float> uniform(low, high);
    for (float& x : tensor.mutable_data<float>()) x = uniform(engine_);
    return constant(name, std::move(tensor));
  }
  /// scale, bias, mean and variance of a BatchNormalization as "<stem>.s", ".b", ".m" and ".v".
  GraphBuilder& statistics(const std::string& stem, std::int64_t channels) {
    return random(stem + ".s", {channels})
        .random(stem + ".b", {channels})
        .random(stem + ".m", {channels})
        .random(stem + ".v", {channels}, 0.25f, 2);
  }
  /// "" is an omitted input. The node's name is its first output's with "node:" before it.
  GraphBuilder& node(const std::string& op, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const AttributeList& attributes = {},
                     int node_opset = 0) {
    graph::Node node;
    node.name = "node:" + outputs.at(0);
    node.op_type = op;
    node.opset = node_opset == 0 ? opset : node_opset;
    for (const std::string& name : inputs) node.inputs.push_back(name.empty() ? graph::kNoValue : id(name));
    for (const std::string& name : outputs) node.outputs.push_back(name.empty() ? graph::kNoValue : find_or_add(name));
    for (const auto& [name, attribute] : attributes) node.attributes.set(name, attribute);
    graph.add_node(std::move(node));
    return *this;
  }
  GraphBuilder& batch_norm(const std::string& x, const std::string& stem, const std::string& y) {
    return node("BatchNormalization", {x, stem + ".s", stem + ".b", stem + ".m", stem + ".v"}, {y});
  }
  GraphBuilder& output(const std::string& name) {
    graph.add_output(id(name));
    return *this;
  }
  /// As in IR version 4 and up: an initializer that the caller may override.
  GraphBuilder& overridable(const std::string& name) {
    graph.add_input(id(name));
    return *this;
  }
  [[nodiscard]] graph::ValueId id(const std::string& name) const {
    const graph::ValueId found = graph.find_value(name);
    if (found == graph::kNoValue) throw std::out_of_range("no value '" + name + "'");
    return found;
  }

 private:
  graph::ValueId find_or_add(const std::string& name) {
    const graph::ValueId found = graph.find_value(name);
    return found == graph::kNoValue ? graph.add_value(name) : found;
  }
  std::mt19937 engine_{20};
};

// ---- Asking.

inline std::string dump(const graph::Graph& graph) {
  std::ostringstream stream;
  graph::print_text(graph, stream);
  return stream.str();
}

/// "Conv Relu Add": the operators in order.
inline std::string operators(const graph::Graph& graph) {
  std::string text;
  for (const graph::NodeId id : graph.order()) text += (text.empty() ? "" : " ") + graph.node(id).op_type;
  return text;
}

/// The node that writes a value.
inline const graph::Node& writer(const graph::Graph& graph, const std::string& value) {
  const graph::ValueId id = graph.find_value(value);
  if (id == graph::kNoValue || graph.value(id).producer == graph::kNoNode)
    throw std::out_of_range("nobody writes " + value);
  return graph.node(graph.value(id).producer);
}

template <typename T>
T attribute(const graph::Node& node, const std::string& name) {
  const graph::Attribute* found = node.attributes.find(name);
  if (found == nullptr) throw std::out_of_range(node.op_type + " has no attribute " + name);
  return std::get<T>(*found);
}

inline std::string input_name(const graph::Graph& graph, const graph::Node& node, std::size_t i) {
  return i < node.inputs.size() && node.inputs[i] != graph::kNoValue ? graph.value(node.inputs[i]).name : "";
}

// ---- Running.

/// Inputs in [-4, 4): on both sides of every activation's bends; bytes of all values. Symbolic extents become 2. Overridable ones differ from
/// their initializers, so that a pass that folded one is found out.
inline reference::Tensors random_inputs(const graph::Graph& graph) {
  std::mt19937 engine(7);
  std::uniform_real_distribution<float> uniform(-4, 4);
  reference::Tensors inputs;
  for (const graph::ValueId id : graph.inputs) {
    const graph::Value& value = graph.value(id);
    Shape shape;
    for (const graph::Dim& dim : *value.desc.shape) shape.push_back(dim.known() ? dim.value : 2);
    reference::Tensor tensor = reference::Tensor::make(static_cast<reference::Type>(value.desc.type), shape);
    for (double& x : tensor.reals) x = static_cast<double>(uniform(engine));
    if (value.desc.type == DataType::uint8) {
      for (std::int64_t& x : tensor.integers) x = static_cast<std::int64_t>(engine() % 256);
    }
    inputs[value.name] = std::move(tensor);
  }
  return inputs;
}

/// Every output of `before` is one of `after`, of the same type and shape, and equal but for the roundings that a float32
/// engine may make (passes fold weights and round them once), or by up to `slack` where the rewrite itself is not exact.
inline void check_same_results(const graph::Graph& before, const graph::Graph& after, double slack = 0) {
  const reference::Tensors inputs = random_inputs(before);
  reference::Options options;
  options.bound_errors = true;
  const reference::Model old_model = to_reference(before), new_model = to_reference(after);
  REQUIRE(old_model.inputs == new_model.inputs);
  REQUIRE(old_model.outputs == new_model.outputs);
  const reference::Tensors expected = reference::run(old_model, inputs, options);
  const reference::Tensors found = reference::run(new_model, inputs);
  for (const std::string& name : old_model.outputs) {
    INFO("output " << name);
    const reference::Tensor& a = expected.at(name);
    const reference::Tensor& b = found.at(name);
    REQUIRE(a.type == b.type);
    REQUIRE(a.shape == b.shape);
    REQUIRE(a.integers == b.integers);
    double worst = 0;  // in units of what is allowed
    for (std::size_t i = 0; i < a.reals.size(); ++i) {
      if (a.reals[i] == b.reals[i]) continue;
      const double allowed = a.error(static_cast<std::int64_t>(i)) + slack;
      worst = std::max(worst, std::abs(a.reals[i] - b.reals[i]) / std::max(allowed, 1e-300));
    }
    CHECK(worst <= 1);
  }
}

/// All passes but the one.
inline std::vector<std::string> all_but(const std::vector<std::string>& wanted) {
  std::vector<std::string> disabled;
  for (const passes::PassDef& pass : passes::all_passes()) {
    if (std::find(wanted.begin(), wanted.end(), pass.name) == wanted.end()) disabled.emplace_back(pass.name);
  }
  return disabled;
}

/// Runs one pass in the first of its stages and gives its result.
inline PassReport run_pass(graph::Graph& graph, const std::string& name) {
  graph.sort();
  for (const passes::PassDef& pass : passes::all_passes()) {
    if (pass.name != name) continue;
    const auto stage =
        (pass.stages & passes::bit(passes::Stage::model)) != 0 ? passes::Stage::model : passes::Stage::shapes;
    const std::vector<std::string> disabled = all_but({name});
    for (PassReport& result : passes::run_passes(graph, stage, disabled)) {
      if (result.name == name) return std::move(result);
    }
  }
  throw std::out_of_range("no pass '" + name + "'");
}

/// run_pass, then the graph is sound and computes the same.
inline PassReport check_pass(graph::Graph& graph, const std::string& name, double slack = 0) {
  graph.sort();
  const graph::Graph before = graph;
  PassReport result = run_pass(graph, name);
  INFO("before:\n" << dump(before) << "after:\n" << dump(graph));
  graph::verify(graph);
  check_same_results(before, graph, slack);
  return result;
}

/// The pass leaves the graph as it is and gives one reason, of which this is a part.
inline void check_refusal(graph::Graph& graph, const std::string& name, const std::string& reason) {
  graph.sort();
  const std::string before = operators(graph);
  const PassReport result = run_pass(graph, name);
  INFO(dump(graph));
  CHECK(result.applied == 0);
  CHECK(operators(graph) == before);
  graph::verify(graph);
  REQUIRE(result.refused.size() == 1);
  CHECK_THAT(result.refused[0], Catch::Matchers::Contains(reason));
}

}  // namespace linnet::test
