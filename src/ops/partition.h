// Static two-dimensional partitions of a step's work over threads: pixels x output-channel panels. The sum over input
// channels is never split, so a partition never changes a bit.
#pragma once

#include <cstdint>

#include "ops/step.h"

namespace linnet::ops {

// Bytes a core streams in a cycle from beyond its own caches while it computes; a rough figure serves, as only the ratio
// of the two kinds of cost decides between grids.
constexpr double kBytesPerCycle = 8;

struct Grid {
  int pixel_parts = 1, panel_parts = 1;
};

/// What a grid costs each thread besides its share of the multiply-adds: reading its share of weights and input, what every
/// thread does for all of its pixels whatever its panels, and, where panels are split, what it takes over from other threads.
/// Threads that split nothing but pixels each go on, step after step, with the pixels that they have written themselves.
struct GridCost {
  std::int64_t pixel_units = 1;  // indivisible groups of pixels: tiles or rows
  std::int64_t panels = 1;
  double unit_cycles = 1;   // of one pixel unit with one panel
  double weight_bytes = 0;  // all panels
  double input_bytes = 0;   // all pixels
  double made_bytes = 0;    // all pixels: what is made of the input, by every thread for its own use
  double output_bytes = 0;  // all pixels and panels
};

/// The grid of at most `threads` parts whose slowest thread finishes first.
Grid choose_grid(const GridCost& cost, int threads);

/// The grid of a step: chosen when it is planned, for the threads it is planned for, and again only where others run it.
class PlannedGrid {
 public:
  PlannedGrid() = default;
  /// `panel_parts`: what tuning found; 0: the model of cost decides.
  PlannedGrid(const GridCost& cost, int threads, int panel_parts);
  [[nodiscard]] Grid of(int threads) const { return threads == threads_ ? grid_ : choose_grid(cost_, threads); }
  /// Of the multiply-adds of a thread's share.
  [[nodiscard]] double cycles(int thread, int threads) const;

 private:
  GridCost cost_;
  int threads_ = 0;
  Grid grid_;
};

struct Part {
  Range pixels, panels;
};
/// Thread `thread`'s share; empty ranges for threads beyond the grid.
Part part_of(const Grid& grid, std::int64_t pixel_units, std::int64_t panels, int thread);

}  // namespace linnet::ops
