#include "linnet/session.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_map>

#include "base/out_of_memory.h"
#include "base/tensor_access.h"
#include "plan_state.h"
#include "runtime/executor.h"

namespace linnet {

struct Session::State {
  explicit State(Plan p) : plan(std::move(p)) {
    (void)plan.state();
    for (const ValueInfo& info : plan.inputs()) places.emplace(info.name, places.size());
    sources.reserve(places.size());
  }

  Plan plan;
  std::atomic_flag busy = ATOMIC_FLAG_INIT;
  Plan::State* chosen = nullptr;                 // of the plan: the one that takes this run's inputs
  std::shared_ptr<const plan::ShapePlan> bound;  // what the executor runs
  runtime::Arena arena;
  std::unique_ptr<runtime::Executor> executor;
  std::vector<Shape> shapes;  // of this run, and scratch for comparing: kept so that a run allocates nothing
  std::vector<Tensor> inputs;
  std::vector<const std::byte*> input_bytes;
  std::unordered_map<std::string_view, std::size_t> places;  // of the plan's inputs, by name
  std::vector<std::size_t> sources;                          // by place: which of this run's data is given for it
  std::vector<std::size_t> passed_on;                        // the inputs whose own bytes are outputs, too
  std::vector<std::size_t> by_address;                       // the caller's outputs, and scratch for comparing
  bool profiling = false;
  std::int64_t profiled_runs = 0;
  std::vector<double> seconds;  // of the steps of `bound`, summed over these

  std::unique_ptr<runtime::ProgramRunner> runner;  // where no plan serves

  template <typename Given>
  void choose(std::span<const Given> given);
  void require_apart(std::span<const Tensor> outputs);
  template <typename Given>
  [[nodiscard]] const Given* find_given(std::span<const Given> given, const ValueInfo& info) const;
  void take_inputs(std::span<const NamedTensor> given);
  [[nodiscard]] std::vector<Datum> take_data(std::span<const NamedDatum> given) const;
  std::vector<Datum> run_program(std::span<const NamedDatum> given, const RunOptions& options,
                                 std::span<const Tensor> outputs = {});
  std::vector<Tensor> run(std::span<const NamedTensor> given, const RunOptions& options);
  void run_into(std::span<const NamedTensor> given, std::span<Tensor> outputs, const RunOptions& options);
  std::vector<Datum> run_data(const std::vector<NamedDatum>& given, const RunOptions& options);
  [[nodiscard]] PlanReport report() const;
  void release();
  void clear_profile();
  template <typename Run>
  void count_run(const Run& run);
  void bind();
  void execute(std::span<const NamedTensor> given, const RunOptions& options, std::span<const Tensor> outputs = {});
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

[[noreturn]] void bad_input(const std::string& message, const std::string& name, std::string expected,
                            std::string found) {
  throw Error(ErrorCode::input, message,
              {.where = "input '" + name + "'", .expected = std::move(expected), .found = std::move(found)});
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
                {.where = "output '" + name + "'",
                 .expected = std::string(to_string(type)) + to_string(shape),
                 .found = to_string(Datum(output))});
  }
  if (output.bytes() != 0) std::memcpy(output.mutable_raw(), bytes, output.bytes());
}

/// Outputs are written one after the other, and one may be an input as it came: that gets bytes of its own where any output
/// would be written over them.
void keep_apart(Tensor& input, std::span<const Tensor> outputs) {
  const auto first = reinterpret_cast<std::uintptr_t>(input.raw());
  const bool overwritten = std::any_of(outputs.begin(), outputs.end(), [&](const Tensor& output) {
    const auto begin = reinterpret_cast<std::uintptr_t>(output.raw());
    return begin < first + input.bytes() && first < begin + output.bytes();
  });
  if (overwritten) input = input.clone();
}

void keep_apart(Datum& datum, std::span<const Tensor> outputs) {
  if (auto* const tensor = std::get_if<Tensor>(&datum)) return keep_apart(*tensor, outputs);
  if (auto* const sequence = std::get_if<Sequence>(&datum)) {
    for (Tensor& tensor : *sequence) keep_apart(tensor, outputs);
  }
}

constexpr std::size_t kNotGiven = std::numeric_limits<std::size_t>::max();

void require_elements(const Tensor& tensor, const ValueInfo& info) {
  if (tensor.type() != info.type)
    bad_input("an input has the wrong type", info.name, to_string(info), to_string(Datum(tensor)));
  if (tensor.type() != DataType::boolean) return;
  // And, Xor and Where take the byte as it is.
  const auto* const first = static_cast<const std::uint8_t*>(tensor.raw());
  const auto* const wrong = std::find_if(first, first + tensor.bytes(), [](std::uint8_t x) { return x > 1; });
  if (wrong != first + tensor.bytes())
    bad_input("an input's element " + std::to_string(wrong - first) + " is no bool", info.name, "0 or 1",
              std::to_string(*wrong));
}

void require_fit(const Datum& datum, const ValueInfo& info) {
  const auto* sequence = std::get_if<Sequence>(&datum);
  bool fits = info.kind == ValueKind::optional || (sequence != nullptr) == (info.kind == ValueKind::sequence);
  if (sequence != nullptr) {
    for (const Tensor& tensor : *sequence) require_elements(tensor, info);
  } else if (const auto* tensor = std::get_if<Tensor>(&datum)) {
    require_elements(*tensor, info);
    fits = fits &&
           (info.kind != ValueKind::tensor || !info.has_rank ||
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
  const std::vector<ValueInfo>& all = plan.inputs();
  sources.assign(all.size(), kNotGiven);
  for (std::size_t i = 0; i < given.size(); ++i) {
    const std::string& name = given[i].first;
    const auto place = places.find(name);
    if (place == places.end()) bad_input("the model has no such input", name, names_of(all), "'" + name + "'");
    std::size_t& source = sources[place->second];
    if (source != kNotGiven) bad_input("an input is given twice", name, "one value", "two");
    source = i;
    overrides = overrides || all[place->second].optional;
  }
  Plan::State& next = overrides ? plan.state().overridable() : plan.state();
  if (chosen == &next) return;
  release();
  runner.reset();
  chosen = &next;
}

/// Null where it is not given.
template <typename Given>
const Given* Session::State::find_given(std::span<const Given> given, const ValueInfo& info) const {
  const std::size_t source = sources[places.find(info.name)->second];
  return source == kNotGiven ? nullptr : &given[source];
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

std::vector<Datum> Session::State::run_program(std::span<const NamedDatum> given, const RunOptions& options,
                                               std::span<const Tensor> outputs) {
  std::vector<ops::SharedDatum> data;
  for (Datum& datum : take_data(given)) {
    keep_apart(datum, outputs);
    data.push_back(ops::share(std::move(datum)));
  }
  if (runner == nullptr) runner = std::make_unique<runtime::ProgramRunner>(*chosen->program());
  std::vector<Datum> results;
  count_run([&] {
    for (const ops::SharedDatum& result : runner->run(std::move(data), profiling, options))
      results.push_back(ops::take(result));
  });
  return results;
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
    require_elements(inputs[i], info);
    if (!is_aligned(inputs[i])) inputs[i] = inputs[i].clone();
    shapes[i] = inputs[i].shape();
  }
}

/// What was bound goes, and its profile: a run may fail before the next one is bound.
void Session::State::release() {
  executor.reset();
  bound.reset();
  seconds.clear();
  profiled_runs = 0;
}

void Session::State::bind() {
  const bool same =
      bound != nullptr && std::equal(shapes.begin(), shapes.end(), bound->inputs.begin(), bound->inputs.end(),
                                     [](const Shape& a, const plan::PlannedValue& b) { return a == b.shape; });
  if (same) return;
  std::shared_ptr<const plan::ShapePlan> next = chosen->plan_for(shapes);
  release();
  passed_on.clear();
  for (const plan::PlannedValue& output : next->outputs) {
    if (output.buffer.kind == plan::BufferRef::Kind::input) passed_on.push_back(output.buffer.index);
  }
  std::sort(passed_on.begin(), passed_on.end());
  passed_on.erase(std::unique(passed_on.begin(), passed_on.end()), passed_on.end());
  executor = std::make_unique<runtime::Executor>(next, arena.hold(next->arena_bytes), plan.state().target().threads);
  seconds.assign(next->steps.size(), 0.0);
  bound = std::move(next);
}

void Session::State::execute(std::span<const NamedTensor> given, const RunOptions& options,
                             std::span<const Tensor> outputs) {
  take_inputs(given);
  bind();
  for (const std::size_t input : passed_on) keep_apart(inputs[input], outputs);
  input_bytes.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) input_bytes[i] = static_cast<const std::byte*>(inputs[i].raw());
  count_run([&] { executor->run(input_bytes, profiling ? &seconds : nullptr, options); });
}

void Session::State::clear_profile() {
  std::fill(seconds.begin(), seconds.end(), 0.0);
  profiled_runs = 0;
  if (runner != nullptr) runner->clear_profile();
}

/// A run that ends early leaves times of some of its steps, in no mean.
template <typename Run>
void Session::State::count_run(const Run& run) {
  try {
    run();
  } catch (...) {
    clear_profile();
    throw;
  }
  if (profiling) ++profiled_runs;
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
  for (std::size_t i = 0; i < bound->outputs.size(); ++i) results.push_back(executor->copy_output(i));
  return results;
}

/// Copies of a tensor share its bytes: std::vector<Tensor>(2, tensor) is one place for two results.
void Session::State::require_apart(std::span<const Tensor> outputs) {
  const auto begin = [&](std::size_t i) { return reinterpret_cast<std::uintptr_t>(outputs[i].raw()); };
  by_address.clear();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].bytes() != 0) by_address.push_back(i);
  }
  std::sort(by_address.begin(), by_address.end(), [&](std::size_t a, std::size_t b) { return begin(a) < begin(b); });
  for (std::size_t k = 1; k < by_address.size(); ++k) {
    const std::size_t first = by_address[k - 1], second = by_address[k];
    if (begin(second) - begin(first) >= outputs[first].bytes()) continue;
    throw Error(ErrorCode::input, "two output tensors have the same memory",
                {.where = "outputs '" + plan.outputs()[first].name + "' and '" + plan.outputs()[second].name + "'",
                 .expected = "own memory for each"});
  }
}

void Session::State::run_into(std::span<const NamedTensor> given, std::span<Tensor> outputs,
                              const RunOptions& options) {
  require_apart(outputs);
  choose(given);
  if (chosen->program() != nullptr) {
    const std::vector<Datum> results =
        run_program(std::vector<NamedDatum>(given.begin(), given.end()), options, outputs);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto* result = std::get_if<Tensor>(&results[i]);
      if (result == nullptr) not_a_tensor(results[i]);
      copy_output(plan.outputs()[i].name, result->type(), result->shape(), result->raw(), outputs[i]);
    }
    return;
  }
  execute(given, options, outputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const plan::PlannedValue& output = bound->outputs[i];
    copy_output(output.name, output.type, output.shape, executor->output(i), outputs[i]);
  }
}

std::vector<Tensor> Session::run(const std::vector<NamedTensor>& inputs, const RunOptions& options) {
  const Busy busy(state().busy);
  return base::guard_memory([&] { return state().run(inputs, options); });
}

std::vector<Datum> Session::State::run_data(const std::vector<NamedDatum>& given, const RunOptions& options) {
  if (plan.state().program() != nullptr) {
    choose(std::span(given));
    return run_program(given, options);
  }
  std::vector<NamedTensor> tensors;
  for (const auto& [name, datum] : given) {
    if (!std::holds_alternative<Tensor>(datum))
      bad_input("an input is not a tensor", name, "a tensor", to_string(datum));
    tensors.emplace_back(name, std::get<Tensor>(datum));
  }
  const std::vector<Tensor> outputs = run(tensors, options);
  return {outputs.begin(), outputs.end()};
}

std::vector<Datum> Session::run_data(const std::vector<NamedDatum>& inputs, const RunOptions& options) {
  const Busy busy(state().busy);
  return base::guard_memory([&] { return state().run_data(inputs, options); });
}

std::vector<Tensor> Session::run(const Tensor& input, const RunOptions& options) {
  const std::vector<ValueInfo>& infos = plan().inputs();
  const auto required = std::count_if(infos.begin(), infos.end(), [](const ValueInfo& info) { return !info.optional; });
  const auto first =
      std::find_if(infos.begin(), infos.end(), [&](const ValueInfo& info) { return required == 0 || !info.optional; });
  if (first == infos.end() || required > 1) {
    throw Error(ErrorCode::input, "the model has " + std::to_string(required) + " inputs; give them by name");
  }
  return base::guard_memory([&] { return run(std::vector<NamedTensor>{{first->name, input}}, options); });
}

void Session::run(std::span<const NamedTensor> inputs, std::span<Tensor> outputs, const RunOptions& options) {
  const Busy busy(state().busy);
  if (outputs.size() != plan().outputs().size()) {
    throw Error(ErrorCode::input, "one tensor an output is needed",
                {.expected = std::to_string(plan().outputs().size()), .found = std::to_string(outputs.size())});
  }
  base::guard_memory([&] { state().run_into(inputs, outputs, options); });
}

void Session::enable_profile(bool on) {
  const Busy busy(state().busy);
  state().profiling = on;
  state().clear_profile();
}

PlanReport Session::State::report() const {
  const Plan::State& planned = chosen != nullptr ? *chosen : plan.state();
  PlanReport report = planned.report(bound.get());
  if (runner != nullptr) runner->report_steps(report);
  for (std::size_t i = 0; i < seconds.size(); ++i) report.steps[i].milliseconds = seconds[i] * 1e3;
  for (StepReport& step : report.steps)
    step.milliseconds /= static_cast<double>(std::max<std::int64_t>(1, profiled_runs));
  return report;
}

PlanReport Session::profile() const {
  const Busy busy(state().busy);
  return base::guard_memory([&] { return state().report(); });
}

}  // namespace linnet
