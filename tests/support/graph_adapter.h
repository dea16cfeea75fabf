// From the engine's graph to the oracle's model, so that a pass can be tested as
// interpreter(before) == interpreter(after).
//
//   const auto before = test::interpret(graph, {{"x", x}});
//   passes::fold_batch_norm(graph, context);
//   const auto after = test::interpret(graph, {{"x", x}});
#pragma once

#include <vector>

#include "graph/graph.h"
#include "reference/interpreter.h"

namespace linnet::test {

/// Layouts do not matter to the oracle: a Reorder is an identity. Throws std::invalid_argument for a subgraph.
reference::Model to_reference(const graph::Graph& graph);

/// The graph's outputs, in its order.
std::vector<reference::Tensor> interpret(const graph::Graph& graph, const reference::Tensors& inputs,
                                         const reference::Options& options = {});

/// Random values (normal-ish, in [-1, 1)) for every float input of the graph; its symbolic extents become `symbolic`.
reference::Tensors random_inputs(const graph::Graph& graph, std::uint64_t seed, std::int64_t symbolic = 2);

}  // namespace linnet::test
