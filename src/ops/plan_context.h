// What an operator sees when it turns its node into a Step: placements, the kernel table, options, packed-weight store.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "ops/node_context.h"
#include "ops/step.h"
#include "ops/weight_store.h"

namespace linnet::ops {

struct PlanOptions {
  bool winograd = true;          // SessionOptions::convolution == automatic
  bool weights_past_l3 = false;  // as PlanTarget's
  int threads = 1;               // that share the step: a hint for scratch and partitions; results never depend on it
  int packing_threads = 1;
  const Tuning* tuning = nullptr;
  std::string machine;  // what the keys of `tuning` begin with
  /// The graph that all sets of input shapes start from: constants of its own are the same in all their plans, under the
  /// same id, and so is what is packed of them, in `common_weights`. Null: plans share nothing.
  const graph::Graph* common = nullptr;
  WeightStore* common_weights = nullptr;
  std::int64_t max_table_bytes =
      std::numeric_limits<std::int64_t>::max();  // SessionOptions::max_arena_bytes, for each step
};

class PlanContext : public NodeContext {
 public:
  using Inputs = std::initializer_list<std::size_t>;

  /// `weights` are those of this plan alone.
  PlanContext(const graph::Graph& graph, graph::NodeId id, const kernels::Table& table, const PlanOptions& options,
              WeightStore& weights, const std::vector<Placement>& placements, Step& step)
      : NodeContext(graph, id),
        table_(table),
        options_(options),
        weights_(weights),
        placements_(placements),
        step_(step) {}

  [[nodiscard]] const kernels::Table& kernels() const noexcept { return table_; }
  [[nodiscard]] const PlanOptions& options() const noexcept { return options_; }
  [[nodiscard]] Step& step() noexcept { return step_; }

  /// Where input or output i lies. An omitted one has type undefined.
  [[nodiscard]] const Placement& placement_in(std::size_t i) const;
  [[nodiscard]] const Placement& placement_out(std::size_t i) const;

  /// Packs constants, once for all nodes and all shape-bound plans. `of` are the inputs whose elements `fill` reads, if they
  /// are constant, and `what` names all else (of attributes and shapes) that the packing depends on. `fill` is given zeroed
  /// memory and need not run again. Where it writes every byte from parallel_for, Fill::none lets the threads touch the
  /// pages, each its own.
  WeightStore::Buffer pack(Inputs of, std::string_view what, std::size_t bytes,
                           const std::function<void(std::byte*)>& fill,
                           base::AlignedBuffer::Fill memory = base::AlignedBuffer::Fill::zero);
  /// What tuning has found for this step; zeros if nothing. `shape` tells apart what may want different blockings.
  [[nodiscard]] Blocking tuned_blocking(const std::string& shape);
  /// Refuses tables of positions or weights that would take more than PlanOptions::max_table_bytes. Before they are made: they grow
  /// with extents of which a file needs a few bytes.
  void require_table_room(std::int64_t entries, std::int64_t entry_bytes) const;
  /// For packing: calls body(0) .. body(n-1), perhaps at once from several threads.
  void parallel_for(std::int64_t n, const std::function<void(std::int64_t)>& body) const;
  /// The step has its own copy of this constant input: the planner need not keep the original at hand for run().
  void consumed(std::size_t input) { step_.inputs[input] = graph::kNoValue; }
  /// Consumed, those that are there, and what pack() made of them serves every batch extent: the planner may give the
  /// originals' bytes back. Not for what inference reads (the shape of a Reshape), and not where another batch may want
  /// another packing.
  void packed(Inputs of);

 private:
  [[nodiscard]] bool are_common(Inputs constants) const;

  const kernels::Table& table_;
  const PlanOptions& options_;
  WeightStore& weights_;
  const std::vector<Placement>& placements_;  // by ValueId
  Step& step_;
};

/// For Step::kernel: "avx2", and "6x16".
std::string isa_label(const PlanContext& context);
std::string tile_label(const PlanContext& context);

}  // namespace linnet::ops
