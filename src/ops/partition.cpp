#include "ops/partition.h"

#include <algorithm>
#include <limits>

#include "base/checked_math.h"

namespace linnet::ops {

namespace {
// Bytes a cycle that another core has written or read last. Measured on Zen 5: a core reads 16 of them where both share a cache
// and 4 to 8 where they do not, and writes 8 or 2.
constexpr double kExchangedBytesPerCycle = 8;
}  // namespace

Grid choose_grid(const GridCost& cost, int threads) {
  Grid best;
  double best_cycles = std::numeric_limits<double>::infinity();
  for (int panel_parts = 1; panel_parts <= threads; ++panel_parts) {
    const int pixel_parts = threads / panel_parts;  // 7 x 9 serves 64 threads better than 1 x 64, though one is idle
    const double units = static_cast<double>(base::ceil_div(cost.pixel_units, pixel_parts));
    const double panels = static_cast<double>(base::ceil_div(cost.panels, panel_parts));
    // Parts beyond the panels or pixels that there are get none, and make no other's share smaller.
    const double by_panels = static_cast<double>(std::clamp<std::int64_t>(cost.panels, 1, panel_parts));
    const double by_pixels = static_cast<double>(std::clamp<std::int64_t>(cost.pixel_units, 1, pixel_parts));
    const double made = 2 * cost.made_bytes;  // written, then read
    const double bytes = cost.weight_bytes / by_panels + (cost.input_bytes + made) / by_pixels;
    const double foreign_input = cost.input_bytes * (by_panels - 1) / by_panels;
    const double exchanged = panel_parts == 1 ? 0 : (foreign_input + cost.output_bytes / by_panels) / by_pixels;
    const double cycles =
        units * panels * cost.unit_cycles + bytes / kBytesPerCycle + exchanged / kExchangedBytesPerCycle;
    if (cycles < best_cycles) {
      best_cycles = cycles;
      best = {pixel_parts, panel_parts};
    }
  }
  return best;
}

PlannedGrid::PlannedGrid(const GridCost& cost, int threads, int panel_parts)
    : cost_(cost), threads_(threads), grid_(choose_grid(cost, threads)) {
  if (panel_parts < 1) return;
  grid_.panel_parts = std::min(panel_parts, threads);
  grid_.pixel_parts = threads / grid_.panel_parts;
}

double PlannedGrid::cycles(int thread, int threads) const {
  const Part part = part_of(of(threads), cost_.pixel_units, cost_.panels, thread);
  return static_cast<double>(part.pixels.count() * part.panels.count()) * cost_.unit_cycles;
}

Part part_of(const Grid& grid, std::int64_t pixel_units, std::int64_t panels, int thread) {
  if (thread >= grid.pixel_parts * grid.panel_parts) return {};
  return {split(pixel_units, grid.pixel_parts, thread / grid.panel_parts),
          split(panels, grid.panel_parts, thread % grid.panel_parts)};
}

}  // namespace linnet::ops
