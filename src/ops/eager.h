// Operators whose results have a shape, or are of a kind, that nothing but their inputs' elements tells: they are no step
// of a plan but run between two plans, on concrete values. dynamic_operators.inc lists them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "linnet/datum.h"
#include "ops/node_context.h"

namespace linnet::ops {

class EagerContext : public NodeContext {
 public:
  /// One datum an input; whether an input is omitted, has_input() tells.
  EagerContext(const graph::Graph& graph, graph::NodeId id, std::span<const Datum> inputs)
      : NodeContext(graph, id), inputs_(inputs) {}

  [[nodiscard]] const Datum& datum(std::size_t i) const;
  /// Input i as what the operator takes. Throws Error(input) if it is something else.
  [[nodiscard]] const Tensor& tensor(std::size_t i) const;
  [[nodiscard]] const Sequence& sequence(std::size_t i) const;
  /// A tensor of one integer (int32 or int64), float (any real type) or truth value.
  [[nodiscard]] std::int64_t integer(std::size_t i) const;
  [[nodiscard]] double real(std::size_t i) const;
  [[nodiscard]] bool truth(std::size_t i) const;

 private:
  std::span<const Datum> inputs_;
};

/// Whether the node is run so: its operator is one of dynamic_operators.inc, control flow included.
bool is_dynamic(const graph::Node& node);

/// Runs one dynamic node that is no control flow; one datum an output. Throws Error(input), Error(limit).
std::vector<Datum> run_eager(const graph::Graph& graph, graph::NodeId id, std::span<const Datum> inputs);

/// Bit i: a plan depends on the elements of input i, not on its shape alone (the shape of a Reshape).
std::uint32_t value_inputs(const graph::Node& node);

}  // namespace linnet::ops
