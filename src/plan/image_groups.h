// Which stretches of a plan run a few images of the batch at a time, so that what one step writes is still in the caches when
// the next reads it.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/graph.h"
#include "ops/step.h"

namespace linnet::plan {

/// Nodes [first, last) of the graph's order, `images` images of the batch at a time, `times` times one after the other.
struct ImageGroup {
  std::int32_t first = 0, last = 0;
  std::int64_t images = 0;
  std::int32_t times = 0;
  bool per_thread = false;  // each thread goes through times of its own, alone; else all threads share the work of each
};

/// Disjoint and in order; what is in none of them runs on the whole batch at once. `placements` are those of the whole batch.
/// Only nodes on nchw16c are grouped: such an operator computes each image from the same image of its inputs (ops::LayoutRule).
std::vector<ImageGroup> choose_image_groups(const graph::Graph& graph, const std::vector<ops::Placement>& placements,
                                            int threads);

/// The group of node `index` of the order; null for one of none.
const ImageGroup* group_of(const std::vector<ImageGroup>& groups, std::int32_t index);

/// A value of which only `images` images are at hand.
ops::Placement place_images(const ops::Placement& whole, std::int64_t images);

/// Bytes from one image of a value to the next.
std::int64_t image_bytes(const ops::Placement& placement);

}  // namespace linnet::plan
