// Index tensors: int32 or int64, negative ones counted from the end, checked where they are used.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ops/node_context.h"
#include "ops/step.h"

namespace linnet::ops {

class Indices {
 public:
  Indices(const std::byte* data, DataType type) : data_(data), wide_(type == DataType::int64) {}

  [[nodiscard]] std::int64_t operator[](std::int64_t i) const {
    return wide_ ? reinterpret_cast<const std::int64_t*>(data_)[i] : reinterpret_cast<const std::int32_t*>(data_)[i];
  }
  /// Index i as a position below `extent`; -1, and a report, where it is out of range.
  [[nodiscard]] std::int64_t position(std::int64_t i, std::int64_t extent, const RunArgs& args) const {
    const std::int64_t index = (*this)[i];
    const std::int64_t at = index < 0 ? index + extent : index;
    if (at >= 0 && at < extent) return at;
    args.report("an index is out of range");
    return -1;
  }

 private:
  const std::byte* data_;
  bool wide_;
};

/// For GatherElements and ScatterElements, which walk the indices (input 1) and the data (input 0) together: throws unless
/// the ranks are equal and the indices' extents lie within the data's, but along `axis`.
void require_indices_within(const NodeContext& context, std::size_t axis);

}  // namespace linnet::ops
