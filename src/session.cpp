#include "linnet/session.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <list>
#include <mutex>
#include <ostream>

#include "base/out_of_memory.h"
#include "graph/print.h"
#include "kernels/cpu.h"
#include "model.h"
#include "passes/pass.h"
#include "plan/memory_plan.h"
#include "plan/planner.h"
#include "runtime/executor.h"
#include "target.h"

namespace linnet {

/// Whether small initializers that a caller may override (IR >= 4) count as constants: scales, axes and shapes, without which
/// nothing can be planned. Nearly no caller overrides them, so a plan takes them for constants, and a second one, made when
/// it is first needed, serves the runs that do override. Large ones, the weights, are read at run time by either.
enum class Initializers : std::uint8_t { constant, overridable };

/// The optimised graph and the shape-bound plans made of it. Thread-safe.
class Plan::State {
 public:
  State(Model model, const SessionOptions& options, Initializers initializers);

  /// The state for a run that overrides an initializer.
  State& overridable();

  /// The plan for these input shapes, made now if it is not among the last max_plans.
  std::shared_ptr<const plan::ShapePlan> plan_for(const std::vector<Shape>& shapes);

  /// What a caller may give; what this state's plans take, in the order of graph().inputs.
  [[nodiscard]] const std::vector<ValueInfo>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<ValueInfo>& planned_inputs() const noexcept { return planned_inputs_; }
  [[nodiscard]] const std::vector<ValueInfo>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] const plan::PlanTarget& target() const noexcept { return target_; }
  [[nodiscard]] const graph::Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] PlanReport report(const plan::ShapePlan* shapes) const;
  [[nodiscard]] PlanReport report();

 private:
  struct Entry {
    std::vector<Shape> shapes;
    std::shared_ptr<const plan::ShapePlan> plan;
  };
  void plan_ahead(const SessionOptions& options);

  void freeze_initializers(const SessionOptions& options);

  graph::Graph graph_;
  std::vector<ValueInfo> inputs_, planned_inputs_, outputs_;
  std::shared_ptr<Model::State> source_;   // where initializers can be overridden: the model, and the options to plan it again
  SessionOptions source_options_;
  std::unique_ptr<State> overridable_;
  plan::PlanTarget target_;
  std::size_t max_plans_;
  ops::WeightStore weights_;
  std::vector<PassReport> passes_;
  std::mutex mutex_;
  std::list<Entry> plans_;  // most recently used first
};

namespace {

/// Marks the wanted tensors as the graph's outputs.
void select_outputs(graph::Graph& graph, const std::vector<std::string>& names) {
  if (names.empty()) return;
  for (const graph::ValueId id : graph.outputs) graph.value(id).graph_output = false;
  graph.outputs.clear();
  for (const std::string& name : names) {
    const graph::ValueId id = graph.find_value(name);
    if (id == graph::kNoValue) {
      throw Error(ErrorCode::usage, "the model has no tensor of this name",
                  {.file = graph.file, .node = {}, .op = {}, .where = "SessionOptions::outputs", .expected = "a name that Model::print shows", .found = name});
    }
    graph.add_output(id);
  }
}

/// Whether no choice of the planner can change between one set of input shapes and the next: only batch extents are open.
bool only_batch_is_open(const std::vector<ValueInfo>& inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [](const ValueInfo& info) {
    return info.has_rank && std::all_of(info.shape.begin(), info.shape.end(), [&](const ValueInfo::Dim& d) { return d.value >= 0 || &d == info.shape.data(); });
  });
}

}  // namespace

constexpr std::int64_t kSmallInitializer = 8;  // elements: a shape, scale or pad of the usual ranks

/// Makes constants of the small initializers that are inputs too, and keeps the model for the runs that override them.
void Plan::State::freeze_initializers(const SessionOptions& options) {
  const auto overridable = [this](graph::ValueId id) {
    const std::optional<Tensor>& constant = graph_.value(id).constant;
    return constant.has_value() && constant->size() <= kSmallInitializer;
  };
  if (std::none_of(graph_.inputs.begin(), graph_.inputs.end(), overridable)) return;
  source_ = std::make_shared<Model::State>();
  source_->graph = graph_;
  source_options_ = options;
  for (const graph::ValueId id : graph_.inputs) {
    if (overridable(id)) graph_.value(id).graph_input = false;
  }
  std::erase_if(graph_.inputs, overridable);
}

Plan::State& Plan::State::overridable() {
  const std::lock_guard lock(mutex_);
  if (source_ == nullptr) return *this;
  if (overridable_ == nullptr) overridable_ = std::make_unique<State>(Model(source_), source_options_, Initializers::overridable);
  return *overridable_;
}

Plan::State::State(Model model, const SessionOptions& options, Initializers initializers) : target_(plan_target(options)), max_plans_(std::max<std::size_t>(1, options.max_plans)) {
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
}

void Plan::State::plan_ahead(const SessionOptions& options) {
  for (const auto& [name, shape] : options.input_shapes) {
    if (std::none_of(inputs_.begin(), inputs_.end(), [&, &wanted = name](const ValueInfo& info) { return info.name == wanted; })) {
      throw Error(ErrorCode::usage, "the model has no such input",
                  {.file = graph_.file, .node = {}, .op = {}, .where = "SessionOptions::input_shapes", .expected = "the name of an input", .found = name});
    }
  }
  std::vector<Shape> shapes;
  for (const ValueInfo& info : planned_inputs_) {
    const auto given = options.input_shapes.find(info.name);
    if (given != options.input_shapes.end()) {
      shapes.push_back(given->second);
      continue;
    }
    Shape shape;
    for (std::size_t i = 0; i < info.shape.size(); ++i) shape.push_back(info.shape[i].value < 0 && i == 0 ? 1 : info.shape[i].value);
    if (!info.has_rank || std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 0; })) return;
    shapes.push_back(std::move(shape));
  }
  (void)plan_for(shapes);
}

std::shared_ptr<const plan::ShapePlan> Plan::State::plan_for(const std::vector<Shape>& shapes) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const Entry& e) { return e.shapes == shapes; });
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
    return plans_.front().plan;
  }
  plans_.push_front({shapes, plan::plan_shapes(graph_, shapes, target_, weights_)});
  if (plans_.size() > max_plans_) plans_.pop_back();
  return plans_.front().plan;
}

PlanReport Plan::State::report(const plan::ShapePlan* shapes) const {
  PlanReport report;
  report.passes = passes_;
  report.weight_bytes = weights_.bytes();
  report.isa = kernels::name(target_.table->isa);
  report.threads = target_.threads;
  if (shapes == nullptr) return report;
  report.macs = shapes->macs;
  report.arena_bytes = shapes->arena_bytes;
  for (const PassReport& bound : shapes->passes) {
    const auto same = std::find_if(report.passes.begin(), report.passes.end(), [&](const PassReport& p) { return p.name == bound.name; });
    if (same == report.passes.end()) {
      report.passes.push_back(bound);
    } else {
      same->applied += bound.applied;  // what was refused at first may have been done with the shapes known
      same->refused = bound.refused;
    }
  }
  for (const plan::PlannedStep& s : shapes->steps) {
    report.steps.push_back({s.step.name, s.step.op, s.step.algorithm, s.step.kernel, s.output, s.step.macs, s.step.weight_bytes, 0.0});
  }
  return report;
}

PlanReport Plan::State::report() {
  const std::lock_guard lock(mutex_);
  return report(plans_.empty() ? nullptr : plans_.front().plan.get());
}

Plan::Plan(Model model, const SessionOptions& options)
    : state_(base::guard_memory([&] { return std::make_shared<State>(std::move(model), options, Initializers::constant); })) {}
const std::vector<ValueInfo>& Plan::inputs() const { return state_->inputs(); }
const std::vector<ValueInfo>& Plan::outputs() const { return state_->outputs(); }
PlanReport Plan::report() const { return state_->report(); }
void Plan::print(std::ostream& stream) const { graph::print_text(state_->graph(), stream); }
void Plan::print_dot(std::ostream& stream) const { graph::print_dot(state_->graph(), stream); }

// ---------------------------------------------------------------------------------------------------------------------

struct Session::State {
  explicit State(Plan p) : plan(std::move(p)) {}

  Plan plan;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  Plan::State* chosen = nullptr;                  // of the plan: the one that takes this run's inputs
  std::shared_ptr<const plan::ShapePlan> bound;   // what the executor runs
  base::AlignedBuffer arena;
  std::unique_ptr<runtime::Executor> executor;
  std::vector<Shape> shapes;                      // of this run, and scratch for comparing: kept so that a run allocates nothing
  std::vector<Tensor> inputs;
  std::vector<const std::byte*> input_bytes;
  bool profiling = false;
  runtime::Profile profile;

  void take_inputs(std::span<const NamedTensor> given);
  void bind();
  void execute(std::span<const NamedTensor> given, const RunOptions& options);
  [[nodiscard]] const std::vector<plan::PlannedValue>& planned_outputs() const { return bound->outputs; }
};

namespace {

/// One run at a time on a session.
class Busy {
 public:
  explicit Busy(std::atomic_flag& flag) : flag_(flag) {
    if (flag_.test_and_set(std::memory_order_acquire)) {
      throw Error(ErrorCode::usage, "this session is running already; make one session a thread on the same Plan");
    }
  }
  ~Busy() { flag_.clear(std::memory_order_release); }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::atomic_flag& flag_;
};

[[noreturn]] void bad_input(const std::string& message, const std::string& name, std::string expected, std::string found) {
  throw Error(ErrorCode::input, message,
              {.file = {}, .node = {}, .op = {}, .where = "input '" + name + "'", .expected = std::move(expected), .found = std::move(found)});
}

std::string names_of(const std::vector<ValueInfo>& infos) {
  std::string names;
  for (const ValueInfo& info : infos) names += (names.empty() ? "'" : ", '") + info.name + "'";
  return names.empty() ? "no inputs" : names;
}

}  // namespace

void Session::State::take_inputs(std::span<const NamedTensor> given) {
  bool overrides = false;
  for (const NamedTensor& tensor : given) {
    const std::vector<ValueInfo>& all = plan.inputs();
    const auto info = std::find_if(all.begin(), all.end(), [&](const ValueInfo& i) { return i.name == tensor.first; });
    if (info == all.end()) bad_input("the model has no such input", tensor.first, names_of(all), "'" + tensor.first + "'");
    overrides = overrides || info->optional;
  }
  Plan::State& next = overrides ? plan.state().overridable() : plan.state();
  if (chosen != &next) bound.reset();
  chosen = &next;
  const std::vector<ValueInfo>& infos = chosen->planned_inputs();
  const graph::Graph& graph = chosen->graph();
  inputs.resize(infos.size());
  shapes.resize(infos.size());
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const ValueInfo& info = infos[i];
    const NamedTensor* mine = nullptr;
    for (const NamedTensor& tensor : given) {
      if (tensor.first != info.name) continue;
      if (mine != nullptr) bad_input("an input is given twice", info.name, "one tensor", "two");
      mine = &tensor;
    }
    if (mine != nullptr) {
      inputs[i] = mine->second;
    } else if (info.optional) {
      inputs[i] = *graph.value(graph.inputs[i]).constant;
    } else {
      bad_input("an input is missing", info.name, to_string(info), "nothing");
    }
    if (inputs[i].type() != info.type) {
      bad_input("an input has the wrong type", info.name, to_string(info), std::string(to_string(inputs[i].type())) + to_string(inputs[i].shape()));
    }
    if (reinterpret_cast<std::uintptr_t>(inputs[i].raw()) % std::max<std::size_t>(1, element_bytes(info.type)) != 0) inputs[i] = inputs[i].clone();
    shapes[i] = inputs[i].shape();
  }
}

void Session::State::bind() {
  const bool same = bound != nullptr && std::equal(shapes.begin(), shapes.end(), bound->inputs.begin(), bound->inputs.end(),
                                                   [](const Shape& a, const plan::PlannedValue& b) { return a == b.shape; });
  if (same) return;
  std::shared_ptr<const plan::ShapePlan> next = chosen->plan_for(shapes);
  if (arena.bytes() < next->arena_bytes) {
    executor.reset();
    bound.reset();
    arena = {};
    arena = base::AlignedBuffer(next->arena_bytes + plan::kArenaAlignment, base::AlignedBuffer::Fill::zero);
  }
  const auto misfit = reinterpret_cast<std::uintptr_t>(arena.data()) % plan::kArenaAlignment;
  executor = std::make_unique<runtime::Executor>(next, arena.data() + (plan::kArenaAlignment - misfit) % plan::kArenaAlignment,
                                                 plan.state().target().threads);
  bound = std::move(next);
  profile.seconds.assign(bound->steps.size(), 0.0);
  profile.runs = 0;
}

void Session::State::execute(std::span<const NamedTensor> given, const RunOptions& options) {
  take_inputs(given);
  bind();
  input_bytes.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) input_bytes[i] = static_cast<const std::byte*>(inputs[i].raw());
  executor->run(input_bytes, profiling ? &profile : nullptr, options);
}

Session::Session(Model model, const SessionOptions& options) : Session(Plan(std::move(model), options)) {}
Session::Session(Plan plan) : state_(base::guard_memory([&] { return std::make_unique<State>(std::move(plan)); })) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Session::State& Session::state() const {
  if (state_ == nullptr) throw Error(ErrorCode::usage, "this session was moved from");
  return *state_;
}

const Plan& Session::plan() const { return state().plan; }

std::vector<Tensor> Session::run(const std::vector<NamedTensor>& inputs, const RunOptions& options) {
  const Busy busy(state().busy);
  return base::guard_memory([&] {
    state().execute(inputs, options);
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < state().planned_outputs().size(); ++i) {
      const plan::PlannedValue& output = state().planned_outputs()[i];
      results.emplace_back(output.type, output.shape);
      if (output.bytes != 0) std::memcpy(results.back().mutable_raw(), state().executor->output(i), output.bytes);
    }
    return results;
  });
}

std::vector<Tensor> Session::run(const Tensor& input, const RunOptions& options) {
  const std::vector<ValueInfo>& infos = plan().inputs();
  const auto required = std::count_if(infos.begin(), infos.end(), [](const ValueInfo& info) { return !info.optional; });
  const auto first = std::find_if(infos.begin(), infos.end(), [&](const ValueInfo& info) { return required == 0 || !info.optional; });
  if (first == infos.end() || required > 1) {
    throw Error(ErrorCode::input, "the model has " + std::to_string(required) + " inputs; give them by name");
  }
  return run(std::vector<NamedTensor>{{first->name, input}}, options);
}

void Session::run(std::span<const NamedTensor> inputs, std::span<Tensor> outputs, const RunOptions& options) {
  const Busy busy(state().busy);
  if (outputs.size() != plan().outputs().size()) {
    throw Error(ErrorCode::input, "one tensor an output is needed",
                {.file = {}, .node = {}, .op = {}, .where = {}, .expected = std::to_string(plan().outputs().size()), .found = std::to_string(outputs.size())});
  }
  base::guard_memory([&] { state().execute(inputs, options); });
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const plan::PlannedValue& output = state().planned_outputs()[i];
    if (outputs[i].type() != output.type || outputs[i].shape() != output.shape) {
      throw Error(ErrorCode::input, "an output tensor does not fit",
                  {.file = {}, .node = {}, .op = {}, .where = "output '" + output.name + "'", .expected = std::string(to_string(output.type)) + to_string(output.shape),
                   .found = std::string(to_string(outputs[i].type())) + to_string(outputs[i].shape())});
    }
    if (output.bytes != 0) std::memcpy(outputs[i].mutable_raw(), state().executor->output(i), output.bytes);
  }
}

void Session::enable_profile(bool on) {
  state().profiling = on;
  std::fill(state().profile.seconds.begin(), state().profile.seconds.end(), 0.0);
  state().profile.runs = 0;
}

PlanReport Session::profile() const {
  Plan::State& planned = state().chosen != nullptr ? *state().chosen : state().plan.state();
  PlanReport report = planned.report(state().bound.get());
  for (std::size_t i = 0; i < report.steps.size() && state().profile.runs > 0; ++i) {
    report.steps[i].milliseconds = state().profile.seconds[i] * 1e3 / static_cast<double>(state().profile.runs);
  }
  return report;
}

}  // namespace linnet
