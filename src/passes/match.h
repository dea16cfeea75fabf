// Questions that several passes ask of a graph, and the edits they share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace linnet::passes {

/// An operator of ONNX's own domain.
bool is_onnx(const graph::Node& node, std::string_view op_type);
/// An operator of ops/fused_operators.h.
bool is_fused(const graph::Node& node, std::string_view op_type);
/// Conv or FusedConv.
bool is_convolution(const graph::Node& node);

/// Empty if `value` has one reader and the caller cannot see it, so that it may cease to exist; else the reason why not.
std::string why_not_private(const graph::Graph& graph, graph::ValueId value);

/// The node that writes `value`; null for an input, a constant or an omitted value.
const graph::Node* producer_of(const graph::Graph& graph, graph::ValueId value);

/// By value: its place among the outputs of the node that writes it; 0 where none does. For passes that replace outputs, which
/// keep it true: a search for each of a node's 100,000 would take quadratic time.
std::vector<std::size_t> output_places(const graph::Graph& graph);

/// Input i of the node; kNoValue beyond the end of its list.
graph::ValueId input_of(const graph::Node& node, std::size_t i);

/// The element of a float32 constant with a single one, of whatever rank.
std::optional<float> constant_scalar(const graph::Graph& graph, graph::ValueId value);

/// `node` writes what `absorbed` wrote, and `absorbed` is removed: the first is now the fusion of both.
void absorb(graph::Graph& graph, graph::NodeId node, graph::NodeId absorbed);

/// Makes a Conv a FusedConv, a Gemm a FusedGemm; leaves the fused ones as they are.
void make_fused(graph::Graph& graph, graph::NodeId id);

/// The fused operator's activation, "none" where it has none.
std::string activation_of(const graph::Graph& graph, graph::NodeId id);

}  // namespace linnet::passes
