// Gives each value its layout and inserts the Reorder nodes between the blocked and the plain part of the graph.
//
// One walk in order. An operator says what it can do and what it likes (ops::LayoutRule): `blocked` operators always work on
// nchw16c; `follow` operators do so when a blocked tensor reaches them, since then they spare a Reorder and never add one
// on the way in; everything else is plain. A `follow` operator between plain neighbours thus stays plain. A value has at
// most one Reorder in each direction, shared by all who need it. Graph inputs and outputs are plain: the caller sees them.
//
// Last of all passes: inference sets every value plain.
#include <vector>

#include "ops/fused_operators.h"
#include "ops/op_def.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::kNoValue;
using graph::Layout;
using graph::NodeId;
using graph::ValueId;

class LayoutAssigner {
 public:
  LayoutAssigner(Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  void visit(NodeId id) {
    const ops::OpDef& op = ops::require_operator(graph_, id);
    const ops::LayoutRule rule = op.layout(ops::NodeContext(graph_, id));
    const bool blocked = works_blocked(id, rule);
    for (std::size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
      const ValueId input = graph_.node(id).inputs[i];
      if (input == kNoValue) continue;
      const Layout wanted = blocked && in_mask(rule, i) ? Layout::nchw16c : Layout::plain;
      if (graph_.value(input).desc.layout != wanted) graph_.set_input(id, i, reordered(input, wanted));
    }
    if (!blocked || rule.plain_outputs) return;
    const std::vector<ValueId> outputs = graph_.node(id).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) make_blocked(id, i, outputs[i]);
    }
  }

 private:
  static bool in_mask(const ops::LayoutRule& rule, std::size_t i) {
    return i < 32 && (rule.blocked_inputs >> i & 1u) != 0;
  }

  [[nodiscard]] bool works_blocked(NodeId id, const ops::LayoutRule& rule) const {
    if (rule.preference == ops::LayoutRule::Preference::blocked) return true;
    if (rule.preference == ops::LayoutRule::Preference::plain) return false;
    bool reached = false;
    const auto& inputs = graph_.node(id).inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == kNoValue || !in_mask(rule, i)) continue;
      const graph::Value& input = graph_.value(inputs[i]);
      // A constant would have to be reordered at each run; the plain operator reads it as it is.
      if (input.is_constant()) return false;
      reached = reached || input.desc.layout == Layout::nchw16c;
    }
    return reached;
  }

  // The same tensor in the other layout, made at most once.
  ValueId reordered(ValueId id, Layout wanted) {
    const auto index = static_cast<std::size_t>(id);
    if (twins_.size() <= index) twins_.resize(index + 1, kNoValue);
    if (twins_[index] == kNoValue) {
      const char* suffix = wanted == Layout::nchw16c ? "/nchw16c" : "/plain";
      graph::TensorDesc desc = graph_.value(id).desc;
      desc.layout = wanted;
      const ValueId twin = graph_.add_value(graph_.unique_name(graph_.value(id).name + suffix), std::move(desc));
      add_reorder(id, twin);
      twins_[index] = twin;
    }
    return twins_[index];
  }

  // A graph output stays plain under its name: the node writes a blocked twin, and a Reorder makes the output from it.
  void make_blocked(NodeId id, std::size_t slot, ValueId output) {
    if (!graph_.value(output).graph_output) {
      graph_.value(output).desc.layout = Layout::nchw16c;
      return;
    }
    graph::TensorDesc desc = graph_.value(output).desc;
    desc.layout = Layout::nchw16c;
    const ValueId twin = graph_.add_value(graph_.unique_name(graph_.value(output).name + "/nchw16c"), std::move(desc));
    graph_.set_output(id, slot, twin);
    add_reorder(twin, output);
    // All readers start from the twin, so that a `follow` operator sees it; whoever needs it plain gets the output back.
    graph_.replace_uses(output, twin);
    twins_.resize(static_cast<std::size_t>(graph_.value_count()), kNoValue);
    twins_[static_cast<std::size_t>(twin)] = output;
  }

  void add_reorder(ValueId from, ValueId to) {
    graph::Node reorder;
    reorder.name = graph_.value(to).name + "/Reorder";
    reorder.op_type = "Reorder";
    reorder.domain = ops::kFusedDomain;
    reorder.opset = ops::kFusedOpset;
    reorder.inputs = {from};
    reorder.outputs = {to};
    const bool blocked = graph_.value(to).desc.layout == Layout::nchw16c;
    reorder.attributes.set("to", std::string(blocked ? "nchw16c" : "plain"));
    graph_.add_node(std::move(reorder));
    context_.applied();
  }

  Graph& graph_;
  PassContext& context_;
  std::vector<ValueId> twins_;  // by ValueId: the value in the other layout, or kNoValue
};

}  // namespace

void assign_layouts(Graph& graph, PassContext& context) {
  LayoutAssigner assigner(graph, context);
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) assigner.visit(id);
}

}  // namespace linnet::passes
