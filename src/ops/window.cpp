#include "ops/window.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/checked_math.h"

namespace linnet::ops {

namespace {

std::vector<std::int64_t> read_list(const NodeContext& context, const char* name, std::size_t count,
                                    std::int64_t fallback, std::int64_t least) {
  std::vector<std::int64_t> list = context.attribute_ints(name, std::vector<std::int64_t>(count, fallback));
  if (list.size() != count) {
    context.fail(ErrorCode::model, "an attribute has the wrong number of entries",
                 "attribute '" + std::string(name) + "'", std::to_string(count), std::to_string(list.size()));
  }
  for (const std::int64_t x : list) {
    if (x < least || x > (std::int64_t{1} << 31)) {
      context.fail(ErrorCode::model, "an attribute is out of range", "attribute '" + std::string(name) + "'",
                   "at least " + std::to_string(least), std::to_string(x));
    }
  }
  return list;
}

std::int64_t effective_kernel(const Window& w, std::size_t axis) {
  return base::checked_add(base::checked_mul(w.kernel[axis] - 1, w.dilations[axis], "a dilated kernel"), 1,
                           "a dilated kernel");
}

/// SAME: the output extent is ceil(in / stride), and the odd pixel of padding goes to the end (UPPER) or the beginning.
void pad_same(Window& w, std::size_t axis, std::int64_t in, bool upper) {
  const std::int64_t out = base::ceil_div(in, w.strides[axis]);
  const std::int64_t last = base::checked_mul(out - 1, w.strides[axis], "a padded extent");  // where its window begins
  const std::int64_t total = std::max<std::int64_t>(
      0,
      base::checked_sub(base::checked_add(last, effective_kernel(w, axis), "a padded extent"), in, "a padded extent"));
  w.pads_begin[axis] = upper ? total / 2 : total - total / 2;
  w.pads_end[axis] = total - w.pads_begin[axis];
}

}  // namespace

Window read_window(const NodeContext& context, std::vector<std::int64_t> kernel, const graph::DimList& spatial) {
  const std::size_t n = kernel.size();
  Window w;
  for (const std::int64_t k : kernel) {
    if (k < 1)
      context.fail(ErrorCode::model, "the kernel is empty", "attribute 'kernel_shape'", "at least 1",
                   std::to_string(k));
  }
  w.kernel = std::move(kernel);
  w.strides = read_list(context, "strides", n, 1, 1);
  w.dilations = read_list(context, "dilations", n, 1, 1);
  const std::string auto_pad = context.attribute_string("auto_pad", "NOTSET");
  w.pads_begin.assign(n, 0);
  w.pads_end.assign(n, 0);
  if (auto_pad == "NOTSET" || auto_pad.empty()) {
    const std::vector<std::int64_t> pads = read_list(context, "pads", 2 * n, 0, 0);
    std::copy_n(pads.begin(), n, w.pads_begin.begin());
    std::copy_n(pads.begin() + static_cast<std::ptrdiff_t>(n), n, w.pads_end.begin());
  } else if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    for (std::size_t axis = 0; axis < n; ++axis) {
      if (spatial[axis].known()) pad_same(w, axis, spatial[axis].value, auto_pad == "SAME_UPPER");
    }
  } else if (auto_pad != "VALID") {
    context.fail(ErrorCode::model, "auto_pad has no such value", "attribute 'auto_pad'",
                 "NOTSET, VALID, SAME_UPPER or SAME_LOWER", auto_pad);
  }
  return w;
}

std::int64_t window_extent(const NodeContext& context, const Window& w, std::size_t axis, std::int64_t in,
                           bool ceil_mode) {
  const std::int64_t padded = base::checked_add(in, w.pads_begin[axis] + w.pads_end[axis], "a padded extent");
  const std::int64_t room = padded - effective_kernel(w, axis), stride = w.strides[axis];
  // Rounded up, a part of a step counts for a whole one: the only window may be longer than the input.
  if (room <= (ceil_mode ? -stride : -1)) {
    context.fail(ErrorCode::model, "the kernel is larger than the padded input", "spatial axis " + std::to_string(axis),
                 "at most " + std::to_string(padded), std::to_string(effective_kernel(w, axis)));
  }
  std::int64_t out = room / stride + (ceil_mode && room % stride > 0 ? 1 : 0) + 1;
  if (ceil_mode && base::checked_mul(out - 1, stride, "a padded extent") >= in + w.pads_begin[axis]) --out;
  return out;
}

graph::DimList window_extents(const NodeContext& context, const Window& w, const graph::DimList& spatial,
                              bool ceil_mode) {
  graph::DimList out;
  for (std::size_t axis = 0; axis < spatial.size(); ++axis) {
    out.push_back(spatial[axis].known() ? graph::Dim(window_extent(context, w, axis, spatial[axis].value, ceil_mode))
                                        : graph::Dim());
  }
  return out;
}

void require_countable(const NodeContext& context, const Window& w, std::span<const std::int64_t> in) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    const std::int64_t padded = base::checked_add(in[axis], w.pads_begin[axis] + w.pads_end[axis], "a padded extent");
    const std::int64_t reach = base::checked_add(padded, w.strides[axis] + w.dilations[axis], "a padded extent");
    if (reach <= kMost) continue;
    context.fail(ErrorCode::limit, "a window goes too far", "spatial axis " + std::to_string(axis),
                 "at most " + std::to_string(kMost) + " pixels, pads, stride and dilation included",
                 std::to_string(reach));
  }
}

}  // namespace linnet::ops
