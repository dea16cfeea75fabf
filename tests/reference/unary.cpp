// Operators of one tensor, element by element, and the activations that fused operators end with.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

namespace {

/// The attributes of the functions with parameters, with their defaults as float32.
struct Parameters {
  double alpha = 0;
  double beta = 0;
};

struct Function {
  const char* name;
  const char* alpha_name;  // "": none
  double alpha;            // its default
  const char* beta_name;
  double beta;
  double (*value)(double x, const Parameters& p);
  /// The greatest slope, where the function is not monotone; 0 where it is (the ends of an interval bound it).
  double slope;
  /// Roundings of a float32 implementation: exact (0), one or two operations (2), or a polynomial (16).
  double roundings;
};

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double hard_sigmoid(double x, double alpha, double beta) { return std::max(0.0, std::min(1.0, alpha * x + beta)); }

using P = const Parameters&;

const Function kFunctions[] = {
    {"Abs", "", 0, "", 0, [](double x, P) { return std::fabs(x); }, 1, 0},
    {"Acos", "", 0, "", 0, [](double x, P) { return std::acos(x); }, 0, 16},
    {"Acosh", "", 0, "", 0, [](double x, P) { return std::acosh(x); }, 0, 16},
    {"Asin", "", 0, "", 0, [](double x, P) { return std::asin(x); }, 0, 16},
    {"Asinh", "", 0, "", 0, [](double x, P) { return std::asinh(x); }, 0, 16},
    {"Atan", "", 0, "", 0, [](double x, P) { return std::atan(x); }, 0, 16},
    {"Atanh", "", 0, "", 0, [](double x, P) { return std::atanh(x); }, 0, 16},
    {"Ceil", "", 0, "", 0, [](double x, P) { return std::ceil(x); }, 0, 0},
    {"Celu", "alpha", 1, "", 0,
     [](double x, P p) { return std::max(0.0, x) + std::min(0.0, p.alpha * std::expm1(x / p.alpha)); }, 0, 16},
    {"Cos", "", 0, "", 0, [](double x, P) { return std::cos(x); }, 1, 16},
    {"Cosh", "", 0, "", 0, [](double x, P) { return std::cosh(x); }, 0, 16},
    {"Elu", "alpha", 1, "", 0, [](double x, P p) { return x >= 0 ? x : p.alpha * std::expm1(x); }, 0, 16},
    {"Erf", "", 0, "", 0, [](double x, P) { return std::erf(x); }, 0, 16},
    {"Exp", "", 0, "", 0, [](double x, P) { return std::exp(x); }, 0, 16},
    {"Floor", "", 0, "", 0, [](double x, P) { return std::floor(x); }, 0, 0},
    {"Gelu", "", 0, "", 0, [](double x, P) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }, 1.13, 16},
    {"HardSigmoid", "alpha", 0.2, "beta", 0.5, [](double x, P p) { return hard_sigmoid(x, p.alpha, p.beta); }, 0, 2},
    {"HardSwish", "", 0, "", 0, [](double x, P) { return x * hard_sigmoid(x, 1.0 / 6, 0.5); }, 1.5, 4},
    {"LeakyRelu", "alpha", 0.01, "", 0, [](double x, P p) { return x < 0 ? p.alpha * x : x; }, 0, 2},
    {"Log", "", 0, "", 0, [](double x, P) { return std::log(x); }, 0, 16},
    {"Mish", "", 0, "", 0, [](double x, P) { return x * std::tanh(std::log1p(std::exp(x))); }, 1.1, 16},
    {"Neg", "", 0, "", 0, [](double x, P) { return -x; }, 0, 0},
    {"Reciprocal", "", 0, "", 0, [](double x, P) { return 1 / x; }, 0, 2},
    {"Relu", "", 0, "", 0, [](double x, P) { return x < 0 ? 0 : x; }, 0, 0},
    {"Round", "", 0, "", 0, [](double x, P) { return std::nearbyint(x); }, 0, 0},
    {"Selu", "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875,
     [](double x, P p) { return x > 0 ? p.beta * x : p.beta * p.alpha * std::expm1(x); }, 0, 16},
    {"Sigmoid", "", 0, "", 0, [](double x, P) { return sigmoid(x); }, 0, 16},
    {"Sign", "", 0, "", 0, [](double x, P) { return static_cast<double>((x > 0) - (x < 0)); }, 0, 0},
    {"Sin", "", 0, "", 0, [](double x, P) { return std::sin(x); }, 1, 16},
    {"Sinh", "", 0, "", 0, [](double x, P) { return std::sinh(x); }, 0, 16},
    {"Softplus", "", 0, "", 0, [](double x, P) { return x > 30 ? x : std::log1p(std::exp(x)); }, 0, 16},
    {"Softsign", "", 0, "", 0, [](double x, P) { return x / (1 + std::fabs(x)); }, 0, 4},
    {"Sqrt", "", 0, "", 0, [](double x, P) { return std::sqrt(x); }, 0, 2},
    {"Swish", "", 0, "", 0, [](double x, P) { return x * sigmoid(x); }, 1.1, 16},
    {"Tan", "", 0, "", 0, [](double x, P) { return std::tan(x); }, 0, 16},
    {"Tanh", "", 0, "", 0, [](double x, P) { return std::tanh(x); }, 0, 16},
    {"ThresholdedRelu", "alpha", 1, "", 0, [](double x, P p) { return x > p.alpha ? x : 0; }, 0, 0},
};

const Function* find(const std::string& name) {
  for (const Function& function : kFunctions) {
    if (name == function.name) return &function;
  }
  return nullptr;
}

/// The function over the interval [x - e, x + e], as a distance from its value at x, and its own roundings.
double unary_error(const Function& function, P p, double x, double e, double y) {
  const double own = function.roundings * (kUnitRoundoff * std::fabs(y) + kSmallestRoundoff) +
                     (function.roundings >= 16 ? 4 * kUnitRoundoff * (1 + std::fabs(p.alpha * p.beta)) : 0);
  if (e == 0) return own;
  if (function.slope > 0) return function.slope * e + own;
  double low = x - e;
  if (std::string(function.name) == "Sqrt") low = std::max(0.0, low);
  const double spread = std::max(std::fabs(function.value(low, p) - y), std::fabs(function.value(x + e, p) - y));
  return std::isnan(spread) ? std::numeric_limits<double>::infinity() : spread + own;
}

void apply(const Function& function, P p, Tensor& tensor) {
  for (std::size_t i = 0; i < tensor.reals.size(); ++i) {
    const double x = tensor.reals[i];
    const double y = function.value(x, p);
    tensor.reals[i] = y;
    if (!tensor.errors.empty()) tensor.errors[i] = unary_error(function, p, x, tensor.errors[i], y);
  }
  tensor.terms = 0;
}

void clamp(Tensor& tensor, double low, double high) {
  for (std::size_t i = 0; i < tensor.reals.size(); ++i) {
    double& x = tensor.reals[i];
    if (!tensor.errors.empty()) {
      // Far enough beyond an end, an error of the input does not show.
      const double e = tensor.errors[i];
      if (x - e >= high || x + e <= low) tensor.errors[i] = 0;
    }
    if (x < low) x = low;
    if (x > high) x = high;
  }
  tensor.terms = 0;
}

Tensor copy_with_errors(const Call& call, const Tensor& x) {
  Tensor y = x;
  if (call.options().bound_errors && y.errors.empty()) y.carry_errors();
  return y;
}

Tensor integer_unary(const Call& call, const Tensor& x) {
  const std::string& name = call.node().op_type;
  Tensor y = x;
  for (std::int64_t& value : y.integers) {
    if (name == "Abs") value = value < 0 ? -value : value;
    else if (name == "Neg") value = -value;
    else if (name == "Relu") value = std::max<std::int64_t>(value, 0);
    else if (name == "Sign") value = (value > 0) - (value < 0);
    else call.fail("is not defined on integers");
    value = wrap_to(y.type, value);
  }
  return y;
}

Tensor predicate(const Call& call, const std::function<bool(std::int64_t)>& holds) {
  Tensor y = Tensor::make(Type::boolean, call.in(0).shape);
  for (std::int64_t i = 0; i < y.size(); ++i) y.set_integer(i, holds(i) ? 1 : 0);
  return y;
}

bool is_predicate(const std::string& name) { return name == "Not" || name == "IsNaN" || name == "IsInf"; }

}  // namespace

bool knows_unary(const std::string& op_type) { return is_predicate(op_type) || find(op_type) != nullptr; }

Outputs unary(const Call& call) {
  const std::string& name = call.node().op_type;
  const Tensor& x = call.in(0);
  if (name == "Not") return {predicate(call, [&](std::int64_t i) { return x.integer(i) == 0; })};
  if (name == "IsNaN") return {predicate(call, [&](std::int64_t i) { return std::isnan(x.number(i)); })};
  if (name == "IsInf") {
    const bool positive = call.attribute("detect_positive", std::int64_t{1}) != 0;
    const bool negative = call.attribute("detect_negative", std::int64_t{1}) != 0;
    return {predicate(
        call, [&](std::int64_t i) { return std::isinf(x.number(i)) && (x.number(i) > 0 ? positive : negative); })};
  }
  if (!is_real(x.type)) return {integer_unary(call, x)};
  const Function& function = *find(name);
  if (name == "Gelu") call.require(call.attribute("approximate", "none") == "none", "only the exact Gelu is known");
  const bool old_selu = name == "Selu" && call.opset() < 6;
  Parameters p;
  if (*function.alpha_name != '\0')
    p.alpha = call.attribute(function.alpha_name, to_float(old_selu ? 1.6732 : function.alpha));
  if (*function.beta_name != '\0')
    p.beta = call.attribute(function.beta_name, to_float(old_selu ? 1.0507 : function.beta));
  Tensor y = copy_with_errors(call, x);
  apply(function, p, y);
  return {y};
}

Outputs clip(const Call& call) {
  const Tensor& x = call.in(0);
  const bool by_input = call.opset() >= 11;
  if (!is_real(x.type)) {
    Tensor y = x;
    for (std::int64_t& value : y.integers) {
      if (call.has(1)) value = std::max(value, call.in(1).integer(0));
      if (call.has(2)) value = std::min(value, call.in(2).integer(0));
    }
    return {y};
  }
  const double infinity = std::numeric_limits<double>::infinity();
  const double low = by_input ? (call.has(1) ? call.in(1).number(0) : -infinity) : call.attribute("min", -infinity);
  const double high = by_input ? (call.has(2) ? call.in(2).number(0) : infinity) : call.attribute("max", infinity);
  Tensor y = copy_with_errors(call, x);
  clamp(y, low, high);
  return {y};
}

void activate(const Call& call, Tensor& tensor) {
  const std::string name = call.attribute("activation", "none");
  if (name == "none" || name.empty()) return;
  Parameters p;
  p.alpha = call.attribute("activation_alpha", 0.0);
  p.beta = call.attribute("activation_beta", 0.0);
  if (name == "Clip") {
    const double infinity = std::numeric_limits<double>::infinity();
    clamp(tensor, call.attribute("activation_alpha", -infinity), call.attribute("activation_beta", infinity));
    return;
  }
  const Function* function = find(name);
  if (function == nullptr) call.fail("the activation '" + name + "' is not known");
  apply(*function, p, tensor);
}

// x for x >= 0, slope x below; the slope broadcasts to x.
Outputs p_relu(const Call& call) {
  const Tensor& x = call.in(0);
  const Tensor& slope = call.in(1);
  Shape slope_shape = slope.shape;
  if (call.opset() < 7 && slope.size() > 1) {  // one slope a channel
    slope_shape.assign(x.shape.size(), 1);
    slope_shape[1] = slope.size();
  }
  call.require(broadcast(call, x.shape, slope_shape) == x.shape, "the slope does not fit the input");
  Tensor y = copy_with_errors(call, x);
  y.terms = 0;
  for (Index at(x.shape); at.valid(); at.next()) {
    const std::int64_t i = at.flat();
    const std::int64_t j = broadcast_position(slope_shape, at.tuple());
    const double s = slope.number(j);
    if (!is_real(x.type)) {
      if (x.integer(i) < 0) y.set_integer(i, wrap_to(x.type, x.integer(i) * slope.integer(j)));
      continue;
    }
    if (x.number(i) < 0) y.set(i, x.number(i) * s);
    if (!y.errors.empty()) {
      const double steepest = std::max(1.0, std::fabs(s) + slope.error(j));
      y.errors[static_cast<std::size_t>(i)] =
          x.error(i) * steepest + slope.error(j) * std::fabs(x.number(i)) + kUnitRoundoff * 2 * std::fabs(y.number(i));
    }
  }
  return {y};
}

Outputs cast(const Call& call) {
  const Tensor& x = call.in(0);
  const Type to =
      call.node().op_type == "CastLike" ? call.in(1).type : static_cast<Type>(call.attribute("to", std::int64_t{0}));
  Tensor y = call.make(to, x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (is_real(to)) {
      y.set(i, round_to(to, x.number(i)));
      const double own = unit_roundoff(to) > unit_roundoff(x.type) ? unit_roundoff(to) * std::fabs(x.number(i)) : 0;
      y.set_error(i, x.error(i) == 0 ? 0 : x.error(i) + 2 * own);
    } else if (to == Type::boolean) {
      y.set_integer(i, x.number(i) != 0 ? 1 : 0);
    } else {
      y.set_integer(i, wrap_to(to, x.integer(i)));
    }
  }
  return {y};
}

Outputs dropout(const Call& call) {
  const Tensor& x = call.in(0);
  const bool training = call.has(2) && call.in(2).integer(0) != 0;
  if (training || (call.opset() < 7 && call.attribute("is_test", std::int64_t{0}) == 0))
    call.leave_open("training draws random numbers");
  // Nothing is dropped: the mask keeps everything. Before opset 10 it has the type of the data.
  Tensor mask = Tensor::make(call.opset() >= 10 ? Type::boolean : x.type, x.shape);
  std::fill(mask.integers.begin(), mask.integers.end(), 1);
  std::fill(mask.reals.begin(), mask.reals.end(), 1.0);
  return {x, mask};
}

}  // namespace linnet::reference
