#include "plan/plan_cache.h"

#include <algorithm>
#include <cstring>

namespace linnet::plan {

namespace {

bool same_value(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && a.shape() == b.shape() &&
         (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

}  // namespace

std::shared_ptr<const ShapePlan> PlanCache::plan_for(const graph::Graph& graph, const std::vector<Shape>& shapes,
                                                     std::span<const Tensor> known, const PlanTarget& target) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(plans_.begin(), plans_.end(), [&](const Entry& e) {
    return e.shapes == shapes && std::equal(e.known.begin(), e.known.end(), known.begin(), known.end(), same_value);
  });
  if (found != plans_.end()) {
    plans_.splice(plans_.begin(), plans_, found);
    return plans_.front().plan;
  }
  Entry entry{shapes, {}, nullptr};
  // A copy: the caller's memory may change, and the plan may hold the values as constants.
  for (const Tensor& tensor : known)
    entry.known.push_back(tensor.type() == DataType::undefined ? Tensor() : tensor.clone());
  entry.plan = plan_shapes(graph, shapes, entry.known, target, weights_);
  plans_.push_front(std::move(entry));
  if (plans_.size() > max_plans_) plans_.pop_back();
  return plans_.front().plan;
}

std::shared_ptr<const ShapePlan> PlanCache::plan_once(const graph::Graph& graph, const std::vector<Shape>& shapes,
                                                      const PlanTarget& target) {
  const std::lock_guard lock(mutex_);
  return plan_shapes(graph, shapes, {}, target, weights_);
}

std::shared_ptr<const ShapePlan> PlanCache::latest() const {
  const std::lock_guard lock(mutex_);
  return plans_.empty() ? nullptr : plans_.front().plan;
}

}  // namespace linnet::plan
