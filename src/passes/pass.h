// The rewrites of the graph, in order, each with a name by which it can be switched off.
//
//   graph::Graph graph = onnx::load_graph(...);
//   auto results = passes::run_passes(graph, passes::Stage::model, options.disabled_passes);
//   graph::Graph bound = graph;                                  // one copy for each set of concrete input shapes:
//   bound.value(bound.inputs[0]).desc.shape = {1, 3, 224, 224};
//   passes::run_passes(bound, passes::Stage::shapes, options.disabled_passes);
//
// passes.inc is the list. The fused operators that passes make (domain "linnet") are described in
// ops/fused_operators.h.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "linnet/session.h"

namespace linnet::passes {

/// When a pass runs. A pass may serve both: with the shapes known, more is provable.
enum class Stage : std::uint8_t {
  model = 1,   ///< once a model; extents may be symbolic
  shapes = 2,  ///< again for each set of concrete input shapes
};
/// The bits of PassDef::stages.
constexpr unsigned bit(Stage stage) { return static_cast<unsigned>(stage); }

/// Where a pass writes down what it did. Nodes are named at once: a pass may remove them afterwards.
class PassContext {
 public:
  explicit PassContext(const graph::Graph& graph, std::int64_t max_folded_bytes = SessionOptions().max_folded_bytes)
      : graph_(graph), max_folded_bytes_(max_folded_bytes) {}

  /// One rewrite was made.
  void applied() { ++applied_; }
  /// The rewrite was considered for this node and not made: "node 'bn1': <reason>".
  void refused(graph::NodeId node, std::string_view reason);

  /// What the pass makes of a constant's bytes: once of those that many nodes and subgraphs share. Nothing else of that type may
  /// be made meanwhile, as it could get the same address.
  Tensor made_of(const Tensor& source, Tensor (*make)(const Tensor&));

  /// SessionOptions::max_folded_bytes.
  [[nodiscard]] std::int64_t max_folded_bytes() const noexcept { return max_folded_bytes_; }
  [[nodiscard]] int applied_count() const noexcept { return applied_; }
  [[nodiscard]] std::vector<std::string> take_refusals() { return std::move(refused_); }

 private:
  const graph::Graph& graph_;
  std::int64_t max_folded_bytes_;
  int applied_ = 0;
  std::vector<std::string> refused_;
  std::map<std::tuple<const void*, DataType, Shape>, Tensor> made_;
};

struct PassDef {
  std::string_view name;
  unsigned stages;  // bit(Stage::model) | bit(Stage::shapes)
  void (*run)(graph::Graph&, PassContext&);
  std::string_view summary;  // one line for people
};

/// All passes, in the order of passes.inc, which is the order in which they run.
std::span<const PassDef> all_passes();

/// Runs the passes of a stage but for the disabled ones, and infers the types and shapes of all values on the way (also
/// with every pass disabled). The graph is sorted and free of dead nodes after each pass; debug builds verify it. Throws
/// what inference throws.
std::vector<PassReport> run_passes(graph::Graph& graph, Stage stage, std::span<const std::string> disabled,
                                   std::int64_t max_folded_bytes = SessionOptions().max_folded_bytes);

/// Throws Error(usage) for a name that no pass of whatever stage has.
void require_known(std::span<const std::string> disabled);

/// Whether `disabled` leaves the pass of this name on.
bool is_enabled(std::string_view name, std::span<const std::string> disabled);

/// The subgraphs of a graph that runs in parts, whose parts go through run_passes one by one: what they have in float16 and
/// bfloat16 is computed in float32, as in the graph around them, so that their types can be inferred.
void widen_bodies(graph::Graph& graph, std::span<const std::string> disabled);

}  // namespace linnet::passes
