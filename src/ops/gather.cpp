// Gather, GatherElements, GatherND. An index out of range is found while running: zeros are written and it is reported.
#include <algorithm>
#include <cstring>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/extents.h"
#include "ops/indices.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::DimList;

std::int64_t elements_of(const Shape& shape, std::size_t first, std::size_t last) {
  return base::checked_product(std::span(shape).subspan(first, last - first), "a gathered tensor");
}

std::size_t gather_axis(const NodeContext& c, std::size_t rank) { return c.axis(c.attribute_int("axis", 0), rank); }

/// Copies `bytes`, or writes zeros where there is no source.
void copy_or_clear(std::byte* to, const std::byte* from, std::size_t bytes) {
  if (from != nullptr) std::memcpy(to, from, bytes);
  else std::memset(to, 0, bytes);
}

/// Tuples of `depth` indices select slices of `slice` elements. GatherND; and Gather, whose tuples have one index and whose
/// outer axes are batches that share the indices.
struct SliceGather {
  Shape extents;                      // of the indexed axes
  std::vector<std::int64_t> strides;  // of the indexed axes, in slices' elements
  std::int64_t batches = 1, batch_stride = 0;
  std::int64_t tuples = 0;  // of a batch
  bool shared_indices = false;
  std::size_t slice_bytes = 0, element_bytes = 0;
  DataType index_type = DataType::int64;

  void run(const RunArgs& args) const {
    const Indices indices(args.inputs[1], index_type);
    const auto depth = static_cast<std::int64_t>(extents.size());
    const std::int64_t slices = batches * tuples;
    const Range part = thread_share(args, slices, slices * static_cast<std::int64_t>(slice_bytes / element_bytes));
    for (std::int64_t i = part.first; i < part.last; ++i) {
      const std::int64_t tuple = shared_indices ? i % tuples : i;
      std::int64_t offset = i / tuples * batch_stride;
      bool valid = true;
      for (std::int64_t k = 0; k < depth; ++k) {
        const auto axis = static_cast<std::size_t>(k);
        const std::int64_t at = indices.position(tuple * depth + k, extents[axis], args);
        valid = valid && at >= 0;
        offset += at * strides[axis];
      }
      const std::byte* from = valid ? args.inputs[0] + offset * static_cast<std::int64_t>(element_bytes) : nullptr;
      copy_or_clear(args.outputs[0] + static_cast<std::size_t>(i) * slice_bytes, from, slice_bytes);
    }
  }
};

void finish(PlanContext& c, SliceGather plan, std::int64_t slice) {
  plan.element_bytes = element_bytes(c.placement_in(0).type);
  plan.slice_bytes = static_cast<std::size_t>(slice) * plan.element_bytes;
  plan.index_type = c.placement_in(1).type;
  if (c.placement_out(0).elements() == 0) plan.batches = 0;
  plan.tuples = std::max<std::int64_t>(plan.tuples, 1);  // a divisor, also where there is nothing to do
  c.step().algorithm = "gather";
  c.step().run = [plan = std::move(plan)](const RunArgs& args) { plan.run(args); };
}

}  // namespace

void infer_gather(InferContext& c) {
  const graph::TensorDesc& data = c.input(0);
  const graph::TensorDesc& indices = c.input(1);
  require_integers(c, 1);
  if (!data.has_rank() || !indices.has_rank()) return c.set_output_unknown_rank(0, data.type);
  const auto axis = static_cast<std::ptrdiff_t>(gather_axis(c, data.shape->size()));
  DimList out(data.shape->begin(), data.shape->begin() + axis);
  out.insert(out.end(), indices.shape->begin(), indices.shape->end());
  out.insert(out.end(), data.shape->begin() + axis + 1, data.shape->end());
  c.set_output(0, data.type, std::move(out));
}

void plan_gather(PlanContext& c) {
  const Shape& data = c.placement_in(0).shape;
  const std::size_t axis = gather_axis(c, data.size());
  const std::int64_t slice = elements_of(data, axis + 1, data.size());
  SliceGather plan;
  plan.extents = {data[axis]};
  plan.strides = {slice};
  plan.batches = elements_of(data, 0, axis);
  plan.batch_stride = elements_of(data, axis, data.size());
  plan.tuples = c.placement_in(1).elements();
  plan.shared_indices = true;
  finish(c, std::move(plan), slice);
}

void infer_gather_nd(InferContext& c) {
  const graph::TensorDesc& data = c.input(0);
  const graph::TensorDesc& indices = c.input(1);
  require_integers(c, 1);
  if (!data.has_rank() || !indices.has_rank()) return c.set_output_unknown_rank(0, data.type);
  const DimList& d = *data.shape;
  const DimList& i = *indices.shape;
  const std::int64_t batch = c.attribute_int("batch_dims", 0);
  const auto least = static_cast<std::int64_t>(std::min(d.size(), i.size()));
  if (batch < 0 || batch >= least)
    c.fail(ErrorCode::model, "batch_dims does not fit the ranks", "attribute 'batch_dims'",
           "less than " + std::to_string(least), std::to_string(batch));
  if (!i.back().known()) return c.set_output_unknown_rank(0, data.type);
  const std::int64_t depth = i.back().value;
  if (depth < 1 || depth > static_cast<std::int64_t>(d.size()) - batch)
    c.fail(ErrorCode::model, "the index tuples do not fit the data", c.input_label(1),
           "1 to " + std::to_string(static_cast<std::int64_t>(d.size()) - batch), std::to_string(depth));
  for (std::size_t k = 0; k < static_cast<std::size_t>(batch); ++k) {
    if (d[k].known() && i[k].known() && d[k].value != i[k].value)
      c.fail(ErrorCode::model, "the batches differ", c.input_label(1), std::to_string(d[k].value),
             std::to_string(i[k].value));
  }
  DimList out(i.begin(), i.end() - 1);
  out.insert(out.end(), d.begin() + static_cast<std::ptrdiff_t>(batch + depth), d.end());
  c.set_output(0, data.type, std::move(out));
}

void plan_gather_nd(PlanContext& c) {
  const Shape& data = c.placement_in(0).shape;
  const Shape& indices = c.placement_in(1).shape;
  const auto batch = static_cast<std::size_t>(c.attribute_int("batch_dims", 0));
  const std::size_t indexed = batch + static_cast<std::size_t>(indices.back());
  const std::vector<std::int64_t> strides = dense_strides(data);
  SliceGather plan;
  for (std::size_t k = batch; k < indexed; ++k) {
    plan.extents.push_back(data[k]);
    plan.strides.push_back(strides[k]);
  }
  plan.batches = elements_of(data, 0, batch);
  plan.batch_stride = elements_of(data, batch, data.size());
  plan.tuples = elements_of(indices, batch, indices.size() - 1);
  finish(c, std::move(plan), elements_of(data, indexed, data.size()));
}

void infer_gather_elements(InferContext& c) {
  const graph::TensorDesc& data = c.input(0);
  const graph::TensorDesc& indices = c.input(1);
  require_integers(c, 1);
  if (data.has_rank() && indices.has_rank()) {
    require_indices_within(c, gather_axis(c, data.shape->size()));
  }
  c.set(0, {data.type, indices.shape, graph::Layout::plain});
}

void plan_gather_elements(PlanContext& c) {
  const Shape& data = c.placement_in(0).shape;
  const Shape shape = c.placement_in(1).shape;
  const std::size_t axis = gather_axis(c, data.size());
  std::vector<std::int64_t> strides = dense_strides(data);
  const std::int64_t axis_stride = std::exchange(strides[axis], 0);
  const std::size_t width = element_bytes(c.placement_in(0).type);
  c.step().algorithm = "gather";
  c.step().run = [shape, strides, axis_stride, width, extent = data[axis], type = c.placement_in(1).type,
                  count = c.placement_out(0).elements()](const RunArgs& args) {
    const Indices indices(args.inputs[1], type);
    const Range part = thread_share(args, count, count);
    for (std::int64_t i = part.first; i < part.last; ++i) {
      std::int64_t rest = i, offset = 0;
      for (std::size_t k = shape.size(); k-- > 0; rest /= shape[k]) offset += rest % shape[k] * strides[k];
      const std::int64_t at = indices.position(i, extent, args);
      const std::byte* from =
          at < 0 ? nullptr : args.inputs[0] + (offset + at * axis_stride) * static_cast<std::int64_t>(width);
      copy_or_clear(args.outputs[0] + static_cast<std::size_t>(i) * width, from, width);
    }
  };
}

}  // namespace linnet::ops
