// What fold_batch_norm and convert_batch_norm both need of a BatchNormalization node.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace linnet::passes {

/// y = scale[c] * (x - mean[c]) + offset[c], in double; scale is gamma / sqrt(variance + epsilon).
struct BatchNorm {
  std::vector<double> scale, mean, offset;
  std::string refusal;  // why the node is not of this form; the vectors are empty then
};

/// Inference form with constant statistics, one a channel. A scale that is not finite or that could take a finite filter
/// out of float's range is refused: the folded network would differ from the model's.
BatchNorm read_batch_norm(const graph::Graph& graph, graph::NodeId id);

/// The same of an Add or Mul whose operand 1 - `x` is a constant, one number or one a channel: a bias as Paddle writes it, a
/// scale. Empty, with a refusal, where it is another.
BatchNorm read_channel_constant(const graph::Graph& graph, graph::NodeId id, std::size_t x);

/// `values` as a float32 constant [n], each rounded once, named after `stem`.
graph::ValueId add_rounded(graph::Graph& graph, std::string_view stem, const std::vector<double>& values);

/// The elements of a float32 or float64 tensor; empty for any other type.
std::vector<double> to_doubles(const Tensor& tensor);

}  // namespace linnet::passes
