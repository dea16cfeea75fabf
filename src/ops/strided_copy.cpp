#include "ops/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "ops/blocked.h"

namespace linnet::ops {

namespace {

constexpr std::int64_t kLine = 64;  // bytes: no two threads write the same cache line of a contiguous copy

struct Bytes16 {
  std::uint64_t low, high;
};

void require_axes(const NodeContext& context, std::size_t axes) {
  if (axes > kMaxCopyAxes) {
    context.fail(ErrorCode::limit, "a tensor has too many axes", {}, "at most " + std::to_string(kMaxCopyAxes),
                 std::to_string(axes));
  }
}

/// Drops axes of one and merges neighbours that are one axis on both sides.
std::vector<StridedCopy::Axis> merged(const std::vector<StridedCopy::Axis>& axes) {
  std::vector<StridedCopy::Axis> result;
  for (const StridedCopy::Axis& axis : axes) {
    if (axis.size == 1) continue;
    if (!result.empty()) {
      StridedCopy::Axis& outer = result.back();
      if (outer.src_stride == axis.src_stride * axis.size && outer.dst_stride == axis.dst_stride * axis.size) {
        outer = {outer.size * axis.size, axis.src_stride, axis.dst_stride};
        continue;
      }
    }
    result.push_back(axis);
  }
  return result;
}

}  // namespace

std::vector<std::int64_t> dense_strides(const Shape& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride = base::checked_mul(stride, std::max<std::int64_t>(shape[i], 1), "a stride");
  }
  return strides;
}

StridedCopy::StridedCopy(const NodeContext& context, std::size_t element_bytes, std::vector<Axis> axes,
                         std::int64_t src_offset, std::int64_t dst_offset) {
  const auto width = static_cast<std::int64_t>(element_bytes);
  unit_ = width;
  // Beside an extent of zero others may be of any size: nothing is multiplied with them.
  if (std::any_of(axes.begin(), axes.end(), [](const Axis& axis) { return axis.size == 0; })) return;
  elements_ = 1;
  for (Axis& axis : axes) {
    elements_ *= axis.size;  // at most the elements of dst, which are counted already
    axis.src_stride *= width;
    axis.dst_stride *= width;
  }
  src_offset_ = src_offset * width;
  dst_offset_ = dst_offset * width;
  // Stable: axes that dst has together stay together. Then writing is sequential, and reading is what jumps.
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.dst_stride > b.dst_stride; });
  axes_ = merged(axes);
  if (!axes_.empty() && axes_.back().src_stride == width && axes_.back().dst_stride == width) {
    unit_ *= axes_.back().size;
    axes_.pop_back();
  }
  require_axes(context, axes_.size());
  units_ = 1;
  for (const Axis& axis : axes_) units_ *= axis.size;
}

template <typename Unit>
void StridedCopy::run_typed(std::int64_t first, std::int64_t last, const std::byte* src, std::byte* dst) const {
  constexpr bool kAnyLength = std::is_same_v<Unit, std::byte>;
  const std::size_t rank = axes_.size();
  const Axis inner = axes_.back();
  std::array<std::int64_t, kMaxCopyAxes> index{};
  std::int64_t rest = first;
  for (std::size_t i = rank; i-- > 0; rest /= axes_[i].size) {
    index[i] = rest % axes_[i].size;
    src += index[i] * axes_[i].src_stride;
    dst += index[i] * axes_[i].dst_stride;
  }
  while (first < last) {
    const std::int64_t count = std::min(inner.size - index[rank - 1], last - first);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto bytes = kAnyLength ? static_cast<std::size_t>(unit_) : sizeof(Unit);
      std::memcpy(dst + i * inner.dst_stride, src + i * inner.src_stride, bytes);
    }
    first += count;
    // Back to the beginning of this row, and on to the next.
    src -= index[rank - 1] * inner.src_stride;
    dst -= index[rank - 1] * inner.dst_stride;
    index[rank - 1] = 0;
    for (std::size_t i = rank - 1; i-- > 0;) {
      src += axes_[i].src_stride;
      dst += axes_[i].dst_stride;
      if (++index[i] < axes_[i].size) break;
      src -= index[i] * axes_[i].src_stride;
      dst -= index[i] * axes_[i].dst_stride;
      index[i] = 0;
    }
  }
}

void StridedCopy::run_units(std::int64_t first, std::int64_t last, const std::byte* src, std::byte* dst) const {
  switch (unit_) {
    case 1: return run_typed<std::uint8_t>(first, last, src, dst);
    case 2: return run_typed<std::uint16_t>(first, last, src, dst);
    case 4: return run_typed<std::uint32_t>(first, last, src, dst);
    case 8: return run_typed<std::uint64_t>(first, last, src, dst);
    case 16: return run_typed<Bytes16>(first, last, src, dst);
    default: return run_typed<std::byte>(first, last, src, dst);
  }
}

void StridedCopy::run(const RunArgs& args, const std::byte* src, std::byte* dst) const {
  if (elements_ == 0) return;
  src += src_offset_;
  dst += dst_offset_;
  if (axes_.empty()) {  // one contiguous run
    const Range part = thread_share(args, unit_, elements_, kLine);
    if (part.first < part.last)
      std::memcpy(dst + part.first, src + part.first, static_cast<std::size_t>(part.last - part.first));
    return;
  }
  const Range part = thread_share(args, units_, elements_);
  if (part.first < part.last) run_units(part.first, part.last, src, dst);
}

std::vector<StridedCopy::Axis> copy_axes(const Shape& shape, const std::vector<std::int64_t>& src_strides,
                                         const std::vector<std::int64_t>& dst_strides) {
  std::vector<StridedCopy::Axis> axes;
  for (std::size_t i = 0; i < shape.size(); ++i) axes.push_back({shape[i], src_strides[i], dst_strides[i]});
  return axes;
}

PlaneCopy::PlaneCopy(const NodeContext& context, const Placement& from, const Placement& to, std::int64_t first_block)
    : from_(from), to_(to), extent_(blocked_extent(context, from)) {
  to_.origin += first_block * to.plane_stride;
}

void PlaneCopy::run(const RunArgs& args, const std::byte* src, std::byte* dst) const {
  const kernels::BlockedSource x = source_view(from_, reinterpret_cast<const float*>(src));
  const kernels::BlockedTarget y = target_view(to_, reinterpret_cast<float*>(dst));
  const std::int64_t row = std::int64_t{extent_.width} * kernels::kBlock;
  const bool dense = x.row == row && y.row == row;
  extent_.each_share(args, [&](const kernels::PlaneRange& range) {
    const std::int64_t rows = range.row_end - range.row_begin;
    for (std::int64_t plane = range.plane_begin; plane < range.plane_end; ++plane) {
      const float* const from = row_of(x, extent_.blocks, plane, range.row_begin);
      float* const to = row_of(y, extent_.blocks, plane, range.row_begin);
      if (dense) {
        std::copy_n(from, rows * row, to);
      } else {
        for (std::int64_t i = 0; i < rows; ++i) std::copy_n(from + i * x.row, row, to + i * y.row);
      }
    }
  });
}

void plan_copy(PlanContext& context, StridedCopy copy) {
  context.step().algorithm = "strided_copy";
  context.step().run = [copy = std::move(copy)](const RunArgs& args) {
    copy.run(args, args.inputs[0], args.outputs[0]);
  };
}

TableCopy::TableCopy(const NodeContext& context, std::size_t element_bytes,
                     std::vector<std::vector<std::int64_t>> tables)
    : tables_(std::move(tables)), element_bytes_(element_bytes) {
  // Inner axes that are taken whole make runs.
  while (!tables_.empty()) {
    const std::vector<std::int64_t>& inner = tables_.back();
    bool whole = !inner.empty();
    for (std::size_t i = 0; i < inner.size() && whole; ++i) whole = inner[i] == static_cast<std::int64_t>(i) * run_;
    if (!whole) break;
    run_ *= static_cast<std::int64_t>(inner.size());
    tables_.pop_back();
  }
  if (tables_.empty()) tables_.push_back({0});
  require_axes(context, tables_.size());
  rows_ = tables_.back().empty() ? 0 : 1;
  for (std::size_t i = 0; i + 1 < tables_.size(); ++i) rows_ *= static_cast<std::int64_t>(tables_[i].size());
  row_size_ = static_cast<std::int64_t>(tables_.back().size()) * run_;
  cut_into_pieces();
}

void TableCopy::require_room(const PlanContext& context, const Shape& dst) {
  std::int64_t entries = 0;
  for (const std::int64_t extent : dst) entries = base::checked_add(entries, extent, "a table of positions");
  context.require_table_room(entries, sizeof(std::int64_t));
}

void TableCopy::cut_into_pieces() {
  const std::vector<std::int64_t>& inner = tables_.back();
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (!pieces_.empty()) {
      Piece& last = pieces_.back();
      if (inner[i] == kFill ? last.src == kFill : last.src != kFill && inner[i] == last.src + last.count) {
        last.count += run_;
        continue;
      }
    }
    if ((pieces_.size() + 1) * 4 > inner.size()) {
      pieces_ = {};
      return;
    }
    pieces_.push_back({static_cast<std::int64_t>(i) * run_, run_, inner[i]});
  }
}

template <typename Element>
void TableCopy::copy_row(const Element* src, Element* dst, Element fill) const {
  if (pieces_.empty()) {
    for (const std::int64_t entry : tables_.back()) {
      if (run_ == 1) *dst = entry == kFill ? fill : src[entry];
      else if (entry == kFill) std::fill_n(dst, run_, fill);
      else std::copy_n(src + entry, run_, dst);
      dst += run_;
    }
    return;
  }
  for (const Piece& piece : pieces_) {
    if (piece.src == kFill) {
      std::fill_n(dst + piece.begin, piece.count, fill);
    } else {
      std::copy_n(src + piece.src, piece.count, dst + piece.begin);
    }
  }
}

template <typename Element>
void TableCopy::run_rows(Range rows, const std::byte* src, std::byte* dst, const std::byte* fill) const {
  Element fill_element{};
  if (fill != nullptr) std::memcpy(&fill_element, fill, sizeof(Element));
  const std::size_t outer_axes = tables_.size() - 1;
  for (std::int64_t row = rows.first; row < rows.last; ++row) {
    std::int64_t rest = row, offset = 0;
    bool filled = false;
    for (std::size_t i = outer_axes; i-- > 0;) {
      const auto size = static_cast<std::int64_t>(tables_[i].size());
      const std::int64_t entry = tables_[i][static_cast<std::size_t>(rest % size)];
      rest /= size;
      filled = filled || entry == kFill;
      if (!filled) offset += entry;
    }
    auto* const to = reinterpret_cast<Element*>(dst) + row * row_size_;
    if (filled) {
      std::fill_n(to, row_size_, fill_element);
    } else {
      copy_row(reinterpret_cast<const Element*>(src) + offset, to, fill_element);
    }
  }
}

void TableCopy::run(const RunArgs& args, const std::byte* src, std::byte* dst, const std::byte* fill) const {
  const Range rows = thread_share(args, rows_, rows_ * row_size_);
  with_element_of(element_bytes_, [&](auto element) { run_rows<decltype(element)>(rows, src, dst, fill); });
}

void fill_elements(const RunArgs& args, std::byte* dst, std::int64_t count, const std::byte* element,
                   std::size_t element_bytes) {
  const Range part = thread_share(args, count, count, kLine);
  with_element_of(element_bytes, [&](auto value) {
    std::memcpy(&value, element, sizeof value);
    std::fill(reinterpret_cast<decltype(value)*>(dst) + part.first, reinterpret_cast<decltype(value)*>(dst) + part.last,
              value);
  });
}

}  // namespace linnet::ops
