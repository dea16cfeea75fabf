// BatchNormalization after Conv, ConvTranspose or Gemm is a scale of the filter's output channels and another bias:
//   s * (conv(x, w) + b - mean) + offset = conv(x, s * w) + ((b - mean) * s + offset)
// So is an Add or a Mul with a constant, one number or one a channel (Paddle writes a convolution's bias as such an Add). All is
// computed in double and rounded once. A Conv keeps the model's own weights and gets the scale as an input beside them
// (ops/fused_operators.h); so weights that several nodes share, or that the file maps into memory, need no copy. ConvTranspose
// and Gemm get new weights: they are few and small. BatchNormalization *before* a convolution cannot be folded: where the
// convolution pads, it pads after the normalisation.
#include <algorithm>
#include <functional>
#include <vector>

#include "base/checked_math.h"
#include "ops/fused_operators.h"
#include "ops/node_context.h"
#include "passes/batch_norm.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

// Why the constant input `i` cannot be folded into; empty if it is float32 and known for ever (or absent and optional).
std::string why_not_constant(const ops::NodeContext& node, std::size_t i, bool optional) {
  if (!node.has_input(i)) return optional ? "" : "input " + std::to_string(i) + " is missing";
  const graph::Value& value = node.graph().value(node.node().inputs[i]);
  if (!value.is_constant())
    return "'" + value.name + (value.constant ? "' may be overridden by the caller" : "' is not constant");
  return value.desc.type == DataType::float32 ? "" : "'" + value.name + "' is not float";
}

// (b - mean) * s + offset, `bias` empty for none.
ValueId add_folded_bias(Graph& graph, NodeId id, const std::vector<double>& bias, const BatchNorm& norm) {
  std::vector<double> folded(norm.scale.size());
  for (std::size_t m = 0; m < folded.size(); ++m) {
    folded[m] = ((bias.empty() ? 0.0 : bias[m]) - norm.mean[m]) * norm.scale[m] + norm.offset[m];
  }
  return add_rounded(graph, graph.label(id) + "/bias", folded);
}

std::vector<double> bias_of(const ops::NodeContext& node) {
  return node.constant(2) == nullptr ? std::vector<double>{} : to_doubles(*node.constant(2));
}

// W times the scale of its columns, rounded once; `channel(i)`: that of element i. Without a scale the model's own bytes do.
template <typename Channel>
void scale_weights(Graph& graph, NodeId id, const BatchNorm& norm, const Channel& channel) {
  if (std::all_of(norm.scale.begin(), norm.scale.end(), [](double scale) { return scale == 1.0; })) return;
  const Tensor weights = *ops::NodeContext(graph, id).constant(1);
  Tensor scaled(DataType::float32, weights.shape());
  const std::span<const float> in = weights.data<float>();
  const std::span<float> out = scaled.mutable_data<float>();
  for (std::size_t i = 0; i < in.size(); ++i)
    out[i] = static_cast<float>(static_cast<double>(in[i]) * norm.scale[channel(i)]);
  graph.set_input(id, 1, graph.add_constant(graph.unique_name(graph.label(id) + "/weights"), std::move(scaled)));
}

std::string fold_into_conv(Graph& graph, NodeId id, const BatchNorm& norm) {
  const ops::NodeContext conv(graph, id);
  if (activation_of(graph, id) != "none" || conv.has_input(ops::kConvResidual))
    return "the convolution is fused with something else already";
  const auto channels = static_cast<std::int64_t>(norm.scale.size());
  if (conv.constant(1)->rank() < 3 || conv.constant(1)->shape()[0] != channels) return "the channel counts differ";
  const std::vector<double> bias = bias_of(conv);
  if (!bias.empty() && bias.size() != norm.scale.size()) return "the channel counts differ";
  const ValueId folded_bias = add_folded_bias(graph, id, bias, norm);
  std::vector<double> factors = norm.scale;
  if (conv.constant(ops::kConvScale) != nullptr) {
    const std::vector<double> before = to_doubles(*conv.constant(ops::kConvScale));
    std::transform(factors.begin(), factors.end(), before.begin(), factors.begin(), std::multiplies<>());
  }
  const Tensor scale = Tensor::of<double>({channels}, factors);
  const ValueId weight_scale = graph.add_constant(graph.unique_name(graph.label(id) + "/weight_scale"), scale);
  make_fused(graph, id);
  graph.set_input(id, ops::kConvB, folded_bias);
  graph.set_input(id, ops::kConvScale, weight_scale);
  return {};
}

// W is [C, M/group, k...]: output channel g * M/group + m is column m of the rows of group g.
std::string fold_into_conv_transpose(Graph& graph, NodeId id, const BatchNorm& norm) {
  const ops::NodeContext conv(graph, id);
  const Tensor weights = *conv.constant(1);
  const std::int64_t groups = conv.attribute_int("group", 1);
  const std::vector<double> bias = bias_of(conv);
  if (weights.rank() < 3 || groups < 1 || weights.shape()[0] % groups != 0) return "its weights have an unknown form";
  const std::int64_t rows = weights.shape()[0], columns = weights.shape()[1];
  const auto channels = static_cast<std::int64_t>(norm.scale.size());
  if (base::checked_mul(columns, groups, "channels") != channels ||
      (!bias.empty() && bias.size() != norm.scale.size())) {
    return "the channel counts differ";
  }
  const std::int64_t taps = weights.size() / std::max<std::int64_t>(1, rows * columns);
  const ValueId folded_bias = add_folded_bias(graph, id, bias, norm);
  scale_weights(graph, id, norm, [&](std::size_t i) {
    const std::int64_t cell = static_cast<std::int64_t>(i) / taps;  // row * columns + column
    const std::int64_t group = cell / columns / (rows / groups);
    return static_cast<std::size_t>(group * columns + cell % columns);
  });
  graph.set_input(id, 2, folded_bias);
  return {};
}

// y = alpha * A' * B' + beta * C: alpha stays, beta becomes 1.
std::string fold_into_gemm(Graph& graph, NodeId id, const BatchNorm& norm) {
  const ops::NodeContext gemm(graph, id);
  const Tensor weights = *gemm.constant(1);
  if (weights.rank() != 2) return "its weights have an unknown form";
  const bool transposed = gemm.attribute_int("transB", 0) != 0;
  const std::size_t n = norm.scale.size();
  if (static_cast<std::size_t>(weights.shape()[transposed ? 0 : 1]) != n) return "the channel counts differ";
  std::vector<double> bias = bias_of(gemm);
  if (bias.size() == 1) bias.assign(n, bias[0]);
  const bool per_column =
      gemm.constant(2) == nullptr || gemm.constant(2)->rank() < 2 || gemm.constant(2)->shape()[0] == 1;
  if (!per_column || (!bias.empty() && bias.size() != n)) return "its bias is not one number a column";
  const auto beta = static_cast<double>(gemm.attribute_float("beta", 1.0f));
  for (double& b : bias) b = beta == 0 ? 0 : b * beta;  // as for the operator: then C does not count, were it infinite

  const auto row = static_cast<std::size_t>(weights.shape()[1]);
  const ValueId folded_bias = add_folded_bias(graph, id, bias, norm);
  scale_weights(graph, id, norm, [&](std::size_t i) { return transposed ? i / row : i % row; });
  graph.set_input(id, 2, folded_bias);
  graph.attributes(id).erase("beta");
  return {};
}

bool takes_norm(const graph::Node* node) {
  return node != nullptr && (is_convolution(*node) || is_onnx(*node, "Gemm") || is_onnx(*node, "ConvTranspose"));
}

constexpr std::int64_t kFreeCopies = std::int64_t{16} << 20;  // bytes that all copies of shared weights may take, ...
constexpr std::int64_t kCopies = 4;                           // ... and so many for each byte of the model's constants

// Of weights that others read too a fold makes a copy, scaled here or packed with its scale: a small file can name the same
// ones thousands of times.
std::int64_t copied_bytes(const graph::Value& weights) {
  return weights.consumers.size() > 1 ? static_cast<std::int64_t>(weights.constant->bytes()) : 0;
}

// Folds node `id`, which reads operand `x` from such a node; why not, or nothing.
std::string fold(Graph& graph, NodeId id, std::size_t x, std::int64_t& copies_left) {
  const ValueId between = graph.node(id).inputs[x];
  const NodeId target = graph.value(between).producer;
  if (std::string reason = why_not_private(graph, between); !reason.empty()) return reason;
  const ops::NodeContext context(graph, target);
  if (std::string reason = why_not_constant(context, 1, false); !reason.empty()) return reason;
  if (std::string reason = why_not_constant(context, 2, true); !reason.empty()) return reason;
  const bool normalizes = is_onnx(graph.node(id), "BatchNormalization");
  const BatchNorm norm = normalizes ? read_batch_norm(graph, id) : read_channel_constant(graph, id, x);
  if (!norm.refusal.empty()) return norm.refusal;
  const graph::Node& node = graph.node(target);
  const std::int64_t copied = copied_bytes(graph.value(node.inputs[1]));
  if (copied > copies_left) return "its weights have other readers, and the budget for copies is used up";
  std::string reason = is_convolution(node)    ? fold_into_conv(graph, target, norm)
                       : is_onnx(node, "Gemm") ? fold_into_gemm(graph, target, norm)
                                               : fold_into_conv_transpose(graph, target, norm);
  if (!reason.empty()) return reason;
  copies_left -= copied;
  absorb(graph, target, id);
  return {};
}

}  // namespace

void fold_batch_norm(Graph& graph, PassContext& context) {
  std::int64_t copies_left = kFreeCopies + kCopies * std::max<std::int64_t>(0, graph.folding.constant_bytes);
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const graph::Node& node = graph.node(id);
    const bool normalizes = is_onnx(node, "BatchNormalization");
    // Before opset 7 their operands are aligned by an attribute, from the left.
    const bool computes = (is_onnx(node, "Add") || is_onnx(node, "Mul")) && node.opset >= 7;
    if ((!normalizes && !computes) || node.inputs.empty()) continue;
    const std::size_t x = computes && !takes_norm(producer_of(graph, node.inputs[0])) ? 1 : 0;
    const graph::Node* const producer = producer_of(graph, input_of(node, x));
    if (!takes_norm(producer)) {
      if (!normalizes) continue;
      const std::string found = producer == nullptr ? "an input or a constant" : "a " + graph::op_label(*producer);
      context.refused(id, "it follows " + found + ", not a Conv, ConvTranspose or Gemm");
      continue;
    }
    // An Add of two results is none of ours, and nothing to report.
    if (computes && !graph.value(node.inputs[1 - x]).is_constant()) continue;
    if (const std::string reason = fold(graph, id, x, copies_left); !reason.empty()) context.refused(id, reason);
    else context.applied();
  }
}

}  // namespace linnet::passes
