// Values that lie in the output of a Concat that reads them, so that their producers write them there and nothing is copied.
#pragma once

#include <cstddef>
#include <vector>

#include "graph/graph.h"
#include "ops/step.h"

namespace linnet::plan {

/// By value: the output of an nchw16c Concat that it lies in, or kNoValue. Of several Concats that read a value the first has
/// it, the others copy; a value that one Concat reads twice stays where it is, and so do constants and the caller's inputs.
std::vector<graph::ValueId> join_concat_inputs(const graph::Graph& graph);

/// One border for all values of a buffer: the largest that any of them asks for.
void join_halos(const graph::Graph& graph, const std::vector<graph::ValueId>& joined, std::vector<ops::Halo>& halos);

/// By value: the value whose buffer it lies in (itself, for most) and at which byte.
struct JoinedPlaces {
  std::vector<graph::ValueId> roots;
  std::vector<std::size_t> offsets;
};
/// Gives joined values the strides of what they lie in.
JoinedPlaces join_placements(const graph::Graph& graph, const std::vector<graph::ValueId>& joined,
                             std::vector<ops::Placement>& placements);

}  // namespace linnet::plan
