// A graph that no single plan can serve: plans and dynamic nodes in turn (runtime/schedule.h), subgraphs included.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "linnet/datum.h"
#include "ops/control_flow.h"
#include "ops/eager.h"
#include "plan/plan_cache.h"
#include "runtime/executor.h"
#include "runtime/schedule.h"

namespace linnet::runtime {

struct ProgramOptions {
  plan::PlanTarget target;
  std::size_t max_plans = 4;        // kept by each segment
  std::int64_t max_loop_trips = 0;  // of one Loop or Scan
  std::int64_t max_loop_bytes = 0;  // of what one Loop collects and carries
  /// Of the program and those of its subgraphs, counted as they are made: each is planned by itself.
  std::shared_ptr<std::int64_t> segments = std::make_shared<std::int64_t>(0);
};

/// A segment with the passes done. The types and ranks of its inputs are those of a run: what dynamic nodes give is not known
/// before.
struct PreparedSegment {
  PreparedSegment(const Segment& segment, std::span<const Tensor> inputs, const ProgramOptions& options);
  /// Whether the inputs have the types and ranks for which it was prepared.
  [[nodiscard]] bool fits(std::span<const Tensor> inputs) const;

  graph::Graph graph;
  std::vector<std::pair<DataType, std::size_t>> signature;
  plan::PlanCache plans;
  std::vector<PassReport> passes;
};

/// Shared by all sessions on one plan. Thread-safe.
class Program {
 public:
  /// The graph's types and kinds have been inferred.
  Program(graph::Graph graph, const ProgramOptions& options);

  [[nodiscard]] const graph::Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] const Schedule& schedule() const noexcept { return schedule_; }
  [[nodiscard]] const ProgramOptions& options() const noexcept { return options_; }
  /// Segment `index`, prepared for inputs such as these.
  std::shared_ptr<PreparedSegment> prepare(std::size_t index, std::span<const Tensor> inputs) const;
  /// The subgraphs of a node, in the order of ops::inferred_bodies, with their names.
  struct Body {
    std::string name;
    std::unique_ptr<Program> program;
  };
  [[nodiscard]] const std::vector<Body>& bodies(graph::NodeId id) const;
  /// Adds what has been planned so far.
  void report(PlanReport& report) const;

 private:
  graph::Graph graph_;
  ProgramOptions options_;
  Schedule schedule_;
  std::map<graph::NodeId, std::vector<Body>> bodies_;
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<PreparedSegment>> prepared_;  // by segment; null before its first run
};

/// Runs a program: one a session, and one a subgraph. One run at a time.
class ProgramRunner {
 public:
  /// `arena`: of the runner of the graph around it. One segment runs at a time, and what it gives out is copied, so one arena
  /// serves them all.
  explicit ProgramRunner(const Program& program, std::shared_ptr<Arena> arena = std::make_shared<Arena>());

  /// One datum an input of the graph, one an output. Throws Error.
  std::vector<ops::SharedDatum> run(std::vector<ops::SharedDatum> inputs, bool profiling, const RunOptions& options);
  /// Adds the steps of what ran last, with the time that they have taken since clear_profile().
  void report_steps(PlanReport& report) const;
  void clear_profile();

  [[nodiscard]] const Program& program() const noexcept { return program_; }
  [[nodiscard]] bool profiling() const noexcept { return profiling_; }
  [[nodiscard]] const RunOptions& run_options() const noexcept { return options_; }
  /// The runner of a node's subgraph, by its place.
  [[nodiscard]] ProgramRunner& body(graph::NodeId id, std::size_t index) { return bodies_.at(id)[index]; }

 private:
  struct SegmentState {
    std::shared_ptr<PreparedSegment> prepared;
    std::shared_ptr<const plan::ShapePlan> bound;
    const std::byte* memory = nullptr;  // the arena that the executor is bound to
    std::unique_ptr<Executor> executor;
    std::vector<double> seconds;  // of each step, summed over runs
  };
  [[nodiscard]] ops::SharedDatum value_of(graph::ValueId id) const;
  /// What the item reads. What nothing reads after it, nothing else holds from here on.
  std::vector<ops::SharedDatum> take_inputs(const Schedule::Item& item);
  void run_segment(std::size_t index, const std::vector<ops::SharedDatum>& given);
  void run_node(graph::NodeId id, std::vector<ops::SharedDatum> inputs);
  void bind(SegmentState& state, std::shared_ptr<const plan::ShapePlan> plan);

  const Program& program_;
  std::shared_ptr<Arena> arena_;
  std::vector<SegmentState> segments_;
  std::map<graph::NodeId, std::vector<ProgramRunner>> bodies_;
  std::vector<ops::SharedDatum> values_;  // of this run, by ValueId
  bool profiling_ = false;
  RunOptions options_;
};

}  // namespace linnet::runtime
