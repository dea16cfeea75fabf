// Operators of one tensor, element by element: activations, roots, powers of e, trigonometry; Not, IsNaN, IsInf.
#include <cmath>

#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"
#include "ops/unary.h"

namespace linnet::ops {

namespace {

using Op = kernels::UnaryOp;
using P = const UnaryParameters&;

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
// Written so that a NaN stays one.
double bounded(double x, double lo, double hi) { return x < lo ? lo : (x > hi ? hi : x); }
double softplus(double x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); }
double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }

// Shrink's parameters are (lambd, bias), the others' ONNX's alpha and beta.
constexpr UnaryFunction kFunctions[] = {
    {"Relu", Op::relu, "", 0, "", 0, [](double x, P) { return x < 0 ? 0 : x; }},
    {"LeakyRelu", Op::leaky_relu, "alpha", 0.01f, "", 0, [](double x, P p) { return x < 0 ? double{p.alpha} * x : x; }},
    {"ThresholdedRelu", Op::thresholded_relu, "alpha", 1, "", 0,
     [](double x, P p) { return x <= double{p.alpha} ? 0 : x; }},
    {"Sigmoid", Op::sigmoid, "", 0, "", 0, [](double x, P) { return sigmoid(x); }},
    {"HardSigmoid", Op::hard_sigmoid, "alpha", 0.2f, "beta", 0.5f,
     [](double x, P p) { return bounded(double{p.alpha} * x + double{p.beta}, 0, 1); }},
    {"HardSwish", Op::hard_swish, "", 0, "", 0, [](double x, P) { return x * bounded(x / 6 + 0.5, 0, 1); }},
    {"Swish", Op::swish, "alpha", 1, "", 0, [](double x, P p) { return x * sigmoid(double{p.alpha} * x); }},
    {"Tanh", Op::tanh, "", 0, "", 0, [](double x, P) { return std::tanh(x); }},
    {"Elu", Op::elu, "alpha", 1, "", 0, [](double x, P p) { return x < 0 ? double{p.alpha} * std::expm1(x) : x; }},
    {"Selu", Op::selu, "alpha", 1.67326319217681884765625f, "gamma", 1.05070102214813232421875f,
     [](double x, P p) { return double{p.beta} * (x < 0 ? double{p.alpha} * std::expm1(x) : x); }},
    {"Celu", Op::celu, "alpha", 1, "", 0,
     [](double x, P p) { return x < 0 ? double{p.alpha} * std::expm1(x / double{p.alpha}) : x; }},
    {"Gelu", Op::gelu, "", 0, "", 0, [](double x, P) { return 0.5 * x * (1 + std::erf(x * M_SQRT1_2)); }},
    {"GeluTanh", Op::gelu_tanh, "", 0, "", 0, [](double x, P) { return gelu_tanh(x); }},
    {"Mish", Op::mish, "", 0, "", 0, [](double x, P) { return x * std::tanh(softplus(x)); }},
    {"Softplus", Op::softplus, "", 0, "", 0, [](double x, P) { return softplus(x); }},
    {"Softsign", Op::softsign, "", 0, "", 0, [](double x, P) { return x / (1 + std::abs(x)); }},
    {"Shrink", std::nullopt, "lambd", 0.5f, "bias", 0,
     [](double x, P p) {
       if (x < -double{p.alpha}) return x + double{p.beta};
       if (x > double{p.alpha}) return x - double{p.beta};
       return std::isnan(x) ? x : 0;
     }},
    {"Erf", Op::erf, "", 0, "", 0, [](double x, P) { return std::erf(x); }},
    {"Sqrt", Op::sqrt, "", 0, "", 0, [](double x, P) { return std::sqrt(x); }},
    {"Exp", Op::exp, "", 0, "", 0, [](double x, P) { return std::exp(x); }},
    {"Log", Op::log, "", 0, "", 0, [](double x, P) { return std::log(x); }},
    {"Neg", Op::neg, "", 0, "", 0, [](double x, P) { return -x; }},
    {"Abs", Op::abs, "", 0, "", 0, [](double x, P) { return std::abs(x); }},
    {"Reciprocal", Op::reciprocal, "", 0, "", 0, [](double x, P) { return 1 / x; }},
    {"Floor", Op::floor, "", 0, "", 0, [](double x, P) { return std::floor(x); }},
    {"Ceil", Op::ceil, "", 0, "", 0, [](double x, P) { return std::ceil(x); }},
    {"Round", Op::round, "", 0, "", 0, [](double x, P) { return std::nearbyint(x); }},
    {"Sign", Op::sign, "", 0, "", 0, [](double x, P) { return x > 0 ? 1 : (x < 0 ? -1 : x); }},
    {"Sin", Op::sin, "", 0, "", 0, [](double x, P) { return std::sin(x); }},
    {"Cos", Op::cos, "", 0, "", 0, [](double x, P) { return std::cos(x); }},
    {"Tan", std::nullopt, "", 0, "", 0, [](double x, P) { return std::tan(x); }},
    {"Asin", std::nullopt, "", 0, "", 0, [](double x, P) { return std::asin(x); }},
    {"Acos", std::nullopt, "", 0, "", 0, [](double x, P) { return std::acos(x); }},
    {"Atan", std::nullopt, "", 0, "", 0, [](double x, P) { return std::atan(x); }},
    {"Sinh", std::nullopt, "", 0, "", 0, [](double x, P) { return std::sinh(x); }},
    {"Cosh", std::nullopt, "", 0, "", 0, [](double x, P) { return std::cosh(x); }},
    {"Asinh", std::nullopt, "", 0, "", 0, [](double x, P) { return std::asinh(x); }},
    {"Acosh", std::nullopt, "", 0, "", 0, [](double x, P) { return std::acosh(x); }},
    {"Atanh", std::nullopt, "", 0, "", 0, [](double x, P) { return std::atanh(x); }},
};

/// The integer forms. Arithmetic is modulo 2^bits, as numpy's.
struct IntegerFunction {
  std::string_view name;
  TypeSet types;
  void (*run)(DataType type, const RunArgs& args, Range range, UnaryParameters p);
};

template <TypeSet kSet, typename F>
void run_integers(DataType type, const RunArgs& args, Range range, const F& f) {
  visit_type<kSet>(type, [&](auto element) {
    using T = decltype(element);
    map_loop(args.in<T>(0), args.out<T>(0), range, f);
  });
}

template <typename T>
T negated(T x) {
  return static_cast<T>(std::uint64_t{0} - static_cast<std::uint64_t>(x));
}

/// Cut, and beyond the type's range wrapped, as numpy's.
template <typename T>
T shrunk(T x, P p) {
  constexpr double kMost = std::is_same_v<T, std::uint64_t> ? 0x1.fffffffffffffp63 : 0x1.fffffffffffffp62;
  const double value = bounded(find_unary("Shrink")->value(static_cast<double>(x), p), -0x1p63, kMost);
  return value < 0 ? static_cast<T>(static_cast<std::int64_t>(value))
                   : static_cast<T>(static_cast<std::uint64_t>(value));
}

constexpr IntegerFunction kIntegerFunctions[] = {
    {"Relu", kSignedTypes,
     [](DataType t, const RunArgs& args, Range range, UnaryParameters) {
       run_integers<kSignedTypes>(t, args, range, [](auto x) { return x < 0 ? decltype(x){0} : x; });
     }},
    {"Neg", kSignedTypes,
     [](DataType t, const RunArgs& args, Range range, UnaryParameters) {
       run_integers<kSignedTypes>(t, args, range, [](auto x) { return negated(x); });
     }},
    {"Abs", kIntegerTypes,
     [](DataType t, const RunArgs& args, Range range, UnaryParameters) {
       run_integers<kIntegerTypes>(t, args, range, [](auto x) { return x > 0 ? x : negated(x); });
     }},
    {"Sign", kIntegerTypes,
     [](DataType t, const RunArgs& args, Range range, UnaryParameters) {
       run_integers<kIntegerTypes>(t, args, range, [](auto x) {
         using T = decltype(x);
         return static_cast<T>(x > 0 ? 1 : (x == 0 ? 0 : -1));
       });
     }},
    {"Shrink", kIntegerTypes,
     [](DataType t, const RunArgs& args, Range range, UnaryParameters p) {
       run_integers<kIntegerTypes>(t, args, range, [p](auto x) { return shrunk(x, p); });
     }},
    {"Erf", kIntegerTypes,  // cut, as numpy's
     [](DataType t, const RunArgs& args, Range range, UnaryParameters) {
       run_integers<kIntegerTypes>(t, args, range,
                                   []<typename T>(T x) { return convert<T>(std::erf(static_cast<double>(x))); });
     }},
    {"BitwiseNot", kIntegerTypes,
     [](DataType t, const RunArgs& args, Range range, UnaryParameters) {
       run_integers<kIntegerTypes>(t, args, range, [](auto x) { return static_cast<decltype(x)>(~x); });
     }},
};

const IntegerFunction* find_integer(std::string_view name) {
  for (const IntegerFunction& function : kIntegerFunctions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

std::string_view function_name(const NodeContext& c) {
  if (c.op_type() != "Gelu") return c.op_type();
  const std::string kind = c.attribute_string("approximate", "none");
  if (kind != "none" && kind != "tanh") {
    c.fail(ErrorCode::model, "approximate has no such value", "attribute 'approximate'", "none or tanh", kind);
  }
  return kind == "tanh" ? "GeluTanh" : "Gelu";
}

void plan_values(PlanContext& c, double (*value)(double, P), UnaryParameters p) {
  const std::int64_t n = c.placement_in(0).elements();
  c.step().run = [value, p, n, type = c.placement_in(0).type](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    visit_type<kRealTypes>(type, [&](auto element) {
      using T = decltype(element);
      map_loop(args.in<T>(0), args.out<T>(0), mine,
               [&](T x) { return static_cast<T>(value(static_cast<double>(x), p)); });
    });
  };
}

void plan_integers(PlanContext& c, const IntegerFunction& function, UnaryParameters p) {
  const std::int64_t n = c.placement_in(0).elements();
  c.step().run = [run = function.run, p, n, type = c.placement_in(0).type](const RunArgs& args) {
    run(type, args, thread_share(args, n, n, kElementUnit), p);
  };
}

void plan_plain_kernel(PlanContext& c, kernels::UnaryOp op, ParameterSource parameters) {
  const std::int64_t n = c.placement_in(0).elements();
  c.step().run = [op, n, parameters = std::move(parameters), table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    const UnaryParameters p = parameters(args);
    kernels::UnaryArguments call;
    call.op = op;
    call.alpha = p.alpha;
    call.beta = p.beta;
    call.x = args.in<float>(0);
    call.y = args.out<float>(0);
    call.begin = mine.first;
    call.end = mine.last;
    table->unary(call);
  };
}

void plan_blocked_kernel(PlanContext& c, kernels::UnaryOp op, ParameterSource parameters) {
  const Placement &in = c.placement_in(0), &out = c.placement_out(0);
  const WalkExtent extent = walk_extent(c, {&in, &out});
  kernels::BlockedUnaryArguments k;
  k.op = op;
  k.blocks = extent.blocks;
  k.width = extent.width;
  c.step().run = [k, in, out, extent, parameters = std::move(parameters), table = &c.kernels()](const RunArgs& args) {
    const UnaryParameters p = parameters(args);
    kernels::BlockedUnaryArguments call = k;
    call.alpha = p.alpha;
    call.beta = p.beta;
    call.x = source_view(in, args.in<float>(0), extent.merged);
    call.y = target_view(out, args.out<float>(0), extent.merged);
    extent.each_share(args, [&](const kernels::PlaneRange& range) {
      call.range = range;
      table->blocked_unary(call);
    });
  };
}

struct Predicate {
  std::string_view name;
  bool (*holds)(double x, bool positive, bool negative);
};
constexpr Predicate kPredicates[] = {
    {"Not", [](double x, bool, bool) { return x == 0; }},
    {"IsNaN", [](double x, bool, bool) { return std::isnan(x); }},
    {"IsInf", [](double x, bool positive, bool negative) { return std::isinf(x) && (x > 0 ? positive : negative); }},
};

}  // namespace

const UnaryFunction* find_unary(std::string_view name) {
  for (const UnaryFunction& function : kFunctions) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

const UnaryFunction& unary_function(const NodeContext& c) { return *find_unary(function_name(c)); }

UnaryParameters unary_parameters(const NodeContext& c, const UnaryFunction& function) {
  UnaryParameters p{function.alpha, function.beta};
  // The constants that make means and variances stay had four decimals before opset 6.
  if (function.name == "Selu" && c.opset() < 6) p = {1.6732f, 1.0507f};
  if (!function.alpha_name.empty()) p.alpha = c.attribute_float(function.alpha_name, p.alpha);
  if (!function.beta_name.empty()) p.beta = c.attribute_float(function.beta_name, p.beta);
  return p;
}

void plan_unary_kernel(PlanContext& c, kernels::UnaryOp op, ParameterSource parameters) {
  Step& step = c.step();
  step.algorithm = "elementwise";
  step.kernel = isa_label(c);
  step.in_place = may_share_buffer(c, 0) ? 0 : -1;
  if (c.placement_out(0).layout == graph::Layout::plain) return plan_plain_kernel(c, op, std::move(parameters));
  plan_blocked_kernel(c, op, std::move(parameters));
}

void infer_unary(InferContext& c) {
  const IntegerFunction* integers = find_integer(c.op_type());
  const TypeSet reals = find_unary(c.op_type()) != nullptr ? kRealTypes : 0;
  require_types(c, 0, reals | (integers != nullptr ? integers->types : 0));
  (void)function_name(c);
  c.set(0, c.input(0));
}

void plan_unary(PlanContext& c) {
  const DataType type = c.placement_in(0).type;
  c.step().algorithm = "elementwise";
  c.step().in_place = may_share_buffer(c, 0) ? 0 : -1;
  if (find_unary(c.op_type()) == nullptr) return plan_integers(c, *find_integer(c.op_type()), {});
  const UnaryFunction& function = unary_function(c);
  const UnaryParameters p = unary_parameters(c, function);
  if (!contains(kRealTypes, type)) return plan_integers(c, *find_integer(c.op_type()), p);
  if (type != DataType::float32 || !function.kernel) return plan_values(c, function.value, p);
  plan_unary_kernel(c, *function.kernel, [p](const RunArgs&) { return p; });
}

LayoutRule layout_unary(const NodeContext& c) {
  if (!can_be_blocked(c.input(0))) return {};
  const UnaryFunction& function = unary_function(c);
  const bool padding_stays = function.value(0, unary_parameters(c, function)) == 0;
  if (!function.kernel || (!padding_stays && !has_whole_blocks(c.input(0)))) return {};
  return {LayoutRule::Preference::follow, 1};
}

void infer_predicate(InferContext& c) {
  require_types(c, 0, c.op_type() == "Not" ? kBoolean : kRealTypes);
  graph::TensorDesc desc = c.input(0);
  desc.type = DataType::boolean;
  c.set(0, std::move(desc));
}

void plan_predicate(PlanContext& c) {
  const Predicate* predicate = kPredicates;
  while (predicate->name != c.op_type()) ++predicate;
  const bool positive = c.attribute_int("detect_positive", 1) != 0,
             negative = c.attribute_int("detect_negative", 1) != 0;
  const std::int64_t n = c.placement_in(0).elements();
  c.step().algorithm = "elementwise";
  c.step().in_place = may_share_buffer(c, 0) ? 0 : -1;
  c.step().run = [holds = predicate->holds, positive, negative, n, type = c.placement_in(0).type](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    visit_type<kRealTypes | kBoolean>(type, [&](auto element) {
      using T = decltype(element);
      map_loop(args.in<T>(0), args.out<bool>(0), mine,
               [&](T x) { return holds(static_cast<double>(x), positive, negative); });
    });
  };
}

}  // namespace linnet::ops
