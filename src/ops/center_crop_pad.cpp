// CenterCropPad: the middle of the input, or zeros around it, axis by axis.
#include <algorithm>
#include <string>

#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

using graph::Dim;
using graph::DimList;

void infer_center_crop_pad(InferContext& c) {
  require_integers(c, 1);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  DimList y = *x.shape;
  const std::vector<std::size_t> axes = named_axes(c, y.size());
  if (is_runtime_input(c, 1)) {
    for (const std::size_t axis : axes) y[axis] = Dim();
    return c.set_output(0, x.type, std::move(y));
  }
  const std::vector<std::int64_t> wanted = c.constant_ints(1);
  const bool valid = wanted.size() == axes.size() &&
                     std::all_of(wanted.begin(), wanted.end(), [](std::int64_t extent) { return extent >= 0; });
  if (!valid) {
    c.fail(ErrorCode::model, "each axis needs an extent", c.input_label(1), std::to_string(axes.size()) + " extents",
           to_string(wanted));
  }
  for (std::size_t i = 0; i < axes.size(); ++i) y[axes[i]] = Dim(wanted[i]);
  c.set_output(0, x.type, std::move(y));
}

void plan_center_crop_pad(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  const Shape& y = c.placement_out(0).shape;
  if (y.empty()) return plan_view(c);
  const std::vector<std::int64_t> strides = dense_strides(x.shape);
  TableCopy::require_room(c, y);
  std::vector<std::vector<std::int64_t>> tables;
  for (std::size_t axis = 0; axis < y.size(); ++axis) {
    // Of an odd difference, the end takes the one more.
    const std::int64_t cut = std::max<std::int64_t>(0, x.shape[axis] - y[axis]) / 2;
    const std::int64_t pad = std::max<std::int64_t>(0, y[axis] - x.shape[axis]) / 2;
    std::vector<std::int64_t>& table = tables.emplace_back();
    for (std::int64_t i = 0; i < y[axis]; ++i) {
      const std::int64_t from = i - pad + cut;
      table.push_back(from >= 0 && from < x.shape[axis] ? from * strides[axis] : TableCopy::kFill);
    }
  }
  c.consumed(1);
  c.step().algorithm = "table_copy";
  c.step().run = [copy = TableCopy(c, element_bytes(x.type), std::move(tables)), fill = element_of(x.type, 0)](
                     const RunArgs& args) { copy.run(args, args.inputs[0], args.outputs[0], fill.data()); };
}

}  // namespace linnet::ops
