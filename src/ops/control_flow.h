// The subgraphs of If, Loop, Scan and SequenceMap. What a subgraph reads of the graph around it, the loader has made inputs:
// the last inputs of the node, and in the same order the last inputs of each of its subgraphs (attribute kCaptures).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ops/node_context.h"

namespace linnet::ops {

/// How many captures a node has. The loader's own: files may not have it.
inline constexpr std::string_view kCaptures = "captures";

/// Null where the node has no graph of that name.
const graph::Graph* find_body(const graph::Node& node, std::string_view name);

/// How many of the node's last inputs are captures.
std::size_t capture_count(const graph::Node& node);

/// The node's subgraphs with the descriptions of all their values, as far as those of the node's inputs tell them; extents
/// of one graph mean nothing in another. In the order of the standard (then, else). Throws what inference throws.
struct Body {
  std::string_view name;
  graph::Graph graph;
};
std::vector<Body> inferred_bodies(const NodeContext& context);

/// Throws the error again, its node prefixed by the place of the subgraph: "loop1/body/add2".
[[noreturn]] void rethrow_within(const Error& error, const std::string& place);

/// The inputs of a Scan: from `first` on come the states, then what is scanned. Throws Error(model).
struct ScanShape {
  std::size_t first = 0, states = 0, scan_inputs = 0, scan_outputs = 0;
};
ScanShape scan_shape(const NodeContext& context);

}  // namespace linnet::ops
