// Models of "QDQ" form state each integer operator as DequantizeLinear, the operator in float, QuantizeLinear. Each such
// group becomes the one integer operator, so that tensors stay integer and sums are exact, as in ONNX Runtime:
//   Conv -> QLinearConv       MatMul -> QLinearMatMul       Add -> QLinearAdd       GlobalAveragePool -> QLinearGlobalAveragePool
//   Reshape, Transpose, MaxPool, ... between equal scales -> the same on integers
// where the scales are constants of no extreme size and a sum cannot leave int32; other groups stay floats.
// A Relu before a QuantizeLinear that saturates at zero anyway is dropped. It runs before fold_constants, which would turn
// quantised weights into floats.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "ops/node_context.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

/// A quantised tensor with its scale and zero point.
struct Quantized {
  ValueId value = kNoValue, scale = kNoValue, zero = kNoValue;
  std::int64_t axis = 0;
};

bool is_byte(const Graph& graph, ValueId value) {
  const DataType type = graph.value(value).desc.type;
  return type == DataType::uint8 || type == DataType::int8;
}

/// The scale's elements as far as they are known to be one: the operators that follow take one a tensor.
bool is_single(const Graph& graph, ValueId value) {
  const graph::TensorDesc& desc = graph.value(value).desc;
  if (!desc.is_static()) return false;
  const Shape shape = desc.static_shape();
  return shape.empty() || shape == Shape{1};
}

/// Whether scales are known to be such that integers and floats mean the same: by one below 0 larger bytes are smaller numbers,
/// divided by 0 they are lost, and within these bounds no product of two scales and no ratio to a third overflows or loses
/// bits, however the operators that follow compute it.
bool is_plain_scale(const Graph& graph, ValueId value) {
  const graph::Value& scale = graph.value(value);
  if (!scale.is_constant() || scale.constant->type() != DataType::float32) return false;
  const auto scales = scale.constant->data<float>();
  return std::all_of(scales.begin(), scales.end(), [](float s) { return s >= 0x1p-40f && s <= 0x1p40f; });
}

/// What DequantizeLinear makes `value` of, if it does.
std::optional<Quantized> dequantized(const Graph& graph, ValueId value) {
  const Node* node = producer_of(graph, value);
  if (node == nullptr || !is_onnx(*node, "DequantizeLinear")) return std::nullopt;
  const ops::NodeContext context(graph, graph.value(value).producer);
  if (!context.has_input(2) || context.attribute_int("block_size", 0) != 0) return std::nullopt;
  return Quantized{node->inputs[0], node->inputs[1], node->inputs[2], context.attribute_int("axis", 1)};
}

bool has_one_scale(const Graph& graph, const Quantized& q) {
  return is_single(graph, q.scale) && is_single(graph, q.zero);
}

/// The same, of bytes with one scale.
std::optional<Quantized> dequantized_bytes(const Graph& graph, ValueId value) {
  const std::optional<Quantized> q = dequantized(graph, value);
  return q && is_byte(graph, q->value) && has_one_scale(graph, *q) && is_plain_scale(graph, q->scale) ? q
                                                                                                      : std::nullopt;
}

/// Bytes with one scale, or one a slice of `axis`. The only axis of a vector is the one that is summed over.
std::optional<Quantized> dequantized_weights(const Graph& graph, ValueId value, std::int64_t axis) {
  const std::optional<Quantized> q = dequantized(graph, value);
  if (!q || !is_byte(graph, q->value) || !is_plain_scale(graph, q->scale) || !graph.value(q->value).desc.has_rank())
    return std::nullopt;
  const auto rank = static_cast<std::int64_t>(graph.value(q->value).desc.shape->size());
  const auto from_front = [rank](std::int64_t i) { return i < 0 ? i + rank : i; };
  return has_one_scale(graph, *q) || (rank >= 2 && from_front(q->axis) == from_front(axis)) ? q : std::nullopt;
}

/// One value, or two constants of equal bytes.
bool equal(const Graph& graph, ValueId a, ValueId b) {
  if (a == b) return true;
  const graph::Value &x = graph.value(a), &y = graph.value(b);
  return x.is_constant() && y.is_constant() && x.constant->type() == y.constant->type() &&
         x.constant->bytes() == y.constant->bytes() &&
         std::memcmp(x.constant->raw(), y.constant->raw(), x.constant->bytes()) == 0;
}

/// Whether a sum of so many products of two bytes, less their zero points, stays within int32 when it begins at `first`.
/// Floats have no such bound.
bool sum_fits(std::int64_t products, std::int64_t first) {
  constexpr std::int64_t kMostProduct = 255 * 255, kMost = std::numeric_limits<std::int32_t>::max();
  return products <= (kMost - std::min(std::abs(first), kMost)) / kMostProduct;
}

/// The product of the extents of a filter's inputs and pixels; none where one is not known.
std::optional<std::int64_t> filter_taps(const Graph& graph, ValueId w) {
  const graph::TensorDesc& desc = graph.value(w).desc;
  if (!desc.is_static() || desc.shape->empty()) return std::nullopt;
  const Shape shape = desc.static_shape();
  return base::checked_product(std::span(shape).subspan(1), "a filter");
}

/// The extent that a product of matrices sums over; none where it is not known.
std::optional<std::int64_t> summed_extent(const Graph& graph, ValueId a, ValueId b) {
  const graph::TensorDesc &x = graph.value(a).desc, &y = graph.value(b).desc;
  if (x.has_rank() && !x.shape->empty() && x.shape->back().known()) return x.shape->back().value;
  if (!y.has_rank() || y.shape->empty()) return std::nullopt;
  const graph::Dim& rows = (*y.shape)[y.shape->size() < 2 ? 0 : y.shape->size() - 2];
  return rows.known() ? std::optional(rows.value) : std::nullopt;
}

/// The int32 bias of a convolution whose scale is x's times w's and which leaves room for the sum; none where it is another.
std::optional<ValueId> integer_bias(const Graph& graph, ValueId bias, const Quantized& x, const Quantized& w) {
  const std::optional<std::int64_t> taps = filter_taps(graph, w.value);
  if (!taps) return std::nullopt;
  if (bias == kNoValue) return sum_fits(*taps, 0) ? std::optional(kNoValue) : std::nullopt;
  const Node* node = producer_of(graph, bias);
  if (node == nullptr || !is_onnx(*node, "DequantizeLinear")) return std::nullopt;
  const graph::Value &of_b = graph.value(node->inputs[1]), &of_x = graph.value(x.scale), &of_w = graph.value(w.scale);
  const graph::Value& integers = graph.value(node->inputs[0]);
  if (!integers.is_constant() || integers.constant->type() != DataType::int32 || !of_b.is_constant())
    return std::nullopt;
  const auto firsts = integers.constant->data<std::int32_t>();
  if (!std::all_of(firsts.begin(), firsts.end(), [&](std::int32_t first) { return sum_fits(*taps, first); }))
    return std::nullopt;
  const auto b_scale = of_b.constant->data<float>(), w_scale = of_w.constant->data<float>();
  if (b_scale.size() != w_scale.size()) return std::nullopt;
  for (std::size_t i = 0; i < b_scale.size(); ++i) {
    const float wanted = of_x.constant->data<float>()[0] * w_scale[i];
    if (!(std::abs(b_scale[i] - wanted) <= 1e-6f * wanted)) return std::nullopt;  // also where one is not a number
  }
  const ValueId zero = input_of(*node, 2);
  if (zero == kNoValue) return node->inputs[0];
  const graph::Value& of_zero = graph.value(zero);
  if (!of_zero.is_constant()) return std::nullopt;
  const auto zeros = of_zero.constant->data<std::int32_t>();
  return std::all_of(zeros.begin(), zeros.end(), [](std::int32_t v) { return v == 0; }) ? std::optional(node->inputs[0])
                                                                                        : std::nullopt;
}

/// The integer operator in the place of `node`, which QuantizeLinear with y's scale reads; none where there is none.
std::optional<Node> integer_operator(const Graph& graph, const Node& node, const Quantized& y) {
  Node result;
  result.opset = node.opset;
  result.attributes = node.attributes;
  if (is_onnx(node, "Conv")) {
    const auto x = dequantized_bytes(graph, input_of(node, 0)), w = dequantized_weights(graph, input_of(node, 1), 0);
    if (!x || !w) return std::nullopt;
    const std::optional<ValueId> bias = integer_bias(graph, input_of(node, 2), *x, *w);
    if (!bias) return std::nullopt;
    result.op_type = "QLinearConv";
    result.inputs = {x->value, x->scale, x->zero, w->value, w->scale, w->zero, y.scale, y.zero};
    if (*bias != kNoValue) result.inputs.push_back(*bias);
    return result;
  }
  if (is_onnx(node, "MatMul")) {
    const auto a = dequantized_bytes(graph, input_of(node, 0)), b = dequantized_weights(graph, input_of(node, 1), -1);
    if (!a || !b) return std::nullopt;
    const std::optional<std::int64_t> k = summed_extent(graph, a->value, b->value);
    if (!k || !sum_fits(*k, 0)) return std::nullopt;
    result.op_type = "QLinearMatMul";
    result.inputs = {a->value, a->scale, a->zero, b->value, b->scale, b->zero, y.scale, y.zero};
    return result;
  }
  result.domain = "com.microsoft";
  result.opset = 1;
  const auto a = dequantized_bytes(graph, input_of(node, 0));
  const DataType type = graph.value(y.zero).desc.type;
  if (!a || graph.value(a->value).desc.type != type) return std::nullopt;
  if (is_onnx(node, "Add") && node.opset >= 7) {
    const auto b = dequantized_bytes(graph, input_of(node, 1));
    if (!b || graph.value(b->value).desc.type != type) return std::nullopt;
    result.op_type = "QLinearAdd";
    result.inputs = {a->value, a->scale, a->zero, b->value, b->scale, b->zero, y.scale, y.zero};
    return result;
  }
  if (!is_onnx(node, "GlobalAveragePool")) return std::nullopt;
  result.op_type = "QLinearGlobalAveragePool";
  result.inputs = {a->value, a->scale, a->zero, y.scale, y.zero};
  return result;
}

/// An operator that only moves or chooses elements, between equal scales: itself, on integers.
std::optional<Node> moved_integers(const Graph& graph, const Node& node, const Quantized& y) {
  static constexpr std::string_view kMovers[] = {"Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "MaxPool"};
  const bool moves =
      std::any_of(std::begin(kMovers), std::end(kMovers), [&](std::string_view op) { return is_onnx(node, op); });
  if (!moves || node.outputs.size() != 1 || (is_onnx(node, "MaxPool") && node.opset < 12)) return std::nullopt;
  const auto x = dequantized_bytes(graph, input_of(node, 0));
  if (!x || !equal(graph, x->scale, y.scale) || !equal(graph, x->zero, y.zero)) return std::nullopt;
  Node result = node;
  result.inputs[0] = x->value;
  return result;
}

/// The value that QuantizeLinear reads, or the one before a Relu that changes nothing: the zero point is the lowest byte.
ValueId before_relu(const Graph& graph, ValueId value, const Quantized& y) {
  const Node* relu = producer_of(graph, value);
  const graph::Value& zero = graph.value(y.zero);
  if (relu == nullptr || !is_onnx(*relu, "Relu") || !why_not_private(graph, value).empty() || !zero.is_constant())
    return value;
  const bool lowest = zero.constant->type() == DataType::uint8 ? zero.constant->data<std::uint8_t>()[0] == 0
                                                               : zero.constant->data<std::int8_t>()[0] == -128;
  return lowest ? relu->inputs[0] : value;
}

bool fuse(Graph& graph, NodeId id) {
  const Node& quantize = graph.node(id);
  const Quantized y{quantize.outputs[0], quantize.inputs[1], input_of(quantize, 2)};
  if (y.zero == kNoValue || !is_byte(graph, y.zero) || !has_one_scale(graph, y) || !is_plain_scale(graph, y.scale))
    return false;
  const ValueId x = before_relu(graph, quantize.inputs[0], y);
  const Node* producer = producer_of(graph, x);
  if (producer == nullptr || !why_not_private(graph, x).empty()) return false;
  std::optional<Node> made = moved_integers(graph, *producer, y);
  if (!made) made = integer_operator(graph, *producer, y);
  if (!made) return false;
  made->name = producer->name;
  made->outputs = {y.value};
  graph.remove_node(id);
  graph.add_node(*std::move(made));
  return true;
}

}  // namespace

void fuse_quantized(Graph& graph, PassContext& context) {
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (is_onnx(graph.node(id), "QuantizeLinear") && fuse(graph, id)) context.applied();
  }
}

}  // namespace linnet::passes
