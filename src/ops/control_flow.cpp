// What If, Loop, Scan and SequenceMap give back, by way of their subgraphs. The runtime runs them.
#include "ops/control_flow.h"

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
  c.fail(ErrorCode::model, "the subgraph has another number of " + std::string(what) + " than its node wants", {}, std::to_string(expected), std::to_string(found));
}

/// The descriptions of the body's outputs, given those of its inputs: the node's captures are its last ones. Extents are
/// forgotten: symbols of one graph mean nothing in another.
std::vector<TensorDesc> infer_body(const NodeContext& c, std::string_view name, std::vector<TensorDesc> inputs) {
  graph::Graph body = required_body(c, name);
  const std::size_t captures = capture_count(c.node());
  for (std::size_t i = c.input_count() - captures; i < c.input_count(); ++i) inputs.push_back(c.input(i));
  require_count(c, "inputs", inputs.size() - captures, body.inputs.size() - captures);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    TensorDesc& declared = body.value(body.inputs[i]).desc;
    const DataType type = inputs[i].type == DataType::undefined ? declared.type : inputs[i].type;
    declared = of_any_shape(std::move(inputs[i]));
    declared.type = type;
  }
  try {
    infer_shapes(body);
  } catch (const Error& error) {
    rethrow_within(error, c.graph().label(c.id()) + "/" + std::string(name));
  }
  std::vector<TensorDesc> outputs;
  for (const graph::ValueId id : body.outputs) outputs.push_back(of_any_shape(body.value(id).desc));
  return outputs;
}

}  // namespace

const graph::Graph* find_body(const graph::Node& node, std::string_view name) {
  const graph::Attribute* attribute = node.attributes.find(name);
  const auto* body = attribute == nullptr ? nullptr : std::get_if<std::shared_ptr<const graph::Graph>>(attribute);
  return body == nullptr ? nullptr : body->get();
}

std::size_t capture_count(const graph::Node& node) {
  const graph::Attribute* count = node.attributes.find("captures");
  return count == nullptr ? 0 : static_cast<std::size_t>(std::get<std::int64_t>(*count));
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
    c.fail(ErrorCode::model, "there are not so many inputs to scan", "attribute 'num_scan_inputs'", "1 to " + std::to_string(formal), std::to_string(inputs));
  shape.first = first;
  shape.scan_inputs = static_cast<std::size_t>(inputs);
  shape.states = formal - first - shape.scan_inputs;
  const std::size_t outputs = required_body(c, "body").outputs.size();
  if (outputs < shape.states) require_count(c, "outputs", shape.states, outputs);
  shape.scan_outputs = outputs - shape.states;
  return shape;
}

void infer_if(InferContext& c) {
  (void)c.input(0);
  const std::vector<TensorDesc> then = infer_body(c, "then_branch", {});
  const std::vector<TensorDesc> other = infer_body(c, "else_branch", {});
  require_count(c, "outputs", c.output_count(), then.size());
  require_count(c, "outputs", c.output_count(), other.size());
  for (std::size_t i = 0; i < then.size(); ++i) {
    TensorDesc desc = then[i].type == DataType::undefined ? other[i] : then[i];
    if (other[i].type != DataType::undefined && desc.type != other[i].type)
      c.fail(ErrorCode::model, "the branches give different types", "output " + std::to_string(i), std::string(to_string(desc.type)), std::string(to_string(other[i].type)));
    if (other[i].kind != desc.kind) desc.kind = ValueKind::optional;
    c.set(i, std::move(desc));
  }
}

void infer_loop(InferContext& c) {
  const std::size_t captures = capture_count(c.node());
  if (c.input_count() < 2 + captures) c.fail(ErrorCode::model, "a Loop has a trip count and a condition, if only omitted ones");
  const std::size_t carried = c.input_count() - 2 - captures;
  std::vector<TensorDesc> inputs = {{DataType::int64, {}}, {DataType::boolean, {}}};
  for (std::size_t i = 0; i < carried; ++i) inputs.push_back(c.input(2 + i));
  const std::vector<TensorDesc> outputs = infer_body(c, "body", std::move(inputs));
  if (outputs.size() < 1 + carried) require_count(c, "outputs", 1 + carried, outputs.size());
  require_count(c, "outputs", c.output_count(), outputs.size() - 1);
  for (std::size_t i = 1; i < outputs.size(); ++i) c.set(i - 1, outputs[i]);
}

void infer_scan(InferContext& c) {
  const ScanShape shape = scan_shape(c);
  std::vector<TensorDesc> inputs;
  for (std::size_t i = 0; i < shape.states + shape.scan_inputs; ++i) inputs.push_back(c.input(shape.first + i));
  const std::vector<TensorDesc> outputs = infer_body(c, "body", std::move(inputs));
  require_count(c, "outputs", c.output_count(), outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) c.set(i, outputs[i]);
}

void infer_sequence_map(InferContext& c) {
  std::vector<TensorDesc> inputs;
  for (std::size_t i = 0; i + capture_count(c.node()) < c.input_count(); ++i) {
    inputs.push_back(c.input(i));
    inputs.back().kind = ValueKind::tensor;  // one element of a sequence at a time
  }
  std::vector<TensorDesc> outputs = infer_body(c, "body", std::move(inputs));
  require_count(c, "outputs", c.output_count(), outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].kind = ValueKind::sequence;
    c.set(i, outputs[i]);
  }
}

std::vector<Datum> run_by_runtime(const EagerContext& c) {
  c.fail(ErrorCode::unsupported, "a subgraph is run when the model is, not before");
}

}  // namespace linnet::ops
