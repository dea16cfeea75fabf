// Where a graph has float16 and bfloat16, before anything is inferred.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "graph/graph.h"
#include "passes/pass.h"

namespace linnet::passes {

inline bool is_narrow(DataType type) { return type == DataType::float16 || type == DataType::bfloat16; }

/// Whether there is any of either, subgraphs included: of a value, or made by a node.
bool has_narrow(const graph::Graph& graph);

/// By value: the type that the file states, or that follows from what the node's operator passes on. Types that are not
/// 16 bits wide may be left out.
std::vector<DataType> narrow_types(const graph::Graph& graph);

/// Throws Error(model) where a node mixes 16-bit floats with others among operands of one type, or makes another type than the
/// file states: inference does not see it, as to it they are all float32.
void require_like_types(const graph::Graph& graph);

/// The values for each of which widen_float16 makes a cast and what that reads or writes; perhaps too many.
std::vector<graph::ValueId> cast_values(const graph::Graph& graph, const std::vector<DataType>& types);

/// The 16-bit type that the node makes whatever its inputs are, as an attribute of Cast, EyeLike, ... says; else undefined.
DataType made_by_attribute(const graph::Node& node);

/// The first subgraph of an If, Loop or Scan; null for every other node. Its outputs tell the types of the node's.
const graph::Graph* first_body(const graph::Node& node);
/// Which input of its subgraphs an input of such a node is; none where only the node reads it.
std::optional<std::size_t> input_in_body(const graph::Node& node, const graph::Graph& body, std::size_t input);

/// The pass over the subgraphs of all nodes, told by `types` what they capture: from outside they keep their types.
void run_in_bodies(graph::Graph& graph, const std::vector<DataType>& types, PassContext& context,
                   void (*pass)(graph::Graph&, PassContext&));

}  // namespace linnet::passes
