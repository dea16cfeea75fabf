// Concat(a, b, c) of which Concat(a, b) exists too: the longer one joins the shorter one's result and c. DenseNet's layers each
// join what all layers before them have made; nested, the planner lets all these tensors lie in the longest of them.
#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "ops/node_context.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;

/// All lists of inputs of the Concats met so far, as paths from a root for each axis: n steps to find what a list of n
/// begins with, however many lists there are.
class Prefixes {
 public:
  struct Prefix {
    std::size_t inputs = 0;
    ValueId joined = kNoValue;
  };
  /// The longest list met before that `inputs` begins with, itself not counted; then `joined` is the result of `inputs`.
  Prefix exchange(std::int64_t axis, const std::vector<ValueId>& inputs, ValueId joined) {
    Prefix longest;
    std::size_t place = step(kRoot, axis);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      place = step(place, inputs[i]);
      if (i + 1 < inputs.size() && joined_[place] != kNoValue) longest = {i + 1, joined_[place]};
    }
    if (joined_[place] == kNoValue) joined_[place] = joined;
    return longest;
  }

 private:
  static constexpr std::size_t kRoot = 0;
  std::size_t step(std::size_t from, std::int64_t by) {
    const auto [at, is_new] = next_.try_emplace({from, by}, joined_.size());
    if (is_new) joined_.push_back(kNoValue);
    return at->second;
  }
  std::map<std::pair<std::size_t, std::int64_t>, std::size_t> next_;
  std::vector<ValueId> joined_ = {kNoValue};  // by place: the result of the list that ends there
};

/// The axis counted from the first, where that is known.
std::optional<std::int64_t> axis_of(const ops::NodeContext& concat) {
  const std::int64_t axis = concat.attribute_int("axis", 0);
  if (axis >= 0) return axis;
  if (!concat.input(0).has_rank()) return std::nullopt;
  return axis + static_cast<std::int64_t>(concat.input(0).shape->size());
}

}  // namespace

void nest_concats(Graph& graph, PassContext& context) {
  Prefixes prefixes;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (!is_onnx(graph.node(id), "Concat")) continue;
    const std::optional<std::int64_t> axis = axis_of(ops::NodeContext(graph, id));
    if (!axis) continue;
    graph::Node node = graph.node(id);
    const auto [count, joined] = prefixes.exchange(*axis, node.inputs, node.outputs[0]);
    if (count < 2) continue;
    node.inputs.erase(node.inputs.begin() + 1, node.inputs.begin() + static_cast<std::ptrdiff_t>(count));
    node.inputs[0] = joined;
    graph.remove_node(id);
    graph.add_node(std::move(node));
    context.applied();
  }
}

}  // namespace linnet::passes
