// The plans that one graph has been given, the least recently used one first to go. Thread-safe.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "plan/planner.h"

namespace linnet::plan {

class PlanCache {
 public:
  explicit PlanCache(std::size_t max_plans) : max_plans_(max_plans < 1 ? 1 : max_plans) {}

  /// The plan for these inputs (see plan_shapes), made now if it is not among the last ones. `graph` and `target` are the same
  /// in all calls.
  std::shared_ptr<const ShapePlan> plan_for(const graph::Graph& graph, const std::vector<Shape>& shapes,
                                            std::span<const Tensor> known, const PlanTarget& target);
  /// The same for a target of which only the tuning differs: made now, and not kept. It shares the packed weights.
  std::shared_ptr<const ShapePlan> plan_once(const graph::Graph& graph, const std::vector<Shape>& shapes,
                                             const PlanTarget& target);
  /// The plan asked for last; null before the first.
  [[nodiscard]] std::shared_ptr<const ShapePlan> latest() const;
  [[nodiscard]] std::size_t weight_bytes() const { return weights_.bytes(); }

 private:
  struct Entry {
    std::vector<Shape> shapes;
    std::vector<Tensor> known;
    std::shared_ptr<const ShapePlan> plan;
  };

  std::size_t max_plans_;
  ops::WeightStore weights_;
  mutable std::mutex mutex_;
  std::list<Entry> plans_;  // most recently used first
};

}  // namespace linnet::plan
