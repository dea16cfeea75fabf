#include "model.h"

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <string_view>
#include <unordered_map>

#include "base/out_of_memory.h"
#include "base/printable.h"
#include "graph/index.h"
#include "graph/print.h"
#include "onnx/load.h"
#include "ops/op_def.h"
#include "passes/narrow_types.h"
#include "passes/pass_list.h"

namespace linnet {

std::string to_string(const ValueInfo& info) {
  graph::TensorDesc desc;
  desc.type = info.type;
  desc.kind = info.kind;
  if (info.has_rank) {
    desc.shape.emplace();
    for (const ValueInfo::Dim& d : info.shape) {
      graph::Dim dim;
      dim.value = d.value;
      dim.symbol = graph::Symbol(d.symbol);
      desc.shape->push_back(dim);
    }
  }
  return graph::to_string(desc);
}

namespace {

ValueInfo value_info(const graph::Graph& graph, graph::ValueId id) {
  const graph::Value& value = graph.value(id);
  const graph::TensorDesc desc = graph.described(id);
  ValueInfo info;
  info.name = value.name;
  info.type = desc.type;
  info.kind = desc.kind;
  info.has_rank = desc.has_rank();
  info.optional = value.graph_input && value.constant.has_value();
  if (info.has_rank) {
    for (const graph::Dim& d : *desc.shape) info.shape.push_back({d.value, std::string(d.symbol.text())});
  }
  return info;
}

/// The operators behind values, looking through nodes that only reshape.
class Origins {
 public:
  explicit Origins(const graph::Graph& graph) : graph_(graph) {}

  std::string of(graph::ValueId id) {
    std::vector<graph::ValueId> way;  // thousands of outputs may share one chain of reshapes: it is walked once
    while (!known_.contains(id) && reshaped(id) != graph::kNoValue) {
      way.push_back(id);
      id = reshaped(id);
    }
    const auto known = known_.find(id);
    const graph::NodeId origin = known == known_.end() ? graph_.value(id).producer : known->second;
    for (const graph::ValueId passed : way) known_.emplace(passed, origin);
    return origin == graph::kNoNode ? std::string() : graph_.node(origin).op_type;
  }

 private:
  /// What the value is another shape of; kNoValue for every other value.
  [[nodiscard]] graph::ValueId reshaped(graph::ValueId id) const {
    constexpr std::string_view kReshapes[] = {"Identity",  "Reshape", "Flatten", "Squeeze",
                                              "Unsqueeze", "Dropout", "Cast"};
    if (graph_.value(id).producer == graph::kNoNode) return graph::kNoValue;
    const graph::Node& node = graph_.node(graph_.value(id).producer);
    const bool same = std::find(std::begin(kReshapes), std::end(kReshapes), node.op_type) != std::end(kReshapes);
    return same ? node.inputs[0] : graph::kNoValue;
  }

  const graph::Graph& graph_;
  std::unordered_map<graph::ValueId, graph::NodeId> known_;
};

}  // namespace

std::vector<ValueInfo> value_infos(const graph::Graph& graph, const std::vector<graph::ValueId>& ids) {
  std::vector<ValueInfo> infos;
  infos.reserve(ids.size());
  Origins origins(graph);
  for (const graph::ValueId id : ids) {
    infos.push_back(value_info(graph, id));
    infos.back().computed_by = origins.of(id);
  }
  return infos;
}

namespace {

/// Throws one error for all that is not supported: the loader's `refusals`, and what inference finds.
void infer_or_refuse(graph::Graph& graph, onnx::LoadNotes& notes) {
  onnx::Refusals& refusals = notes.refusals;
  std::optional<Error> alone;  // with its details
  const auto refuse = [&](graph::NodeId id, const Error& error) {
    const graph::Node& node = graph.node(id);
    if (!ops::why_unsupported(node).empty()) return;  // as the loader has said
    alone = refusals.empty() ? std::optional(error) : std::nullopt;
    refusals.add(graph::op_label(node), error.message(), "node " + base::quote_name(graph.label(id)));
    refusals.throw_if_many(graph.file);
  };
  const ops::Meter meter = [&](std::size_t bytes) { notes.budget.charge(bytes, graph.file); };
  try {
    ops::infer_supported(graph, !refusals.empty(), refuse, &meter);
  } catch (const Error&) {
    if (refusals.empty()) throw;
  }
  if (alone) throw Error(*alone);
  refusals.throw_if_any(graph.file);
}

/// Inference reads no more elements than a list of extents or scales has.
bool is_large(const Tensor& tensor) { return passes::is_narrow(tensor.type()) && tensor.size() > 256; }

/// Forgets the bytes of large constants, which would be widened for nothing.
void forget_weights(graph::Graph& graph) {
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    const graph::Attribute* const value = node.attributes.find("value");
    const auto* const tensor = value == nullptr ? nullptr : std::get_if<Tensor>(value);
    const bool constant = node.op_type == "Constant" && node.domain.empty() && node.outputs.size() == 1;
    if (!constant || tensor == nullptr || !is_large(*tensor)) continue;
    graph.value(node.outputs[0]).desc = {tensor->type(),
                                         graph::DimList(tensor->shape().begin(), tensor->shape().end())};
    graph.remove_node(id);
  }
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    graph::Value& value = graph.value(id);
    if (value.is_constant() && is_large(*value.constant)) value.constant.reset();
  }
}

/// What widen_float16 adds to a graph for a value that it casts: another value, and a node with its attribute; their names; and
/// a list each for the node's inputs and outputs, the value's consumers, and the places of both in the index of uses.
std::size_t cast_bytes(const graph::Value& value) {
  constexpr std::size_t kLists = 5, kSuffixes = 20;
  return graph::Graph::bytes_for(1, 1) + onnx::block_bytes(sizeof(graph::Attributes::Entry)) +
         2 * onnx::text_bytes(value.name.size() + kSuffixes) + kLists * onnx::block_bytes(1) +
         2 * sizeof(std::vector<std::size_t>);
}

/// Operators infer the types that they compute in, and 16-bit floats are computed in float32: so where the model has any, its
/// values are inferred on a copy, widened as the passes will do it.
void infer_widened(graph::Graph& graph, onnx::LoadNotes& notes) {
  passes::require_like_types(graph);
  const std::vector<DataType> types = passes::narrow_types(graph);
  const std::size_t copy = notes.budget.charge_copy(graph.file);
  std::size_t beside = copy;  // what moves while there is room made for casts, and then the index of its uses
  for (const graph::ValueId id : passes::cast_values(graph, types)) beside += cast_bytes(graph.value(id));
  notes.budget.charge(beside, graph.file);
  graph::Graph wide = graph;
  forget_weights(wide);
  passes::PassContext context(wide);
  passes::widen_float16(wide, context);
  wide.sort();
  infer_or_refuse(wide, notes);
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    graph::TensorDesc& desc = graph.value(id).desc;
    graph::TensorDesc& inferred = wide.value(id).desc;
    desc.shape = std::move(inferred.shape);
    desc.kind = inferred.kind;
    const DataType narrow = types[graph::at(id)];
    if (desc.type == DataType::undefined) desc.type = passes::is_narrow(narrow) ? narrow : inferred.type;
  }
  notes.budget.release(copy + beside);
}

/// What the ValueInfos of these take, whose texts are their own.
std::size_t info_bytes(const graph::Graph& graph, const std::vector<graph::ValueId>& ids) {
  std::size_t bytes = 0;
  for (const graph::ValueId id : ids) {
    const graph::TensorDesc desc = graph.described(id);
    bytes += sizeof(ValueInfo) + onnx::text_bytes(graph.value(id).name.size());
    if (!desc.has_rank()) continue;
    bytes += onnx::block_bytes(desc.shape->size() * 2 * sizeof(ValueInfo::Dim));
    for (const graph::Dim& dim : *desc.shape) bytes += onnx::text_bytes(dim.symbol.text().size());
  }
  return bytes;
}

Model checked(graph::Graph graph, onnx::LoadNotes& notes) {
  if (passes::has_narrow(graph)) {
    infer_widened(graph, notes);
  } else {
    infer_or_refuse(graph, notes);
  }
  notes.budget.charge(info_bytes(graph, graph.inputs) + info_bytes(graph, graph.outputs), graph.file);
  auto state = std::make_shared<Model::State>();
  state->graph = std::move(graph);
  state->inputs = value_infos(state->graph, state->graph.inputs);
  state->outputs = value_infos(state->graph, state->graph.outputs);
  return Model(std::move(state));
}

}  // namespace

Model Model::load(const std::string& path, const LoadOptions& options) {
  return base::guard_memory([&] {
    onnx::LoadNotes notes;
    return checked(onnx::load_graph(path, options, &notes), notes);
  });
}

Model Model::load(std::span<const std::byte> bytes, const LoadOptions& options) {
  return base::guard_memory([&] {
    onnx::LoadNotes notes;
    return checked(onnx::load_graph(bytes, nullptr, "", options, &notes), notes);
  });
}

const std::shared_ptr<Model::State>& Model::state() const {
  if (state_ == nullptr) throw Error(ErrorCode::usage, "this model was moved from");
  return state_;
}

const std::vector<ValueInfo>& Model::inputs() const { return state()->inputs; }
const std::vector<ValueInfo>& Model::outputs() const { return state()->outputs; }

namespace {

ModelSummary summarize(const graph::Graph& graph) {
  ModelSummary summary;
  summary.ir_version = graph.ir_version;
  for (const auto& [domain, version] : graph.opsets)
    summary.opsets.emplace_back(domain.empty() ? "ai.onnx" : domain, version);
  summary.producer = graph.producer;
  summary.metadata = graph.metadata;
  std::map<std::string, int> counts;
  for (const graph::NodeId id : graph.order()) ++counts[graph.node(id).op_type];
  summary.operators.assign(counts.begin(), counts.end());
  std::stable_sort(summary.operators.begin(), summary.operators.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    if (graph.value(id).constant) summary.parameters += graph.value(id).constant->size();
  }
  return summary;
}

}  // namespace

ModelSummary Model::summary() const {
  return base::guard_memory([&] { return summarize(state()->graph); });
}

void Model::print(std::ostream& stream) const { graph::print_text(state()->graph, stream); }
void Model::print_dot(std::ostream& stream) const { graph::print_dot(state()->graph, stream); }

}  // namespace linnet
