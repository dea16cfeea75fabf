// The Reduce operators. float32 runs on the kernel, one call for each group of neighbouring reduced axes; everything
// else, LogSumExp and reductions of nothing run through one loop nest, floats in double.
#include "ops/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>

#include "base/checked_math.h"
#include "ops/binary.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using Op = kernels::ReduceOp;

constexpr TypeSet kReducible =
    kRealTypes | types({DataType::int32, DataType::int64, DataType::uint32, DataType::uint64});
constexpr TypeSet kOrdered = kReducible | types({DataType::int8, DataType::uint8}) | kBoolean;

/// Up to prod: of one element it is that element.
enum class Kind : unsigned char { sum, mean, max, min, prod, l1, l2, sum_square, log_sum, log_sum_exp };

/// What the kernel does with the first group of axes, with the others, and what is done to the result.
struct Form {
  std::string_view name;
  Kind kind;
  Op first, rest;
  std::optional<kernels::UnaryOp> finish;
};
constexpr Form kForms[] = {
    {"ReduceSum", Kind::sum, Op::sum, Op::sum, std::nullopt},
    {"ReduceMean", Kind::mean, Op::mean, Op::mean, std::nullopt},
    {"ReduceMax", Kind::max, Op::max, Op::max, std::nullopt},
    {"ReduceMin", Kind::min, Op::min, Op::min, std::nullopt},
    {"ReduceProd", Kind::prod, Op::prod, Op::prod, std::nullopt},
    {"ReduceL1", Kind::l1, Op::l1, Op::sum, std::nullopt},
    {"ReduceL2", Kind::l2, Op::sum_square, Op::sum, kernels::UnaryOp::sqrt},
    {"ReduceSumSquare", Kind::sum_square, Op::sum_square, Op::sum, std::nullopt},
    {"ReduceLogSum", Kind::log_sum, Op::sum, Op::sum, kernels::UnaryOp::log},
    {"ReduceLogSumExp", Kind::log_sum_exp, Op::sum, Op::sum, std::nullopt},  // never on the kernel
};

const Form& form_of(const NodeContext& c) {
  const Form* form = kForms;
  while (form->name != c.op_type()) ++form;
  return *form;
}

// The loop nest. A real is folded in double; an integer in its own type, modulo 2^bits.

template <typename T>
using Total = std::conditional_t<std::is_floating_point_v<T>, double, T>;

/// fold(total, term) over all terms of the result that begins at x.
template <typename T, typename F>
Total<T> fold(const T* x, const ReductionWalk& walk, Total<T> total, const F& f) {
  for (std::int64_t i = 0; i < walk.terms(); ++i) total = f(total, static_cast<Total<T>>(x[walk.term(i)]));
  return total;
}

template <typename T>
Total<T> sum(const T* x, const ReductionWalk& walk) {
  return fold(x, walk, Total<T>{0}, [](Total<T> a, Total<T> b) { return wrapping_add(a, b); });
}

template <typename T>
Total<T> sum_of_squares(const T* x, const ReductionWalk& walk) {
  return fold(x, walk, Total<T>{0}, [](Total<T> a, Total<T> b) { return wrapping_add(a, wrapping_mul(b, b)); });
}

/// The greatest (least) term; of no terms, what is below (above) all others.
template <typename T, bool kGreatest>
Total<T> extreme(const T* x, const ReductionWalk& walk) {
  using Limits = std::numeric_limits<Total<T>>;
  const Total<T> none = Limits::has_infinity ? (kGreatest ? -Limits::infinity() : Limits::infinity())
                                             : (kGreatest ? Limits::lowest() : Limits::max());
  return fold(x, walk, none, [](Total<T> a, Total<T> b) { return kGreatest ? larger(a, b) : smaller(a, b); });
}

/// log(sum of e^x), with the greatest term taken out so that nothing overflows.
template <typename T>
double log_sum_exp(const T* x, const ReductionWalk& walk) {
  if (walk.terms() == 0) return -std::numeric_limits<double>::infinity();
  const auto greatest = static_cast<double>(extreme<T, true>(x, walk));
  if (!std::isfinite(greatest)) return greatest;
  double total = 0;
  for (std::int64_t i = 0; i < walk.terms(); ++i) total += std::exp(static_cast<double>(x[walk.term(i)]) - greatest);
  return greatest + std::log(total);
}

/// Of integers it is cut, and of no integers it is 0.
template <typename T>
Total<T> mean(const T* x, const ReductionWalk& walk) {
  const Total<T> total = sum(x, walk);
  if constexpr (std::is_floating_point_v<T>) return total / static_cast<double>(walk.terms());
  else return walk.terms() == 0 ? T{0} : static_cast<T>(total / static_cast<T>(walk.terms()));
}

template <typename T>
T reduce_numbers(Kind kind, const T* x, const ReductionWalk& walk) {
  using S = Total<T>;
  switch (kind) {
    case Kind::sum: return static_cast<T>(sum(x, walk));
    case Kind::mean: return static_cast<T>(mean(x, walk));
    case Kind::prod: return static_cast<T>(fold(x, walk, S{1}, [](S a, S b) { return wrapping_mul(a, b); }));
    case Kind::l1:
      return static_cast<T>(
          fold(x, walk, S{0}, [](S a, S b) { return b < 0 ? wrapping_sub(a, b) : wrapping_add(a, b); }));
    case Kind::l2: return convert<T>(std::sqrt(static_cast<double>(sum_of_squares(x, walk))));
    case Kind::sum_square: return static_cast<T>(sum_of_squares(x, walk));
    case Kind::log_sum: return convert<T>(std::log(static_cast<double>(sum(x, walk))));
    case Kind::log_sum_exp: return convert<T>(log_sum_exp(x, walk));
    default: return T{};  // max and min: reduce_one
  }
}

template <typename T>
T reduce_one(Kind kind, const T* x, const ReductionWalk& walk) {
  if (kind == Kind::max) return static_cast<T>(extreme<T, true>(x, walk));
  if (kind == Kind::min) return static_cast<T>(extreme<T, false>(x, walk));
  if constexpr (contains(kReducible, data_type_of<T>())) return reduce_numbers(kind, x, walk);
  else return T{};  // refused by inference
}

void plan_loops(PlanContext& c, Kind kind, const std::vector<bool>& reduced) {
  const Placement& x = c.placement_in(0);
  c.step().algorithm = "loops";
  c.step().run = [walk = ReductionWalk(x.shape, reduced), kind, type = x.type](const RunArgs& args) {
    const Range mine = thread_share(args, walk.results(), walk.results() * walk.terms(), kElementUnit);
    visit_type<kOrdered>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i)
        args.out<T>(0)[i] = reduce_one(kind, args.in<T>(0) + walk.start(i), walk);
    });
  };
}

// float32 on the kernel: one call reduces one group of axes of what the call before has left.

struct Call {
  Op op = Op::sum;
  std::int64_t n = 1, inner = 1, results = 1;
  std::size_t scratch = 0;  // byte offset of the result; not of the last call's
};

/// Innermost group first: that leaves the least for the next call, and its rows are contiguous.
std::vector<Call> make_calls(const Form& form, std::vector<AxisGroup> groups, std::int64_t elements,
                             std::size_t& scratch_bytes) {
  std::vector<Call> calls;
  std::int64_t inner = 1;
  for (std::size_t i = groups.size(); i-- > 0;) {
    if (!groups[i].reduced) {
      inner *= groups[i].size;
      continue;
    }
    elements /= groups[i].size;
    calls.push_back({calls.empty() ? form.first : form.rest, groups[i].size, inner, elements, scratch_bytes});
    scratch_bytes += static_cast<std::size_t>(base::round_up(elements * 4, 64));
  }
  if (!calls.empty()) scratch_bytes = calls.back().scratch;  // the last result is the output
  // Sums of one term each: |x| of ReduceL1, x * x of ReduceSumSquare.
  if (calls.empty()) calls.push_back({form.first, 1, elements, elements, 0});
  return calls;
}

void plan_calls(PlanContext& c, const Form& form, const std::vector<bool>& reduced) {
  Step& step = c.step();
  const std::vector<Call> calls = make_calls(form, group_axes(c.placement_in(0).shape, reduced),
                                             c.placement_in(0).elements(), step.shared_scratch_bytes);
  step.algorithm = "reduce";
  step.kernel = isa_label(c);
  step.phases = static_cast<int>(calls.size());
  step.run = [calls, finish = form.finish, table = &c.kernels()](const RunArgs& args) {
    const auto phase = static_cast<std::size_t>(args.phase);
    const Call& call = calls[phase];
    const bool last = phase + 1 == calls.size();
    const auto scratch = [&](std::size_t i) {
      return reinterpret_cast<float*>(args.shared_scratch + calls[i].scratch);
    };
    const Range mine = thread_share(args, call.results, call.results * call.n, kElementUnit);
    kernels::ReduceArguments k;
    k.op = call.op;
    k.x = phase == 0 ? args.in<float>(0) : scratch(phase - 1);
    k.y = last ? args.out<float>(0) : scratch(phase);
    k.n = call.n;
    k.inner = call.inner;
    k.begin = mine.first;
    k.end = mine.last;
    table->reduce(k);
    if (!last || !finish) return;
    kernels::UnaryArguments f;
    f.op = *finish;
    f.x = f.y = k.y;
    f.begin = mine.first;
    f.end = mine.last;
    table->unary(f);
  };
}

/// No axis is reduced, and of one element each these sums and extremes are that element. The others still take its
/// magnitude, square or logarithm.
bool changes_nothing(Kind kind, const std::vector<bool>& reduced) {
  return kind <= Kind::prod && std::find(reduced.begin(), reduced.end(), true) == reduced.end();
}

}  // namespace

void infer_reduce(InferContext& c) {
  const Kind kind = form_of(c).kind;
  require_types(c, 0, kind == Kind::max || kind == Kind::min ? kOrdered : kReducible);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  const bool keep = c.attribute_int("keepdims", 1) != 0;
  const std::optional<std::vector<bool>> reduced = reduced_axes(c, x.shape->size());
  if (!reduced)
    return keep ? c.set_output(0, x.type, unknown_dims(x.shape->size())) : c.set_output_unknown_rank(0, x.type);
  c.set_output(0, x.type, reduced_shape(*x.shape, *reduced, keep));
}

void plan_reduce(PlanContext& c) {
  const Form& form = form_of(c);
  const Placement& x = c.placement_in(0);
  const std::optional<std::vector<bool>> reduced = reduced_axes(c, x.shape.size());
  if (!reduced)
    c.fail(ErrorCode::unsupported, "the axes are not known before the model runs", c.input_label(1), "a constant", {});
  if (changes_nothing(form.kind, *reduced)) {
    c.step().algorithm = "view";
    c.step().view_of = 0;
    return;
  }
  const bool on_kernel = x.type == DataType::float32 && form.kind != Kind::log_sum_exp && x.elements() > 0;
  if (on_kernel) return plan_calls(c, form, *reduced);
  plan_loops(c, form.kind, *reduced);
}

}  // namespace linnet::ops
