// Split: each output is copied from its part of the input.
#include <algorithm>
#include <string>

#include "base/checked_math.h"
#include "ops/channel_gather.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// Extents of the parts: given as an attribute (before opset 13) or an input, or equal ones, of which the last may be
/// smaller since opset 18. Unknown ones where the axis is.
std::vector<Dim> parts_of(const NodeContext& c, const Dim& whole) {
  const auto count = static_cast<std::int64_t>(c.output_count());
  std::vector<Dim> parts(c.output_count());
  const bool by_input = c.opset() >= 13;
  if (by_input ? c.has_input(1) : c.has_attribute("split")) {
    if (c.has_attribute("num_outputs"))
      c.fail(ErrorCode::model, "both split and num_outputs are given", "attribute 'num_outputs'");
    if (by_input && is_runtime_input(c, 1)) return parts;
    const std::vector<std::int64_t> given = by_input ? c.constant_ints(1) : c.attribute_ints("split");
    if (given.size() != parts.size())
      c.fail(ErrorCode::model, "split does not name one extent an output", "split", std::to_string(count),
             std::to_string(given.size()));
    std::int64_t sum = 0;
    for (const std::int64_t part : given) {
      if (part < 0)
        c.fail(ErrorCode::model, "a part has a negative extent", "split", "0 or more", std::to_string(part));
      sum = base::checked_add(sum, part, "split");
    }
    if (whole.known() && sum != whole.value)
      c.fail(ErrorCode::model, "the parts are not the whole", "split", std::to_string(whole.value),
             std::to_string(sum));
    for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = Dim(given[i]);
    return parts;
  }
  if (c.opset() >= 18 && c.attribute_int("num_outputs", count) != count)
    c.fail(ErrorCode::model, "num_outputs is not the number of outputs", "attribute 'num_outputs'",
           std::to_string(count), std::to_string(c.attribute_int("num_outputs", count)));
  if (!whole.known()) return parts;
  if (c.opset() < 18 && whole.value % count != 0)
    c.fail(ErrorCode::model, "the axis cannot be cut into equal parts", c.input_label(0),
           "a multiple of " + std::to_string(count), std::to_string(whole.value));
  const std::int64_t chunk = base::ceil_div(whole.value, count);
  std::int64_t left = whole.value;
  for (Dim& part : parts) {
    part = Dim(std::min(chunk, left));
    left -= part.value;
  }
  return parts;
}

}  // namespace

void infer_split(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!input.has_rank()) {
    for (std::size_t i = 0; i < c.output_count(); ++i) c.set_output_unknown_rank(i, input.type);
    return;
  }
  const std::size_t axis = c.axis(c.attribute_int("axis", 0), input.shape->size());
  const std::vector<Dim> parts = parts_of(c, (*input.shape)[axis]);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    DimList out = *input.shape;
    out[axis] = parts[i];
    c.set_output(i, input.type, std::move(out));
  }
}

LayoutRule layout_split(const NodeContext& c) {
  if (!can_be_blocked(c.input(0)) || c.axis(c.attribute_int("axis", 0), 4) != 1) return {};
  return layout_channel_gather(c, 1);
}

void plan_split(PlanContext& c) {
  if (c.opset() >= 13 && c.has_input(1)) {
    (void)c.constant_ints(1);  // throws where the parts are not known
    c.consumed(1);
  }
  const Placement& in = c.placement_in(0);
  if (in.layout == graph::Layout::nchw16c) return plan_channel_gather(c, 1);
  const std::size_t axis = c.axis(c.attribute_int("axis", 0), in.shape.size());
  const std::vector<std::int64_t> from = dense_strides(in.shape);
  const std::vector<Dim> parts = parts_of(c, Dim(in.shape[axis]));
  std::vector<StridedCopy> copies;
  std::int64_t at = 0;
  for (const Dim& part : parts) {
    Shape shape = in.shape;
    shape[axis] = part.value;
    const std::int64_t offset = in.elements() == 0 ? 0 : at * from[axis];
    copies.emplace_back(c, element_bytes(in.type), copy_axes(shape, from, dense_strides(shape)), offset, 0);
    at += part.value;
  }
  c.step().algorithm = "strided_copy";
  c.step().run = [copies = std::move(copies)](const RunArgs& args) {
    for (std::size_t i = 0; i < copies.size(); ++i) {
      if (args.outputs[i] != nullptr) copies[i].run(args, args.inputs[0], args.outputs[i]);
    }
  };
}

}  // namespace linnet::ops
