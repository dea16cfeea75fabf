// Clip: its bounds are attributes before opset 11, inputs since.
#include <limits>
#include <optional>

#include "ops/elementwise.h"
#include "ops/op_def.h"
#include "ops/unary.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kMin = 1, kMax = 2;

bool bounds_are_inputs(const NodeContext& c) { return c.opset() >= 11; }

/// The bound that is input i when the step runs; the type's own where it is omitted, as ONNX has it.
template <typename T>
T bound(const RunArgs& args, bool given, std::size_t i) {
  using Limits = std::numeric_limits<T>;
  return given ? *args.in<T>(i) : (i == kMin ? Limits::lowest() : Limits::max());
}

/// min(hi, max(lo, x)): hi where the bounds cross, and a NaN stays.
template <typename T>
T clipped(T x, T lo, T hi) {
  const T raised = x < lo ? lo : x;
  return raised > hi ? hi : raised;
}

}  // namespace

std::optional<UnaryParameters> clip_bounds(const NodeContext& c) {
  UnaryParameters p{std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()};
  if (!bounds_are_inputs(c))
    return UnaryParameters{c.attribute_float("min", p.alpha), c.attribute_float("max", p.beta)};
  for (const std::size_t i : {kMin, kMax}) {
    if (!c.has_input(i)) continue;
    const Tensor* tensor = c.constant(i);
    if (tensor == nullptr || tensor->type() != DataType::float32 || tensor->size() != 1) return std::nullopt;
    (i == kMin ? p.alpha : p.beta) = tensor->data<float>()[0];
  }
  return p;
}

void infer_clip(InferContext& c) {
  require_types(c, 0, c.opset() >= 12 ? kNumberTypes : kRealTypes);
  for (const std::size_t i : {kMin, kMax}) {
    if (!bounds_are_inputs(c) || !c.has_input(i)) continue;
    require_same_type(c, 0, i);
    const graph::TensorDesc& desc = c.input(i);
    // ONNX asks for a scalar; exporters also write [1].
    if (desc.is_static() && !desc.static_shape().empty() && desc.static_shape() != Shape{1}) {
      c.fail(ErrorCode::model, "a bound is one number", c.input_label(i), "a scalar", graph::to_string(desc));
    }
  }
  c.set(0, c.input(0));
}

void plan_clip(PlanContext& c) {
  const DataType type = c.placement_in(0).type;
  if (const std::optional<UnaryParameters> p = clip_bounds(c); p && type == DataType::float32) {
    return plan_unary_kernel(c, kernels::UnaryOp::clip, [bounds = *p](const RunArgs&) { return bounds; });
  }
  const bool inputs = bounds_are_inputs(c), has_min = inputs && c.has_input(kMin),
             has_max = inputs && c.has_input(kMax);
  if (type == DataType::float32) {
    return plan_unary_kernel(c, kernels::UnaryOp::clip, [has_min, has_max](const RunArgs& args) {
      return UnaryParameters{bound<float>(args, has_min, kMin), bound<float>(args, has_max, kMax)};
    });
  }
  // Before opset 11 the bounds are float attributes, also of a float64 Clip.
  const std::int64_t n = c.placement_in(0).elements();
  const float lo = c.attribute_float("min", std::numeric_limits<float>::lowest());
  const float hi = c.attribute_float("max", std::numeric_limits<float>::max());
  c.step().algorithm = "elementwise";
  c.step().in_place = may_share_buffer(c, 0) ? 0 : -1;
  c.step().run = [=](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    visit_type<kNumberTypes>(type, [&](auto element) {
      using T = decltype(element);
      const T least = inputs ? bound<T>(args, has_min, kMin) : static_cast<T>(lo);
      const T most = inputs ? bound<T>(args, has_max, kMax) : static_cast<T>(hi);
      map_loop(args.in<T>(0), args.out<T>(0), mine, [=](T x) { return clipped(x, least, most); });
    });
  };
}

LayoutRule layout_clip(const NodeContext& c) {
  if (!can_be_blocked(c.input(0))) return {};
  const std::optional<UnaryParameters> p = clip_bounds(c);
  const bool padding_stays = p && clipped(0.0f, p->alpha, p->beta) == 0.0f;
  if (!padding_stays && !has_whole_blocks(c.input(0))) return {};
  return {LayoutRule::Preference::follow, 1};
}

}  // namespace linnet::ops
