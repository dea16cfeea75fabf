// How well the partition of a convolution's work loads 1 to 64 threads, over all layers of the ResNets: a model, as no
// machine at hand has so many cores.
#include "ops/partition.h"
#include "ops/blocked.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "base/checked_math.h"
#include "kernels/table.h"

namespace linnet::test::partition_test {
namespace {

struct Layer {
  std::int64_t out_edge, in_channels, out_channels, kernel, stride;
};

// Every shape that ResNet-18 to -152 give to the direct kernel.
const std::vector<Layer> kLayers = {
    {112, 3, 64, 7, 2},   {56, 64, 64, 1, 1},    {56, 64, 256, 1, 1},   {56, 256, 64, 1, 1},   {56, 256, 128, 1, 1},
    {28, 128, 128, 3, 2}, {28, 64, 128, 3, 2},   {28, 256, 512, 1, 2},  {28, 64, 128, 1, 2},   {28, 128, 512, 1, 1},
    {28, 512, 128, 1, 1}, {28, 512, 256, 1, 1},  {14, 256, 256, 3, 2},  {14, 128, 256, 3, 2},  {14, 512, 1024, 1, 2},
    {14, 128, 256, 1, 2}, {14, 256, 1024, 1, 1}, {14, 1024, 256, 1, 1}, {14, 1024, 512, 1, 1}, {7, 512, 512, 3, 2},
    {7, 256, 512, 3, 2},  {7, 256, 512, 1, 2},   {7, 512, 2048, 1, 1},  {7, 1024, 2048, 1, 2}, {7, 2048, 512, 1, 1},
};

/// As plan_conv_direct cuts the layer: pixels of a plane in tiles where it is one long row, in rows elsewhere.
ops::GridCost cost_of(const Layer& layer, const kernels::TileShape& tile) {
  const std::int64_t pixels = layer.out_edge * layer.out_edge, k = layer.in_channels * layer.kernel * layer.kernel;
  const bool flat = layer.kernel == 1 && layer.stride == 1;
  ops::GridCost cost;
  cost.pixel_units = flat ? base::ceil_div(pixels, std::int64_t{tile.pixels}) : layer.out_edge;
  cost.panels = base::ceil_div(layer.out_channels, std::int64_t{tile.channels});
  cost.unit_cycles = static_cast<double>((flat ? tile.pixels : layer.out_edge) * k);
  cost.weight_bytes = static_cast<double>(4 * k * layer.out_channels);
  cost.input_bytes = static_cast<double>(4 * layer.in_channels * pixels * layer.stride * layer.stride);
  cost.output_bytes = static_cast<double>(4 * layer.out_channels * pixels);
  return cost;
}

/// Unit-panels of the thread that has most. Checks that every one belongs to exactly one thread.
std::int64_t largest_share(const ops::GridCost& cost, int threads) {
  const ops::Grid grid = ops::choose_grid(cost, threads);
  std::vector<int> owners(static_cast<std::size_t>(cost.pixel_units * cost.panels), 0);
  std::int64_t largest = 0;
  for (int thread = 0; thread < threads; ++thread) {
    const ops::Part part = ops::part_of(grid, cost.pixel_units, cost.panels, thread);
    for (std::int64_t unit = part.pixels.first; unit < part.pixels.last; ++unit) {
      for (std::int64_t panel = part.panels.first; panel < part.panels.last; ++panel)
        ++owners[static_cast<std::size_t>(unit * cost.panels + panel)];
    }
    largest = std::max(largest, (part.pixels.last - part.pixels.first) * (part.panels.last - part.panels.first));
  }
  CHECK(std::all_of(owners.begin(), owners.end(), [](int n) { return n == 1; }));
  return largest;
}

}  // namespace

TEST_CASE("the partition keeps 1 to 64 threads busy on all layers of the ResNets", "[ops]") {
  // Mean load / largest load. The 7x7 layers have least to share out: 4 tiles of 14 pixels, 7 rows. Layers of little
  // work are less even where that keeps their data on a core: two threads take 17 and 16 of the 33 tiles of 6 pixels at 14x14.
  for (const kernels::TileShape tile : {kernels::TileShape{6, 16}, kernels::TileShape{14, 32}}) {
    for (int threads = 1; threads <= 64; ++threads) {
      INFO(tile.pixels << "x" << tile.channels << ", " << threads << " threads");
      double work = 0, time = 0;
      for (const Layer& layer : kLayers) {
        const ops::GridCost cost = cost_of(layer, tile);
        const auto units = static_cast<double>(cost.pixel_units * cost.panels);
        const auto largest = static_cast<double>(largest_share(cost, threads));
        CHECK(units / (largest * threads) >= (threads <= 2 ? 0.97 : (threads <= 8 ? 0.66 : 0.5)));
        work += units * cost.unit_cycles;
        time += largest * cost.unit_cycles * threads;
      }
      CHECK(work / time >= (threads <= 4 ? 0.93 : (threads <= 8 ? 0.9 : 0.7)));
    }
  }
}

TEST_CASE("threads share out the rows of nchw16c tensors, each row of each plane once", "[ops]") {
  struct Case {
    ops::BlockedExtent extent;
    int threads;
    bool same_rows;  // of all planes, in each image
  };
  const Case cases[] = {
      {{1, 24, 14, 14}, 2, true}, {{1, 24, 14, 14, true}, 2, false}, {{1, 60, 7, 7}, 2, false},
      {{1, 4, 56, 56}, 3, true},  {{1, 4, 56, 56}, 64, false},       {{5, 3, 20, 30}, 4, true},
      {{1, 64, 28, 1}, 2, false}, {{1, 2, 3, 2}, 2, false},          {{0, 2, 3, 2}, 2, false},
      {{16, 8, 7, 7}, 2, true},
  };
  for (const Case& c : cases) {
    const ops::BlockedExtent& e = c.extent;
    INFO(e.images << " x " << e.blocks << " x " << e.height << " x " << e.width << ", " << c.threads << " threads");
    const auto rows = static_cast<std::size_t>(e.planes() * e.height);
    std::vector<int> owner(rows, -1);
    bool once = true;
    for (int thread = 0; thread < c.threads; ++thread) {
      ops::RunArgs args;
      args.thread = thread;
      args.threads = c.threads;
      e.each_share(args, [&](const kernels::PlaneRange& range) {
        for (std::int64_t plane = range.plane_begin; plane < range.plane_end; ++plane) {
          for (int row = range.row_begin; row < range.row_end; ++row) {
            int& of_row = owner.at(static_cast<std::size_t>(plane * e.height + row));
            once = once && of_row == -1;
            of_row = thread;
          }
        }
      });
    }
    CHECK(once);
    CHECK(std::find(owner.begin(), owner.end(), -1) == owner.end());
    bool same_rows = e.images > 0;
    for (std::size_t i = 0; i < rows; ++i) {
      const auto height = static_cast<std::size_t>(e.height), blocks = static_cast<std::size_t>(e.blocks);
      const std::size_t image = i / (blocks * height);
      same_rows = same_rows && owner[i] == owner[image * blocks * height + i % height];
    }
    if (e.elements() >= ops::kLeastElementsToShare) CHECK(same_rows == c.same_rows);
  }
}

}  // namespace linnet::test::partition_test
