// Moves a Pad into the pads of the window operator that reads it, where that is the same computation:
//   Conv           pads with zeros, as the Pad does
//   AveragePool    with count_include_pad = 1 (or no pads of its own): the zeros count in the mean either way
//   MaxPool        pads with minus infinity, so only a Pad of minus infinity
// The Pad itself stays for whoever else reads it.
#include <algorithm>
#include <limits>
#include <vector>

#include "base/checked_math.h"
#include "ops/node_context.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::NodeId;

// What a Pad of known, spatial, non-negative pads adds; `refusal` says why there is none.
struct Padding {
  std::vector<std::int64_t> spatial;  // begins, then ends, as in Conv's pads
  float value = 0;
  std::string refusal;
};

Padding refused_padding(std::string reason) {
  Padding padding;
  padding.refusal = std::move(reason);
  return padding;
}

Padding read_pad(const ops::NodeContext& pad) {
  if (pad.attribute_string("mode", "constant") != "constant")
    return refused_padding("the Pad is not of mode 'constant'");
  if (!pad.input(0).has_rank()) return refused_padding("the rank of the padded tensor is unknown");
  if (pad.has_input(3)) return refused_padding("the Pad names its axes");
  const std::size_t rank = pad.input(0).shape->size();
  Padding padding;
  std::vector<std::int64_t> pads;
  if (pad.opset() < 11) {
    pads = pad.attribute_ints("pads");
    padding.value = pad.attribute_float("value", 0.0f);
  } else {
    if (pad.constant(1) == nullptr) return refused_padding("the pads are not constant");
    pads = pad.constant_ints(1);
    if (pad.has_input(2)) {
      const std::optional<float> value = constant_scalar(pad.graph(), input_of(pad.node(), 2));
      if (!value) return refused_padding("the padding value is not constant");
      padding.value = *value;
    }
  }
  if (rank < 3 || pads.size() != 2 * rank) return refused_padding("the padded tensor has no spatial axes");
  for (std::size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] < 0) return refused_padding("the Pad crops");
    if (i % rank >= 2) {
      padding.spatial.push_back(pads[i]);
    } else if (pads[i] != 0) {
      return refused_padding("the Pad is not only spatial");
    }
  }
  return padding;
}

// Empty if the window operator may take the padding over.
std::string why_not(const ops::NodeContext& window, const Padding& padding, bool own_pads) {
  if (const std::string kind = window.attribute_string("auto_pad", "NOTSET"); kind != "NOTSET" && kind != "VALID") {
    return "auto_pad depends on the padded extents";
  }
  if (is_convolution(window.node())) return padding.value == 0 ? "" : "a convolution pads with zeros";
  if (window.attribute_int("ceil_mode", 0) != 0) return "ceil_mode counts windows by the pads";
  const std::vector<std::int64_t> kernel = window.attribute_ints("kernel_shape"),
                                  dilations = window.attribute_ints("dilations");
  if (std::any_of(dilations.begin(), dilations.end(), [](std::int64_t dilation) { return dilation != 1; }))
    return "the taps of a dilated window may all lie in the padding";
  for (std::size_t i = 0; i < padding.spatial.size(); ++i) {
    // Then some window would see nothing but padding, which pooling does not allow.
    if (kernel.empty() || padding.spatial[i] >= kernel[i % kernel.size()])
      return "the padding is as wide as the window";
  }
  if (is_onnx(window.node(), "MaxPool")) {
    if (window.output_count() > 1 && window.has_output(1)) return "the indices count the padded elements";
    return padding.value == -std::numeric_limits<float>::infinity() ? "" : "max pooling pads with minus infinity";
  }
  if (window.opset() < 7) return "its mean cannot count padding before opset 7";
  if (padding.value != 0) return "average pooling pads with zeros";
  return own_pads && window.attribute_int("count_include_pad", 0) == 0
             ? "the window's own pads do not count in its mean"
             : "";
}

void fold(Graph& graph, NodeId window_id, NodeId pad_id, PassContext& context) {
  const ops::NodeContext window(graph, window_id);
  const Padding padding = read_pad(ops::NodeContext(graph, pad_id));
  if (!padding.refusal.empty()) return context.refused(window_id, padding.refusal);
  const std::size_t count = padding.spatial.size();
  std::vector<std::int64_t> pads = window.attribute_ints("pads", std::vector<std::int64_t>(count, 0));
  if (window.attribute_string("auto_pad", "NOTSET") == "VALID") pads.assign(count, 0);
  if (pads.size() != count) return context.refused(window_id, "its pads have another rank");
  bool own_pads = false;
  for (const std::int64_t pad : pads) own_pads = own_pads || pad != 0;
  Padding sum = padding;
  for (std::size_t i = 0; i < count; ++i) sum.spatial[i] = base::checked_add(pads[i], padding.spatial[i], "pads");
  if (const std::string reason = why_not(window, sum, own_pads); !reason.empty())
    return context.refused(window_id, reason);

  graph::Attributes& attributes = graph.attributes(window_id);
  attributes.erase("auto_pad");
  attributes.set("pads", sum.spatial);
  if (is_onnx(graph.node(window_id), "AveragePool")) attributes.set("count_include_pad", std::int64_t{1});
  graph.set_input(window_id, 0, graph.node(pad_id).inputs[0]);
  context.applied();
}

}  // namespace

void fold_pad(Graph& graph, PassContext& context) {
  for (const NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    if (!is_convolution(node) && !is_onnx(node, "AveragePool") && !is_onnx(node, "MaxPool")) continue;
    const graph::Node* pad = producer_of(graph, input_of(node, 0));
    if (pad == nullptr || !is_onnx(*pad, "Pad")) continue;
    fold(graph, id, graph.value(node.inputs[0]).producer, context);
  }
}

}  // namespace linnet::passes
