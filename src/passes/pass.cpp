#include "passes/pass.h"

#include <algorithm>

#include "graph/verify.h"
#include "linnet/error.h"
#include "ops/op_def.h"
#include "passes/narrow_types.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

constexpr unsigned kModel = bit(Stage::model);
constexpr unsigned kShapes = bit(Stage::shapes);
constexpr unsigned kBoth = kModel | kShapes;

constexpr PassDef kPasses[] = {
#define LINNET_PASS(name, stages, summary) {#name, stages, name, summary},
#include "passes/passes.inc"
#undef LINNET_PASS
};

}  // namespace

void PassContext::refused(graph::NodeId node, std::string_view reason) {
  refused_.push_back("node '" + graph_.label(node) + "': " + std::string(reason));
}

Tensor PassContext::made_of(const Tensor& source, Tensor (*make)(const Tensor&)) {
  std::tuple key(source.raw(), source.type(), source.shape());
  const auto known = made_.find(key);
  return known != made_.end() ? known->second : made_.emplace(std::move(key), make(source)).first->second;
}

std::span<const PassDef> all_passes() { return kPasses; }

void require_known(std::span<const std::string> disabled) {
  for (const std::string& name : disabled) {
    if (std::none_of(std::begin(kPasses), std::end(kPasses), [&](const PassDef& pass) { return pass.name == name; })) {
      std::string known;
      for (const PassDef& pass : kPasses) known += (known.empty() ? "" : ", ") + std::string(pass.name);
      ErrorDetails details;
      details.expected = "one of " + known;
      details.found = name;
      throw Error(ErrorCode::usage, "there is no such pass to disable", std::move(details));
    }
  }
}

bool is_enabled(std::string_view name, std::span<const std::string> disabled) {
  return std::find(disabled.begin(), disabled.end(), name) == disabled.end();
}

void widen_bodies(graph::Graph& graph, std::span<const std::string> disabled) {
  const std::vector<DataType> types = narrow_types(graph);
  PassContext context(graph);
  if (is_enabled("round_float16", disabled)) run_in_bodies(graph, types, context, round_float16);
  run_in_bodies(graph, types, context, widen_float16);
}

std::vector<PassReport> run_passes(graph::Graph& graph, Stage stage, std::span<const std::string> disabled,
                                   std::int64_t max_folded_bytes) {
  std::vector<PassReport> results;
  for (const PassDef& pass : kPasses) {
    const bool enabled = is_enabled(pass.name, disabled);
    // Shapes and constants need each other: fold_constants infers each node as it walks, and stands before all passes
    // that look at shapes. Passes after it describe the values they make themselves, so that this happens once.
    if (pass.run == fold_constants && !enabled) ops::infer_shapes(graph);
    if ((pass.stages & bit(stage)) == 0) continue;
    PassReport result;
    result.name = pass.name;
    result.enabled = enabled;
    if (enabled) {
      PassContext context(graph, max_folded_bytes);
      pass.run(graph, context);
      graph.sort();
      graph.remove_dead();
#ifndef NDEBUG
      graph::verify(graph);
#endif
      result.applied = context.applied_count();
      result.refused = context.take_refusals();
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace linnet::passes
