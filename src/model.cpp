#include "model.h"

#include <algorithm>
#include <map>
#include <optional>
#include <ostream>

#include "base/out_of_memory.h"
#include "base/printable.h"
#include "graph/print.h"
#include "onnx/load.h"
#include "onnx/refusals.h"
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
      dim.symbol = d.symbol;
      desc.shape->push_back(dim);
    }
  }
  return graph::to_string(desc);
}

ValueInfo value_info(const graph::Value& value) {
  ValueInfo info;
  info.name = value.name;
  info.type = value.desc.type;
  info.kind = value.desc.kind;
  info.has_rank = value.desc.has_rank();
  info.optional = value.graph_input && value.constant.has_value();
  if (info.has_rank) {
    for (const graph::Dim& d : *value.desc.shape) info.shape.push_back({d.value, d.symbol});
  }
  return info;
}

namespace {

/// The operator behind a value, looking through nodes that only reshape.
std::string computed_by(const graph::Graph& graph, graph::ValueId id) {
  constexpr std::string_view kReshapes[] = {"Identity",  "Reshape", "Flatten", "Squeeze",
                                            "Unsqueeze", "Dropout", "Cast"};
  while (graph.value(id).producer != graph::kNoNode) {
    const graph::Node& node = graph.node(graph.value(id).producer);
    if (std::find(std::begin(kReshapes), std::end(kReshapes), node.op_type) == std::end(kReshapes)) return node.op_type;
    id = node.inputs[0];
  }
  return {};
}

}  // namespace

std::vector<ValueInfo> value_infos(const graph::Graph& graph, const std::vector<graph::ValueId>& ids) {
  std::vector<ValueInfo> infos;
  for (const graph::ValueId id : ids) {
    infos.push_back(value_info(graph.value(id)));
    infos.back().computed_by = computed_by(graph, id);
  }
  return infos;
}

namespace {

/// Operators infer the types that they compute in, and 16-bit floats are computed in float32: so what the model's values
/// are like is inferred on a copy, widened as the passes will do it. The copy shares all bytes. Throws one error for all that
/// is not supported: the loader's `refusals`, and what inference finds.
void infer(graph::Graph& graph, onnx::Refusals& refusals) {
  const std::vector<DataType> types = passes::narrow_types(graph);
  graph::Graph wide = graph;
  passes::PassContext context(wide);
  passes::widen_float16(wide, context);
  wide.sort();
  std::optional<Error> alone;  // with its details
  const auto refuse = [&](graph::NodeId id, const Error& error) {
    const graph::Node& node = wide.node(id);
    if (!ops::why_unsupported(node).empty()) return;  // as the loader has said
    alone = refusals.empty() ? std::optional(error) : std::nullopt;
    refusals.add(graph::op_label(node), error.message(), "node " + base::quote_name(wide.label(id)));
  };
  try {
    ops::infer_supported(wide, !refusals.empty(), refuse);
  } catch (const Error&) {
    if (refusals.empty()) throw;
  }
  if (alone) throw Error(*alone);
  refusals.throw_if_any(graph.file);
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    graph::TensorDesc& desc = graph.value(id).desc;
    const graph::TensorDesc& inferred = wide.value(id).desc;
    desc.shape = inferred.shape;
    desc.kind = inferred.kind;
    const DataType narrow = types[static_cast<std::size_t>(id)];
    if (desc.type == DataType::undefined) desc.type = passes::is_narrow(narrow) ? narrow : inferred.type;
  }
}

Model checked(graph::Graph graph, onnx::Refusals& refusals) {
  infer(graph, refusals);
  auto state = std::make_shared<Model::State>();
  state->graph = std::move(graph);
  state->inputs = value_infos(state->graph, state->graph.inputs);
  state->outputs = value_infos(state->graph, state->graph.outputs);
  return Model(std::move(state));
}

}  // namespace

Model Model::load(const std::string& path, const LoadOptions& options) {
  return base::guard_memory([&] {
    onnx::Refusals refusals;
    return checked(onnx::load_graph(path, options, &refusals), refusals);
  });
}

Model Model::load(std::span<const std::byte> bytes, const LoadOptions& options) {
  return base::guard_memory([&] {
    onnx::Refusals refusals;
    return checked(onnx::load_graph(bytes, nullptr, "", options, &refusals), refusals);
  });
}

const std::vector<ValueInfo>& Model::inputs() const { return state_->inputs; }
const std::vector<ValueInfo>& Model::outputs() const { return state_->outputs; }

ModelSummary Model::summary() const {
  const graph::Graph& graph = state_->graph;
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

void Model::print(std::ostream& stream) const { graph::print_text(state_->graph, stream); }
void Model::print_dot(std::ostream& stream) const { graph::print_dot(state_->graph, stream); }

}  // namespace linnet
