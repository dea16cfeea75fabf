// Two steps, of which the second alone reads what the first writes, as one that goes through its rows by strips, so that the value
// between them stays in the caches.
#pragma once

#include <optional>

#include "ops/step.h"

namespace linnet::plan {

/// `first` can write rows of its output 0 elsewhere (ops::RowsWritten), and does so for nobody but `second`, which can read them there
/// (ops::RowsRead); `between` and `out` are where the outputs of the two lie, of which the border of `out` is left to the caller.
/// None where few rows do not fit into a cache, or where those count which neighbouring threads both make. The result is the same,
/// bit by bit.
std::optional<ops::Step> fuse_by_rows(const ops::Step& first, const ops::Step& second, const ops::Placement& between,
                                      const ops::Placement& out, int threads);

}  // namespace linnet::plan
