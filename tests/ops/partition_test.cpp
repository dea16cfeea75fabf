// How well a step's partition loads 1 to 64 threads, over all convolutions of ResNet-18 and ResNet-50 as they are planned: a
// model, as no machine at hand has so many cores. `test_ops "[.partition]"` prints it.
#include "ops/partition.h"
#include "ops/blocked.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "onnx/load.h"
#include "passes/pass.h"
#include "plan/planner.h"
#include "support/resnet.h"

namespace linnet::test::partition_test {
namespace {

constexpr int kMostThreads = 64;
constexpr kernels::TileShape kTiles[] = {{6, 16}, {14, 32}};

/// Steps of one shape. Cycles are those of the planner's own model (Step::load).
struct Layer {
  std::string name, key;  // the key of its tuning, if it has one, for the number of threads planned last
  int count = 0;          // in the network
  double whole = 0;       // cycles of one thread alone
};

/// A ResNet whose graph and packed weights are the same for all numbers of threads.
class Network {
 public:
  Network(int depth, kernels::TileShape tile)
      : file_(resnet(depth).bytes()), table_(*kernels::table(kernels::Isa::scalar)) {
    graph_ = onnx::load_graph(file_, nullptr, "resnet", {});
    passes::run_passes(graph_, passes::Stage::model, {});
    table_.tile = tile;  // no kernel is run: any machine can plan for the tile of another
    (void)slowest(1);
  }
  [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }

  /// Cycles of the thread of each layer that does most, with the grid of the planner or one of so many parts of panels.
  std::vector<double> slowest(int threads, int panel_parts = 0) {
    plan::PlanTarget target;
    target.table = &table_;
    target.threads = threads;
    target.max_arena_bytes = std::int64_t{1} << 30;
    target.max_folded_bytes = SessionOptions().max_folded_bytes;
    if (panel_parts > 0) {
      for (const Layer& layer : layers_) target.tuning.blockings[layer.key].panel_parts = panel_parts;
    }
    const bool first = layers_.empty();
    std::vector<double> cycles(layers_.size(), 0.0);
    const std::shared_ptr<const plan::ShapePlan> plan =
        plan::plan_shapes(graph_, {{1, 3, 224, 224}}, {}, target, weights_);
    for (const plan::PlannedStep& planned : plan->steps) {
      const ops::Step& step = planned.step;
      if (!step.load) continue;
      double most = 0, all = 0;
      for (int thread = 0; thread < threads; ++thread) {
        most = std::max(most, step.load(thread, threads));
        all += step.load(thread, threads);
      }
      const std::size_t layer = layer_of(step);
      if (first) layers_[layer].count += 1;
      if (first) layers_[layer].whole = most;
      cycles.resize(layers_.size());
      cycles[layer] = most;
      CHECK(all >= layers_[layer].whole * (1 - 1e-9));  // nothing is left out
    }
    return cycles;
  }

  /// How much of the time the threads work: in one layer, and in all, each as often as the network has it.
  [[nodiscard]] double quality(const std::vector<double>& cycles, int threads, std::size_t layer) const {
    return layers_[layer].whole / (cycles[layer] * threads);
  }
  [[nodiscard]] double quality(const std::vector<double>& cycles, int threads) const {
    double work = 0, time = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      work += layers_[i].whole * layers_[i].count;
      time += cycles[i] * threads * layers_[i].count;
    }
    return work / time;
  }

  /// The least that any grid makes of each layer's slowest thread.
  std::vector<double> fairest(int threads) {
    std::vector<double> least = slowest(threads);
    for (int panel_parts = 1; panel_parts <= threads; ++panel_parts) {
      const std::vector<double> other = slowest(threads, panel_parts);
      for (std::size_t i = 0; i < least.size(); ++i) least[i] = std::min(least[i], other[i]);
    }
    return least;
  }

 private:
  std::size_t layer_of(const ops::Step& step) {
    const std::string& key = step.tuning_key;
    const std::string name = key.empty() ? step.algorithm : key.substr(key.rfind('|') + 2);
    const auto found = std::find_if(layers_.begin(), layers_.end(), [&](const Layer& l) { return l.name == name; });
    const auto index = static_cast<std::size_t>(found - layers_.begin());
    if (found == layers_.end()) layers_.push_back({.name = name});
    layers_[index].key = key;
    return index;
  }

  std::vector<std::byte> file_;
  graph::Graph graph_;
  kernels::Table table_;
  ops::WeightStore weights_;
  std::vector<Layer> layers_;
};

}  // namespace

TEST_CASE("a grid gives each unit and panel to one thread, and panels to no more threads than there are panels",
          "[ops]") {
  for (const std::int64_t units : {1, 4, 7, 49, 56}) {
    for (const std::int64_t panels : {1, 2, 5, 16}) {
      // Weights that take longer to read than to multiply: more parts than panels would not make them fewer.
      const ops::GridCost cost = {.pixel_units = units, .panels = panels, .unit_cycles = 100, .weight_bytes = 1e6};
      for (int threads = 1; threads <= kMostThreads; ++threads) {
        INFO(units << " units, " << panels << " panels, " << threads << " threads");
        const ops::Grid grid = ops::choose_grid(cost, threads);
        REQUIRE(grid.pixel_parts * grid.panel_parts <= threads);
        CHECK(grid.panel_parts <= panels);
        std::vector<int> owners(static_cast<std::size_t>(units * panels), 0);
        for (int thread = 0; thread < threads; ++thread) {
          const ops::Part part = ops::part_of(grid, units, panels, thread);
          for (std::int64_t unit = part.pixels.first; unit < part.pixels.last; ++unit) {
            for (std::int64_t panel = part.panels.first; panel < part.panels.last; ++panel)
              ++owners[static_cast<std::size_t>(unit * panels + panel)];
          }
        }
        CHECK(std::all_of(owners.begin(), owners.end(), [](int n) { return n == 1; }));
      }
    }
  }
}

// The bounds. A layer on less than a half of its threads would do as well on half of them, and grids of fewer parts than threads
// are free to choose. Winograd's input is transformed by each thread that has other panels of the same tiles, which takes half as
// long as one panel's products: with one panel each, the finest split, at worst a third of a thread's time.
constexpr double kLeastOfLayer = 0.5, kLeastOfWinograd = 0.5 * 2 / 3;
// Of the network. Each of 8 threads is to be worth three quarters of one that is alone. Beyond that 7x7 layers run out of tiles;
// still, twice the threads are to be one and a half times as fast.
constexpr double kLeastTo8 = 0.75, kLeastGainOfTwice = 1.5;
// A grid may be less even than another only for what it spares of lines fetched, an eighth of the time at most.
constexpr double kLeastOfFairest = 7.0 / 8;

TEST_CASE("the partition keeps 1 to 64 threads busy in the ResNets", "[ops]") {
  for (const kernels::TileShape tile : kTiles) {
    for (const int depth : {18, 50}) {
      Network network(depth, tile);
      std::vector<double> speed(kMostThreads + 1, 0.0);
      for (int threads = 1; threads <= kMostThreads; ++threads) {
        INFO("ResNet-" << depth << ", " << tile.pixels << "x" << tile.channels << ", " << threads << " threads");
        const std::vector<double> cycles = network.slowest(threads);
        for (std::size_t i = 0; i < cycles.size(); ++i) {
          const Layer& layer = network.layers()[i];
          INFO(layer.name);
          CHECK(network.quality(cycles, threads, i) >=
                (layer.name.starts_with("winograd") ? kLeastOfWinograd : kLeastOfLayer));
        }
        const double quality = network.quality(cycles, threads);
        if (threads <= 8) CHECK(quality >= kLeastTo8);
        if (threads == 8 || threads == 16 || threads == 32) {
          CHECK(quality >= kLeastOfFairest * network.quality(network.fairest(threads), threads));
        }
        const auto at = static_cast<std::size_t>(threads);
        speed[at] = quality * threads;
        if (threads % 2 == 0) CHECK(speed[at] >= kLeastGainOfTwice * speed[at / 2]);
      }
    }
  }
}

TEST_CASE("how busy the partition keeps 1 to 64 threads in the ResNets", "[.partition]") {
  constexpr int kColumns[] = {2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 61, 64};
  for (const kernels::TileShape tile : kTiles) {
    for (const int depth : {18, 50}) {
      Network network(depth, tile);
      std::printf("ResNet-%d, tiles of %dx%d: mean load / largest load of so many threads\n", depth, tile.pixels,
                  tile.channels);
      std::vector<std::vector<double>> columns;
      for (const int threads : kColumns) {
        columns.push_back(network.slowest(threads));
        std::printf("%6d", threads);
      }
      for (std::size_t i = 0; i < network.layers().size(); ++i) {
        std::printf("\n");
        for (std::size_t c = 0; c < columns.size(); ++c)
          std::printf("%6.2f", network.quality(columns[c], kColumns[c], i));
        std::printf("  %d x %s", network.layers()[i].count, network.layers()[i].name.c_str());
      }
      std::printf("\nall layers, by their cycles:");
      for (int threads = 1; threads <= kMostThreads; ++threads) {
        std::printf("%s%d: %.2f", threads % 16 == 1 ? "\n  " : ", ", threads,
                    network.quality(network.slowest(threads), threads));
      }
      std::printf("\n\n");
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
