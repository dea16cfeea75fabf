#include <algorithm>
#include <ostream>

#include "base/out_of_memory.h"
#include "graph/print.h"
#include "kernels/cpu.h"
#include "passes/pass.h"
#include "plan/planner.h"
#include "plan_state.h"
#include "target.h"

namespace linnet {

namespace {

/// Marks the wanted tensors as the graph's outputs.
void select_outputs(graph::Graph& graph, const std::vector<std::string>& names) {
  if (names.empty()) return;
  graph.clear_outputs();
  for (const std::string& name : names) {
    const graph::ValueId id = graph.find_value(name);
    if (id == graph::kNoValue) {
      throw Error(ErrorCode::usage, "the model has no tensor of this name",
                  {.file = graph.file,
                   .node = {},
                   .op = {},
                   .where = "SessionOptions::outputs",
                   .expected = "a name that Model::print shows",
                   .found = name});
    }
    graph.add_output(id);
  }
}

/// Whether no choice of the planner can change between one set of input shapes and the next: only batch extents are open.
bool only_batch_is_open(const std::vector<ValueInfo>& inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const ValueInfo& info) {
    return info.has_rank && std::all_of(info.shape.begin(), info.shape.end(), [&](const ValueInfo::Dim& d) {
             return d.value >= 0 || &d == info.shape.data();
           });
  });
}

constexpr std::int64_t kSmallInitializer = 8;  // elements: a shape, scale or pad of the usual ranks

}  // namespace

/// Makes constants of initializers that are inputs too, and keeps the model for the runs that override them.
void Plan::State::freeze_initializers(const SessionOptions& options) {
  const bool normalizes = std::any_of(graph_.order().begin(), graph_.order().end(), [this](graph::NodeId id) {
    return graph_.node(id).op_type == "BatchNormalization";
  });
  const auto overridable = [&](graph::ValueId id) {
    const std::optional<Tensor>& constant = graph_.value(id).constant;
    return constant.has_value() && (normalizes || constant->size() <= kSmallInitializer);
  };
  if (std::none_of(graph_.inputs.begin(), graph_.inputs.end(), overridable)) return;
  source_ = std::make_shared<Model::State>();
  source_->graph = graph_;
  source_options_ = options;
  for (const graph::ValueId id : graph_.inputs) {
    if (!overridable(id)) continue;
    graph::Value& value = graph_.value(id);
    value.graph_input = false;
    value.desc.shape = graph::DimList(value.constant->shape().begin(), value.constant->shape().end());
  }
  std::erase_if(graph_.inputs, overridable);
}

Plan::State& Plan::State::overridable() {
  const std::lock_guard lock(mutex_);
  if (source_ == nullptr) return *this;
  if (overridable_ == nullptr)
    overridable_ = std::make_unique<State>(Model(source_), source_options_, Initializers::overridable);
  return *overridable_;
}

Plan::State::State(Model model, const SessionOptions& options, Initializers initializers)
    : target_(plan_target(options)), plans_(options.max_plans) {
  // The last holder's graph is taken over, so that bytes given back while packing are really free.
  std::shared_ptr<Model::State> source = model.state();
  model = Model(nullptr);
  if (source.use_count() == 1) {
    graph_ = std::move(source->graph);
  } else {
    graph_ = source->graph;
  }
  source.reset();
  inputs_ = value_infos(graph_, graph_.inputs);
  if (initializers == Initializers::constant) freeze_initializers(options);
  select_outputs(graph_, options.outputs);
  graph_.remove_dead();
  if (runtime::needs_schedule(graph_, passes::is_enabled("fold_constants", options.disabled_passes))) {
    passes::widen_bodies(graph_, options.disabled_passes);
    planned_inputs_ = value_infos(graph_, graph_.inputs);
    outputs_ = value_infos(graph_, graph_.outputs);
    program_ = std::make_unique<runtime::Program>(
        graph_, runtime::ProgramOptions{target_, options.max_plans, options.max_loop_trips, options.max_arena_bytes});
    return;
  }
  for (passes::PassResult& r : passes::run_passes(graph_, passes::Stage::model, options.disabled_passes)) {
    passes_.push_back({std::move(r.name), r.enabled, r.applied, std::move(r.refused)});
  }
  planned_inputs_ = value_infos(graph_, graph_.inputs);
  outputs_ = value_infos(graph_, graph_.outputs);
  if (source_ == nullptr && only_batch_is_open(planned_inputs_)) {
    target_.on_packed = [this](graph::ValueId id) {
      if (id < graph_.value_count() && graph_.value(id).is_constant()) plan::drop_bytes(graph_.value(id));
    };
  }
  plan_ahead(options);
  target_.on_packed = nullptr;  // others may read the graph from here on
}

void Plan::State::plan_ahead(const SessionOptions& options) {
  for (const auto& [name, shape] : options.input_shapes) {
    if (std::none_of(inputs_.begin(), inputs_.end(),
                     [&, &wanted = name](const ValueInfo& info) { return info.name == wanted; })) {
      throw Error(ErrorCode::usage, "the model has no such input",
                  {.file = graph_.file,
                   .node = {},
                   .op = {},
                   .where = "SessionOptions::input_shapes",
                   .expected = "the name of an input",
                   .found = name});
    }
  }
  std::vector<Shape> shapes;
  for (std::size_t input = 0; input < planned_inputs_.size(); ++input) {
    const ValueInfo& info = planned_inputs_[input];
    const auto given = options.input_shapes.find(info.name);
    if (given != options.input_shapes.end()) {
      shapes.push_back(given->second);
      continue;
    }
    if (info.optional) {
      shapes.push_back(graph_.value(graph_.inputs[input]).constant->shape());
      continue;
    }
    Shape shape;
    for (std::size_t i = 0; i < info.shape.size(); ++i)
      shape.push_back(info.shape[i].value < 0 && i == 0 ? 1 : info.shape[i].value);
    if (!info.has_rank || std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 0; }))
      return;
    shapes.push_back(std::move(shape));
  }
  (void)plan_for(shapes);
}

std::shared_ptr<const plan::ShapePlan> Plan::State::plan_with(const Tuning& tuning) {
  std::vector<Shape> shapes;
  for (const plan::PlannedValue& input : plans_.latest()->inputs) shapes.push_back(input.shape);
  plan::PlanTarget target = target_;
  target.tuning = tuning;
  return plans_.plan_once(graph_, shapes, target);
}

PlanReport Plan::State::report(const plan::ShapePlan* shapes) const {
  PlanReport report;
  report.passes = passes_;
  report.weight_bytes = plans_.weight_bytes();
  report.isa = kernels::name(target_.table->isa);
  report.threads = target_.threads;
  if (program_ != nullptr) program_->report(report);
  if (shapes == nullptr) return report;
  report.macs = shapes->macs;
  report.arena_bytes = shapes->arena_bytes;
  for (const PassReport& bound : shapes->passes) {
    const auto same = std::find_if(report.passes.begin(), report.passes.end(),
                                   [&](const PassReport& p) { return p.name == bound.name; });
    if (same == report.passes.end()) {
      report.passes.push_back(bound);
    } else {
      same->applied += bound.applied;  // what was refused at first may have been done with the shapes known
      same->refused = bound.refused;
    }
  }
  for (const plan::PlannedStep& s : shapes->steps) {
    report.steps.push_back({s.step.name, s.step.op, s.step.algorithm, s.step.kernel, s.output, s.step.macs,
                            s.step.weight_bytes, 0.0, s.step.tuning_key, s.step.tuned});
  }
  return report;
}

Plan::Plan(Model model, const SessionOptions& options)
    : state_(base::guard_memory(
          [&] { return std::make_shared<State>(std::move(model), options, Initializers::constant); })) {}
const std::vector<ValueInfo>& Plan::inputs() const { return state_->inputs(); }
const std::vector<ValueInfo>& Plan::outputs() const { return state_->outputs(); }
PlanReport Plan::report() const { return state_->report(); }
void Plan::print(std::ostream& stream) const { graph::print_text(state_->graph(), stream); }
void Plan::print_dot(std::ostream& stream) const { graph::print_dot(state_->graph(), stream); }

}  // namespace linnet
