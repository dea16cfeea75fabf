#include "linnet/session.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <ostream>

#include "base/out_of_memory.h"
#include "graph/print.h"
#include "kernels/cpu.h"
#include "model.h"
#include "passes/pass.h"
#include "plan/memory_plan.h"
#include "plan/plan_cache.h"
#include "runtime/executor.h"
#include "runtime/program.h"
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
  std::shared_ptr<const plan::ShapePlan> plan_for(const std::vector<Shape>& shapes) { return plans_.plan_for(graph_, shapes, {}, target_); }
  /// Null where plans serve: not so if shapes depend on data, or there is control flow.
  [[nodiscard]] const runtime::Program* program() const noexcept { return program_.get(); }

  /// What a caller may give; what this state's plans take, in the order of graph().inputs.
  [[nodiscard]] const std::vector<ValueInfo>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<ValueInfo>& planned_inputs() const noexcept { return planned_inputs_; }
  [[nodiscard]] const std::vector<ValueInfo>& outputs() const noexcept { return outputs_; }
  [[nodiscard]] const plan::PlanTarget& target() const noexcept { return target_; }
  [[nodiscard]] const graph::Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] PlanReport report(const plan::ShapePlan* shapes) const;
  [[nodiscard]] PlanReport report() const { return report(plans_.latest().get()); }

 private:
  void plan_ahead(const SessionOptions& options);

  void freeze_initializers(const SessionOptions& options);

  graph::Graph graph_;
  std::vector<ValueInfo> inputs_, planned_inputs_, outputs_;
  std::shared_ptr<Model::State> source_;   // where initializers can be overridden: the model, and the options to plan it again
  SessionOptions source_options_;
  std::unique_ptr<State> overridable_;
  plan::PlanTarget target_;
  plan::PlanCache plans_;
  std::unique_ptr<const runtime::Program> program_;
  std::vector<PassReport> passes_;
  std::mutex mutex_;  // of overridable_
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

Plan::State::State(Model model, const SessionOptions& options, Initializers initializers) : target_(plan_target(options)), plans_(options.max_plans) {
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
  if (runtime::needs_schedule(graph_)) {
    planned_inputs_ = value_infos(graph_, graph_.inputs);
    outputs_ = value_infos(graph_, graph_.outputs);
    program_ = std::make_unique<runtime::Program>(graph_, runtime::ProgramOptions{target_, options.max_plans, options.max_loop_trips, options.max_arena_bytes});
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

  std::unique_ptr<runtime::ProgramRunner> runner; // where no plan serves

  template <typename Given>
  void choose(std::span<const Given> given);
  void take_inputs(std::span<const NamedTensor> given);
  [[nodiscard]] std::vector<Datum> take_data(std::span<const NamedDatum> given) const;
  std::vector<Datum> run_program(std::span<const NamedDatum> given, const RunOptions& options);
  std::vector<Tensor> run(std::span<const NamedTensor> given, const RunOptions& options);
  void run_into(std::span<const NamedTensor> given, std::span<Tensor> outputs, const RunOptions& options);
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

[[noreturn]] void not_a_tensor(const Datum& output) {
  throw Error(ErrorCode::usage, "an output is not a tensor: call run_data", {.found = to_string(output)});
}

/// Into the caller's tensor, which must be one of that type and shape.
void copy_output(const std::string& name, DataType type, const Shape& shape, const void* bytes, Tensor& output) {
  if (output.type() != type || output.shape() != shape) {
    throw Error(ErrorCode::input, "an output tensor does not fit",
                {.where = "output '" + name + "'", .expected = std::string(to_string(type)) + to_string(shape), .found = to_string(Datum(output))});
  }
  if (output.bytes() != 0) std::memcpy(output.mutable_raw(), bytes, output.bytes());
}

/// Null where it is not given.
template <typename Given>
const Given* find_given(std::span<const Given> given, const ValueInfo& info) {
  const Given* mine = nullptr;
  for (const Given& candidate : given) {
    if (candidate.first != info.name) continue;
    if (mine != nullptr) bad_input("an input is given twice", info.name, "one value", "two");
    mine = &candidate;
  }
  return mine;
}

void require_type(const Tensor& tensor, const ValueInfo& info) {
  if (tensor.type() == info.type) return;
  bad_input("an input has the wrong type", info.name, to_string(info), to_string(Datum(tensor)));
}

void require_fit(const Datum& datum, const ValueInfo& info) {
  const auto* sequence = std::get_if<Sequence>(&datum);
  bool fits = info.kind == ValueKind::optional || (sequence != nullptr) == (info.kind == ValueKind::sequence);
  if (sequence != nullptr) {
    for (const Tensor& tensor : *sequence) require_type(tensor, info);
  } else if (const auto* tensor = std::get_if<Tensor>(&datum)) {
    require_type(*tensor, info);
    fits = fits && (info.kind != ValueKind::tensor || !info.has_rank ||
                    std::equal(info.shape.begin(), info.shape.end(), tensor->shape().begin(), tensor->shape().end(),
                               [](const ValueInfo::Dim& d, std::int64_t extent) { return d.value < 0 || d.value == extent; }));
  } else {
    fits = info.kind == ValueKind::optional;
  }
  if (!fits) bad_input("an input does not fit the model", info.name, to_string(info), to_string(datum));
}

}  // namespace

template <typename Given>
void Session::State::choose(std::span<const Given> given) {
  bool overrides = false;
  for (const Given& value : given) {
    const std::vector<ValueInfo>& all = plan.inputs();
    const auto info = std::find_if(all.begin(), all.end(), [&](const ValueInfo& i) { return i.name == value.first; });
    if (info == all.end()) bad_input("the model has no such input", value.first, names_of(all), "'" + value.first + "'");
    overrides = overrides || info->optional;
  }
  Plan::State& next = overrides ? plan.state().overridable() : plan.state();
  if (chosen == &next) return;
  bound.reset();
  runner.reset();
  chosen = &next;
}

std::vector<Datum> Session::State::take_data(std::span<const NamedDatum> given) const {
  const std::vector<ValueInfo>& infos = chosen->planned_inputs();
  std::vector<Datum> data;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    if (const NamedDatum* mine = find_given(given, infos[i])) {
      data.push_back(mine->second);
    } else if (infos[i].optional) {
      data.emplace_back(*chosen->graph().value(chosen->graph().inputs[i]).constant);
    } else if (infos[i].kind == ValueKind::optional) {
      data.emplace_back(std::monostate());
    } else {
      bad_input("an input is missing", infos[i].name, to_string(infos[i]), "nothing");
    }
    require_fit(data.back(), infos[i]);
  }
  return data;
}

std::vector<Datum> Session::State::run_program(std::span<const NamedDatum> given, const RunOptions& options) {
  const std::vector<Datum> data = take_data(given);
  if (runner == nullptr) runner = std::make_unique<runtime::ProgramRunner>(*chosen->program());
  if (profiling) ++profile.runs;
  return runner->run(data, profiling, options);
}

void Session::State::take_inputs(std::span<const NamedTensor> given) {
  const std::vector<ValueInfo>& infos = chosen->planned_inputs();
  const graph::Graph& graph = chosen->graph();
  inputs.resize(infos.size());
  shapes.resize(infos.size());
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const ValueInfo& info = infos[i];
    if (const NamedTensor* mine = find_given(given, info)) {
      inputs[i] = mine->second;
    } else if (info.optional) {
      inputs[i] = *graph.value(graph.inputs[i]).constant;
    } else {
      bad_input("an input is missing", info.name, to_string(info), "nothing");
    }
    require_type(inputs[i], info);
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

std::vector<Tensor> Session::State::run(std::span<const NamedTensor> given, const RunOptions& options) {
  choose(given);
  std::vector<Tensor> results;
  if (chosen->program() != nullptr) {
    for (Datum& datum : run_program(std::vector<NamedDatum>(given.begin(), given.end()), options)) {
      if (!std::holds_alternative<Tensor>(datum)) not_a_tensor(datum);
      results.push_back(std::move(std::get<Tensor>(datum)));
    }
    return results;
  }
  execute(given, options);
  for (std::size_t i = 0; i < planned_outputs().size(); ++i) {
    const plan::PlannedValue& output = planned_outputs()[i];
    results.emplace_back(output.type, output.shape);
    if (output.bytes != 0) std::memcpy(results.back().mutable_raw(), executor->output(i), output.bytes);
  }
  return results;
}

void Session::State::run_into(std::span<const NamedTensor> given, std::span<Tensor> outputs, const RunOptions& options) {
  choose(given);
  if (chosen->program() != nullptr) {
    const std::vector<Datum> results = run_program(std::vector<NamedDatum>(given.begin(), given.end()), options);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto* result = std::get_if<Tensor>(&results[i]);
      if (result == nullptr) not_a_tensor(results[i]);
      copy_output(plan.outputs()[i].name, result->type(), result->shape(), result->raw(), outputs[i]);
    }
    return;
  }
  execute(given, options);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const plan::PlannedValue& output = planned_outputs()[i];
    copy_output(output.name, output.type, output.shape, executor->output(i), outputs[i]);
  }
}

std::vector<Tensor> Session::run(const std::vector<NamedTensor>& inputs, const RunOptions& options) {
  const Busy busy(state().busy);
  return base::guard_memory([&] { return state().run(inputs, options); });
}

std::vector<Datum> Session::run_data(const std::vector<NamedDatum>& inputs, const RunOptions& options) {
  if (plan().state().program() != nullptr) {
    const Busy busy(state().busy);
    return base::guard_memory([&] {
      state().choose(std::span(inputs));
      return state().run_program(inputs, options);
    });
  }
  std::vector<NamedTensor> tensors;
  for (const auto& [name, datum] : inputs) {
    if (!std::holds_alternative<Tensor>(datum)) bad_input("an input is not a tensor", name, "a tensor", to_string(datum));
    tensors.emplace_back(name, std::get<Tensor>(datum));
  }
  const std::vector<Tensor> outputs = run(tensors, options);
  return {outputs.begin(), outputs.end()};
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
  base::guard_memory([&] { state().run_into(inputs, outputs, options); });
}

void Session::enable_profile(bool on) {
  state().profiling = on;
  std::fill(state().profile.seconds.begin(), state().profile.seconds.end(), 0.0);
  state().profile.runs = 0;
  if (state().runner != nullptr) state().runner->clear_profile();
}

PlanReport Session::profile() const {
  Plan::State& planned = state().chosen != nullptr ? *state().chosen : state().plan.state();
  PlanReport report = planned.report(state().bound.get());
  if (state().runner != nullptr) {
    state().runner->report_steps(report);
    for (StepReport& step : report.steps) step.milliseconds /= static_cast<double>(std::max<std::int64_t>(1, state().profile.runs));
    return report;
  }
  for (std::size_t i = 0; i < report.steps.size() && state().profile.runs > 0; ++i) {
    report.steps[i].milliseconds = state().profile.seconds[i] * 1e3 / static_cast<double>(state().profile.runs);
  }
  return report;
}

}  // namespace linnet
