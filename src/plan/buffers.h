// Which values share a buffer, and where in one arena the buffers and the steps' scratch lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "ops/step.h"
#include "plan/image_groups.h"
#include "plan/joined_values.h"
#include "plan/memory_plan.h"
#include "plan/planner.h"

namespace linnet::plan {

class Buffers {
 public:
  /// `steps` are those of the graph's nodes, in its order. Sets the plan's arena_bytes and scratch. All but `places` outlive this.
  Buffers(const graph::Graph& graph, const std::vector<ops::Step>& steps, const std::vector<ops::Placement>& placements,
          const std::vector<ImageGroup>& groups, JoinedPlaces places, int threads, ShapePlan& plan);

  /// Where a value lies, for a step of `group`, or of none. A constant becomes one of the plan's.
  BufferRef ref(graph::ValueId id, const ImageGroup* group = nullptr);
  /// The node whose outputs or scratch take the most.
  [[nodiscard]] graph::NodeId largest_node() const;

 private:
  void find_roots();
  void find_split_roots();
  void touch(graph::ValueId id, std::int32_t index, bool writes);
  void share_in_place(std::int32_t index);
  void place_buffers();
  void place_scratch();
  [[nodiscard]] graph::ValueId root(graph::ValueId id) const;
  [[nodiscard]] std::size_t buffer_bytes(graph::ValueId id) const;
  [[nodiscard]] std::size_t index_of(const ImageGroup& group) const;

  /// What each thread has for itself in a group per thread: of one thread, all of whose buffers lie together, as another may
  /// be many steps ahead.
  struct OwnMemory {
    MemoryPlan plan;
    std::size_t stride = 0;  // from one thread's to the next one's
    std::size_t slot = 0;    // of all threads' together, in the plan around it
  };

  const graph::Graph& graph_;
  const std::vector<ops::Step>& steps_;
  const std::vector<ops::Placement>& placements_;
  const std::vector<ImageGroup>& groups_;
  std::size_t threads_;
  ShapePlan& plan_;
  std::vector<graph::ValueId> parent_;      // by value: whose buffer it shares; itself for a root
  std::vector<std::size_t> offset_;         // by value: the byte where it begins in the buffer of its root
  std::vector<const ImageGroup*> inside_;   // by root: the group that alone touches it, whose images are all it holds
  std::vector<std::int32_t> first_, last_;  // by root: first and last step that touches it
  std::vector<std::int32_t> slot_;  // by root: index of graph_.inputs, plan_.constants or MemoryPlan::offsets; or -1
  MemoryPlan memory_;
  std::vector<OwnMemory> own_memory_;  // by group
};

}  // namespace linnet::plan
