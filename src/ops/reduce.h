// Reductions: which axes go, and the axes of a tensor in groups that are reduced or kept together.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "ops/plan_context.h"

namespace linnet::ops {

/// Which axes of a Reduce node are reduced, one flag an axis: `axes` is an attribute, or an input. None where the input is
/// not constant yet.
std::optional<std::vector<bool>> reduced_axes(const NodeContext& context, std::size_t rank);

/// The shape without the reduced axes, or with 1 in their place.
graph::DimList reduced_shape(const graph::DimList& shape, const std::vector<bool>& reduced, bool keep);

/// A shape with extents of 1 dropped and neighbours of one kind merged, outermost first.
struct AxisGroup {
  std::int64_t size = 1;
  std::int64_t stride = 1;  // in elements of the whole tensor
  bool reduced = false;
};
std::vector<AxisGroup> group_axes(const Shape& shape, const std::vector<bool>& reduced);

/// The one loop nest of all reductions: results in order, and the terms of a result in order (row-major).
class ReductionWalk {
 public:
  ReductionWalk(const Shape& shape, const std::vector<bool>& reduced);

  [[nodiscard]] std::int64_t results() const noexcept { return results_; }
  [[nodiscard]] std::int64_t terms() const noexcept { return terms_; }
  /// The offset of result number `index`'s first element.
  [[nodiscard]] std::int64_t start(std::int64_t index) const { return offset(kept_, index); }
  /// The offset of term number `index` from there.
  [[nodiscard]] std::int64_t term(std::int64_t index) const { return offset(reduced_, index); }

 private:
  static std::int64_t offset(const std::vector<AxisGroup>& groups, std::int64_t index);

  std::vector<AxisGroup> kept_, reduced_;
  std::int64_t results_ = 1, terms_ = 1;
};

}  // namespace linnet::ops
