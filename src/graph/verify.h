// The invariants of a Graph, checked.
#pragma once

#include "graph/graph.h"

namespace linnet::graph {

/// Throws Error(internal) naming the node or value at which an invariant is broken:
///   - every id is in range; the ordered nodes are alive, each once, and in topological order;
///   - producers and consumers agree with the nodes' lists; a value with a producer has no constant and is no graph input;
///   - names are unique and found by find_value(); graph_input and graph_output agree with the graph's lists;
///   - a constant has the type and shape of its desc;
///   - the blocked layout lies only on float32 values of rank 3 or 4, never on constants, graph inputs or graph outputs.
/// Knows no operators, and takes linear time. Passes must keep all of it true.
void verify(const Graph& graph);

}  // namespace linnet::graph
