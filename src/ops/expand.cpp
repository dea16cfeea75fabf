// Expand and Tile: copies that read elements several times.
#include <algorithm>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// Throws where input 1 is only known when the model runs; the step then does not read it.
void consume_list(PlanContext& c) {
  (void)c.constant_ints(1);
  c.consumed(1);
}

}  // namespace

void infer_expand(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  require_integers(c, 1);
  if (!input.has_rank() || is_runtime_input(c, 1)) return c.set_output_unknown_rank(0, input.type);
  const std::vector<std::int64_t> shape = c.constant_ints(1);
  for (const std::int64_t extent : shape) {
    if (extent < 0)
      c.fail(ErrorCode::model, "an extent is negative", c.input_label(1), "0 or more", std::to_string(extent));
  }
  c.set_output(0, input.type, broadcast(c, *input.shape, DimList(shape.begin(), shape.end())));
}

void plan_expand(PlanContext& c) {
  consume_list(c);
  const Placement& in = c.placement_in(0);
  const Shape& out = c.placement_out(0).shape;
  if (in.elements() == c.placement_out(0).elements()) return plan_view(c);
  const std::vector<std::int64_t> to = dense_strides(out), dense = dense_strides(in.shape);
  std::vector<std::int64_t> from(out.size(), 0);
  const std::size_t added = out.size() - in.shape.size();
  for (std::size_t i = 0; i < in.shape.size(); ++i) from[added + i] = in.shape[i] == 1 ? 0 : dense[i];
  plan_copy(c, {c, element_bytes(in.type), copy_axes(out, from, to)});
}

void infer_tile(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  require_integers(c, 1);
  if (!input.has_rank()) return c.set_output_unknown_rank(0, input.type);
  DimList out = *input.shape;
  if (is_runtime_input(c, 1)) return c.set_output(0, input.type, unknown_dims(out.size()));
  const std::vector<std::int64_t> repeats = c.constant_ints(1);
  if (repeats.size() != out.size())
    c.fail(ErrorCode::model, "repeats does not name every axis", c.input_label(1), std::to_string(out.size()),
           std::to_string(repeats.size()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (repeats[i] < 0)
      c.fail(ErrorCode::model, "a repeat is negative", c.input_label(1), "0 or more", std::to_string(repeats[i]));
    if (out[i].known()) out[i] = Dim(base::checked_mul(out[i].value, repeats[i], "a tiled extent"));
    else if (repeats[i] != 1) out[i] = repeats[i] == 0 ? Dim(0) : Dim();
  }
  c.set_output(0, input.type, std::move(out));
}

void plan_tile(PlanContext& c) {
  const std::vector<std::int64_t> repeats = c.constant_ints(1);
  consume_list(c);
  const Placement& in = c.placement_in(0);
  const std::vector<std::int64_t> from = dense_strides(in.shape), to = dense_strides(c.placement_out(0).shape);
  std::vector<StridedCopy::Axis> axes;
  for (std::size_t i = 0; i < in.shape.size(); ++i) {
    axes.push_back({repeats[i], 0, base::checked_mul(in.shape[i], to[i], "a tiled tensor")});
    axes.push_back({in.shape[i], from[i], to[i]});
  }
  if (in.elements() == c.placement_out(0).elements()) return plan_view(c);
  plan_copy(c, {c, element_bytes(in.type), std::move(axes)});
}

}  // namespace linnet::ops
