#include "passes/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "ops/node_context.h"

namespace linnet::passes {

namespace {

// Beyond it, a filter of ordinary size could overflow float once it is scaled.
constexpr double kLargestScale = 0x1p60;
// Below it, one could vanish. That is asked of a factor alone: training leaves channels of a normalization that are all but 0, and one of
// them must not keep a layer from being folded.
constexpr double kSmallestFactor = 0x1p-60;

BatchNorm refused_norm(std::string reason) {
  BatchNorm norm;
  norm.refusal = std::move(reason);
  return norm;
}

// Before opset 14 the statistics of training are outputs 1 to 4; 9 drops is_test, 14 makes the mode an attribute.
std::string why_training(const ops::NodeContext& node) {
  if (node.attribute_int("training_mode", 0) != 0) return "it is in training mode";
  for (std::size_t i = 1; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    const graph::Value& value = node.graph().value(node.node().outputs[i]);
    if (value.graph_output || !value.consumers.empty()) return "its training output '" + value.name + "' is used";
  }
  return {};
}

}  // namespace

std::vector<double> to_doubles(const Tensor& tensor) {
  if (tensor.type() == DataType::float64) return {tensor.data<double>().begin(), tensor.data<double>().end()};
  if (tensor.type() == DataType::float32) return {tensor.data<float>().begin(), tensor.data<float>().end()};
  return {};
}

BatchNorm read_batch_norm(const graph::Graph& graph, graph::NodeId id) {
  const ops::NodeContext node(graph, id);
  if (std::string reason = why_training(node); !reason.empty()) return refused_norm(std::move(reason));
  std::vector<double> parameters[4];  // scale, B, mean, var
  for (std::size_t i = 0; i < 4; ++i) {
    const graph::ValueId input = i + 1 < node.input_count() ? node.node().inputs[i + 1] : graph::kNoValue;
    if (input == graph::kNoValue) return refused_norm("an input is missing");
    const graph::Value& value = graph.value(input);
    if (!value.is_constant()) {
      return refused_norm("'" + value.name +
                          (value.constant ? "' may be overridden by the caller" : "' is not constant"));
    }
    // spatial = 0 normalises each pixel for itself, unless (as MXNet writes it) the statistics are one a channel.
    if (value.constant->rank() != 1) return refused_norm("'" + value.name + "' is not one number a channel");
    parameters[i] = to_doubles(*value.constant);
    if (parameters[i].empty() || parameters[i].size() != parameters[0].size()) {
      return refused_norm("'" + value.name + "' is not one float a channel");
    }
  }
  const auto epsilon = static_cast<double>(node.attribute_float("epsilon", 1e-5f));
  BatchNorm norm;
  norm.offset = std::move(parameters[1]);
  norm.mean = std::move(parameters[2]);
  for (std::size_t c = 0; c < parameters[0].size(); ++c) {
    const double scale = parameters[0][c] / std::sqrt(parameters[3][c] + epsilon);
    const bool finite = std::isfinite(scale) && std::isfinite(norm.mean[c]) && std::isfinite(norm.offset[c]);
    if (!finite || std::abs(scale) > kLargestScale) {
      return refused_norm("channel " + std::to_string(c) + " has a scale or shift that is not finite or too large");
    }
    norm.scale.push_back(scale);
  }
  return norm;
}

BatchNorm read_channel_constant(const graph::Graph& graph, graph::NodeId id, std::size_t x) {
  const ops::NodeContext node(graph, id);
  const graph::TensorDesc& in = node.input(x);
  const Tensor* constant = node.constant(1 - x);
  if (constant == nullptr || constant->type() != DataType::float32 || in.type != DataType::float32 || !in.has_rank() ||
      in.shape->size() < 2 || !(*in.shape)[1].known() || constant->rank() > in.shape->size())
    return refused_norm("it has no constant for each channel");
  const auto channels = static_cast<std::size_t>((*in.shape)[1].value);
  const std::size_t before = in.shape->size() - constant->rank();
  for (std::size_t axis = 0; axis < constant->rank(); ++axis) {
    const std::int64_t extent = constant->shape()[axis];
    if (extent != 1 && (axis + before != 1 || extent != (*in.shape)[1].value))
      return refused_norm("its constant is not one number a channel");
  }
  std::vector<double> values = to_doubles(*constant);
  if (values.size() == 1) values.assign(channels, values[0]);
  const bool factor = node.op_type() == "Mul";
  const double least = factor ? kSmallestFactor : 0;
  if (!std::all_of(values.begin(), values.end(),
                   [least](double v) { return v == 0 || (std::abs(v) >= least && std::abs(v) <= kLargestScale); }))
    return refused_norm("its constant is not finite, too large or too small");
  BatchNorm norm;
  norm.mean.assign(channels, 0.0);
  norm.scale = factor ? values : std::vector<double>(channels, 1.0);
  norm.offset = factor ? std::vector<double>(channels, 0.0) : std::move(values);
  return norm;
}

graph::ValueId add_rounded(graph::Graph& graph, std::string_view stem, const std::vector<double>& values) {
  Tensor tensor(DataType::float32, {static_cast<std::int64_t>(values.size())});
  std::transform(values.begin(), values.end(), tensor.mutable_data<float>().begin(),
                 [](double x) { return static_cast<float>(x); });
  return graph.add_constant(graph.unique_name(stem), std::move(tensor));
}

}  // namespace linnet::passes
