// Where a graph has float16 and bfloat16, before anything is inferred.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace linnet::passes {

inline bool is_narrow(DataType type) { return type == DataType::float16 || type == DataType::bfloat16; }

/// By value: the type that the file states, or that follows from what the node's operator passes on. Types that are not
/// 16 bits wide may be left out.
std::vector<DataType> narrow_types(const graph::Graph& graph);

/// The 16-bit type that the node makes whatever its inputs are, as an attribute of Cast, EyeLike, ... says; else undefined.
DataType made_by_attribute(const graph::Node& node);

}  // namespace linnet::passes
