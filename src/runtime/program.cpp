#include "runtime/program.h"

#include <algorithm>
#include <utility>

#include "base/tensor_access.h"
#include "graph/index.h"
#include "linnet/error.h"
#include "passes/pass.h"
#include "runtime/cancellation.h"
#include "runtime/control_flow.h"

namespace linnet::runtime {

using graph::at;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;
using ops::share;
using ops::SharedDatum;

namespace {

/// Which of the inputs must be known to the plan; those without a type need not.
std::vector<Tensor> known_of(const Segment& segment, std::span<const Tensor> inputs) {
  std::vector<Tensor> known(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (segment.known[i]) known[i] = inputs[i];
  }
  return known;
}

}  // namespace

PreparedSegment::PreparedSegment(const Segment& segment, std::span<const Tensor> inputs, const ProgramOptions& options)
    : graph(segment.graph), plans(options.max_plans) {
  graph.folding.graphs = *options.segments;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    graph::TensorDesc& desc = graph.value(graph.inputs[i]).desc;
    desc.type = inputs[i].type();
    desc.kind = ValueKind::tensor;
    if (!desc.has_rank() || desc.shape->size() != inputs[i].rank()) desc.shape = graph::DimList(inputs[i].rank());
    signature.emplace_back(inputs[i].type(), inputs[i].rank());
  }
  passes =
      passes::run_passes(graph, passes::Stage::model, options.target.disabled_passes, options.target.max_folded_bytes);
}

bool PreparedSegment::fits(std::span<const Tensor> inputs) const {
  return std::equal(
      inputs.begin(), inputs.end(), signature.begin(), signature.end(),
      [](const Tensor& tensor, const auto& wanted) { return std::pair(tensor.type(), tensor.rank()) == wanted; });
}

Program::Program(graph::Graph graph, const ProgramOptions& options) : graph_(std::move(graph)), options_(options) {
  graph_.remove_dead();
  schedule_ = make_schedule(graph_, passes::is_enabled("fold_constants", options.target.disabled_passes));
  prepared_.resize(schedule_.segments.size());
  *options.segments += static_cast<std::int64_t>(schedule_.segments.size());
  for (const NodeId id : graph_.order()) {
    for (ops::Body& body : ops::inferred_bodies(ops::NodeContext(graph_, id)))
      bodies_[id].push_back({std::string(body.name), std::make_unique<Program>(std::move(body.graph), options)});
  }
}

std::shared_ptr<PreparedSegment> Program::prepare(std::size_t index, std::span<const Tensor> inputs) const {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<PreparedSegment>& prepared = prepared_[index];
  if (prepared == nullptr || !prepared->fits(inputs))
    prepared = std::make_shared<PreparedSegment>(schedule_.segments[index], inputs, options_);
  return prepared;
}

const std::vector<Program::Body>& Program::bodies(NodeId id) const {
  static const std::vector<Body> kNone;
  const auto found = bodies_.find(id);
  return found == bodies_.end() ? kNone : found->second;
}

void Program::report(PlanReport& report) const {
  const std::lock_guard lock(mutex_);
  for (const std::shared_ptr<PreparedSegment>& segment : prepared_) {
    if (segment == nullptr) continue;
    report.weight_bytes += segment->plans.weight_bytes();
    for (const PassReport& pass : segment->passes) {
      const auto same = std::find_if(report.passes.begin(), report.passes.end(),
                                     [&](const PassReport& p) { return p.name == pass.name; });
      if (same == report.passes.end()) {
        report.passes.push_back(pass);
      } else {
        same->applied += pass.applied;
        same->refused.insert(same->refused.end(), pass.refused.begin(), pass.refused.end());
      }
    }
  }
  for (const auto& [id, bodies] : bodies_) {
    for (const Body& body : bodies) body.program->report(report);
  }
}

ProgramRunner::ProgramRunner(const Program& program, std::shared_ptr<Arena> arena)
    : program_(program), arena_(std::move(arena)), segments_(program.schedule().segments.size()) {
  for (const NodeId id : program.graph().order()) {
    for (const Program::Body& body : program.bodies(id)) bodies_[id].emplace_back(*body.program, arena_);
  }
}

SharedDatum ProgramRunner::value_of(ValueId id) const {
  if (id == kNoValue) return share(std::monostate());
  const graph::Value& value = program_.graph().value(id);
  if (value.is_constant()) return share(*value.constant);
  return values_[at(id)] == nullptr ? share(Datum()) : values_[at(id)];
}

std::vector<SharedDatum> ProgramRunner::take_inputs(const Schedule::Item& item) {
  const Schedule& schedule = program_.schedule();
  std::vector<SharedDatum> inputs;
  for (const ValueId id : reads(program_.graph(), schedule, item)) inputs.push_back(value_of(id));
  for (const ValueId id : item.release) values_[at(id)] = nullptr;
  return inputs;
}

std::vector<SharedDatum> ProgramRunner::run(std::vector<SharedDatum> inputs, bool profiling,
                                            const RunOptions& options) {
  const graph::Graph& graph = program_.graph();
  profiling_ = profiling;
  options_ = options;
  if (should_stop(options_)) throw_cancelled();  // the body of a loop may have no item
  values_.assign(at(graph.value_count()), nullptr);
  for (std::size_t i = 0; i < inputs.size(); ++i) values_[at(graph.inputs[i])] = std::move(inputs[i]);
  for (const Schedule::Item& item : program_.schedule().items) {
    if (should_stop(options_)) throw_cancelled();
    if (item.segment >= 0) run_segment(at(item.segment), take_inputs(item));
    else run_node(item.node, take_inputs(item));
  }
  std::vector<SharedDatum> outputs;
  for (const ValueId id : graph.outputs) outputs.push_back(value_of(id));
  values_.clear();
  return outputs;
}

void ProgramRunner::bind(SegmentState& state, std::shared_ptr<const plan::ShapePlan> plan) {
  std::byte* const memory = arena_->hold(plan->arena_bytes);
  if (state.bound == plan && state.memory == memory) return;
  state.executor.reset();
  state.bound.reset();  // what follows may fail for want of memory, and the next run must not take it for done
  state.executor = std::make_unique<Executor>(plan, memory, program_.options().target.threads);
  state.seconds.assign(plan->steps.size(), 0.0);
  state.bound = std::move(plan);
  state.memory = memory;
}

void ProgramRunner::run_segment(std::size_t index, const std::vector<SharedDatum>& given) {
  const Segment& segment = program_.schedule().segments[index];
  SegmentState& state = segments_[index];
  std::vector<Tensor> inputs;
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto* tensor = std::get_if<Tensor>(given[i].get());
    if (tensor == nullptr) {
      throw Error(ErrorCode::input, "an operator that takes tensors gets something else",
                  {.file = program_.graph().file,
                   .where = "value '" + program_.graph().value(segment.inputs[i]).name + "'",
                   .expected = "a tensor",
                   .found = to_string(*given[i])});
    }
    inputs.push_back(is_aligned(*tensor) ? *tensor : tensor->clone());
    shapes.push_back(tensor->shape());
  }
  if (state.prepared == nullptr || !state.prepared->fits(inputs)) state.prepared = program_.prepare(index, inputs);
  bind(state, state.prepared->plans.plan_for(state.prepared->graph, shapes, known_of(segment, inputs),
                                             program_.options().target));
  std::vector<const std::byte*> bytes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!segment.known[i]) bytes.push_back(static_cast<const std::byte*>(inputs[i].raw()));
  }
  state.executor->run(bytes, profiling_ ? &state.seconds : nullptr, options_);
  for (std::size_t i = 0; i < segment.outputs.size(); ++i)
    values_[at(segment.outputs[i])] = share(state.executor->copy_output(i));
}

void ProgramRunner::run_node(NodeId id, std::vector<SharedDatum> inputs) {
  const graph::Graph& graph = program_.graph();
  const graph::Node& node = graph.node(id);
  std::vector<SharedDatum> results;
  if (!program_.bodies(id).empty()) {
    results = run_control_flow(*this, id, std::move(inputs));
  } else if (ops::is_dynamic(node)) {
    for (Datum& result : ops::run_eager(graph, id, inputs)) results.push_back(share(std::move(result)));
  } else {
    results.push_back(inputs[0]);  // Identity
  }
  for (std::size_t i = 0; i < node.outputs.size() && i < results.size(); ++i) {
    if (node.outputs[i] != kNoValue &&
        (!graph.value(node.outputs[i]).consumers.empty() || graph.value(node.outputs[i]).graph_output))
      values_[at(node.outputs[i])] = std::move(results[i]);
  }
}

void ProgramRunner::report_steps(PlanReport& report) const {
  for (const Schedule::Item& item : program_.schedule().items) {
    if (item.segment < 0) {
      const graph::Graph& graph = program_.graph();
      report.steps.push_back(
          {graph.label(item.node), graph.node(item.node).op_type, "between_plans", {}, {}, 0, 0, 0.0});
      const auto bodies = bodies_.find(item.node);
      if (bodies == bodies_.end()) continue;
      for (const ProgramRunner& body : bodies->second) body.report_steps(report);
      continue;
    }
    const SegmentState& state = segments_[at(item.segment)];
    if (state.bound == nullptr) continue;
    report.macs += state.bound->macs;
    report.arena_bytes = std::max(report.arena_bytes, state.bound->arena_bytes);
    for (std::size_t i = 0; i < state.bound->steps.size(); ++i) {
      report.steps.push_back(plan::report_of(state.bound->steps[i]));
      report.steps.back().milliseconds = state.seconds[i] * 1e3;
    }
  }
}

void ProgramRunner::clear_profile() {
  for (SegmentState& state : segments_) std::fill(state.seconds.begin(), state.seconds.end(), 0.0);
  for (auto& [id, bodies] : bodies_) {
    for (ProgramRunner& body : bodies) body.clear_profile();
  }
}

}  // namespace linnet::runtime
