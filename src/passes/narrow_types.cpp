#include "passes/narrow_types.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "passes/match.h"

namespace linnet::passes {

namespace {

using graph::kNoValue;
using graph::ValueId;

// Their results are of types of their own.
constexpr std::string_view kFixed[] = {"And",
                                       "ArgMax",
                                       "ArgMin",
                                       "BitCast",
                                       "BlackmanWindow",
                                       "Cast",
                                       "DynamicQuantizeLinear",
                                       "Equal",
                                       "EyeLike",
                                       "Greater",
                                       "GreaterOrEqual",
                                       "HammingWindow",
                                       "HannWindow",
                                       "IsInf",
                                       "IsNaN",
                                       "Less",
                                       "LessOrEqual",
                                       "MelWeightMatrix",
                                       "NonMaxSuppression",
                                       "NonZero",
                                       "Not",
                                       "Or",
                                       "QuantizeLinear",
                                       "Shape",
                                       "Size",
                                       "Xor"};

// Their results are of the type of another input than the first.
constexpr std::pair<std::string_view, std::size_t> kSources[] = {
    {"Where", 1}, {"DequantizeLinear", 1}, {"CastLike", 1}, {"OneHot", 2}};

// All of their results are of the first one's type, not the first alone.
constexpr std::string_view kAlike[] = {"Split", "RNN", "GRU", "LSTM", "SoftmaxCrossEntropyLoss", "BatchNormalization"};

constexpr std::pair<std::string_view, std::string_view> kAttributes[] = {
    {"Cast", "to"},
    {"BitCast", "to"},
    {"EyeLike", "dtype"},
    {"HannWindow", "output_datatype"},
    {"HammingWindow", "output_datatype"},
    {"BlackmanWindow", "output_datatype"},
    {"MelWeightMatrix", "output_datatype"},
};

ValueId source_of(const graph::Node& node) {
  if (is_onnx(node, "EyeLike") && !node.attributes.has("dtype")) return input_of(node, 0);
  for (const std::string_view op : kFixed) {
    if (is_onnx(node, op)) return kNoValue;
  }
  for (const auto& [op, input] : kSources) {
    if (is_onnx(node, op)) return input_of(node, input);
  }
  return input_of(node, 0);
}

bool outputs_are_alike(const graph::Node& node) {
  for (const std::string_view op : kAlike) {
    if (is_onnx(node, op)) return true;
  }
  return false;
}

}  // namespace

DataType made_by_attribute(const graph::Node& node) {
  for (const auto& [op, name] : kAttributes) {
    if (!is_onnx(node, op)) continue;
    const graph::Attribute* attribute = node.attributes.find(name);
    const auto* number = attribute == nullptr ? nullptr : std::get_if<std::int64_t>(attribute);
    for (const DataType type : {DataType::float16, DataType::bfloat16}) {
      if (number != nullptr && *number == static_cast<std::int64_t>(type)) return type;
    }
  }
  return DataType::undefined;
}

std::vector<DataType> narrow_types(const graph::Graph& graph) {
  std::vector<DataType> types(static_cast<std::size_t>(graph.value_count()), DataType::undefined);
  for (ValueId id = 0; id < graph.value_count(); ++id) types[static_cast<std::size_t>(id)] = graph.value(id).desc.type;
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    const ValueId source = source_of(node);
    if (const DataType made = made_by_attribute(node);
        made != DataType::undefined && !node.outputs.empty() && node.outputs[0] != kNoValue)
      types[static_cast<std::size_t>(node.outputs[0])] = made;
    if (source == kNoValue) continue;
    const std::size_t count =
        outputs_are_alike(node) ? node.outputs.size() : std::min<std::size_t>(1, node.outputs.size());
    for (std::size_t i = 0; i < count; ++i) {
      if (node.outputs[i] == kNoValue) continue;
      DataType& type = types[static_cast<std::size_t>(node.outputs[i])];
      if (type == DataType::undefined) type = types[static_cast<std::size_t>(source)];
    }
  }
  return types;
}

}  // namespace linnet::passes
