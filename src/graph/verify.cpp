#include "graph/verify.h"

#include <algorithm>
#include <string>
#include <vector>

#include "graph/index.h"
#include "linnet/error.h"

namespace linnet::graph {

namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  void run() {
    check_lists();
    check_nodes();
    check_values();
  }

 private:
  [[noreturn]] void fail(std::string message, NodeId node = kNoNode) const {
    ErrorDetails details;
    details.file = graph_.file;
    if (node != kNoNode) {
      details.node = graph_.label(node);
      details.op = op_label(graph_.node(node));
    }
    throw Error(ErrorCode::internal, "the graph is damaged: " + std::move(message), std::move(details));
  }
  [[nodiscard]] bool in_range(ValueId id) const { return id >= 0 && id < graph_.value_count(); }
  [[nodiscard]] const std::string& name(ValueId id) const { return graph_.value(id).name; }

  // The graph's own lists name values, each input once, and the values know it. A model may ask for an output twice.
  void check_lists() {
    std::vector<char> is_input(at(graph_.value_count())), is_output(at(graph_.value_count()));
    for (const ValueId id : graph_.inputs) {
      if (in_range(id) && is_input[at(id)] != 0) fail("'" + name(id) + "' is an input twice");
      mark(id, is_input, "an input");
    }
    for (const ValueId id : graph_.outputs) mark(id, is_output, "an output");
    for (ValueId id = 0; id < graph_.value_count(); ++id) {
      if (graph_.value(id).graph_input != (is_input[at(id)] != 0)) fail("graph_input of '" + name(id) + "' is wrong");
      if (graph_.value(id).graph_output != (is_output[at(id)] != 0))
        fail("graph_output of '" + name(id) + "' is wrong");
    }
  }
  void mark(ValueId id, std::vector<char>& seen, const char* what) const {
    if (!in_range(id)) fail(what + std::string(" is no value"));
    seen[at(id)] = 1;
  }

  // Node by node in order; collects the users of each value for check_values().
  void check_nodes() {
    users_.assign(at(graph_.value_count()), {});
    std::vector<char> available(at(graph_.value_count()));
    for (ValueId id = 0; id < graph_.value_count(); ++id)
      available[at(id)] = graph_.value(id).producer == kNoNode ? 1 : 0;
    for (const NodeId id : graph_.order()) {
      const Node& node = graph_.node(id);
      if (!node.alive) fail("a removed node is in the order", id);
      for (const ValueId input : node.inputs) {
        if (input == kNoValue) continue;
        if (!in_range(input)) fail("an input is no value", id);
        if (available[at(input)] == 0) fail("'" + name(input) + "' is read before it is written", id);
        users_[at(input)].push_back(id);
      }
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        if (!in_range(output)) fail("an output is no value", id);
        if (graph_.value(output).producer != id) fail("'" + name(output) + "' has another producer", id);
        if (available[at(output)] != 0) fail("'" + name(output) + "' is written twice", id);
        available[at(output)] = 1;
      }
    }
    // Also finds producers that are not in the order, or no longer write the value.
    for (ValueId id = 0; id < graph_.value_count(); ++id) {
      if (available[at(id)] == 0) fail("the producer of '" + name(id) + "' does not write it");
    }
  }

  void check_values() {
    for (ValueId id = 0; id < graph_.value_count(); ++id) {
      const Value& value = graph_.value(id);
      if (value.name.empty()) fail("value " + std::to_string(id) + " has no name");
      if (graph_.find_value(value.name) != id) fail("the name '" + value.name + "' is not unique");
      check_consumers(id);
      if (value.producer != kNoNode && (value.constant || value.graph_input)) {
        fail("'" + value.name + "' has a producer and is a constant or an input");
      }
      if (value.constant) check_constant(value);
      check_layout(value);
    }
  }
  // As multisets: the order of a value's consumers means nothing. Sorting rather than searching each node's inputs keeps a
  // Concat of 100,000 values from taking quadratic time.
  void check_consumers(ValueId id) {
    std::vector<NodeId>& expected = users_[at(id)];
    std::vector<NodeId> found = graph_.value(id).consumers;
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    if (expected != found) fail("the consumers of '" + name(id) + "' are wrong");
  }
  void check_constant(const Value& value) const {
    if (value.constant->type() != value.desc.type) fail("the type of the constant '" + value.name + "' is not its own");
    // What the caller may override stands for other shapes, too.
    if (value.graph_input) return;
    if (!value.desc.is_static() || value.desc.static_shape() != value.constant->shape()) {
      fail("the shape of the constant '" + value.name + "' is not its own");
    }
  }
  void check_layout(const Value& value) const {
    if (value.desc.layout == Layout::plain) return;
    const bool fits = value.desc.type == DataType::float32 && value.desc.has_rank() &&
                      (value.desc.shape->size() == 3 || value.desc.shape->size() == 4);
    if (!fits) fail("'" + value.name + "' cannot be " + to_string(value.desc));
    if (value.constant || value.graph_input || value.graph_output) fail("'" + value.name + "' must be plain");
  }

  const Graph& graph_;
  std::vector<std::vector<NodeId>> users_;  // by ValueId
};

}  // namespace

void verify(const Graph& graph) { Verifier(graph).run(); }

}  // namespace linnet::graph
