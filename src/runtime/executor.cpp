#include "runtime/executor.h"

#include <omp.h>

#include <chrono>
#include <cstring>
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
  std::size_t step = 0;
  for (const plan::Repetition& repeated : plan_->repetitions) {
    for (; step < repeated.first; ++step) bind(step, 0);
    const int owners = repeated.per_thread ? threads_ : 1;
    for (int owner = 0; owner < owners; ++owner) {
      const ops::Range own = ops::split(repeated.times, owners, owner);
      for (std::int64_t repetition = own.first; repetition < own.last; ++repetition) {
        for (step = repeated.first; step < repeated.last; ++step)
          bind(step, repetition, repeated.per_thread ? owner : kAllThreads);
      }
    }
    calls_.back().meet = true;
  }
  for (; step < plan_->steps.size(); ++step) bind(step, 0);
}

void Executor::bind(std::size_t step, std::ptrdiff_t repetition, int owner) {
  const plan::PlannedStep& planned = plan_->steps[step];
  Call call{step, repetition, owner, owner == kAllThreads, {}, {}};
  for (const BufferRef& ref : planned.inputs) call.inputs.push_back(resolve(ref, repetition, owner));
  for (const BufferRef& ref : planned.outputs)
    call.outputs.push_back(ref.kind == BufferRef::Kind::arena
                               ? arena_ + ref.offset + repetition * ref.advance + owner * ref.apart
                               : nullptr);
  calls_.push_back(std::move(call));
}

const std::byte* Executor::resolve(const BufferRef& ref, std::ptrdiff_t repetition, int owner) const {
  const std::ptrdiff_t advance = repetition * ref.advance + owner * ref.apart;
  switch (ref.kind) {
    case BufferRef::Kind::none: return nullptr;
    case BufferRef::Kind::arena: return arena_ + ref.offset + advance;
    case BufferRef::Kind::constant: return ref.data;
    case BufferRef::Kind::input:
      return input_bytes_[ref.index] == nullptr ? nullptr : input_bytes_[ref.index] + advance;
  }
  return nullptr;
}

const std::byte* Executor::output(std::size_t i) const { return resolve(plan_->outputs[i].buffer); }

Tensor Executor::copy_output(std::size_t i) const {
  const plan::PlannedValue& value = plan_->outputs[i];
  Tensor copy(value.type, value.shape);
  if (value.bytes != 0) std::memcpy(copy.mutable_raw(), output(i), value.bytes);
  return copy;
}

ops::RunArgs Executor::arguments(const Call& call, int thread, int threads) {
  ops::RunArgs args;
  args.inputs = call.inputs.data();
  args.outputs = call.outputs.data();
  args.fault = &faults_[call.step];
  std::byte* const scratch = arena_ + plan_->thread_scratch_offset;
  if (call.owner == kAllThreads) {
    args.thread = thread;
    args.threads = threads;
    args.shared_scratch = arena_ + plan_->shared_scratch_offset;
    args.thread_scratch = scratch + static_cast<std::size_t>(thread) * plan_->thread_scratch_stride;
  } else {
    args.shared_scratch = scratch + static_cast<std::size_t>(call.owner) * plan_->thread_scratch_stride;
    args.thread_scratch = args.shared_scratch + plan::arena_aligned(plan_->steps[call.step].step.shared_scratch_bytes);
  }
  return args;
}

void Executor::walk(int thread, int threads, std::vector<double>* seconds, const RunOptions& options) {
  using Clock = std::chrono::steady_clock;
  Clock::time_point resumed = threads > 1 ? Clock::now() : Clock::time_point{};
  const auto meet = [&] {
    if (threads == 1) return;
    barrier_.wait(threads, Clock::now() - resumed);
    resumed = Clock::now();
  };
  bool stopped = false;
  std::size_t first = 0;  // of the calls since the threads last met
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    const bool alone = call.owner != kAllThreads;
    const bool mine = !alone || (call.owner % threads == thread && !stopped);
    const bool timed = seconds != nullptr && thread == 0 && mine;
    const Clock::time_point begin = timed ? Clock::now() : Clock::time_point{};
    if (mine) {
      const ops::Step& step = plan_->steps[call.step].step;
      ops::RunArgs args = arguments(call, thread, threads);
      for (; args.phase < step.phases; ++args.phase) {
        if (args.phase > 0 && !alone) meet();
        step.run(args);
      }
      stopped = (alone || thread == 0) && should_stop(options);
      if (stopped) last_call_.store(first, std::memory_order_relaxed);
    }
    if (call.meet) {
      meet();
      if (last_call_.load(std::memory_order_relaxed) <= i) return;
      first = i + 1;
    }
    if (timed) (*seconds)[call.step] += std::chrono::duration<double>(Clock::now() - begin).count();
  }
}

void Executor::run(std::span<const std::byte* const> inputs, std::vector<double>* seconds, const RunOptions& options) {
  if (should_stop(options)) throw_cancelled();
  last_call_.store(kToTheEnd, std::memory_order_relaxed);
  for (std::size_t i = 0; i < inputs.size(); ++i) input_bytes_[i] = inputs[i];
  for (Call& call : calls_) {
    const std::vector<BufferRef>& refs = plan_->steps[call.step].inputs;
    for (std::size_t j = 0; j < refs.size(); ++j) {
      if (refs[j].kind == BufferRef::Kind::input) call.inputs[j] = resolve(refs[j], call.repetition);
    }
  }
  // libgomp allocates a team even for a region of one thread.
  if (threads_ == 1) {
    walk(0, 1, seconds, options);
  } else {
    // A nested region (the caller runs us inside one of its own) may give fewer threads: the walk takes what it gets.
#pragma omp parallel num_threads(threads_)
    walk(omp_get_thread_num(), omp_get_num_threads(), seconds, options);
  }
  if (last_call_.load(std::memory_order_relaxed) <
      calls_.size() - 1) {  // after the last one there is nothing to cut short
    for (std::atomic<const char*>& fault : faults_) fault.store(nullptr, std::memory_order_relaxed);
    throw_cancelled();
  }
  check_faults();
}

void Executor::check_faults() {
  const char* what = nullptr;
  std::size_t faulty = 0;
  // All are taken, the first step's last: one that stayed would refuse the next run.
  for (std::size_t i = faults_.size(); i-- > 0;) {
    const char* const fault = faults_[i].exchange(nullptr, std::memory_order_relaxed);
    if (fault == nullptr) continue;
    what = fault;
    faulty = i;
  }
  if (what == nullptr) return;
  const ops::Step& step = plan_->steps[faulty].step;
  throw Error(ErrorCode::input, what, {.node = step.name, .op = step.op});
}

}  // namespace linnet::runtime
