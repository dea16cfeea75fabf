// GraphProto to Graph.
#pragma once

#include "graph/graph.h"
#include "onnx/context.h"

namespace linnet::onnx {

/// Fills `graph`, whose facts of the file are set. What Linnet does not run is added to the context's refusals.
void read_main_graph(const Message& message, LoadContext& context, graph::Graph& graph);

/// The body of a control-flow node: names that it does not define are the outer scope's.
graph::Graph read_nested_graph(const Message& message, LoadContext& context);

}  // namespace linnet::onnx
