// Runs one node on its own: constant folding, and the tests of every operator.
#include <algorithm>
#include <utility>

#include "base/checked_math.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// A result beyond this is refused before memory is asked for: it can only come from a few bytes blown up.
constexpr std::int64_t kMaxResultBytes = std::int64_t{2} << 30;

/// A graph of the one node; its inputs are constants.
graph::Graph graph_of(graph::Node node, std::span<const Tensor> inputs) {
  graph::Graph graph;
  graph.opsets[node.domain] = node.opset;
  node.inputs.assign(inputs.size(), graph::kNoValue);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].type() != DataType::undefined)
      node.inputs[i] = graph.add_constant("input" + std::to_string(i), inputs[i]);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != graph::kNoValue) node.outputs[i] = graph.add_value("output" + std::to_string(i));
  }
  graph.add_node(std::move(node));
  return graph;
}

void check_output(const NodeContext& context, std::size_t i) {
  const graph::TensorDesc& desc = context.graph().value(context.node().outputs[i]).desc;
  const std::string where = "output " + std::to_string(i);
  if (!desc.is_static() || element_bytes(desc.type) == 0) {
    context.fail(ErrorCode::unsupported, "the shape of a result is not known before it runs", where, {},
                 graph::to_string(desc));
  }
  const std::int64_t elements = base::checked_product(desc.static_shape(), "a result");
  const std::int64_t bytes =
      base::checked_mul(elements, static_cast<std::int64_t>(element_bytes(desc.type)), "a result");
  if (bytes > kMaxResultBytes) {
    context.fail(ErrorCode::limit, "a result is too large", where,
                 "at most " + std::to_string(kMaxResultBytes) + " bytes", std::to_string(bytes));
  }
}

std::vector<Placement> plain_placements(const graph::Graph& graph) {
  std::vector<Placement> placements;
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    const graph::TensorDesc& desc = graph.value(id).desc;
    placements.push_back(place(desc.type, desc.static_shape(), graph::Layout::plain));
  }
  return placements;
}

/// Memory for the results that are not the view of an input.
std::vector<Tensor> make_outputs(const graph::Graph& graph, const Step& step, std::span<const Tensor> inputs) {
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < step.outputs.size(); ++i) {
    if (step.outputs[i] == graph::kNoValue) {
      outputs.emplace_back();
      continue;
    }
    const graph::TensorDesc& desc = graph.value(step.outputs[i]).desc;
    const bool view = i == 0 && step.view_of >= 0;
    outputs.push_back(view ? inputs[static_cast<std::size_t>(step.view_of)].reshaped(desc.static_shape())
                           : Tensor(desc.type, desc.static_shape()));
  }
  return outputs;
}

void run_alone(const NodeContext& context, const Step& step, std::span<const Tensor> inputs,
               std::vector<Tensor>& outputs) {
  std::vector<const std::byte*> sources(inputs.size(), nullptr);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (step.inputs[i] != graph::kNoValue) sources[i] = static_cast<const std::byte*>(inputs[i].raw());
  }
  std::vector<std::byte*> targets(outputs.size(), nullptr);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const bool view = i == 0 && step.view_of >= 0;
    if (outputs[i].type() != DataType::undefined && !view)
      targets[i] = static_cast<std::byte*>(outputs[i].mutable_raw());
  }
  base::AlignedBuffer shared(step.shared_scratch_bytes, base::AlignedBuffer::Fill::none);
  base::AlignedBuffer own(step.thread_scratch_bytes, base::AlignedBuffer::Fill::none);
  std::atomic<const char*> fault = nullptr;
  RunArgs args;
  args.inputs = sources.data();
  args.outputs = targets.data();
  args.shared_scratch = shared.data();
  args.thread_scratch = own.data();
  args.fault = &fault;
  for (args.phase = 0; args.phase < step.phases; ++args.phase) step.run(args);
  if (const char* what = fault.load()) context.fail(ErrorCode::input, what);
}

/// For a dynamic operator: its results, which must be tensors.
std::vector<Tensor> evaluate_dynamic(const graph::Graph& graph, graph::NodeId id, std::span<const Tensor> inputs) {
  std::vector<SharedDatum> data;
  for (const Tensor& input : inputs) data.push_back(share(input));
  std::vector<Tensor> results;
  for (Datum& datum : run_eager(graph, id, data)) {
    if (results.size() == graph.node(id).outputs.size()) break;
    if (!std::holds_alternative<Tensor>(datum))
      NodeContext(graph, id).fail(ErrorCode::unsupported, "a result is not a tensor", {}, {}, to_string(datum));
    const bool omitted = graph.node(id).outputs[results.size()] == graph::kNoValue;
    results.push_back(omitted ? Tensor() : std::move(std::get<Tensor>(datum)));
  }
  return results;
}

}  // namespace

std::vector<Tensor> evaluate(const graph::Node& node, std::span<const Tensor> inputs) {
  graph::Graph graph = graph_of(node, inputs);
  const graph::NodeId id = graph.order().front();
  infer_node(graph, id);
  if (is_dynamic(graph.node(id))) return evaluate_dynamic(graph, id, inputs);
  const NodeContext context(graph, id);
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    if (context.has_output(i)) check_output(context, i);
  }
  WeightStore weights;
  const Step step =
      plan_node(graph, id, *kernels::table(kernels::Isa::scalar), PlanOptions(), weights, plain_placements(graph));
  std::vector<Tensor> outputs = make_outputs(graph, step, inputs);
  if (step.run) run_alone(context, step, inputs, outputs);
  return outputs;
}

}  // namespace linnet::ops
