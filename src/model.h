// What a Model holds.
#pragma once

#include <vector>

#include "graph/graph.h"
#include "linnet/model.h"

namespace linnet {

struct Model::State {
  graph::Graph graph;  // checked and inferred, before any pass
  std::vector<ValueInfo> inputs, outputs;
};

/// The values under their ids, as ValueInfo.
std::vector<ValueInfo> value_infos(const graph::Graph& graph, const std::vector<graph::ValueId>& ids);

}  // namespace linnet
