// Measuring blockings: plans that differ in nothing else run in turn, and each shape of convolution keeps its fastest.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <set>

#include "base/out_of_memory.h"
#include "linnet/error.h"
#include "linnet/tuning.h"
#include "plan_state.h"
#include "runtime/executor.h"

namespace linnet {

namespace {

using Clock = std::chrono::steady_clock;
using Coordinate = std::int32_t Blocking::*;

constexpr double kBeyondNoise = 0.97;  // of the time before: what is not below it stays as it is
constexpr int kFewestRounds = 5;
constexpr int kWarmUps = 2;
constexpr int kMostSeconds = 3600;
// Threads first: the sizes that fit the caches follow from each one's share.
constexpr Coordinate kCoordinates[] = {&Blocking::panel_parts, &Blocking::tiles, &Blocking::chunk};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One tuning, ready to run.
class Trial {
 public:
  Trial(std::shared_ptr<const plan::ShapePlan> plan, const plan::PlanTarget& target)
      : plan_(std::move(plan)),
        executor_(plan_, arena_.hold(plan_->arena_bytes), target.threads),
        seconds_(plan_->steps.size()) {}

  void warm_up(std::span<const std::byte* const> inputs) {
    for (int i = 0; i < kWarmUps; ++i) executor_.run(inputs, nullptr, {});
  }
  void measure(std::span<const std::byte* const> inputs) {
    std::vector<double> seconds(seconds_.size(), 0.0);
    const Clock::time_point begin = Clock::now();
    executor_.run(inputs, &seconds, {});
    totals_.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    for (std::size_t i = 0; i < seconds_.size(); ++i) seconds_[i].push_back(seconds[i]);
  }

  [[nodiscard]] bool same_outputs(const Trial& other) const {
    for (std::size_t i = 0; i < plan_->outputs.size(); ++i) {
      const std::size_t bytes = plan_->outputs[i].bytes;
      if (bytes != 0 && std::memcmp(executor_.output(i), other.executor_.output(i), bytes) != 0) return false;
    }
    return true;
  }
  [[nodiscard]] const plan::ShapePlan& plan() const { return *plan_; }
  /// Seconds: of all steps with this key, and of the whole network.
  [[nodiscard]] double time_of(const std::string& key) const {
    double sum = 0;
    for (std::size_t i = 0; i < seconds_.size(); ++i)
      if (plan_->steps[i].step.tuning_key == key) sum += median(seconds_[i]);
    return sum;
  }
  [[nodiscard]] double time() const { return median(totals_); }

 private:
  std::shared_ptr<const plan::ShapePlan> plan_;
  runtime::Arena arena_;
  runtime::Executor executor_;
  std::vector<std::vector<double>> seconds_;  // by step, one a run
  std::vector<double> totals_;
};

/// What `value` could be instead. 0: nothing, there is no choice.
std::vector<std::int32_t> neighbours(Coordinate coordinate, std::int32_t value, int threads) {
  std::set<std::int32_t> values;
  if (value == 0) return {};
  if (coordinate == &Blocking::panel_parts) {
    for (std::int32_t parts = 1; parts <= threads; parts *= 2) values.insert(parts);
    values.insert(threads);
  } else {
    values = {value / 4, value / 2, value * 2, value * 4};
    values.erase(0);
  }
  values.erase(value);
  return {values.begin(), values.end()};
}

class Tuner {
 public:
  Tuner(const Plan& plan, const Tuning& start, const TuneOptions& options)
      : state_(plan.state()), options_(options), start_(start), found_(start) {
    for (const plan::PlannedValue& input : state_.latest()->inputs) {
      inputs_.emplace_back(input.type, input.shape);
      if (input.type != DataType::float32) continue;
      std::int32_t i = 0;
      for (float& x : inputs_.back().mutable_data<float>()) x = static_cast<float>(i++ % 251) / 125.0f - 1.0f;
    }
    for (const Tensor& input : inputs_) input_bytes_.push_back(static_cast<const std::byte*>(input.raw()));
  }

  TuneResult run() {
    for (const Coordinate coordinate : kCoordinates) improve(coordinate);
    return compare();
  }

 private:
  using Trials = std::vector<std::unique_ptr<Trial>>;

  void add(Trials& trials, const Tuning& tuning) {
    trials.push_back(std::make_unique<Trial>(state_.plan_with(tuning), state_.target()));
    trials.back()->warm_up(input_bytes_);
    if (!trials.back()->same_outputs(*trials.front()))
      throw Error(ErrorCode::internal, "another blocking changed the result", {.file = state_.graph().file});
  }

  /// All trials in turn, for a quarter of the time: three coordinates and the comparison at the end.
  void measure(const Trials& trials) {
    const double share = options_.seconds / 4;
    const Clock::time_point begin = Clock::now();
    double spent = 0;
    for (int round = 0; round < kFewestRounds || spent < share; ++round) {
      for (const std::unique_ptr<Trial>& trial : trials) trial->measure(input_bytes_);
      spent = std::chrono::duration<double>(Clock::now() - begin).count();
      const double done = stage_ + (share > 0 ? std::min(1.0, spent / share) : 0);
      if (options_.percent != nullptr) options_.percent->store(static_cast<int>(done * 25), std::memory_order_relaxed);
    }
    ++stage_;
  }

  void improve(Coordinate coordinate) {
    Trials trials;
    add(trials, found_);
    std::map<std::string, std::vector<Blocking>> choices;  // by key; the first is what we have
    std::size_t most = 1;
    for (const plan::PlannedStep& planned : trials.front()->plan().steps) {
      const ops::Step& step = planned.step;
      if (step.tuning_key.empty() || choices.count(step.tuning_key) != 0) continue;
      std::vector<Blocking>& list = choices[step.tuning_key];
      list.push_back(step.blocking);
      for (const std::int32_t value : neighbours(coordinate, step.blocking.*coordinate, state_.target().threads)) {
        list.push_back(step.blocking);
        list.back().*coordinate = value;
      }
      most = std::max(most, list.size());
    }
    for (std::size_t k = 1; k < most; ++k) {
      Tuning tuning = found_;
      for (const auto& [key, list] : choices)
        if (k < list.size()) tuning.blockings[key] = list[k];
      add(trials, tuning);
    }
    measure(trials);
    for (const auto& [key, list] : choices) {
      double best = trials.front()->time_of(key) * kBeyondNoise;
      for (std::size_t k = 1; k < list.size(); ++k) {
        const double time = trials[k]->time_of(key);
        if (time >= best) continue;
        best = time;
        found_.blockings[key] = list[k];
      }
    }
  }

  TuneResult compare() {
    Trials trials;
    add(trials, start_);
    add(trials, found_);
    measure(trials);
    const Trial &before = *trials.front(), &after = *trials.back();
    TuneResult result;
    result.before_ms = before.time() * 1e3;
    result.after_ms = after.time() * 1e3;
    result.tuning = result.after_ms < result.before_ms ? found_ : start_;
    std::map<std::string, TunedShape> shapes;
    for (std::size_t i = 0; i < before.plan().steps.size(); ++i) {
      const ops::Step &old_step = before.plan().steps[i].step, &new_step = after.plan().steps[i].step;
      if (old_step.tuning_key.empty()) continue;
      TunedShape& shape = shapes[old_step.tuning_key];
      shape.nodes.push_back(old_step.name);
      shape.before = old_step.blocking;
      shape.after = new_step.blocking;
    }
    result.shapes = shapes.size();
    if (options_.percent != nullptr) options_.percent->store(100, std::memory_order_relaxed);
    for (auto& [key, shape] : shapes) {
      if (shape.before == shape.after || result.after_ms >= result.before_ms) continue;
      shape.key = key;
      shape.before_ms = before.time_of(key) * 1e3;
      shape.after_ms = after.time_of(key) * 1e3;
      result.tuning.blockings[key] = shape.after;  // as it is used, which is no more than there is
      result.changed.push_back(std::move(shape));
    }
    return result;
  }

  Plan::State& state_;
  const TuneOptions& options_;
  const Tuning& start_;
  Tuning found_;
  std::vector<Tensor> inputs_;
  std::vector<const std::byte*> input_bytes_;
  int stage_ = 0;
};

}  // namespace

TuneResult tune(const Model& model, const SessionOptions& options, const TuneOptions& tuning) {
  if (!(tuning.seconds >= 0 && tuning.seconds <= kMostSeconds)) {
    throw Error(ErrorCode::usage, "the time to measure is out of range",
                {.where = "TuneOptions::seconds",
                 .expected = "0 to " + std::to_string(kMostSeconds),
                 .found = std::to_string(tuning.seconds)});
  }
  return base::guard_memory([&] {
    const Plan plan(model, options);
    if (plan.state().program() != nullptr)
      throw Error(ErrorCode::unsupported, "a model whose shapes depend on data cannot be tuned",
                  {.file = plan.state().graph().file});
    if (plan.state().latest() == nullptr)
      throw Error(ErrorCode::usage, "an input's shape is open",
                  {.file = plan.state().graph().file,
                   .where = "SessionOptions::input_shapes",
                   .expected = "the shapes to tune for"});
    return Tuner(plan, options.tuning, tuning).run();
  });
}

}  // namespace linnet
