// Sum, Mean, Max and Min of any number of tensors: y = x0 op x1, then y = y op xi, element by element, in the inputs' order.
#include <algorithm>
#include <optional>
#include <vector>

#include "ops/binary.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using Op = kernels::BinaryOp;

constexpr TypeSet kFloat64 = types({DataType::float64});
constexpr TypeSet kOthers = kIntegerTypes | kFloat64;

constexpr TypedBinary kTyped[] = {
    {"Sum", kFloat64, run_typed<kFloat64, [](double a, double b) { return a + b; }>},
    {"Mean", kFloat64, run_typed<kFloat64, [](double a, double b) { return a + b; }>},
    {"Max", kOthers, run_typed<kOthers, [](auto a, auto b) { return larger(a, b); }>},
    {"Min", kOthers, run_typed<kOthers, [](auto a, auto b) { return smaller(a, b); }>},
};

Op kernel_of(const NodeContext& c) {
  if (c.op_type() == "Max") return Op::max;
  return c.op_type() == "Min" ? Op::min : Op::add;
}

/// The divisor of Mean (1: none) as an operand whose every pixel is the same.
struct Divisor {
  float lanes[kernels::kBlock];

  explicit Divisor(std::size_t n) { std::fill_n(lanes, kernels::kBlock, static_cast<float>(n)); }
  [[nodiscard]] bool any() const { return lanes[0] != 1.0f; }
};

/// How each input meets the others: input 0 and 1 make the result, which then meets input 2, 3, ...
std::vector<Broadcast> broadcasts(const PlanContext& c) {
  const Shape& y = c.placement_out(0).shape;
  std::vector<Broadcast> plans;
  for (std::size_t i = 1; i < c.input_count(); ++i) {
    plans.push_back(make_broadcast(c, i == 1 ? c.placement_in(0).shape : y, c.placement_in(i).shape, y));
  }
  return plans;
}

void plan_plain_kernel(PlanContext& c, std::size_t divisor) {
  std::vector<kernels::BinaryArguments> calls;
  for (const Broadcast& plan : broadcasts(c)) calls.push_back(binary_arguments(plan, kernel_of(c)));
  const std::int64_t n = c.placement_out(0).elements();
  c.step().run = [calls, n, divisor = Divisor(divisor), table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    kernels::BinaryArguments call;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      call = calls[i];
      call.a = i == 0 ? args.in<float>(0) : args.out<float>(0);
      call.b = args.in<float>(i + 1);
      call.y = args.out<float>(0);
      call.begin = mine.first;
      call.end = mine.last;
      table->binary(call);
    }
    if (!divisor.any()) return;
    call = {};
    call.op = Op::div;
    call.a = call.y = args.out<float>(0);
    call.b = divisor.lanes;
    call.size[0] = n;
    call.a_stride[0] = 1;
    call.begin = mine.first;
    call.end = mine.last;
    table->binary(call);
  };
}

void plan_blocked_kernel(PlanContext& c, std::size_t divisor) {
  std::vector<Placement> in;
  for (std::size_t i = 0; i < c.input_count(); ++i) in.push_back(c.placement_in(i));
  const Placement& out = c.placement_out(0);
  const BlockedExtent extent = blocked_extent(c, out);
  kernels::BlockedBinaryArguments k;
  k.op = kernel_of(c);
  k.blocks = extent.blocks;
  k.width = extent.width;
  c.step().run = [k, in, out, extent, divisor = Divisor(divisor), table = &c.kernels()](const RunArgs& args) {
    extent.each_share(args, [&](const kernels::PlaneRange& range) {
      kernels::BlockedBinaryArguments call = k;
      call.range = range;
      call.y = target_view(out, args.out<float>(0));
      const kernels::BlockedSource so_far = source_view(out, args.out<float>(0));
      for (std::size_t i = 1; i < in.size(); ++i) {
        call.a = i == 1 ? source_view(in[0], args.in<float>(0)) : so_far;
        call.b = source_view(in[i], args.in<float>(i));
        table->blocked_binary(call);
      }
      if (!divisor.any()) return;
      call.op = Op::div;
      call.a = so_far;
      call.b = {divisor.lanes, 0, 0, 0};
      call.b_pixel = 0;
      table->blocked_binary(call);
    });
  };
}

void plan_typed_variadic(PlanContext& c, std::size_t divisor) {
  const DataType type = c.placement_out(0).type;
  const std::int64_t n = c.placement_out(0).elements();
  const auto run = find_typed(kTyped, c.op_type(), type)->run;
  c.step().run = [plans = broadcasts(c), run, type, n, divisor](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const void* const a = i == 0 ? args.inputs[0] : args.outputs[0];
      run(type, plans[i], a, args.inputs[i + 1], args.outputs[0], mine);
    }
    if (divisor == 1) return;
    double* const y = args.out<double>(0);  // no other type has a Mean
    map_loop(y, y, mine, [&](double sum) { return sum / static_cast<double>(divisor); });
  };
}

}  // namespace

void infer_variadic(InferContext& c) {
  if (c.input_count() == 0)
    c.fail(ErrorCode::model, "the operator needs at least one input", "inputs", "1 or more", "0");
  std::optional<graph::DimList> shape = c.input(0).shape;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    require_types(c, i, types_of(kTyped, c.op_type()) | types({DataType::float32}));
    require_same_type(c, 0, i);
    const graph::TensorDesc& desc = c.input(i);
    if (shape && desc.has_rank()) shape = broadcast(c, *shape, *desc.shape);
    else shape.reset();
  }
  c.set(0, {c.input(0).type, shape, graph::Layout::plain});
}

void plan_variadic(PlanContext& c) {
  Step& step = c.step();
  if (c.input_count() == 1) {
    step.algorithm = "view";
    step.view_of = 0;
    return;
  }
  const std::size_t divisor = c.op_type() == "Mean" ? c.input_count() : 1;
  step.algorithm = "elementwise";
  // The planner lets an input be overwritten only where no other input is the same value.
  step.in_place = may_share_buffer(c, 0) ? 0 : -1;
  if (c.placement_out(0).type != DataType::float32) return plan_typed_variadic(c, divisor);
  step.kernel = isa_label(c);
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_plain_kernel(c, divisor);
  plan_blocked_kernel(c, divisor);
}

LayoutRule layout_variadic(const NodeContext& c) {
  if (c.input_count() > 32 || c.input_count() < 2) return {};
  std::uint32_t all = 0;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (!can_be_blocked(c.input(i)) || !same_shape(c.input(0), c.input(i))) return {};
    all |= 1u << i;
  }
  return {LayoutRule::Preference::follow, all};
}

}  // namespace linnet::ops
