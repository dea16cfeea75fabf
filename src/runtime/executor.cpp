#include "runtime/executor.h"

#include <omp.h>

#include <chrono>
#include <limits>
#include <utility>

#include "linnet/error.h"
#include "plan/memory_plan.h"
#include "runtime/cancellation.h"

namespace linnet::runtime {

using plan::BufferRef;

namespace {

constexpr std::size_t kToTheEnd = std::numeric_limits<std::size_t>::max();

}  // namespace

std::byte* Arena::hold(std::size_t bytes) {
  if (memory_.bytes() < bytes + plan::kArenaAlignment) {
    memory_ = {};
    memory_ = base::AlignedBuffer(bytes + plan::kArenaAlignment, base::AlignedBuffer::Fill::zero);
  }
  const auto misfit = reinterpret_cast<std::uintptr_t>(memory_.data()) % plan::kArenaAlignment;
  return memory_.data() + (plan::kArenaAlignment - misfit) % plan::kArenaAlignment;
}

Executor::Executor(std::shared_ptr<const plan::ShapePlan> plan, std::byte* arena, int threads)
    : plan_(std::move(plan)),
      arena_(arena),
      threads_(threads),
      input_bytes_(plan_->inputs.size(), nullptr),
      faults_(plan_->steps.size()) {
  for (const plan::PlannedStep& step : plan_->steps) {
    Pointers p;
    for (const BufferRef& ref : step.inputs) p.inputs.push_back(resolve(ref));
    for (const BufferRef& ref : step.outputs)
      p.outputs.push_back(ref.kind == BufferRef::Kind::arena ? arena_ + ref.offset : nullptr);
    pointers_.push_back(std::move(p));
  }
}

const std::byte* Executor::resolve(const BufferRef& ref) const {
  switch (ref.kind) {
    case BufferRef::Kind::none: return nullptr;
    case BufferRef::Kind::arena: return arena_ + ref.offset;
    case BufferRef::Kind::constant: return ref.data;
    case BufferRef::Kind::input: return input_bytes_[ref.index];
  }
  return nullptr;
}

const std::byte* Executor::output(std::size_t i) const { return resolve(plan_->outputs[i].buffer); }

void Executor::walk(int thread, int threads, Profile* profile, const RunOptions& options) {
  using Clock = std::chrono::steady_clock;
  ops::RunArgs args;
  args.thread = thread;
  args.threads = threads;
  args.shared_scratch = arena_ + plan_->shared_scratch_offset;
  args.thread_scratch =
      arena_ + plan_->thread_scratch_offset + static_cast<std::size_t>(thread) * plan_->thread_scratch_stride;
  Clock::time_point resumed = threads > 1 ? Clock::now() : Clock::time_point{};
  for (std::size_t i = 0; i < plan_->steps.size(); ++i) {
    const ops::Step& step = plan_->steps[i].step;
    args.inputs = pointers_[i].inputs.data();
    args.outputs = pointers_[i].outputs.data();
    args.fault = &faults_[i];
    const bool timed = profile != nullptr && thread == 0;
    const Clock::time_point begin = timed ? Clock::now() : Clock::time_point{};
    for (args.phase = 0; args.phase < step.phases; ++args.phase) {
      step.run(args);
      if (thread == 0 && args.phase == step.phases - 1 && should_stop(options))
        last_step_.store(i, std::memory_order_relaxed);
      if (threads > 1) {
        barrier_.wait(threads, Clock::now() - resumed);
        resumed = Clock::now();
      }
    }
    if (last_step_.load(std::memory_order_relaxed) <= i) return;
    if (timed) profile->seconds[i] += std::chrono::duration<double>(Clock::now() - begin).count();
  }
}

void Executor::run(std::span<const std::byte* const> inputs, Profile* profile, const RunOptions& options) {
  if (should_stop(options)) throw_cancelled();
  last_step_.store(kToTheEnd, std::memory_order_relaxed);
  for (std::size_t i = 0; i < inputs.size(); ++i) input_bytes_[i] = inputs[i];
  for (std::size_t i = 0; i < plan_->steps.size(); ++i) {
    const plan::PlannedStep& step = plan_->steps[i];
    for (std::size_t j = 0; j < step.inputs.size(); ++j) {
      if (step.inputs[j].kind == BufferRef::Kind::input) pointers_[i].inputs[j] = input_bytes_[step.inputs[j].index];
    }
  }
  // libgomp allocates a team even for a region of one thread.
  if (threads_ == 1) {
    walk(0, 1, profile, options);
  } else {
    // A nested region (the caller runs us inside one of its own) may give fewer threads: the walk takes what it gets.
#pragma omp parallel num_threads(threads_)
    walk(omp_get_thread_num(), omp_get_num_threads(), profile, options);
  }
  if (last_step_.load(std::memory_order_relaxed) <
      plan_->steps.size() - 1) {  // after the last one there is nothing to cut short
    for (std::atomic<const char*>& fault : faults_) fault.store(nullptr, std::memory_order_relaxed);
    throw_cancelled();
  }
  if (profile != nullptr) ++profile->runs;
  check_faults();
}

void Executor::check_faults() {
  for (std::size_t i = 0; i < faults_.size(); ++i) {
    if (const char* what = faults_[i].exchange(nullptr, std::memory_order_relaxed)) {
      const ops::Step& step = plan_->steps[i].step;
      throw Error(ErrorCode::input, what,
                  {.file = {}, .node = step.name, .op = step.op, .where = {}, .expected = {}, .found = {}});
    }
  }
}

}  // namespace linnet::runtime
