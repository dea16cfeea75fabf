// The transform of Winograd's filters when they are packed, in double. Those of the input and the output are in
// kernels/conv/winograd_transforms.h, as are the points.
#pragma once

#include <array>
#include <cstddef>

#include "kernels/table.h"

namespace linnet::ops {

/// 16 filters at a time, one in each lane: the compiler makes vectors of the loops over them.
constexpr std::size_t kFilterLanes = 16;
using FilterLanes = std::array<double, kFilterLanes>;

/// On an edge.
constexpr int kMostWinogradTaps = 4, kMostWinogradFilters = kernels::kWinogradMostPoints;

/// What is stored of 16 filters: G g G^T, or as much of it as the form has.
void transform_winograd_filters(kernels::Winograd form, const FilterLanes (&g)[kMostWinogradTaps * kMostWinogradTaps],
                                FilterLanes (&u)[kMostWinogradFilters * kMostWinogradFilters]);

}  // namespace linnet::ops
