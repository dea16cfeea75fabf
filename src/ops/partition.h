// Static two-dimensional partitions of a step's work over threads: pixels x output-channel panels. The sum over input
// channels is never split, so a partition never changes a bit.
#pragma once

#include <cstdint>

#include "ops/step.h"

namespace linnet::ops {

struct Grid {
  int pixel_parts = 1, panel_parts = 1;
};

/// What a grid costs each thread besides its share of the multiply-adds: reading its share of weights and input.
struct GridCost {
  std::int64_t pixel_units = 1;  // indivisible groups of pixels: tiles or rows
  std::int64_t panels = 1;
  double unit_cycles = 1;   // of one pixel unit with one panel
  double weight_bytes = 0;  // all panels
  double input_bytes = 0;   // all pixels
};

/// The grid of at most `threads` parts whose slowest thread finishes first.
Grid choose_grid(const GridCost& cost, int threads);

struct Part {
  Range pixels, panels;
};
/// Thread `thread`'s share; empty ranges for threads beyond the grid.
Part part_of(const Grid& grid, std::int64_t pixel_units, std::int64_t panels, int thread);

}  // namespace linnet::ops
