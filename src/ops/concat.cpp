// Concat: each input is copied to its place, by planes where all channels come in whole blocks, unless the planner has let its
// producer write it there; channel by channel where blocks hold channels of several inputs.
#include <string>

#include "ops/channel_gather.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::DimList;

std::int64_t axis_attribute(const NodeContext& c) {
  if (!c.has_attribute("axis")) c.fail(ErrorCode::model, "a required attribute is missing", "attribute 'axis'");
  return c.attribute_int("axis", 0);
}

void require_alike(const NodeContext& c, std::size_t i) {
  const graph::TensorDesc& first = c.input(0);
  const graph::TensorDesc& other = c.input(i);
  if (first.type != other.type) {
    c.fail(ErrorCode::model, "the inputs have different types", c.input_label(i), std::string(to_string(first.type)),
           std::string(to_string(other.type)));
  }
  if (first.has_rank() && other.has_rank() && first.shape->size() != other.shape->size())
    c.fail(ErrorCode::model, "the inputs have different ranks", c.input_label(i), graph::to_string(first),
           graph::to_string(other));
}

bool joins_whole_blocks(const PlanContext& c) {
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (!has_whole_blocks(c.input(i))) return false;
  }
  return true;
}

template <typename Copy>
struct ConcatStep {
  struct Part {
    std::size_t input;
    Copy copy;
  };
  std::vector<Part> parts;
  void run(const RunArgs& args) const {
    for (const Part& part : parts) part.copy.run(args, args.inputs[part.input], args.outputs[0]);
  }
};

StridedCopy plain_part(const PlanContext& c, std::size_t i, std::size_t axis, std::int64_t at) {
  const Shape& shape = c.placement_in(i).shape;
  const std::vector<std::int64_t> from = dense_strides(shape), to = dense_strides(c.placement_out(0).shape);
  const std::int64_t offset = c.placement_in(i).elements() == 0 ? 0 : at * to[axis];
  return {c, element_bytes(c.placement_in(i).type), copy_axes(shape, from, to), 0, offset};
}

}  // namespace

void infer_concat(InferContext& c) {
  const std::int64_t given = axis_attribute(c);
  const DataType type = c.input(0).type;
  for (std::size_t i = 1; i < c.input_count(); ++i) require_alike(c, i);
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (!c.input(i).has_rank()) return c.set_output_unknown_rank(0, type);
  }
  DimList out = *c.input(0).shape;
  const std::size_t axis = c.axis(given, out.size());
  for (std::size_t i = 1; i < c.input_count(); ++i) {
    const DimList& dims = *c.input(i).shape;
    for (std::size_t k = 0; k < out.size(); ++k) {
      out[k] = k == axis ? summed_extent(out[k], dims[k]) : joined_extent(c, i, out[k], dims[k]);
    }
  }
  c.set_output(0, type, std::move(out));
}

LayoutRule layout_concat(const NodeContext& c) {
  if (!can_be_blocked(c.input(0)) || c.axis(axis_attribute(c), 4) != 1) return {};
  return layout_channel_gather(c, c.input_count());
}

void plan_concat(PlanContext& c) {
  const Placement& out = c.placement_out(0);
  const bool blocked = out.layout == graph::Layout::nchw16c;
  const std::size_t axis = c.axis(axis_attribute(c), out.shape.size());
  if (c.input_count() == 1) return plan_view(c);
  const auto plan = [&](auto step, const auto& copy) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < c.input_count(); ++i) {
      const Placement& in = c.placement_in(i);
      const bool in_its_place = in.within != graph::kNoValue && in.within == c.step().outputs[0];
      if (!in_its_place) step.parts.push_back({i, copy(i, at)});
      at += in.shape[axis];
    }
    if (step.parts.empty()) return;
    c.step().run = [step = std::move(step)](const RunArgs& args) { step.run(args); };
  };
  if (blocked && !joins_whole_blocks(c)) return plan_channel_gather(c, c.input_count());
  if (blocked) {
    c.step().algorithm = "plane_copy";
    plan(ConcatStep<PlaneCopy>(),
         [&](std::size_t i, std::int64_t at) { return PlaneCopy(c, c.placement_in(i), out, at / kernels::kBlock); });
  } else {
    c.step().algorithm = "strided_copy";
    plan(ConcatStep<StridedCopy>(), [&](std::size_t i, std::int64_t at) { return plain_part(c, i, axis, at); });
  }
}

}  // namespace linnet::ops
