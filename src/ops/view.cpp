// Views: the same bytes as the input. Identity and Dropout, and how all the operators that only rename extents are planned.
#include <algorithm>

#include "ops/blocked.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

bool may_be_view(const Placement& from, const Placement& to) {
  if (from.layout != to.layout || to.within != graph::kNoValue) return false;
  return from.layout == graph::Layout::plain || (from.halo == to.halo && from.image_stride == to.image_stride);
}

StridedCopy dense_copy(const NodeContext& context, const Placement& from) {
  return {context, element_bytes(from.type), {{from.elements(), 1, 1}}};
}

/// A ratio of 0: training or not, nothing is dropped and nothing scaled. PyTorch exports such a node for stochastic depth 0.
bool has_ratio_0(const NodeContext& c) {
  const Tensor* ratio = c.constant(1);
  if (ratio == nullptr || ratio->size() != 1) return false;
  const auto* bytes = static_cast<const std::byte*>(ratio->raw());
  return std::all_of(bytes, bytes + ratio->bytes(), [](std::byte b) { return b == std::byte{0}; });
}

/// Throws Error(unsupported) for training. `last`: nothing more will become known of the inputs before the model runs.
void require_nothing_dropped(const NodeContext& c, bool last) {
  if (!c.has_input(2) || has_ratio_0(c)) return;
  const Tensor* training = c.constant(2);
  if (training == nullptr && last)
    c.fail(ErrorCode::unsupported, "training_mode must be known before the model runs", c.input_label(2), "a constant");
  if (training == nullptr || *static_cast<const std::byte*>(training->raw()) == std::byte{0}) return;
  if (last || !c.has_input(1) || c.constant(1) != nullptr)
    c.fail(ErrorCode::unsupported, "Dropout is run for inference only", c.input_label(2), "false", "true");
}

bool has_mask(const NodeContext& context) { return context.has_output(1); }

}  // namespace

void plan_view(PlanContext& c) {
  const Placement& from = c.placement_in(0);
  const Placement& to = c.placement_out(0);
  const bool same_count = from.elements() == to.elements() && from.type == to.type && from.layout == to.layout;
  if (!same_count) {
    c.fail(ErrorCode::internal, "a view changes more than the extents", {}, linnet::to_string(from.shape),
           linnet::to_string(to.shape));
  }
  for (std::size_t i = 1; i < c.input_count(); ++i) c.consumed(i);
  if (may_be_view(from, to)) {
    c.step().algorithm = "view";
    c.step().view_of = 0;
    return;
  }
  c.step().algorithm = "plane_copy";  // another halo, or a part of a larger tensor
  c.step().run = [copy = PlaneCopy(c, from, to)](const RunArgs& args) {
    copy.run(args, args.inputs[0], args.outputs[0]);
  };
}

void infer_identity(InferContext& c) {
  c.set(0, {c.input(0).type, c.input(0).shape, graph::Layout::plain, c.input(0).kind});
}

void infer_dropout(InferContext& c) {
  const Tensor* training = c.constant(2);
  if (training != nullptr && (training->type() != DataType::boolean || training->size() != 1)) {
    c.fail(ErrorCode::model, "training_mode is not a truth value", c.input_label(2), "bool[]",
           graph::to_string(c.input(2)));
  }
  require_nothing_dropped(c, false);
  infer_identity(c);
  if (has_mask(c))
    c.set(1, {c.opset() >= 10 ? DataType::boolean : c.input(0).type, c.input(0).shape, graph::Layout::plain});
}

LayoutRule layout_identity(const NodeContext& c) {
  if (has_mask(c) || !can_be_blocked(c.input(0))) return {};
  return {LayoutRule::Preference::follow, 1u};
}

void plan_dropout(PlanContext& c) {
  require_nothing_dropped(c, true);
  if (!has_mask(c)) return plan_view(c);
  for (std::size_t i = 1; i < c.input_count(); ++i) c.consumed(i);
  c.step().algorithm = "strided_copy";
  // The mask: ones, for kept, as nothing is dropped at inference.
  c.step().run = [copy = dense_copy(c, c.placement_in(0)), one = element_of(c.placement_out(1).type, 1),
                  count = c.placement_in(0).elements(), wanted = c.has_output(0)](const RunArgs& args) {
    if (wanted) copy.run(args, args.inputs[0], args.outputs[0]);
    fill_elements(args, args.outputs[1], count, one.data(), one.size());
  };
}

}  // namespace linnet::ops
