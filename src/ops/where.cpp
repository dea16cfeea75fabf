// Where: a choice between two tensors, element by element, all three broadcast.
#include <array>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

/// The condition, x and y, each broadcast to the result: an axis of the result with what a step along it means to each.
struct Axis {
  std::int64_t size = 1;
  std::array<std::int64_t, 3> stride{};
};

std::vector<Axis> broadcast_axes(const PlanContext& c) {
  const Shape& out = c.placement_out(0).shape;
  std::vector<Axis> axes(out.size());
  for (std::size_t i = 0; i < out.size(); ++i) axes[i].size = out[i];
  for (std::size_t operand = 0; operand < 3; ++operand) {
    const Shape& shape = c.placement_in(operand).shape;
    const std::vector<std::int64_t> strides = dense_strides(shape);
    const std::size_t added = out.size() - shape.size();
    for (std::size_t i = 0; i < shape.size(); ++i) axes[added + i].stride[operand] = shape[i] == 1 ? 0 : strides[i];
  }
  std::vector<Axis> merged;
  for (const Axis& axis : axes) {
    if (axis.size == 1) continue;
    bool joins = !merged.empty();
    for (std::size_t k = 0; k < 3 && joins; ++k) joins = merged.back().stride[k] == axis.stride[k] * axis.size;
    if (joins) merged.back() = {merged.back().size * axis.size, axis.stride};
    else merged.push_back(axis);
  }
  if (merged.empty()) merged.emplace_back();
  return merged;
}

template <typename Element>
void choose(const std::vector<Axis>& axes, const RunArgs& args, Range range) {
  const Axis& inner = axes.back();
  while (range.first < range.last) {
    std::array<std::int64_t, 3> at{};
    std::int64_t rest = range.first;
    for (std::size_t i = axes.size(); i-- > 0; rest /= axes[i].size) {
      for (std::size_t k = 0; k < 3; ++k) at[k] += rest % axes[i].size * axes[i].stride[k];
    }
    const std::int64_t left = inner.size - range.first % inner.size;
    const std::int64_t count = left < range.last - range.first ? left : range.last - range.first;
    const auto* condition = args.in<std::uint8_t>(0) + at[0];  // a file's bytes need not be 0 or 1
    const Element *x = args.in<Element>(1) + at[1], *y = args.in<Element>(2) + at[2];
    Element* to = args.out<Element>(0) + range.first;
    for (std::int64_t i = 0; i < count; ++i)
      to[i] = condition[i * inner.stride[0]] != 0 ? x[i * inner.stride[1]] : y[i * inner.stride[2]];
    range.first += count;
  }
}

}  // namespace

void infer_where(InferContext& c) {
  const DataType type = c.input(1).type;
  if (c.input(0).type != DataType::boolean && c.input(0).type != DataType::undefined)
    c.fail(ErrorCode::model, "the condition is of the wrong type", c.input_label(0), "bool",
           std::string(to_string(c.input(0).type)));
  if (c.input(2).type != type)
    c.fail(ErrorCode::model, "the inputs have different types", c.input_label(2), std::string(to_string(type)),
           std::string(to_string(c.input(2).type)));
  for (std::size_t i = 0; i < 3; ++i) {
    if (!c.input(i).has_rank()) return c.set_output_unknown_rank(0, type);
  }
  c.set_output(0, type, broadcast(c, broadcast(c, *c.input(0).shape, *c.input(1).shape), *c.input(2).shape));
}

void plan_where(PlanContext& c) {
  c.step().algorithm = "select";
  c.step().run = [axes = broadcast_axes(c), count = c.placement_out(0).elements(),
                  width = element_bytes(c.placement_out(0).type)](const RunArgs& args) {
    const Range part = thread_share(args, count, count, 64);
    with_element_of(width, [&](auto element) { choose<decltype(element)>(axes, args, part); });
  };
}

}  // namespace linnet::ops
