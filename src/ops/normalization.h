// What the normalizations share.
#pragma once

#include "ops/elementwise.h"

namespace linnet::ops {

/// Input 0 is of reals with a batch and channels.
void require_channels(const NodeContext& context);
/// Input i is a vector of `count` elements, as far as that is known.
void require_extent(const NodeContext& context, std::size_t i, const graph::Dim& count);
/// The same, and of input 0's type.
void require_vector(const NodeContext& context, std::size_t i, const graph::Dim& count);
/// Throws Error(unsupported) if somebody reads output i or a later one.
void require_unused_outputs(const NodeContext& context, std::size_t i, std::string_view why);

/// [rows][n] of input 0: the axes from `axis` on make a row.
struct NormRows {
  std::int64_t rows = 1, n = 1;
};
NormRows norm_rows(const Shape& shape, std::size_t axis);

/// A row_norm kernel call for rows, without its pointers and range.
kernels::RowNormArguments row_norm_arguments(const NodeContext& context, std::int64_t n);

}  // namespace linnet::ops
