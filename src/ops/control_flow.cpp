// What If, Loop, Scan and SequenceMap give back, by way of their subgraphs. The runtime runs them.
#include "ops/control_flow.h"

#include <algorithm>
#include <string>
#include <utility>

#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::TensorDesc;

TensorDesc of_any_shape(TensorDesc desc) {
  desc.shape.reset();
  return desc;
}

const graph::Graph& required_body(const NodeContext& c, std::string_view name) {
  if (const graph::Graph* body = find_body(c.node(), name)) return *body;
  c.fail(ErrorCode::model, "a subgraph is missing", "attribute '" + std::string(name) + "'", "a graph");
}

void require_count(const NodeContext& c, std::string_view what, std::size_t expected, std::size_t found) {
  if (expected == found) return;
  c.fail(ErrorCode::model, "the subgraph has another number of " + std::string(what) + " than its node wants", {},
         std::to_string(expected), std::to_string(found));
}

/// The body, given the descriptions of its inputs but for the captures.
Body infer_body(const NodeContext& c, std::string_view name, std::vector<TensorDesc> inputs) {
  Body body{name, required_body(c, name)};
  graph::Graph& graph = body.graph;
  const std::size_t captures = capture_count(c.node());
  require_count(c, "inputs", inputs.size() + captures, graph.inputs.size());
  for (std::size_t i = c.input_count() - captures; i < c.input_count(); ++i) inputs.push_back(c.input(i));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    TensorDesc& declared = graph.value(graph.inputs[i]).desc;
    const DataType type = inputs[i].type == DataType::undefined ? declared.type : inputs[i].type;
    declared = of_any_shape(std::move(inputs[i]));
    declared.type = type;
  }
  try {
    infer_shapes(graph, c.meter());
  } catch (const Error& error) {
    rethrow_within(error, c.graph().label(c.id()) + "/" + std::string(name));
  }
  return body;
}

TensorDesc output_of(const Body& body, std::size_t i) {
  return of_any_shape(body.graph.value(body.graph.outputs[i]).desc);
}

Body loop_body(const NodeContext& c) {
  const std::size_t captures = capture_count(c.node());
  if (c.input_count() < 2 + captures)
    c.fail(ErrorCode::model, "a Loop has a trip count and a condition, if only omitted ones");
  std::vector<TensorDesc> inputs = {{DataType::int64, {}}, {DataType::boolean, {}}};
  for (std::size_t i = 2; i + captures < c.input_count(); ++i) inputs.push_back(c.input(i));
  Body body = infer_body(c, "body", std::move(inputs));
  const std::size_t carried = c.input_count() - 2 - captures;
  if (body.graph.outputs.size() < 1 + carried) require_count(c, "outputs", 1 + carried, body.graph.outputs.size());
  return body;
}

Body scan_body(const NodeContext& c) {
  const ScanShape shape = scan_shape(c);
  std::vector<TensorDesc> inputs;
  for (std::size_t i = 0; i < shape.states + shape.scan_inputs; ++i) inputs.push_back(c.input(shape.first + i));
  return infer_body(c, "body", std::move(inputs));
}

Body sequence_map_body(const NodeContext& c) {
  std::vector<TensorDesc> inputs;
  for (std::size_t i = 0; i + capture_count(c.node()) < c.input_count(); ++i) {
    inputs.push_back(c.input(i));
    inputs.back().kind = ValueKind::tensor;  // one element of a sequence at a time
  }
  return infer_body(c, "body", std::move(inputs));
}

/// The node's outputs are those of the body from `first` on.
void set_outputs(InferContext& c, const Body& body, std::size_t first, ValueKind holder) {
  require_count(c, "outputs", c.output_count(), body.graph.outputs.size() - first);
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    TensorDesc desc = output_of(body, first + i);
    if (holder != ValueKind::tensor) desc.kind = holder;
    c.set(i, std::move(desc));
  }
}

}  // namespace

const graph::Graph* find_body(const graph::Node& node, std::string_view name) {
  const graph::Attribute* attribute = node.attributes.find(name);
  const auto* body = attribute == nullptr ? nullptr : std::get_if<std::shared_ptr<const graph::Graph>>(attribute);
  return body == nullptr ? nullptr : body->get();
}

std::size_t capture_count(const graph::Node& node) {
  const graph::Attribute* attribute = node.attributes.find(kCaptures);
  const auto* count = attribute == nullptr ? nullptr : std::get_if<std::int64_t>(attribute);
  if (count == nullptr || *count < 0) return 0;
  return std::min(static_cast<std::size_t>(*count),
                  node.inputs.size());  // the loader writes it; a graph made otherwise may lie
}

void rethrow_within(const Error& error, const std::string& place) {
  ErrorDetails details = error.details();
  details.node = details.node.empty() ? place : place + "/" + details.node;
  throw Error(error.code(), error.message(), std::move(details));
}

ScanShape scan_shape(const NodeContext& c) {
  ScanShape shape;
  const std::size_t captures = capture_count(c.node());
  const std::size_t first = c.opset() < 9 ? 1 : 0;  // opset 8 has the sequences' lengths in front
  const std::int64_t inputs = c.attribute_int("num_scan_inputs", 0);
  const std::size_t formal = c.input_count() - captures;
  if (formal < first || inputs < 1 || inputs > static_cast<std::int64_t>(formal - first))
    c.fail(ErrorCode::model, "there are not so many inputs to scan", "attribute 'num_scan_inputs'",
           "1 to " + std::to_string(formal), std::to_string(inputs));
  shape.first = first;
  shape.scan_inputs = static_cast<std::size_t>(inputs);
  shape.states = formal - first - shape.scan_inputs;
  const std::size_t outputs = required_body(c, "body").outputs.size();
  if (outputs < shape.states) require_count(c, "outputs", shape.states, outputs);
  shape.scan_outputs = outputs - shape.states;
  return shape;
}

std::vector<Body> inferred_bodies(const NodeContext& c) {
  std::vector<Body> bodies;
  if (c.op_type() == "If") {
    bodies.push_back(infer_body(c, "then_branch", {}));
    bodies.push_back(infer_body(c, "else_branch", {}));
  } else if (c.op_type() == "Loop") {
    bodies.push_back(loop_body(c));
  } else if (c.op_type() == "Scan") {
    bodies.push_back(scan_body(c));
  } else if (c.op_type() == "SequenceMap") {
    bodies.push_back(sequence_map_body(c));
  }
  return bodies;
}

void infer_if(InferContext& c) {
  (void)c.input(0);
  const std::vector<Body> branches = inferred_bodies(c);
  for (const Body& branch : branches) require_count(c, "outputs", c.output_count(), branch.graph.outputs.size());
  for (std::size_t i = 0; i < c.output_count(); ++i) {
    const TensorDesc then = output_of(branches[0], i), other = output_of(branches[1], i);
    TensorDesc desc = then.type == DataType::undefined ? other : then;
    if (other.type != DataType::undefined && desc.type != other.type)
      c.fail(ErrorCode::model, "the branches give different types", "output " + std::to_string(i),
             std::string(to_string(desc.type)), std::string(to_string(other.type)));
    if (other.kind != desc.kind) desc.kind = ValueKind::optional;
    c.set(i, std::move(desc));
  }
}

void infer_loop(InferContext& c) { set_outputs(c, loop_body(c), 1, ValueKind::tensor); }

void infer_scan(InferContext& c) { set_outputs(c, scan_body(c), 0, ValueKind::tensor); }

void infer_sequence_map(InferContext& c) { set_outputs(c, sequence_map_body(c), 0, ValueKind::sequence); }

std::vector<Datum> run_by_runtime(const EagerContext& c) {
  c.fail(ErrorCode::unsupported, "a subgraph is run when the model is, not before");
}

}  // namespace linnet::ops
