// The operator table. operators.inc and dynamic_operators.inc are the list; nothing registers itself.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "ops/eager.h"
#include "ops/node_context.h"
#include "ops/plan_context.h"
#include "ops/step.h"

namespace linnet::ops {

/// Whether a node can work on nchw16c. If so, the inputs of `blocked_inputs` must be nchw16c, and all its outputs are unless
/// `plain_outputs` says otherwise. A node on nchw16c computes each image of the batch from the same image of its inputs: the
/// planner may give it a few images at a time (plan/image_groups.h).
struct LayoutRule {
  enum class Preference : unsigned char {
    plain,    // row-major only
    follow,   // nchw16c if one of `blocked_inputs` comes so, else plain
    blocked,  // always nchw16c: worth a Reorder
  };
  Preference preference = Preference::plain;
  std::uint32_t blocked_inputs = 0;  // bit i: input i
  bool plain_outputs = false;
};

struct OpDef {
  std::string_view name;
  std::string_view domain;      // "" is ai.onnx
  int since;                    // the first opset version whose semantics are implemented
  int until;                    // the last
  std::string_view attributes;  // the names that are read or known to be without effect, separated by blanks
  void (*infer)(InferContext&);
  void (*plan)(PlanContext&);  // null for an operator that runs between plans
  LayoutRule (*layout)(const NodeContext&);
  Halo (*halo)(const NodeContext&, std::size_t input);       // the border it would like around an nchw16c input
  std::vector<Datum> (*run)(const EagerContext&) = nullptr;  // of an operator without a plan
};

/// All operators, in the order of operators.inc, then of dynamic_operators.inc.
std::span<const OpDef> all_operators();
/// Null where the operator is unknown or the opset outside its range.
const OpDef* find_operator(std::string_view domain, std::string_view name, int opset);
/// Why `find_operator` gave null, or an attribute is not known: "unknown operator", "opset 22 is newer than 21", ...; empty if all is well.
std::string why_unsupported(const graph::Node& node);
/// find_operator, throwing Error(unsupported).
const OpDef& require_operator(const graph::Graph& graph, graph::NodeId id);

/// Infers the outputs of one node, subgraphs included, and writes them to the graph's values. `meter` may be null.
void infer_node(graph::Graph& graph, graph::NodeId id, const Meter* meter = nullptr);
/// Infers every node in order.
void infer_shapes(graph::Graph& graph, const Meter* meter = nullptr);
/// The same, but goes on where a node is not supported: `unsupported` is told why, and from then on what
/// reads a value of unknown type is passed over. `incomplete`: so it is from the start, as in a graph that is refused already;
/// nodes of unknown operators are passed over, too.
void infer_supported(graph::Graph& graph, bool incomplete,
                     const std::function<void(graph::NodeId, const Error&)>& unsupported, const Meter* meter);

/// Makes the Step of one node: its names, inputs and outputs filled in, then planned by its operator. `placements` by ValueId.
Step plan_node(const graph::Graph& graph, graph::NodeId id, const kernels::Table& table, const PlanOptions& options,
               WeightStore& weights, const std::vector<Placement>& placements);

/// Runs one node on concrete tensors (constants of passes, data-dependent shapes): infers, plans and runs it on the scalar kernels.
/// inputs[i] without a type is an omitted input; an omitted output comes back without a type. Throws what inference and
/// planning throw, `unsupported` where the result's shape is not known before it runs, `limit` before it would allocate an
/// unreasonably large one, and `input` for data that break the operator's rules, such as an index out of range.
std::vector<Tensor> evaluate(const graph::Node& node, std::span<const Tensor> inputs);

/// The output of Shape or Size if the extents they ask for are known (the elements need not be); none for other operators.
std::optional<Tensor> known_result(const graph::Graph& graph, graph::NodeId id);

// Layout rules and halos in common use.
LayoutRule plain_only(const NodeContext&);
Halo no_halo(const NodeContext&, std::size_t input);

}  // namespace linnet::ops
