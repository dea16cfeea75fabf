#include "ops/op_def.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

namespace linnet::ops {

// Several lines share functions; declaring one again is no error.
#define LINNET_OPERATOR(name, domain, since, until, attributes, infer, plan, layout, halo) \
  void infer(InferContext&);                                                               \
  void plan(PlanContext&);                                                                 \
  LayoutRule layout(const NodeContext&);                                                   \
  Halo halo(const NodeContext&, std::size_t);
#include "ops/operators.inc"
#undef LINNET_OPERATOR
#define LINNET_DYNAMIC_OPERATOR(name, domain, since, until, attributes, infer, run) \
  void infer(InferContext&);                                                        \
  std::vector<Datum> run(const EagerContext&);
#include "ops/dynamic_operators.inc"
#undef LINNET_DYNAMIC_OPERATOR

namespace {

constexpr OpDef kOperators[] = {
#define LINNET_OPERATOR(name, domain, since, until, attributes, infer, plan, layout, halo) \
  {#name, domain, since, until, attributes, infer, plan, layout, halo, nullptr},
#include "ops/operators.inc"
#undef LINNET_OPERATOR
#define LINNET_DYNAMIC_OPERATOR(name, domain, since, until, attributes, infer, run) \
  {#name, domain, since, until, attributes, infer, nullptr, plain_only, no_halo, run},
#include "ops/dynamic_operators.inc"
#undef LINNET_DYNAMIC_OPERATOR
};

using Index = std::array<std::size_t, std::size(kOperators)>;

constexpr std::pair<std::string_view, std::string_view> key_of(std::size_t i) {
  return {kOperators[i].name, kOperators[i].domain};
}

/// The operators by name, sorted when Linnet is compiled: a model may have 100,000 nodes to look up.
constexpr Index kByName = [] {
  Index index{};
  for (std::size_t i = 0; i < index.size(); ++i) index[i] = i;
  std::sort(index.begin(), index.end(), [](std::size_t a, std::size_t b) {
    return std::tuple(key_of(a), kOperators[a].since) < std::tuple(key_of(b), kOperators[b].since);
  });
  return index;
}();

/// Where in kByName the names with each first letter begin, which leaves little to search.
constexpr std::size_t kLetters = 128;
constexpr std::array<std::size_t, kLetters + 1> kByLetter = [] {
  std::array<std::size_t, kLetters + 1> first{};
  for (std::size_t letter = 0, i = 0; letter <= kLetters; ++letter) {
    while (i < kByName.size() && static_cast<std::size_t>(kOperators[kByName[i]].name[0]) < letter) ++i;
    first[letter] = i;
  }
  return first;
}();

constexpr bool ranges_are_apart() {
  for (std::size_t i = 1; i < kByName.size(); ++i) {
    const std::size_t a = kByName[i - 1], b = kByName[i];
    if (key_of(a) == key_of(b) && kOperators[a].until >= kOperators[b].since) return false;
  }
  return true;
}
static_assert(ranges_are_apart(), "two lines of operators.inc claim the same operator at the same opset");

struct Arity {
  std::string_view name;
  int since;
  std::size_t inputs, outputs;
};
constexpr std::size_t kAny = std::numeric_limits<std::size_t>::max();
constexpr Arity kArities[] = {
#define LINNET_ARITY(name, since, inputs, outputs) {#name, since, inputs, outputs},
#include "ops/arity.inc"
#undef LINNET_ARITY
};

/// By operator; no bound where arity.inc has no line.
constexpr std::array<Arity, std::size(kOperators)> kMost = [] {
  std::array<Arity, std::size(kOperators)> most{};
  for (std::size_t i = 0; i < most.size(); ++i) {
    most[i] = {kOperators[i].name, 0, kAny, kAny};
    if (!kOperators[i].domain.empty()) continue;
    for (const Arity& arity : kArities) {
      const bool later = arity.since <= kOperators[i].since && arity.since > most[i].since;
      if (later && arity.name == kOperators[i].name) most[i] = arity;
    }
  }
  return most;
}();

/// Whether `list`, words between blanks, has the word.
bool lists(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t blank = std::min(list.find(' '), list.size());
    if (list.substr(0, blank) == name) return true;
    list.remove_prefix(std::min(blank + 1, list.size()));
  }
  return false;
}

/// The operators that may leave out their first output. What the others do without it, nobody has thought about.
constexpr std::string_view kFirstOutputOptional = "GRU If LSTM Loop RNN Scan SequenceMap Split";
/// Those all of whose outputs are optional: without any they do nothing, and are removed.
constexpr std::string_view kAllOutputsOptional = "GRU LSTM RNN";

void require_arity(const NodeContext& context, const OpDef& def) {
  if (context.output_count() == 0 && !lists(kAllOutputsOptional, def.name)) {
    context.fail(ErrorCode::model, "a node has no outputs, so that nothing can read it: name them or remove the node",
                 {}, "at least 1 output", "0");
  }
  if (!context.has_output(0) && !lists(kFirstOutputOptional, def.name))
    context.fail(ErrorCode::model, "the first output is not optional, and has no name", "output 0");
  const Arity& most = kMost[static_cast<std::size_t>(&def - kOperators)];
  const auto check = [&](const char* what, const std::vector<graph::ValueId>& names, std::size_t bound) {
    std::size_t count = names.size();
    while (count > 0 && names[count - 1] == graph::kNoValue) --count;
    if (count <= bound) return;
    context.fail(ErrorCode::model, "the operator does not have so many " + std::string(what), {},
                 "at most " + std::to_string(bound), std::to_string(count));
  };
  check("inputs", context.node().inputs, most.inputs);
  check("outputs", context.node().outputs, most.outputs);
}

/// The versions of one operator, oldest first.
std::span<const std::size_t> versions(std::string_view domain, std::string_view name) {
  const std::pair key(name, domain);
  const std::size_t letter = name.empty() ? kLetters : static_cast<unsigned char>(name[0]);
  if (letter >= kLetters) return {};
  const std::size_t* const first =
      std::lower_bound(kByName.data() + kByLetter[letter], kByName.data() + kByLetter[letter + 1], key,
                       [](std::size_t i, const auto& wanted) { return key_of(i) < wanted; });
  const std::size_t* last = first;
  while (last != kByName.data() + kByName.size() && key_of(*last) == key) ++last;
  return {first, last};
}

/// The one of these that has the opset; null where none has.
const OpDef* version_for(int opset, std::span<const std::size_t> known) {
  for (const std::size_t i : known) {
    if (kOperators[i].since <= opset && opset <= kOperators[i].until) return &kOperators[i];
  }
  return nullptr;
}

std::string unknown_attribute(const OpDef& def, const graph::Node& node) {
  for (const auto& [name, attribute] : node.attributes.entries()) {
    if (lists(def.attributes, name)) continue;
    if (def.name == "Constant" && lists("value_string value_strings", name) && def.since >= 12)
      return "attribute '" + name + "': strings are not supported";
    return "unknown attribute '" + name + "'";
  }
  return {};
}

bool domain_exists(std::string_view domain) {
  return std::any_of(std::begin(kOperators), std::end(kOperators),
                     [domain](const OpDef& def) { return def.domain == domain; });
}

/// Merges what inference found into what the value has. The type must be the declared one; of its shape only what follows
/// from the inputs is known (Graph::declared).
void merge(const NodeContext& context, const graph::TensorDesc& inferred, graph::Value& value) {
  graph::TensorDesc& desc = value.desc;
  if (inferred.type != DataType::undefined) {
    if (desc.type != DataType::undefined && desc.type != inferred.type) {
      context.fail(ErrorCode::model, "a value has another type than it is declared to have",
                   "output '" + value.name + "'", std::string(to_string(desc.type)),
                   std::string(to_string(inferred.type)));
    }
    desc.type = inferred.type;
  }
  // What an optional holds, only its reader knows.
  if (!value.graph_output || inferred.kind != ValueKind::optional) desc.kind = inferred.kind;
  desc.shape = inferred.shape;
}

}  // namespace

std::span<const OpDef> all_operators() { return kOperators; }

const OpDef* find_operator(std::string_view domain, std::string_view name, int opset) {
  return version_for(opset, versions(domain, name));
}

std::string why_unsupported(const graph::Node& node) {
  const std::span<const std::size_t> known = versions(node.domain, node.op_type);
  if (known.empty()) {
    return domain_exists(node.domain) ? "unknown operator" : "unknown operator domain '" + node.domain + "'";
  }
  if (const OpDef* def = version_for(node.opset, known)) return unknown_attribute(*def, node);
  const int oldest = kOperators[known.front()].since, newest = kOperators[known.back()].until;
  const std::string opset = "opset " + std::to_string(node.opset);
  if (node.opset < oldest) return opset + " is older than " + std::to_string(oldest);
  if (node.opset > newest) return opset + " is newer than " + std::to_string(newest);
  return opset + " is not supported";
}

const OpDef& require_operator(const graph::Graph& graph, graph::NodeId id) {
  const graph::Node& node = graph.node(id);
  const OpDef* const def = find_operator(node.domain, node.op_type, node.opset);
  if (def == nullptr || !unknown_attribute(*def, node).empty())
    NodeContext(graph, id).fail(ErrorCode::unsupported, why_unsupported(node));
  return *def;
}

void infer_node(graph::Graph& graph, graph::NodeId id, const Meter* meter) {
  const OpDef& def = require_operator(graph, id);
  InferContext context(graph, id, meter);
  require_arity(context, def);
  with_node(graph, id, [&] { def.infer(context); });
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    if (!context.has_output(i)) continue;
    const graph::TensorDesc& inferred = context.outputs()[i];
    constexpr std::size_t kListBytes = 16;  // what the allocation of a list takes beside its elements
    if (meter != nullptr && inferred.has_rank()) (*meter)(kListBytes + inferred.shape->size() * sizeof(graph::Dim));
    merge(context, inferred, graph.value(context.node().outputs[i]));
  }
}

void infer_shapes(graph::Graph& graph, const Meter* meter) {
  for (const graph::NodeId id : graph.order()) infer_node(graph, id, meter);
}

void infer_supported(graph::Graph& graph, bool incomplete,
                     const std::function<void(graph::NodeId, const Error&)>& unsupported, const Meter* meter) {
  const auto untyped = [&](graph::ValueId id) {
    return id != graph::kNoValue && graph.value(id).desc.type == DataType::undefined;
  };
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    // What is refused already would be so by an exception, which takes as long as reading a hundred nodes.
    if (incomplete && (!why_unsupported(node).empty() || std::any_of(node.inputs.begin(), node.inputs.end(), untyped)))
      continue;
    try {
      infer_node(graph, id, meter);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unsupported) throw;
      unsupported(id, error);
      incomplete = true;
      // What a known operator refuses is how it computes; its results are nearly always of the first input's type.
      const bool known = why_unsupported(node).empty() && !node.inputs.empty() && node.inputs[0] != graph::kNoValue;
      for (const graph::ValueId output : node.outputs) {
        if (known && untyped(output)) graph.value(output).desc.type = graph.value(node.inputs[0]).desc.type;
      }
    }
  }
}

namespace {

/// Whether every result has no element: then nothing is planned, as no table is made of extents such as [0, 2^40] and no loop
/// goes through them.
bool gives_nothing(const NodeContext& context) {
  for (std::size_t i = 0; i < context.output_count(); ++i) {
    if (!context.has_output(i)) continue;
    const Shape extents = context.graph().value(context.node().outputs[i]).desc.static_shape();
    if (std::find(extents.begin(), extents.end(), 0) == extents.end()) return false;
  }
  return true;
}

}  // namespace

Step plan_node(const graph::Graph& graph, graph::NodeId id, const kernels::Table& table, const PlanOptions& options,
               WeightStore& weights, const std::vector<Placement>& placements) {
  const graph::Node& node = graph.node(id);
  Step step;
  step.name = graph.label(id);
  step.op = node.op_type;
  step.inputs = node.inputs;
  step.outputs = node.outputs;
  PlanContext context(graph, id, table, options, weights, placements, step);
  if (gives_nothing(context)) {
    step.algorithm = "nothing";
    step.inputs.assign(node.inputs.size(), graph::kNoValue);
    step.run = [](const RunArgs&) {};
    return step;
  }
  with_node(graph, id, [&] { require_operator(graph, id).plan(context); });
  return step;
}

LayoutRule plain_only(const NodeContext&) { return {}; }

Halo no_halo(const NodeContext&, std::size_t) { return {}; }

}  // namespace linnet::ops
