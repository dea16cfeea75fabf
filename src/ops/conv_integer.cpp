// ConvInteger and QLinearConv.
#include <memory>

#include "ops/conv_loops.h"
#include "ops/op_def.h"
#include "ops/quantization.h"

namespace linnet::ops {

namespace {

using graph::Dim;

// Inputs of ConvInteger: x, w, x_zero_point, w_zero_point.
constexpr std::size_t kIntegerXZero = 2, kIntegerWZero = 3;
// Inputs of QLinearConv: x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B.
constexpr std::size_t kXScale = 1, kXZero = 2, kLinearW = 3, kWScale = 4, kWZero = 5, kYScale = 6, kYZero = 7,
                      kLinearB = 8;

Dim output_channels(const NodeContext& c, std::size_t w) {
  return c.input(w).has_rank() && !c.input(w).shape->empty() ? c.input(w).shape->front() : Dim();
}

/// What the sums of a planned convolution need: where its operands are, and of what type.
struct Operands {
  std::size_t w, x_zero, w_zero;
  DataType x_type, w_type, x_zero_type, w_zero_type;
  bool zero_a_channel;

  Operands(const PlanContext& c, std::size_t filter, std::size_t zero_of_x, std::size_t zero_of_w)
      : w(filter),
        x_zero(zero_of_x),
        w_zero(zero_of_w),
        x_type(c.input(kConvX).type),
        w_type(c.input(filter).type),
        x_zero_type(optional_type(c, zero_of_x)),
        w_zero_type(optional_type(c, zero_of_w)),
        zero_a_channel(is_vector(c, zero_of_w)) {}
};

/// Runs the phases; store(index, m, sum) as in ConvLoops.
template <typename Store>
void run_loops(const RunArgs& args, const ConvLoops<std::int16_t>& loops, const Operands& o, const Store& store) {
  if (args.phase == 0) {
    const auto zero = [&](std::int64_t m) {
      return zero_point_at(args, o.w_zero, o.w_zero_type, o.zero_a_channel ? m : 0);
    };
    return visit_type<kByteTypes>(o.w_type, [&](auto w) { loops.filters(args, args.in<decltype(w)>(o.w), zero); });
  }
  const std::int32_t zero = zero_point_at(args, o.x_zero, o.x_zero_type, 0);
  visit_type<kByteTypes>(o.x_type, [&](auto x) { loops.sums(args, args.in<decltype(x)>(kConvX), zero, store); });
}

}  // namespace

void infer_conv_integer(InferContext& c) {
  require_types(c, kConvX, kByteTypes);
  require_types(c, kConvW, kByteTypes);
  if (c.has_input(kIntegerXZero)) {
    require_same_type(c, kConvX, kIntegerXZero);
    require_scalar_or_vector(c, kIntegerXZero, Dim(1));
  }
  if (c.has_input(kIntegerWZero)) {
    require_same_type(c, kConvW, kIntegerWZero);
    require_scalar_or_vector(c, kIntegerWZero, output_channels(c, kConvW));
  }
  infer_conv_shape(c, DataType::int32, kConvW);
}

void plan_conv_integer(PlanContext& c) {
  const ConvProblem problem = conv_problem(c);
  const auto loops = std::make_shared<const ConvLoops<std::int16_t>>(problem, false);
  loops->reserve(c.step());
  c.step().macs = problem.macs();
  c.step().algorithm = "im2col_dot";
  c.step().run = [loops, o = Operands(c, kConvW, kIntegerXZero, kIntegerWZero)](const RunArgs& args) {
    run_loops(args, *loops, o,
              [y = args.out<std::int32_t>(0)](std::int64_t i, std::int64_t, std::int32_t sum) { y[i] = sum; });
  };
}

void infer_qlinear_conv(InferContext& c) {
  require_types(c, kConvX, kByteTypes);
  require_types(c, kLinearW, kByteTypes);
  require_quant_scalars(c, kXScale, c.input(kConvX).type);
  const DataType type = c.input(kYZero).type;
  require_types(c, kYZero, kByteTypes);
  require_quant_scalars(c, kYScale, type);
  require_types(c, kWScale, types({DataType::float32}));
  require_same_type(c, kLinearW, kWZero);
  const Dim channels = output_channels(c, kLinearW);
  require_scalar_or_vector(c, kWScale, channels);
  require_scalar_or_vector(c, kWZero, channels);
  if (c.has_input(kLinearB)) {
    require_types(c, kLinearB, types({DataType::int32}));
    check_channel_vector(c, kLinearB, channels);
  }
  infer_conv_shape(c, type, kLinearW);
}

void plan_qlinear_conv(PlanContext& c) {
  const ConvProblem problem = conv_problem(c, kLinearW);
  const auto loops = std::make_shared<const ConvLoops<std::int16_t>>(problem, false);
  loops->reserve(c.step());
  c.step().macs = problem.macs();
  c.step().algorithm = "im2col_dot";
  c.step().run = [loops, o = Operands(c, kLinearW, kXZero, kWZero), out = quant_inputs(c, kYScale),
                  scale_a_channel = is_vector(c, kWScale), bias = c.has_input(kLinearB)](const RunArgs& args) {
    const float *const w_scale = args.in<float>(kWScale), x_scale = *args.in<float>(kXScale),
                       y_scale = out.scale_of(args);
    const std::int32_t zero = out.zero_of(args);
    const std::int32_t* const b = bias ? args.in<std::int32_t>(kLinearB) : nullptr;
    visit_type<kByteTypes>(out.type, [&](auto element) {
      using Y = decltype(element);
      run_loops(args, *loops, o, [&, y = args.out<Y>(0)](std::int64_t i, std::int64_t m, std::int32_t sum) {
        const float scale = x_scale * w_scale[scale_a_channel ? m : 0] / y_scale;
        if (b != nullptr) sum = wrapped_sum(sum, b[m]);
        y[i] = quantized<Y>(static_cast<float>(sum) * scale, zero);
      });
    });
  };
}

}  // namespace linnet::ops
