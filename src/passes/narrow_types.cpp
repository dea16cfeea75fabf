#include "passes/narrow_types.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "linnet/error.h"
#include "ops/control_flow.h"
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
                                       "ConstantOfShape",
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
    {"Where", 1}, {"DequantizeLinear", 1}, {"CastLike", 1}, {"OneHot", 2}, {"RMSNormalization", 1}};

// All of their results are of the first one's type, not the first alone.
constexpr std::string_view kAlike[] = {
    "Split", "RNN", "GRU", "LSTM", "SoftmaxCrossEntropyLoss", "BatchNormalization", "Attention"};

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

/// The types of the values of a graph, whose inputs are of types that the graph itself may not state.
std::vector<DataType> types_inside(const graph::Graph& graph, std::vector<DataType> types);

std::vector<DataType> stated_types(const graph::Graph& graph) {
  std::vector<DataType> types(static_cast<std::size_t>(graph.value_count()), DataType::undefined);
  for (ValueId id = 0; id < graph.value_count(); ++id) types[static_cast<std::size_t>(id)] = graph.value(id).desc.type;
  return types;
}

/// What the outputs of a subgraph are, the node's are.
void take_types_of_body(const graph::Node& node, const graph::Graph& body, std::vector<DataType>& types) {
  std::vector<DataType> inside = stated_types(body);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const auto input = input_in_body(node, body, i);
    if (!input || node.inputs[i] == kNoValue) continue;
    DataType& type = inside[static_cast<std::size_t>(body.inputs[*input])];
    if (type == DataType::undefined) type = types[static_cast<std::size_t>(node.inputs[i])];
  }
  inside = types_inside(body, std::move(inside));
  const std::size_t first = is_onnx(node, "Loop") ? 1 : 0;  // a Loop's subgraph also says whether to go on
  for (std::size_t i = 0; i < node.outputs.size() && first + i < body.outputs.size(); ++i) {
    const ValueId output = body.outputs[first + i];
    if (node.outputs[i] == kNoValue || body.value(output).desc.kind != ValueKind::tensor) continue;
    DataType& type = types[static_cast<std::size_t>(node.outputs[i])];
    if (type == DataType::undefined) type = inside[static_cast<std::size_t>(output)];
  }
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

namespace {

/// Of what Constant and ConstantOfShape make of a tensor.
DataType made_of_tensor(const graph::Node& node) {
  if (!is_onnx(node, "Constant") && !is_onnx(node, "ConstantOfShape")) return DataType::undefined;
  const graph::Attribute* attribute = node.attributes.find("value");
  if (attribute == nullptr) attribute = node.attributes.find("sparse_value");
  const auto* tensor = attribute == nullptr ? nullptr : std::get_if<Tensor>(attribute);
  return tensor == nullptr ? DataType::undefined : tensor->type();
}

}  // namespace

const graph::Graph* first_body(const graph::Node& node) {
  if (is_onnx(node, "If")) return ops::find_body(node, "then_branch");
  return is_onnx(node, "Loop") || is_onnx(node, "Scan") ? ops::find_body(node, "body") : nullptr;
}

std::optional<std::size_t> input_in_body(const graph::Node& node, const graph::Graph& body, std::size_t input) {
  // The last inputs of both are the same; an If has a condition in front, an old Scan the sequences' lengths.
  const std::size_t inside = input + body.inputs.size() - node.inputs.size();
  return inside < body.inputs.size() ? std::optional(inside) : std::nullopt;
}

void run_in_bodies(graph::Graph& graph, const std::vector<DataType>& types, PassContext& context,
                   void (*pass)(graph::Graph&, PassContext&)) {
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    std::vector<std::pair<std::string, graph::Attribute>> changed;
    for (const auto& [name, attribute] : node.attributes.entries()) {
      const auto* body = std::get_if<std::shared_ptr<const graph::Graph>>(&attribute);
      if (body == nullptr) continue;
      auto copy = std::make_shared<graph::Graph>(**body);
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const auto inside = input_in_body(node, *copy, i);
        if (!inside || node.inputs[i] == kNoValue) continue;
        DataType& type = copy->value(copy->inputs[*inside]).desc.type;
        if (type == DataType::undefined) type = types[static_cast<std::size_t>(node.inputs[i])];
      }
      const int before = context.applied_count();
      pass(*copy, context);
      if (context.applied_count() == before) continue;
      copy->sort();
      copy->remove_dead();
      changed.emplace_back(name, std::shared_ptr<const graph::Graph>(std::move(copy)));
    }
    for (auto& [name, body] : changed) graph.attributes(id).set(name, std::move(body));
  }
}

namespace {

std::vector<DataType> types_inside(const graph::Graph& graph, std::vector<DataType> types) {
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    if (const graph::Graph* body = first_body(node)) {
      take_types_of_body(node, *body, types);
      continue;
    }
    const ValueId source = source_of(node);
    if (!node.outputs.empty() && node.outputs[0] != kNoValue) {
      for (const DataType made : {made_by_attribute(node), made_of_tensor(node)}) {
        if (made != DataType::undefined) types[static_cast<std::size_t>(node.outputs[0])] = made;
      }
    }
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

}  // namespace

bool has_narrow(const graph::Graph& graph) {
  for (ValueId id = 0; id < graph.value_count(); ++id) {
    if (is_narrow(graph.value(id).desc.type)) return true;
  }
  return std::any_of(graph.order().begin(), graph.order().end(), [&](graph::NodeId id) {
    const graph::Node& node = graph.node(id);
    const auto& attributes = node.attributes.entries();
    if (attributes.empty()) return false;
    if (made_by_attribute(node) != DataType::undefined) return true;
    return std::any_of(attributes.begin(), attributes.end(), [](const graph::Attributes::Entry& attribute) {
      const auto* tensor = std::get_if<Tensor>(&attribute.second);
      const auto* body = std::get_if<std::shared_ptr<const graph::Graph>>(&attribute.second);
      return (tensor != nullptr && is_narrow(tensor->type())) || (body != nullptr && has_narrow(**body));
    });
  });
}

namespace {

// By operator: the inputs that are of one type (ONNX's T), a bit each.
constexpr std::uint32_t kAll = ~0U;
struct LikeInputs {
  std::string_view op;
  std::uint32_t inputs;
  int before = std::numeric_limits<int>::max();  // the opset from which on they may differ
};
constexpr LikeInputs kLikeInputs[] = {{"Add", kAll},
                                      {"BatchNormalization", kAll, 14},
                                      {"Clip", kAll},
                                      {"Concat", kAll},
                                      {"Conv", kAll},
                                      {"ConvTranspose", kAll},
                                      {"DeformConv", kAll},
                                      {"Div", kAll},
                                      {"Einsum", kAll},
                                      {"Equal", kAll},
                                      {"GRU", 0b101111},
                                      {"Gemm", kAll},
                                      {"Greater", kAll},
                                      {"GreaterOrEqual", kAll},
                                      {"GroupNormalization", kAll},
                                      {"InstanceNormalization", kAll},
                                      {"LSTM", 0b11101111},
                                      {"LayerNormalization", kAll},
                                      {"Less", kAll},
                                      {"LessOrEqual", kAll},
                                      {"MatMul", kAll},
                                      {"Max", kAll},
                                      {"MaxRoiPool", kAll},
                                      {"Mean", kAll},
                                      {"Min", kAll},
                                      {"Mod", kAll},
                                      {"Mul", kAll},
                                      {"NegativeLogLikelihoodLoss", 0b101},
                                      {"PRelu", kAll},
                                      {"Pad", 0b101},
                                      {"Pow", kAll, 12},
                                      {"RNN", 0b101111},
                                      {"Range", kAll},
                                      {"RoiAlign", 0b011},
                                      {"Scatter", 0b101},
                                      {"ScatterElements", 0b101},
                                      {"ScatterND", 0b101},
                                      {"SequenceConstruct", kAll},
                                      {"SoftmaxCrossEntropyLoss", 0b101},
                                      {"Sub", kAll},
                                      {"Sum", kAll},
                                      {"Where", 0b110}};

/// Whether the two are different floats, one of 16 bits. What is not known, or no float, is inference's matter.
bool differ(DataType a, DataType b) {
  const auto is_float = [](DataType type) {
    return is_narrow(type) || type == DataType::float32 || type == DataType::float64;
  };
  return a != b && is_float(a) && is_float(b) && (is_narrow(a) || is_narrow(b));
}

[[noreturn]] void refuse_type(const graph::Graph& graph, graph::NodeId id, ValueId value, DataType expected,
                              DataType found) {
  throw Error(ErrorCode::model, "a value is of another type",
              {.file = graph.file,
               .node = graph.label(id),
               .op = graph::op_label(graph.node(id)),
               .where = "'" + graph.value(value).name + "'",
               .expected = std::string(to_string(expected)),
               .found = std::string(to_string(found))});
}

}  // namespace

void require_like_types(const graph::Graph& graph) {
  const auto at = [](ValueId id) { return static_cast<std::size_t>(id); };
  std::vector<DataType> known = stated_types(graph);
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    if (!node.domain.empty() || node.outputs.empty() || first_body(node) != nullptr || is_onnx(node, "SequenceMap"))
      continue;  // what these make does not follow from an input's type
    const auto* const like = std::find_if(std::begin(kLikeInputs), std::end(kLikeInputs), [&](const LikeInputs& l) {
      return is_onnx(node, l.op) && node.opset < l.before;
    });
    DataType first = DataType::undefined;
    for (std::size_t i = 0; like != std::end(kLikeInputs) && i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || (like->inputs >> std::min<std::size_t>(i, 31) & 1U) == 0) continue;
      const DataType type = known[at(node.inputs[i])];
      if (differ(first, type)) refuse_type(graph, id, node.inputs[i], first, type);
      if (first == DataType::undefined) first = type;
    }
    const ValueId output = node.outputs[0], source = source_of(node);
    if (output == kNoValue) continue;
    const bool says_itself = source == kNoValue || node.attributes.has("output_dtype");
    DataType made = says_itself ? DataType::undefined : known[at(source)];
    for (const DataType type : {made_by_attribute(node), made_of_tensor(node)}) {
      if (type != DataType::undefined) made = type;
    }
    DataType& stated = known[at(output)];
    if (differ(made, stated)) refuse_type(graph, id, output, made, stated);
    if (stated == DataType::undefined) stated = made;
  }
}

std::vector<DataType> narrow_types(const graph::Graph& graph) { return types_inside(graph, stated_types(graph)); }

}  // namespace linnet::passes
