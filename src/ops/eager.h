// Operators whose results have a shape, or are of a kind, that nothing but their inputs' elements tells: they are no step
// of a plan but run between two plans, on concrete values. dynamic_operators.inc lists them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "linnet/datum.h"
#include "ops/node_context.h"

namespace linnet::ops {

/// A value of a run. Whoever is the last to hold it may change it: a sequence to which each step adds one tensor is not
/// copied at each step.
using SharedDatum = std::shared_ptr<Datum>;
inline SharedDatum share(Datum datum) { return std::make_shared<Datum>(std::move(datum)); }
/// What it is, moved if nothing else holds it.
inline Datum take(const SharedDatum& datum) { return datum.use_count() == 1 ? std::move(*datum) : *datum; }

class EagerContext : public NodeContext {
 public:
  /// One datum an input; whether an input is omitted, has_input() tells.
  EagerContext(const graph::Graph& graph, graph::NodeId id, std::span<const SharedDatum> inputs)
      : NodeContext(graph, id), inputs_(inputs) {}

  [[nodiscard]] const Datum& datum(std::size_t i) const;
  /// Input i as what the operator takes. Throws Error(input) if it is something else.
  [[nodiscard]] const Tensor& tensor(std::size_t i) const;
  [[nodiscard]] const Sequence& sequence(std::size_t i) const;
  /// A copy of input i, or input i itself, which then is no more, if nothing reads it after this node.
  [[nodiscard]] Datum take(std::size_t i) const;
  /// A tensor of one integer (int32 or int64), float (any real type) or truth value.
  [[nodiscard]] std::int64_t integer(std::size_t i) const;
  [[nodiscard]] double real(std::size_t i) const;
  [[nodiscard]] bool truth(std::size_t i) const;

 private:
  std::span<const SharedDatum> inputs_;
};

/// Whether the node is run so: its operator is one of dynamic_operators.inc, control flow included.
bool is_dynamic(const graph::Node& node);

/// Runs one dynamic node that is no control flow; one datum an output. Throws Error(input), Error(limit).
std::vector<Datum> run_eager(const graph::Graph& graph, graph::NodeId id, std::span<const SharedDatum> inputs);

/// Bit i: a plan depends on the elements of input i, not on its shape alone (the shape of a Reshape).
std::uint32_t value_inputs(const graph::Node& node);
/// Shape or Size, which tell the extents of their input, not its elements.
bool tells_shape(const graph::Node& node);

}  // namespace linnet::ops
