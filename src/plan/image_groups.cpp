#include "plan/image_groups.h"

#include <algorithm>
#include <iterator>

#include "base/checked_math.h"
#include "graph/index.h"

namespace linnet::plan {

namespace {

using graph::at;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;
using ops::Placement;

// Of what a step reads and writes, for each thread: its share of the last cache. docs/performance.md has what other sizes cost.
constexpr std::int64_t kBytesAThread = 4 << 20;
// Of what a step reads and writes of one image, for a thread that works alone: the arena holds as many images then as there are
// threads.
constexpr std::int64_t kMostBytesAlone = 4 * kBytesAThread;
constexpr std::int64_t kMostTimes = 256;  // the executor holds the pointers of every repetition

/// Images of the batch if the node computes each image by itself, else 0.
std::int64_t separate_images(const graph::Graph& graph, NodeId id, const std::vector<Placement>& placements) {
  const graph::Node& node = graph.node(id);
  // A constant is read whole each time: as a filter or a channel's operand it may be, but the first input holds the images.
  if (node.inputs.empty() || node.inputs[0] == kNoValue || graph.value(node.inputs[0]).constant) return 0;
  std::int64_t images = 0;
  for (const ValueId output : node.outputs) {
    if (output == kNoValue || placements[at(output)].layout != graph::Layout::nchw16c) return 0;
    images = placements[at(output)].shape[0];
  }
  for (const ValueId input : node.inputs) {
    if (input == kNoValue || graph.value(input).constant) continue;
    const Shape& shape = placements[at(input)].shape;
    if (shape.size() != placements[at(node.outputs[0])].shape.size() || shape[0] != images) return 0;
  }
  return images;
}

/// What a node reads and writes of one image.
struct Traffic {
  std::int64_t in = 0, out = 0;
  [[nodiscard]] std::int64_t all() const { return in + out; }
};

Traffic traffic_an_image(const graph::Graph& graph, NodeId id, const std::vector<Placement>& placements) {
  const auto sum = [&](const std::vector<ValueId>& values) {
    std::int64_t bytes = 0;
    for (const ValueId value : values) {
      if (value == kNoValue || graph.value(value).constant) continue;
      const Placement& p = placements[at(value)];
      bytes += p.channel_blocks() * p.plane_stride * static_cast<std::int64_t>(element_bytes(p.type));
    }
    return bytes;
  };
  return {sum(graph.node(id).inputs), sum(graph.node(id).outputs)};
}

/// The most images, dividing the batch, that need no more than `most` bytes. Of the powers of four: between two groups a tensor
/// of the whole batch goes through memory, so that there should be few.
std::int64_t images_at_a_time(std::int64_t batch, std::int64_t bytes_an_image, std::int64_t most) {
  if (batch * bytes_an_image <= most) return batch;
  std::int64_t images = 1;
  while (images < batch && images * 4 * bytes_an_image <= most) images *= 4;
  images = std::clamp(images, (batch + kMostTimes - 1) / kMostTimes, batch);
  while (batch % images != 0) --images;
  return batch / images <= kMostTimes ? images : batch;
}

bool continues(const ImageGroup& group, const ImageGroup& next) {
  return group.last == next.first && group.images == next.images && group.times == next.times &&
         group.per_thread == next.per_thread;
}

/// Each thread alone with images of its own where that gives all of them about as much to do: no step waits for another thread
/// then, and nothing that one has written is read by the next.
void part_by_threads(ImageGroup& group, std::int64_t bytes_an_image, int threads) {
  if (threads == 1 || bytes_an_image > kMostBytesAlone) return;
  const std::int64_t batch = group.images * group.times;
  for (std::int64_t images = std::max<std::int64_t>(1, group.images / threads); images > 0; --images) {
    const std::int64_t times = batch / images;
    if (batch % images != 0 || times > kMostTimes) continue;
    const std::int64_t most_images = base::ceil_div(times, threads) * images;  // of one thread
    if (most_images * threads > batch + batch / 20) continue;
    group.images = images;
    group.times = static_cast<std::int32_t>(times);
    group.per_thread = true;
    return;
  }
}

}  // namespace

const ImageGroup* group_of(const std::vector<ImageGroup>& groups, std::int32_t index) {
  const auto next = std::upper_bound(groups.begin(), groups.end(), index,
                                     [](std::int32_t i, const ImageGroup& group) { return i < group.first; });
  return next != groups.begin() && index < std::prev(next)->last ? &*std::prev(next) : nullptr;
}

std::int64_t image_bytes(const Placement& placement) {
  const auto width = static_cast<std::int64_t>(element_bytes(placement.type));
  if (placement.layout == graph::Layout::nchw16c) return placement.image_stride * width;
  return placement.elements() / std::max<std::int64_t>(1, placement.shape[0]) * width;
}

Placement place_images(const Placement& whole, std::int64_t images) {
  Shape shape = whole.shape;
  shape[0] = images;
  Placement some = ops::place(whole.type, std::move(shape), whole.layout, whole.halo);
  some.image_stride = whole.image_stride;
  some.within = whole.within;
  return some;
}

std::vector<ImageGroup> choose_image_groups(const graph::Graph& graph, const std::vector<Placement>& placements,
                                            int threads) {
  std::vector<ImageGroup> groups;
  const std::vector<NodeId>& order = graph.order();
  // From the end: a node takes no more images at a time than what comes after it, so that a group is left for good once its
  // tensors have become small. A node that makes little from much stays with the one before it: what it makes is what then
  // goes through memory.
  std::int64_t batch = 0, most_bytes = 0;
  for (auto i = static_cast<std::int32_t>(order.size()) - 1; i >= 0; --i) {
    const std::int64_t separate = separate_images(graph, order[at(i)], placements);
    if (separate != batch) most_bytes = 0;
    batch = separate;
    if (batch <= 1) continue;
    const Traffic traffic = traffic_an_image(graph, order[at(i)], placements);
    most_bytes = std::max(most_bytes, traffic.all());
    const bool follows =
        traffic.out < traffic.in && i > 0 && separate_images(graph, order[at(i - 1)], placements) == batch;
    const std::int64_t before = follows ? traffic_an_image(graph, order[at(i - 1)], placements).all() : 0;
    const std::int64_t images = images_at_a_time(batch, std::max(most_bytes, before), kBytesAThread * threads);
    if (images == batch) continue;
    ImageGroup group{i, i + 1, images, static_cast<std::int32_t>(batch / images)};
    part_by_threads(group, most_bytes, threads);
    if (!groups.empty() && continues(group, groups.back())) {
      groups.back().first = i;
    } else {
      groups.push_back(group);
    }
  }
  std::erase_if(groups, [](const ImageGroup& group) { return group.last - group.first == 1; });
  std::reverse(groups.begin(), groups.end());
  return groups;
}

}  // namespace linnet::plan
