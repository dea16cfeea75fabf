// Moving elements without looking at them: two loop nests that serve every operator which only moves data, for elements
// of any size. Planned once; running neither allocates nor fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/blocked.h"
#include "ops/plan_context.h"

namespace linnet::ops {

/// More axes than that, after neighbours have been merged, are refused.
constexpr std::size_t kMaxCopyAxes = 24;

/// Row-major strides of a shape, in elements.
std::vector<std::int64_t> dense_strides(const Shape& shape);

/// dst[i . dst_strides] = src[i . src_strides] for every index i. Transpose, Slice, Expand, Tile, Concat, Split, ...
class StridedCopy {
 public:
  StridedCopy() = default;
  /// Axes from the outermost to the innermost; strides and offsets in elements, of any sign, 0 to repeat an element.
  /// The order of the axes means nothing. No element of dst may be addressed twice.
  struct Axis {
    std::int64_t size = 0, src_stride = 0, dst_stride = 0;
  };
  StridedCopy(const NodeContext& context, std::size_t element_bytes, std::vector<Axis> axes,
              std::int64_t src_offset = 0, std::int64_t dst_offset = 0);

  [[nodiscard]] std::int64_t elements() const noexcept { return elements_; }
  /// This thread's part.
  void run(const RunArgs& args, const std::byte* src, std::byte* dst) const;

 private:
  void run_units(std::int64_t first, std::int64_t last, const std::byte* src, std::byte* dst) const;
  template <typename Unit>
  void run_typed(std::int64_t first, std::int64_t last, const std::byte* src, std::byte* dst) const;

  std::vector<Axis> axes_;  // strides in bytes from here on
  std::int64_t unit_ = 0;   // bytes that are contiguous on both sides
  std::int64_t units_ = 0;  // product of the sizes
  std::int64_t elements_ = 0;
  std::int64_t src_offset_ = 0, dst_offset_ = 0;  // bytes
};

/// The axes of a shape with the strides of both sides.
std::vector<StridedCopy::Axis> copy_axes(const Shape& shape, const std::vector<std::int64_t>& src_strides,
                                         const std::vector<std::int64_t>& dst_strides);
/// All of an nchw16c tensor to channel blocks `first_block` and following of another, each within its halo.
class PlaneCopy {
 public:
  PlaneCopy(const NodeContext& context, const Placement& from, const Placement& to, std::int64_t first_block = 0);
  /// This thread's part.
  void run(const RunArgs& args, const std::byte* src, std::byte* dst) const;

 private:
  Placement from_, to_;
  BlockedExtent extent_;
};
/// Makes the step a copy of input 0 to output 0.
void plan_copy(PlanContext& context, StridedCopy copy);

/// A dense dst with dst[i0,i1,...] = src[table0[i0] + table1[i1] + ...], or the fill element where an entry is kFill.
/// Pad of every mode, nearest Resize.
class TableCopy {
 public:
  static constexpr std::int64_t kFill = INT64_MIN;

  TableCopy() = default;
  /// One table an axis, outermost first, with one entry for each position of dst: an offset into src in elements.
  TableCopy(const NodeContext& context, std::size_t element_bytes, std::vector<std::vector<std::int64_t>> tables);
  /// Refuses tables for a dst of this shape that would be too large.
  static void require_room(const PlanContext& context, const Shape& dst);

  /// This thread's part. `fill`: one element; may be null if no table has kFill.
  void run(const RunArgs& args, const std::byte* src, std::byte* dst, const std::byte* fill) const;

 private:
  /// Positions of the innermost axis that are contiguous in src, or all fill.
  struct Piece {
    std::int64_t begin = 0, count = 0, src = 0;
  };
  void cut_into_pieces();
  template <typename Element>
  void run_rows(Range rows, const std::byte* src, std::byte* dst, const std::byte* fill) const;
  template <typename Element>
  void copy_row(const Element* src, Element* dst, Element fill) const;

  std::vector<std::vector<std::int64_t>> tables_;
  std::vector<Piece> pieces_;  // none where they would be hardly fewer than the table's entries
  std::size_t element_bytes_ = 0;
  std::int64_t run_ = 1;       // elements that every entry of the innermost table stands for
  std::int64_t row_size_ = 0;  // elements of dst
  std::int64_t rows_ = 0;
};

/// Fills this thread's part of `count` elements with one element.
void fill_elements(const RunArgs& args, std::byte* dst, std::int64_t count, const std::byte* element,
                   std::size_t element_bytes);

/// Calls f with a value of an unsigned integer type of `bytes` bytes (1, 2, 4 or 8).
template <typename F>
void with_element_of(std::size_t bytes, const F& f) {
  switch (bytes) {
    case 1: return f(std::uint8_t{});
    case 2: return f(std::uint16_t{});
    case 4: return f(std::uint32_t{});
    default: return f(std::uint64_t{});
  }
}

}  // namespace linnet::ops
