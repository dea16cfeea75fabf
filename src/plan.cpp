#include <algorithm>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <string_view>

#include "base/out_of_memory.h"
#include "graph/print.h"
#include "kernels/cpu.h"
#include "ops/eager.h"
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
                   .where = "SessionOptions::outputs",
                   .expected = "a name that Model::print shows",
                   .found = name});
    }
    graph.add_output(id);
  }
}

bool is_shape(const Shape& shape) {
  std::int64_t elements = 1;
  return std::all_of(shape.begin(), shape.end(), [&](std::int64_t extent) {
    return extent >= 0 && !__builtin_mul_overflow(elements, std::max<std::int64_t>(extent, 1), &elements);
  });
}

/// The names of passes and inputs in `options` are known ones, and the shapes those of tensors.
void require_valid(const SessionOptions& options, const std::vector<ValueInfo>& inputs, const std::string& file) {
  passes::require_known(options.disabled_passes);
  std::set<std::string_view> names;
  for (const ValueInfo& info : inputs) names.insert(info.name);
  const auto require = [&](bool fits, const char* what, const char* expected, const std::string& found) {
    if (fits) return;
    throw Error(ErrorCode::usage, what,
                {.file = file, .where = "SessionOptions::input_shapes", .expected = expected, .found = found});
  };
  for (const auto& [name, shape] : options.input_shapes) {
    require(names.contains(name), "the model has no such input", "the name of an input", name);
    require(is_shape(shape), "no tensor has such a shape",
            "extents of 0 and more, of which there are less than 2^63 elements", "'" + name + "': " + to_string(shape));
  }
}

bool only_batch_is_open(const graph::Graph& graph, graph::ValueId id) {
  if (id == graph::kNoValue || !graph.value(id).desc.has_rank()) return false;
  const graph::DimList& dims = *graph.value(id).desc.shape;
  return std::all_of(dims.begin(), dims.end(),
                     [&](const graph::Dim& dim) { return dim.known() || &dim == dims.data(); });
}

/// Whether no choice of the planner can change between one set of input shapes and the next, for any reader of the constant.
/// The results tell, not the inputs: the first extent of an input may become a picture's rows.
bool is_packed_alike(const graph::Graph& graph, graph::ValueId constant) {
  const std::vector<graph::NodeId>& readers = graph.value(constant).consumers;
  return std::all_of(readers.begin(), readers.end(),
                     [&](graph::NodeId id) { return only_batch_is_open(graph, graph.node(id).outputs[0]); });
}

/// Whether the passes know all there is to know of extents, but for the number that one symbol, the batch, stands for: what
/// they rewrite with that known they could as well leave. (They would take a batch of 1 for broadcast, or for the batch of a constant.)
bool knows_all_but_batch(const graph::Graph& graph) {
  const graph::Symbol* batch = nullptr;
  const auto known = [&](graph::ValueId id) {
    if (id == graph::kNoValue) return true;
    if (!only_batch_is_open(graph, id)) return false;
    const graph::DimList& dims = *graph.value(id).desc.shape;
    if (dims.empty() || dims[0].known()) return true;
    if (batch == nullptr) batch = &dims[0].symbol;
    return !batch->empty() && dims[0].symbol == *batch;
  };
  return std::all_of(graph.inputs.begin(), graph.inputs.end(), known) &&
         std::all_of(graph.order().begin(), graph.order().end(), [&](graph::NodeId id) {
           const graph::Node& node = graph.node(id);
           return !ops::tells_shape(node) && std::all_of(node.outputs.begin(), node.outputs.end(), known);
         });
}

/// All but the one that chooses layouts.
std::vector<std::string> rewriting_passes() {
  std::vector<std::string> names;
  for (const passes::PassDef& pass : passes::all_passes()) {
    if (pass.name != "assign_layouts") names.emplace_back(pass.name);
  }
  return names;
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
  require_valid(options, inputs_, graph_.file);
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
  passes_ = passes::run_passes(graph_, passes::Stage::model, options.disabled_passes, options.max_folded_bytes);
  planned_inputs_ = value_infos(graph_, graph_.inputs);
  outputs_ = value_infos(graph_, graph_.outputs);
  const bool one_plan = std::all_of(graph_.inputs.begin(), graph_.inputs.end(),
                                    [this](graph::ValueId id) { return graph_.value(id).desc.is_static(); });
  if (source_ == nullptr && (one_plan || knows_all_but_batch(graph_))) {
    // What was rewritten for one batch alone would be packed in another form for the next, of bytes that are gone.
    const std::vector<std::string> rewriting = one_plan ? std::vector<std::string>() : rewriting_passes();
    target_.disabled_passes.insert(target_.disabled_passes.end(), rewriting.begin(), rewriting.end());
    target_.on_packed = [this](graph::ValueId id) {
      if (id < graph_.value_count() && graph_.value(id).is_constant() && is_packed_alike(graph_, id))
        plan::drop_bytes(graph_.value(id));
    };
  }
  plan_ahead(options);
  target_.on_packed = nullptr;  // others may read the graph from here on
}

void Plan::State::plan_ahead(const SessionOptions& options) {
  std::vector<std::optional<Shape>> given(planned_inputs_.size());
  std::map<std::string_view, std::int64_t> extents;  // by symbol
  for (std::size_t input = 0; input < given.size(); ++input) {
    const ValueInfo& info = planned_inputs_[input];
    const auto wanted = options.input_shapes.find(info.name);
    if (wanted != options.input_shapes.end()) given[input] = wanted->second;
    else if (info.optional) given[input] = graph_.value(graph_.inputs[input]).constant->shape();
    else continue;
    for (std::size_t i = 0; i < std::min(info.shape.size(), given[input]->size()); ++i) {
      if (!info.shape[i].symbol.empty()) extents.emplace(info.shape[i].symbol, (*given[input])[i]);
    }
  }
  std::vector<Shape> shapes;
  bool guessed = false;
  for (std::size_t input = 0; input < given.size(); ++input) {
    if (given[input]) {
      shapes.push_back(*std::move(given[input]));
      continue;
    }
    const ValueInfo& info = planned_inputs_[input];
    if (!info.has_rank) return;
    Shape& shape = shapes.emplace_back();
    for (const ValueInfo::Dim& dim : info.shape) {
      const auto known = extents.find(dim.symbol);
      if (dim.value >= 0 || known != extents.end()) {
        shape.push_back(dim.value >= 0 ? dim.value : known->second);
        continue;
      }
      if (!shape.empty()) return;
      guessed = true;  // an open batch is one image, unless another input has it too
      if (!dim.symbol.empty()) extents.emplace(dim.symbol, 1);
      shape.push_back(1);
    }
  }
  try {
    (void)plan_for(shapes);
  } catch (const Error& error) {
    // Not the model but the guess may be at fault: what is open may be no batch, or one that must be even.
    constexpr ErrorCode kOfShapes[] = {ErrorCode::model, ErrorCode::input, ErrorCode::unsupported, ErrorCode::limit};
    if (!guessed || std::find(std::begin(kOfShapes), std::end(kOfShapes), error.code()) == std::end(kOfShapes)) throw;
  }
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
    } else if (bound.enabled) {
      same->applied += bound.applied;  // what was refused at first may have been done with the shapes known
      same->refused = bound.refused;
    }
  }
  for (const plan::PlannedStep& step : shapes->steps) report.steps.push_back(plan::report_of(step));
  return report;
}

Plan::Plan(Model model, const SessionOptions& options)
    : state_(base::guard_memory(
          [&] { return std::make_shared<State>(std::move(model), options, Initializers::constant); })) {}

Plan::State& Plan::state() const {
  if (state_ == nullptr) throw Error(ErrorCode::usage, "this plan was moved from");
  return *state_;
}

const std::vector<ValueInfo>& Plan::inputs() const { return state().inputs(); }
const std::vector<ValueInfo>& Plan::outputs() const { return state().outputs(); }
PlanReport Plan::report() const {
  return base::guard_memory([&] { return state().report(); });
}
void Plan::print(std::ostream& stream) const { graph::print_text(state().graph(), stream); }
void Plan::print_dot(std::ostream& stream) const { graph::print_dot(state().graph(), stream); }

}  // namespace linnet
