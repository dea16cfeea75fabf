#include "model.h"

#include <algorithm>
#include <map>
#include <ostream>

#include "graph/print.h"
#include "onnx/load.h"
#include "ops/op_def.h"

namespace linnet {

std::string to_string(const ValueInfo& info) {
  graph::TensorDesc desc;
  desc.type = info.type;
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
  info.has_rank = value.desc.has_rank();
  info.optional = value.graph_input && value.constant.has_value();
  if (info.has_rank) {
    for (const graph::Dim& d : *value.desc.shape) info.shape.push_back({d.value, d.symbol});
  }
  return info;
}

std::vector<ValueInfo> value_infos(const graph::Graph& graph, const std::vector<graph::ValueId>& ids) {
  std::vector<ValueInfo> infos;
  for (const graph::ValueId id : ids) infos.push_back(value_info(graph.value(id)));
  return infos;
}

namespace {

Model checked(graph::Graph graph) {
  ops::infer_shapes(graph);
  auto state = std::make_shared<Model::State>();
  state->graph = std::move(graph);
  state->inputs = value_infos(state->graph, state->graph.inputs);
  state->outputs = value_infos(state->graph, state->graph.outputs);
  return Model(std::move(state));
}

}  // namespace

Model Model::load(const std::string& path, const LoadOptions& options) { return checked(onnx::load_graph(path, options)); }

Model Model::load(std::span<const std::byte> bytes, const LoadOptions& options) {
  return checked(onnx::load_graph(bytes, nullptr, "", options));
}

const std::vector<ValueInfo>& Model::inputs() const { return state_->inputs; }
const std::vector<ValueInfo>& Model::outputs() const { return state_->outputs; }

ModelSummary Model::summary() const {
  const graph::Graph& graph = state_->graph;
  ModelSummary summary;
  summary.ir_version = graph.ir_version;
  for (const auto& [domain, version] : graph.opsets) summary.opsets.emplace_back(domain.empty() ? "ai.onnx" : domain, version);
  summary.producer = graph.producer;
  summary.metadata = graph.metadata;
  std::map<std::string, int> counts;
  for (const graph::NodeId id : graph.order()) ++counts[graph.node(id).op_type];
  summary.operators.assign(counts.begin(), counts.end());
  std::stable_sort(summary.operators.begin(), summary.operators.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    if (graph.value(id).constant) summary.parameters += graph.value(id).constant->size();
  }
  return summary;
}

void Model::print(std::ostream& stream) const { graph::print_text(state_->graph, stream); }
void Model::print_dot(std::ostream& stream) const { graph::print_dot(state_->graph, stream); }

}  // namespace linnet
