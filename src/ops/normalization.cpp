// Row normalizations: InstanceNormalization, LayerNormalization, GroupNormalization, on one kernel;
// RMSNormalization and what the kernel does not take, through the loops of norm_loops.h.
#include "ops/normalization.h"

#include <string>

#include "base/checked_math.h"
#include "ops/channel_affine.h"
#include "ops/norm_loops.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kScale = 1, kBias = 2;

double epsilon_of(const NodeContext& c) { return static_cast<double>(c.attribute_float("epsilon", 1e-5f)); }

std::size_t layer_axis(const NodeContext& c, std::size_t rank) { return c.axis(c.attribute_int("axis", -1), rank); }

/// Every thread takes whole rows.
void plan_rows(PlanContext& c, const kernels::RowNormArguments& k, std::int64_t rows) {
  Step& step = c.step();
  step.algorithm = "rows";
  step.kernel = isa_label(c);
  step.in_place = 0;
  const bool biased = c.has_input(kBias);
  step.run = [k, rows, biased, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, rows, rows * k.n);
    kernels::RowNormArguments call = k;
    call.x = args.in<float>(0);
    call.y = args.out<float>(0);
    call.scale = args.in<float>(kScale);
    call.bias = biased ? args.in<float>(kBias) : nullptr;
    call.begin = mine.first;
    call.end = mine.last;
    table->row_norm(call);
  };
}

/// A parameter of a Layer- or RMSNormalization is broadcast to the input, never the input to it.
void require_parameter(const NodeContext& c, std::size_t i) {
  require_same_type(c, 0, i);
  const graph::TensorDesc &x = c.input(0), &parameter = c.input(i);
  if (!x.is_static() || !parameter.is_static()) return;
  graph::TensorDesc both = x;
  both.shape = broadcast(c, *x.shape, *parameter.shape);
  if (both.static_shape() == x.static_shape()) return;
  c.fail(ErrorCode::model, "the parameter does not broadcast to the input", c.input_label(i), graph::to_string(x),
         graph::to_string(parameter));
}

/// What Layer- and RMSNormalization normalize together: the axes from `axis` on.
NormLoops layer_loops(const PlanContext& c, Norm norm) {
  NormLoops loops{norm, c.placement_in(0).shape, {}, epsilon_of(c), {}, {}};
  const std::size_t rank = loops.shape.size(), axis = layer_axis(c, rank);
  for (std::size_t i = 0; i < rank; ++i) loops.reduced.push_back(i >= axis);
  loops.scale = c.placement_in(kScale).shape;
  if (c.has_input(kBias)) loops.bias = c.placement_in(kBias).shape;
  return loops;
}

/// The kernel takes float32, and parameters that are not broadcast; it writes no statistics.
bool layer_fits_kernel(const PlanContext& c) {
  const Placement& x = c.placement_in(0);
  if (x.type != DataType::float32 || c.has_output(1) || c.has_output(2)) return false;
  const std::int64_t n = norm_rows(x.shape, layer_axis(c, x.shape.size())).n;
  return c.placement_in(kScale).elements() == n && (!c.has_input(kBias) || c.placement_in(kBias).elements() == n);
}

/// Parameters are one a group in opset 18, one a channel since 21.
bool parameters_per_group(const NodeContext& c) { return c.opset() < 21; }

}  // namespace

void require_channels(const NodeContext& c) {
  require_types(c, 0, kRealTypes);
  if (c.input(0).has_rank() && c.input(0).shape->size() < 2) {
    c.fail(ErrorCode::model, "the input has no channels", c.input_label(0), "2-D or more",
           graph::to_string(c.input(0)));
  }
}

void require_vector(const NodeContext& c, std::size_t i, const graph::Dim& count) {
  require_same_type(c, 0, i);
  require_extent(c, i, count);
}

void require_extent(const NodeContext& c, std::size_t i, const graph::Dim& count) {
  const graph::TensorDesc& parameter = c.input(i);
  if (!parameter.has_rank()) return;
  const bool vector = parameter.shape->size() == 1;
  if (vector && (!count.known() || !(*parameter.shape)[0].known() || (*parameter.shape)[0].value == count.value))
    return;
  c.fail(ErrorCode::model, "the parameter has the wrong shape", c.input_label(i),
         "[" + (count.known() ? std::to_string(count.value) : "C") + "]", graph::to_string(parameter));
}

void require_unused_outputs(const NodeContext& c, std::size_t first, std::string_view why) {
  for (std::size_t i = first; i < c.output_count(); ++i) {
    if (!c.has_output(i)) continue;
    const graph::Value& value = c.graph().value(c.node().outputs[i]);
    if (!value.graph_output && value.consumers.empty()) continue;
    c.fail(ErrorCode::unsupported, std::string(why), "output " + std::to_string(i) + " '" + value.name + "'",
           "not used", "used");
  }
}

NormRows norm_rows(const Shape& shape, std::size_t axis) {
  NormRows rows;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    std::int64_t& count = i < axis ? rows.rows : rows.n;
    count = base::checked_mul(count, shape[i], "a normalization");
  }
  if (rows.n == 0) rows.rows = 0;
  return rows;
}

kernels::RowNormArguments row_norm_arguments(const NodeContext& c, std::int64_t n) {
  kernels::RowNormArguments k;
  k.n = n;
  k.eps = c.attribute_float("epsilon", 1e-5f);
  return k;
}

void infer_instance_normalization(InferContext& c) {
  require_channels(c);
  const graph::TensorDesc& x = c.input(0);
  for (const std::size_t i : {kScale, kBias}) require_vector(c, i, x.has_rank() ? (*x.shape)[1] : graph::Dim());
  c.set(0, x);
}

void plan_instance_normalization(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  if (c.placement_in(0).type != DataType::float32) {
    NormLoops loops{Norm::layer, shape, std::vector<bool>(shape.size(), true), epsilon_of(c), {}, {}};
    loops.reduced[0] = loops.reduced[1] = false;
    loops.scale = Shape(shape.size() - 1, 1);
    loops.scale->front() = shape[1];
    loops.bias = loops.scale;
    return plan_norm_loops(c, std::move(loops));
  }
  const NormRows rows = norm_rows(shape, 2);
  kernels::RowNormArguments k = row_norm_arguments(c, rows.n);
  k.channels = shape[1];
  plan_rows(c, k, rows.rows);
}

void infer_layer_normalization(InferContext& c) {
  require_types(c, 0, kRealTypes);
  const graph::TensorDesc& x = c.input(0);
  require_parameter(c, kScale);
  if (c.has_input(kBias)) require_parameter(c, kBias);
  c.set(0, x);
  // Mean and 1 / deviation.
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) {
    if (!x.has_rank()) {
      c.set_output_unknown_rank(i, DataType::float32);
      continue;
    }
    graph::DimList shape = *x.shape;
    for (std::size_t k = layer_axis(c, shape.size()); k < shape.size(); ++k) shape[k] = graph::Dim(1);
    c.set_output(i, DataType::float32, std::move(shape));
  }
}

void plan_layer_normalization(PlanContext& c) {
  if (!layer_fits_kernel(c)) {
    NormLoops loops = layer_loops(c, Norm::layer);
    loops.statistics = c.output_count() - 1;
    return plan_norm_loops(c, std::move(loops));
  }
  const Shape& shape = c.placement_in(0).shape;
  const NormRows rows = norm_rows(shape, layer_axis(c, shape.size()));
  kernels::RowNormArguments k = row_norm_arguments(c, rows.n);
  k.per_element = true;
  plan_rows(c, k, rows.rows);
}

void infer_rms_normalization(InferContext& c) {
  require_types(c, 0, kRealTypes);
  require_parameter(c, kScale);
  if (c.input(0).has_rank()) (void)layer_axis(c, c.input(0).shape->size());
  c.set(0, c.input(0));
}

void plan_rms_normalization(PlanContext& c) { plan_norm_loops(c, layer_loops(c, Norm::rms)); }

void infer_group_normalization(InferContext& c) {
  require_channels(c);
  const graph::TensorDesc& x = c.input(0);
  const std::int64_t groups = c.attribute_int("num_groups", 0);
  const graph::Dim channels = x.has_rank() ? (*x.shape)[1] : graph::Dim();
  if (groups < 1 || (channels.known() && channels.value % groups != 0)) {
    c.fail(ErrorCode::model, "the groups do not divide the channels", "attribute 'num_groups'",
           "a divisor of the channels", std::to_string(groups));
  }
  for (const std::size_t i : {kScale, kBias})
    require_vector(c, i, parameters_per_group(c) ? graph::Dim(groups) : channels);
  c.set(0, x);
}

void plan_group_normalization(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  const std::int64_t groups = c.attribute_int("num_groups", 1), width = shape[1] / groups;  // channels of a group
  const std::int64_t pixels = norm_rows(shape, 2).n, rows = width * pixels == 0 ? 0 : shape[0] * groups;
  const bool per_group = parameters_per_group(c);
  if (c.placement_in(0).type != DataType::float32) {
    NormLoops loops{Norm::layer, {shape[0], groups, width, pixels}, {false, false, true, true}, epsilon_of(c), {}, {}};
    loops.scale = per_group ? Shape{groups, 1, 1} : Shape{groups, width, 1};
    loops.bias = loops.scale;
    return plan_norm_loops(c, std::move(loops));
  }
  Step& step = c.step();
  step.algorithm = "rows";
  step.kernel = isa_label(c);
  step.in_place = 0;
  const kernels::RowNormArguments k = row_norm_arguments(c, width * pixels);
  step.run = [k, rows, groups, width, pixels, per_group, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, rows, rows * k.n);
    kernels::RowNormArguments call = k;
    call.x = args.in<float>(0);
    call.y = args.out<float>(0);
    call.begin = mine.first;
    call.end = mine.last;
    table->row_norm(call);
    for (std::int64_t row = mine.first * width; row < mine.last * width; ++row) {
      const std::int64_t parameter = per_group ? row / width % groups : row % (groups * width);
      float* const y = args.out<float>(0) + row * pixels;
      affine_row(*table, y, y, pixels, args.in<float>(kScale)[parameter], args.in<float>(kBias)[parameter], {});
    }
  };
}

}  // namespace linnet::ops
