// A Graph for people: as text and as a picture.
#pragma once

#include <iosfwd>

#include "graph/graph.h"

namespace linnet::graph {

/// A line for the graph, each input, each node and each output:
///   %conv1 float nchw16c[1,64,112,112] = linnet.FusedConv-1(%data, %weight, -, ...) {pads=[3,3,3,3]}  # node 'conv1'
/// A node's subgraphs follow it, indented. `-` is an omitted input. Constants are shown at their use with their type and shape; one-element ones with their value.
void print_text(const Graph& graph, std::ostream& stream);

/// Graphviz: `linnet inspect model.onnx --dot | dot -Tsvg`. Constants are listed in their node's box, not drawn.
void print_dot(const Graph& graph, std::ostream& stream);

}  // namespace linnet::graph
