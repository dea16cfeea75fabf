// Add, Sub, Mul, Div, Pow, Mod, PRelu.
//
// Integers: sums and products are modulo 2^bits; Div truncates towards zero; Mod has the divisor's sign (or, with fmod, the
// dividend's). Division by zero is reported as a fault of the input and gives 0.
#include <cmath>
#include <optional>

#include "ops/binary.h"
#include "ops/convert.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using Op = kernels::BinaryOp;

struct KernelName {
  std::string_view name;
  Op op;
};
constexpr KernelName kKernels[] = {
    {"Add", Op::add}, {"Sub", Op::sub}, {"Mul", Op::mul}, {"Div", Op::div}, {"Pow", Op::pow}, {"PRelu", Op::prelu},
};

std::optional<Op> kernel_of(const NodeContext& c) {
  for (const KernelName& k : kKernels) {
    if (k.name == c.op_type()) return k.op;
  }
  return std::nullopt;
}

template <typename T>
T quotient(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a / b;
  } else {
    if (b == 0) return 0;
    // The most negative number divided by -1 would trap.
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return wrapping_sub(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
}

/// C's remainder, with the dividend's sign.
template <typename T>
T remainder_of(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return std::fmod(a, b);
  else return wrapping_sub(a, wrapping_mul(quotient(a, b), b));
}

/// Python's modulo, with the divisor's sign, also of a zero.
template <typename T>
T modulo(T a, T b) {
  if constexpr (!std::is_floating_point_v<T>) {
    if (b == 0) return 0;
  }
  const T r = remainder_of(a, b);
  if constexpr (std::is_floating_point_v<T>) {
    if (r == 0) return std::copysign(r, b);
  }
  return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
}

constexpr TypeSet kFloat64 = types({DataType::float64});
constexpr TypeSet kOthers = kIntegerTypes | kFloat64;

// float32 has kernels, but for the remainder, which is exact and so the same on all machines.
constexpr TypedBinary kTyped[] = {
    {"Add", kOthers, run_typed<kOthers, [](auto a, auto b) { return wrapping_add(a, b); }>},
    {"Sub", kOthers, run_typed<kOthers, [](auto a, auto b) { return wrapping_sub(a, b); }>},
    {"Mul", kOthers, run_typed<kOthers, [](auto a, auto b) { return wrapping_mul(a, b); }>},
    {"Div", kOthers, run_typed<kOthers, [](auto a, auto b) { return quotient(a, b); }>},
    {"PRelu", kOthers, run_typed<kOthers, [](auto a, auto b) { return a < 0 ? wrapping_mul(a, b) : a; }>},
    {"Mod", kNumberTypes, run_typed<kNumberTypes, [](auto a, auto b) { return modulo(a, b); }>},
    {"fmod", kNumberTypes, run_typed<kNumberTypes, [](auto a, auto b) { return remainder_of(a, b); }>},
};

std::string_view typed_name(const NodeContext& c) {
  return c.op_type() == "Mod" && c.attribute_int("fmod", 0) != 0 ? "fmod" : std::string_view(c.op_type());
}

/// Whether any of n divisors is zero.
template <TypeSet kSet>
bool has_zero(DataType type, const void* data, std::int64_t n) {
  bool found = false;
  visit_type<kSet>(type, [&](auto element) {
    using T = decltype(element);
    const T* const first = static_cast<const T*>(data);
    for (std::int64_t i = 0; i < n; ++i) found = found || first[i] == 0;
  });
  return found;
}

void plan_integer_division(PlanContext& c, const TypedBinary& entry) {
  plan_typed(c, entry);
  const std::int64_t divisors = c.placement_in(1).elements(), results = c.placement_out(0).elements();
  c.step().run = [divide = c.step().run, type = c.placement_in(1).type, divisors, results](const RunArgs& args) {
    divide(args);
    if (args.thread == 0 && results > 0 && has_zero<kIntegerTypes>(type, args.inputs[1], divisors)) {
      args.report("an integer division by zero");
    }
  };
}

// Pow: base and exponent may have different types; the result has the base's.

template <typename T>
T integer_power(T base, std::uint64_t exponent) {
  T result = 1;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result = wrapping_mul(result, base);
    base = wrapping_mul(base, base);
  }
  return result;
}

template <typename A, typename B>
A power(A a, B b) {
  if constexpr (std::is_floating_point_v<A> || std::is_floating_point_v<B>) {
    return convert<A>(std::pow(static_cast<double>(a), static_cast<double>(b)));
  } else {
    if (b >= 0) return integer_power(a, static_cast<std::uint64_t>(b));
    if (a == 1) return 1;
    return a == -1 ? (b % 2 == 0 ? A{1} : A{-1}) : A{0};  // 1 / a^-b, truncated
  }
}

constexpr TypeSet kPowerBases = kRealTypes | types({DataType::int32, DataType::int64});

void plan_mixed_power(PlanContext& c) {
  c.step().algorithm = "elementwise";
  c.step().run = [plan = broadcast_operands(c), a_type = c.placement_in(0).type,
                  b_type = c.placement_in(1).type](const RunArgs& args) {
    const Range mine = thread_share(args, plan.count, plan.count, kElementUnit);
    visit_type<kPowerBases>(a_type, [&](auto a) {
      visit_type<kNumberTypes>(b_type, [&](auto b) {
        using A = decltype(a);
        using B = decltype(b);
        broadcast_loop(plan, args.in<A>(0), args.in<B>(1), args.out<A>(0), mine, [](A x, B y) { return power(x, y); });
      });
    });
  };
}

}  // namespace

void infer_arithmetic(InferContext& c) {
  const bool is_pow = c.op_type() == "Pow";
  if (is_pow) {
    require_types(c, 0, kPowerBases);
    require_types(c, 1, kNumberTypes);
  } else {
    const TypeSet single = kernel_of(c) ? types({DataType::float32}) : 0;
    // Before opset 28 a Mod of reals must be an fmod.
    const bool integers_only = typed_name(c) == "Mod" && c.opset() < 28;
    require_types(c, 0, integers_only ? kIntegerTypes : types_of(kTyped, typed_name(c)) | single);
    require_same_type(c, 0, 1);
  }
  infer_broadcast(c, c.input(0).type);
}

void plan_arithmetic(PlanContext& c) {
  const DataType type = c.placement_in(0).type;
  const std::optional<Op> kernel = kernel_of(c);
  if (kernel && type == DataType::float32 && c.placement_in(1).type == DataType::float32)
    return plan_binary_kernel(c, *kernel);
  if (c.op_type() == "Pow") return plan_mixed_power(c);
  const TypedBinary& entry = *find_typed(kTyped, typed_name(c), type);
  const bool divides = c.op_type() == "Div" || c.op_type() == "Mod";
  if (divides && contains(kIntegerTypes, type)) return plan_integer_division(c, entry);
  plan_typed(c, entry);
}

LayoutRule layout_arithmetic(const NodeContext& c) {
  const std::optional<Op> kernel = kernel_of(c);
  const std::uint32_t blocked = kernel ? blocked_input_mask(c, *kernel) : 0;
  if (blocked == 0) return {};
  return {LayoutRule::Preference::follow, blocked};
}

}  // namespace linnet::ops
