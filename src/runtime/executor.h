// Runs a ShapePlan on an arena: one parallel region a run, all threads through the steps together.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "plan/planner.h"
#include "runtime/barrier.h"

namespace linnet::runtime {

/// Memory for the arenas of plans, as aligned as they want it.
class Arena {
 public:
  /// At least `bytes`, zeroed unless they have been there before. Gives back what it has before it takes more.
  std::byte* hold(std::size_t bytes);

 private:
  base::AlignedBuffer memory_;
};

/// A ShapePlan bound to an arena: every pointer resolved. One run at a time.
class Executor {
 public:
  /// `arena` must hold plan->arena_bytes, 128-byte aligned, and outlive the executor.
  Executor(std::shared_ptr<const plan::ShapePlan> plan, std::byte* arena, int threads);

  /// inputs[i] are the bytes of plan().inputs[i], aligned to their element. Allocates nothing. The time of each
  /// step is added to its number in `seconds`, which may be null.
  /// Throws Error(input) if the data break an operator's rules (an index out of range), and `cancelled` as `options` ask;
  /// the outputs are then worthless.
  void run(std::span<const std::byte* const> inputs, std::vector<double>* seconds, const RunOptions& options);
  /// The bytes of output i after a run.
  [[nodiscard]] const std::byte* output(std::size_t i) const;
  [[nodiscard]] Tensor copy_output(std::size_t i) const;
  [[nodiscard]] const plan::ShapePlan& plan() const noexcept { return *plan_; }

 private:
  /// A step with its pointers: once for each repetition of it.
  struct Call {
    std::size_t step = 0;
    std::ptrdiff_t repetition = 0;
    int owner = kAllThreads;  // the thread that makes this call alone
    bool meet = true;         // all threads wait for each other after it
    std::vector<const std::byte*> inputs;
    std::vector<std::byte*> outputs;
  };
  static constexpr int kAllThreads = -1;
  void bind(std::size_t step, std::ptrdiff_t repetition, int owner = kAllThreads);
  /// For thread `owner` of a repetition per thread.
  [[nodiscard]] const std::byte* resolve(const plan::BufferRef& ref, std::ptrdiff_t repetition = 0,
                                         int owner = 0) const;
  void check_faults();
  [[nodiscard]] ops::RunArgs arguments(const Call& call, int thread, int threads);
  void walk(int thread, int threads, std::vector<double>* seconds, const RunOptions& options);

  std::shared_ptr<const plan::ShapePlan> plan_;
  std::byte* arena_;
  int threads_;
  std::vector<Call> calls_;                       // in the order of execution
  std::vector<const std::byte*> input_bytes_;     // of this run
  std::vector<std::atomic<const char*>> faults_;  // of each step
  // The call after which all threads stop: at the barrier that follows it. Written before that barrier and after the one before
  // it, so that all threads, however late one reads it, leave at the same one.
  std::atomic<std::size_t> last_call_;
  Barrier barrier_;
};

}  // namespace linnet::runtime
