// Graph -> ShapePlan: concrete shapes, layouts, kernels, packed weights and a memory plan for one machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "kernels/cpu.h"
#include "linnet/session.h"
#include "ops/plan_context.h"
#include "ops/step.h"

namespace linnet::plan {

/// Where a buffer of a step lies.
struct BufferRef {
  enum class Kind : std::uint8_t { none, arena, constant, input };
  Kind kind = Kind::none;
  std::size_t offset = 0;           // arena
  std::size_t index = 0;            // input: place in ShapePlan::inputs
  const std::byte* data = nullptr;  // constant
  std::ptrdiff_t advance = 0;       // bytes to the images of the next repetition of a step
  std::ptrdiff_t apart = 0;         // bytes to the copy of the next thread, of a Repetition per thread
};

struct PlannedStep {
  ops::Step step;
  std::vector<BufferRef> inputs, outputs;
  std::string output;  // description of output 0
};

/// Steps [first, last) run `times` times before the next one: a few images of the batch at a time.
struct Repetition {
  std::size_t first = 0, last = 0;
  std::int32_t times = 1;
  bool per_thread =
      false;  // thread t of all takes ops::split(times, threads, t) by itself, its scratch shared with nobody
};

struct PlannedValue {
  std::string name;
  DataType type = DataType::undefined;
  Shape shape;
  BufferRef buffer;
  std::size_t bytes = 0;
};

/// An executable plan for one set of input shapes. Immutable.
struct ShapePlan {
  std::vector<PlannedValue> inputs, outputs;
  std::vector<PlannedStep> steps;         // views, and Concats whose inputs lie in their output, are left out
  std::vector<Repetition> repetitions;    // disjoint and in order; all other steps run once
  std::vector<Tensor> constants;          // what steps read at run time
  std::size_t shared_scratch_offset = 0;  // in the arena
  std::size_t thread_scratch_offset = 0;
  std::size_t thread_scratch_stride = 0;  // a thread's scratch starts at offset + thread * stride
  std::size_t arena_bytes = 0;
  std::int64_t macs = 0;
  std::vector<PassReport> passes;  // of the shapes stage
};

/// What is common to all shapes: the machine, the options and the packed weights.
struct PlanTarget {
  const kernels::Table* table = nullptr;
  int threads = 1;
  bool winograd = true;
  /// Weights are asked for so that they pass by L3: a network has more of them than it holds, and reads them once a run. It keeps
  /// tensors instead.
  bool weights_past_l3 = false;
  std::vector<std::string> disabled_passes;
  std::int64_t max_arena_bytes = 0;
  std::int64_t max_folded_bytes = 0;
  Tuning tuning;
  std::string machine;  // what its keys for this machine and ISA begin with
  /// Called with a constant (by its id in the graph given to plan_shapes) once every step that reads it has packed its own
  /// copy, so that the caller may drop its bytes too. Empty: keep all.
  std::function<void(graph::ValueId)> on_packed;
};

/// Without a profile's time.
StepReport report_of(const PlannedStep& planned);

/// The constant without its bytes: type and shape stay, for the shapes planned next. Their packed form is in the WeightStore.
void drop_bytes(graph::Value& value);

/// `graph` has been through the passes of the model stage; `input_shapes` are those of graph.inputs. Throws Error: `input` for
/// shapes that do not fit the model, `unsupported` for a step whose shapes depend on data, `limit`.
/// A tensor of `known` is that input's value for good, a constant of this plan, and no input of it; one without a type is not
/// known. `known` may be empty.
std::shared_ptr<const ShapePlan> plan_shapes(const graph::Graph& graph, const std::vector<Shape>& input_shapes,
                                             std::span<const Tensor> known, const PlanTarget& target,
                                             ops::WeightStore& weights);

}  // namespace linnet::plan
