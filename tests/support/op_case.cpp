#include "support/op_case.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "base/aligned_buffer.h"
#include "ops/op_def.h"
#include "support/graph_adapter.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

/// A graph of the one node. An input without a type is omitted; one with a desc stands as a value, not a constant.
graph::Graph graph_of(const OpCase& c, const std::vector<graph::TensorDesc>& descs) {
  graph::Graph graph;
  graph.opsets[c.node.domain] = c.node.opset;
  graph::Node node = c.node;
  node.inputs.clear();
  for (std::size_t i = 0; i < std::max(c.inputs.size(), descs.size()); ++i) {
    const bool constant = i < c.inputs.size() && c.inputs[i].type() != DataType::undefined;
    const bool described = i < descs.size() && descs[i].type != DataType::undefined;
    const std::string name = "x" + std::to_string(i);
    if (described) node.inputs.push_back(graph.add_value(name, descs[i]));
    else node.inputs.push_back(constant ? graph.add_constant(name, c.inputs[i]) : graph::kNoValue);
    if (described) graph.add_input(node.inputs.back());
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == graph::kNoValue) continue;
    node.outputs[i] = graph.add_value("y" + std::to_string(i));
    graph.add_output(node.outputs[i]);
  }
  graph.add_node(std::move(node));
  return graph;
}

constexpr unsigned char kRubbish = 0xa5;

}  // namespace

OpCase op_case(std::string op_type, int opset, std::vector<Tensor> inputs, const AttributeList& attributes,
               int outputs) {
  OpCase c;
  c.node.op_type = std::move(op_type);
  c.node.opset = opset;
  for (const auto& [name, value] : attributes) c.node.attributes.set(name, value);
  for (int i = 0; i < outputs; ++i) c.node.outputs.push_back(i);
  c.inputs = std::move(inputs);
  return c;
}

std::vector<Tensor> run(const OpCase& c) { return ops::evaluate(c.node, c.inputs); }

std::vector<Tensor> run_split(const OpCase& c, int threads) {
  graph::Graph graph = graph_of(c, {});
  const graph::NodeId id = graph.order().front();
  ops::infer_node(graph, id);
  std::vector<ops::Placement> placements;
  for (graph::ValueId v = 0; v < graph.value_count(); ++v) {
    const graph::TensorDesc& d = graph.value(v).desc;
    placements.push_back(ops::place(d.type, d.static_shape(), graph::Layout::plain));
  }
  ops::WeightStore weights;
  ops::PlanOptions options;
  options.threads = threads;
  const ops::Step step = ops::plan_node(graph, id, *kernels::table(kernels::Isa::scalar), options, weights, placements);
  std::vector<const std::byte*> inputs(c.inputs.size(), nullptr);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (step.inputs[i] != graph::kNoValue) inputs[i] = static_cast<const std::byte*>(c.inputs[i].raw());
  }
  std::vector<Tensor> results;
  std::vector<std::byte*> outputs;
  for (const graph::ValueId v : step.outputs) {
    results.emplace_back();
    outputs.push_back(nullptr);
    if (v == graph::kNoValue) continue;
    const graph::TensorDesc& d = graph.value(v).desc;
    results.back() = Tensor(d.type, d.static_shape());
    outputs.back() = static_cast<std::byte*>(results.back().mutable_raw());
    std::memset(outputs.back(), kRubbish, results.back().bytes());
  }
  if (step.view_of >= 0) results[0] = c.inputs[static_cast<std::size_t>(step.view_of)].reshaped(results[0].shape());
  base::AlignedBuffer shared(step.shared_scratch_bytes, base::AlignedBuffer::Fill::none);
  base::AlignedBuffer own(step.thread_scratch_bytes, base::AlignedBuffer::Fill::none);
  std::memset(shared.data(), kRubbish, shared.bytes());
  for (int phase = 0; step.run && phase < step.phases; ++phase) {
    for (int thread = 0; thread < threads; ++thread) {
      std::memset(own.data(), kRubbish, own.bytes());
      step.run({inputs.data(), outputs.data(), shared.data(), own.data(), phase, thread, threads});
    }
  }
  return results;
}

void check_op(const OpCase& c, Tolerance tolerance) {
  const std::vector<Tensor> results = run(c);
  INFO(graph::op_label(c.node));
  const std::vector<reference::Tensor> expected = interpret(graph_of(c, {}), {});
  std::size_t next = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i].type() == DataType::undefined) continue;
    const Comparison comparison = compare(to_reference(results[i]), expected[next++], tolerance);
    INFO("output " << i << ": " << comparison.text);
    CHECK(comparison.ok);
  }
  for (const int threads : {2, 3, 7}) {
    const std::vector<Tensor> split = run_split(c, threads);
    for (std::size_t i = 0; i < results.size(); ++i) {
      INFO(threads << " threads, output " << i);
      CHECK(bit_difference(split[i], results[i]) == "");
    }
  }
}

ErrorCode refusal(const OpCase& c) {
  try {
    (void)run(c);
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("no error");
  return ErrorCode::internal;
}

std::vector<graph::TensorDesc> infer(const OpCase& c, const std::vector<graph::TensorDesc>& descs) {
  graph::Graph graph = graph_of(c, descs);
  ops::infer_shapes(graph);
  std::vector<graph::TensorDesc> result;
  for (const graph::ValueId v : graph.outputs) result.push_back(graph.value(v).desc);
  return result;
}

std::string inferred(const OpCase& c, const std::vector<graph::TensorDesc>& descs) {
  return graph::to_string(infer(c, descs).front());
}

Tensor counting(DataType type, Shape shape) {
  Tensor result(type, std::move(shape));
  reference::Tensor numbers = to_reference(result);
  for (std::int64_t i = 0; i < result.size(); ++i) {
    if (reference::is_real(numbers.type)) numbers.set(i, static_cast<double>(i % 251));
    else numbers.set_integer(i, type == DataType::boolean ? i % 2 : i % 127);
  }
  return from_reference(numbers);
}

graph::TensorDesc desc(DataType type, graph::DimList dims) { return {type, std::move(dims), graph::Layout::plain}; }

}  // namespace linnet::test
