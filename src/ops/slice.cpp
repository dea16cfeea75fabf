// Slice: a copy with strides, which may be negative.
#include <algorithm>
#include <numeric>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// What to take of one axis, as the model says it.
struct Cut {
  std::size_t axis = 0;
  std::int64_t start = 0, end = 0, step = 1;
};
/// Of a known extent: positions first, first + step, ...
struct Taken {
  std::int64_t first = 0, step = 1, count = 0;
};

constexpr std::size_t kStarts = 1, kEnds = 2, kAxes = 3, kSteps = 4;

bool by_input(const NodeContext& c) { return c.opset() >= 10; }

std::vector<std::int64_t> read_list(const NodeContext& c, std::size_t input, std::string_view name) {
  if (by_input(c)) return c.constant_ints(input);
  if (!c.has_attribute(name))
    c.fail(ErrorCode::model, "a required attribute is missing", "attribute '" + std::string(name) + "'");
  return c.attribute_ints(name);
}

void require_count(const NodeContext& c, const char* name, std::size_t count, std::size_t expected) {
  if (count == expected) return;
  c.fail(ErrorCode::model, "starts, ends, axes and steps differ in length", name, std::to_string(expected),
         std::to_string(count));
}

std::vector<Cut> read_cuts(const NodeContext& c, std::size_t rank) {
  const std::vector<std::int64_t> starts = read_list(c, kStarts, "starts"), ends = read_list(c, kEnds, "ends");
  const std::size_t n = starts.size();
  std::vector<std::int64_t> axes(n), steps(n, 1);
  std::iota(axes.begin(), axes.end(), std::int64_t{0});
  if (by_input(c) ? c.has_input(kAxes) : c.has_attribute("axes")) axes = read_list(c, kAxes, "axes");
  if (by_input(c) && c.has_input(kSteps)) steps = c.constant_ints(kSteps);
  require_count(c, "ends", ends.size(), n);
  require_count(c, "axes", axes.size(), n);
  require_count(c, "steps", steps.size(), n);
  const std::vector<std::size_t> positions = unique_axes(c, axes, rank);
  std::vector<Cut> cuts;
  for (std::size_t i = 0; i < n; ++i) {
    if (steps[i] == 0) c.fail(ErrorCode::model, "a step is 0", "steps", "not 0", "0");
    cuts.push_back({positions[i], starts[i], ends[i], steps[i]});
  }
  return cuts;
}

/// ONNX's clamping: a start or end beyond the tensor means its edge, on the side that the step comes from.
Taken take(const Cut& cut, std::int64_t extent) {
  if (extent == 0) return {0, 1, 0};
  const bool forward = cut.step > 0;
  const auto clamped = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
    return std::clamp(at < 0 ? at + extent : at, low, high);
  };
  Taken taken;
  taken.first = clamped(cut.start, 0, forward ? extent : extent - 1);
  const std::int64_t end = clamped(cut.end, forward ? 0 : -1, forward ? extent : extent - 1);
  taken.step = std::clamp(cut.step, -extent, extent);  // one position is taken at most, and no product overflows
  const std::int64_t distance = forward ? end - taken.first : taken.first - end;
  taken.count = distance <= 0 ? 0 : base::ceil_div(distance, forward ? taken.step : -taken.step);
  return taken;
}

/// All of an axis whose extent is not known: from 0 to a number that stands for "the end".
bool takes_all(const Cut& cut) { return cut.start == 0 && cut.step == 1 && cut.end >= std::int64_t{0x7fffffff}; }

bool is_known(const NodeContext& c) {
  if (!by_input(c)) return true;
  for (const std::size_t i : {kStarts, kEnds, kAxes, kSteps}) {
    if (is_runtime_input(c, i)) return false;
  }
  return true;
}

}  // namespace

void infer_slice(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!input.has_rank()) return c.set_output_unknown_rank(0, input.type);
  if (!is_known(c)) {
    // Axes that are not named stay as they are, if the names are known.
    DimList out = *input.shape;
    const bool axes_known = c.has_input(kAxes) && c.constant(kAxes) != nullptr;
    if (!axes_known) out = unknown_dims(out.size());
    else
      for (const std::size_t axis : unique_axes(c, c.constant_ints(kAxes), out.size())) out[axis] = Dim();
    return c.set_output(0, input.type, std::move(out));
  }
  DimList out = *input.shape;
  for (const Cut& cut : read_cuts(c, out.size())) {
    Dim& dim = out[cut.axis];
    if (dim.known()) dim = Dim(take(cut, dim.value).count);
    else if (!takes_all(cut)) dim = Dim();
  }
  c.set_output(0, input.type, std::move(out));
}

void plan_slice(PlanContext& c) {
  const Placement& in = c.placement_in(0);
  Shape shape = in.shape;
  std::vector<std::int64_t> from = dense_strides(shape);
  std::int64_t offset = 0;
  for (const Cut& cut : read_cuts(c, shape.size())) {
    const Taken taken = take(cut, in.shape[cut.axis]);
    shape[cut.axis] = taken.count;
    if (in.elements() == 0) continue;  // extents beside one of zero may be of any size
    offset += taken.first * from[cut.axis];
    from[cut.axis] *= taken.step;
  }
  for (std::size_t i = 1; i < c.input_count(); ++i) c.consumed(i);
  if (shape == in.shape && std::all_of(from.begin(), from.end(), [](std::int64_t s) { return s > 0; }))
    return plan_view(c);
  plan_copy(c, {c, element_bytes(in.type), copy_axes(shape, from, dense_strides(shape)), offset});
}

}  // namespace linnet::ops
