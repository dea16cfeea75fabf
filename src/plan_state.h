// What a Plan holds.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "linnet/session.h"
#include "model.h"
#include "plan/plan_cache.h"
#include "runtime/program.h"

namespace linnet {

/// Whether initializers that a caller may override (IR >= 4) count as constants: small ones - scales, axes, shapes - without which
/// nothing can be planned, and all of a network with BatchNormalization, which is to be folded. Older PyTorch lists all weights
/// so, and nearly no caller overrides them: a plan takes them for constants, and a second one, made when it is first needed,
/// serves the runs that do. Other weights are read at run time by either.
enum class Initializers : std::uint8_t { constant, overridable };

/// The optimised graph and the shape-bound plans made of it. Thread-safe.
class Plan::State {
 public:
  State(Model model, const SessionOptions& options, Initializers initializers);

  /// The state for a run that overrides an initializer.
  State& overridable();

  /// The plan for these input shapes, made now if it is not among the last max_plans.
  std::shared_ptr<const plan::ShapePlan> plan_for(const std::vector<Shape>& shapes) {
    return plans_.plan_for(graph_, shapes, {}, target_);
  }
  /// The plan made last, once more with another tuning.
  std::shared_ptr<const plan::ShapePlan> plan_with(const Tuning& tuning);
  /// Null where plans serve: not so if shapes depend on data, or there is control flow.
  [[nodiscard]] const runtime::Program* program() const noexcept { return program_.get(); }

  /// What a caller may give; what this state's plans take, in the order of graph().inputs.
  [[nodiscard]] const std::vector<ValueInfo>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<ValueInfo>& planned_inputs() const noexcept { return planned_inputs_; }
  [[nodiscard]] const std::vector<ValueInfo>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] const plan::PlanTarget& target() const noexcept { return target_; }
  [[nodiscard]] const graph::Graph& graph() const noexcept { return graph_; }
  /// Null before the first.
  [[nodiscard]] std::shared_ptr<const plan::ShapePlan> latest() const { return plans_.latest(); }
  [[nodiscard]] PlanReport report(const plan::ShapePlan* shapes) const;
  [[nodiscard]] PlanReport report() const { return report(plans_.latest().get()); }

 private:
  void plan_ahead(const SessionOptions& options);

  void freeze_initializers(const SessionOptions& options);

  graph::Graph graph_;
  std::vector<ValueInfo> inputs_, planned_inputs_, outputs_;
  std::shared_ptr<Model::State>
      source_;  // where initializers can be overridden: the model, and the options to plan it again
  SessionOptions source_options_;
  std::unique_ptr<State> overridable_;
  plan::PlanTarget target_;
  plan::PlanCache plans_;
  std::unique_ptr<const runtime::Program> program_;
  std::vector<PassReport> passes_;
  std::mutex mutex_;  // of overridable_
};

}  // namespace linnet
