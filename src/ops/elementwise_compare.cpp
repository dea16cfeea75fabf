// Comparisons, logic and bits: operators of two operands whose types have no float kernel.
#include "ops/binary.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr TypeSet kComparable = kNumberTypes;
constexpr TypeSet kEquatable = kNumberTypes | kBoolean;

/// A shift by the type's width or more, or by a negative number, leaves the sign only.
template <typename T>
bool is_width(T b) {
  return b >= 0 && b < T{8 * sizeof(T)};
}
template <typename T>
T shifted_left(T a, T b) {
  return is_width(b) ? static_cast<T>(static_cast<std::uint64_t>(a) << b) : T{0};
}
template <typename T>
T shifted_right(T a, T b) {
  if (is_width(b)) return static_cast<T>(a >> b);
  return a < 0 ? static_cast<T>(-1) : T{0};
}

constexpr TypedBinary kTyped[] = {
    {"Equal", kEquatable, run_typed<kEquatable, [](auto a, auto b) { return a == b; }>},
    // The parentheses are for gcc 12, which ends the template's arguments at a bare '>'.
    {"Greater", kComparable, run_typed<kComparable, [](auto a, auto b) { return (a > b); }>},
    {"GreaterOrEqual", kComparable, run_typed<kComparable, [](auto a, auto b) { return (a >= b); }>},
    {"Less", kComparable, run_typed<kComparable, [](auto a, auto b) { return a < b; }>},
    {"LessOrEqual", kComparable, run_typed<kComparable, [](auto a, auto b) { return a <= b; }>},
    {"And", kBoolean, run_typed<kBoolean, [](bool a, bool b) { return a && b; }>},
    {"Or", kBoolean, run_typed<kBoolean, [](bool a, bool b) { return a || b; }>},
    {"Xor", kBoolean, run_typed<kBoolean, [](bool a, bool b) { return a != b; }>},
    {"BitwiseAnd", kIntegerTypes, run_typed<kIntegerTypes, []<typename T>(T a, T b) { return static_cast<T>(a & b); }>},
    {"BitwiseOr", kIntegerTypes, run_typed<kIntegerTypes, []<typename T>(T a, T b) { return static_cast<T>(a | b); }>},
    {"BitwiseXor", kIntegerTypes, run_typed<kIntegerTypes, []<typename T>(T a, T b) { return static_cast<T>(a ^ b); }>},
    {"LEFT", kIntegerTypes, run_typed<kIntegerTypes, []<typename T>(T a, T b) { return shifted_left(a, b); }>},
    {"RIGHT", kIntegerTypes, run_typed<kIntegerTypes, []<typename T>(T a, T b) { return shifted_right(a, b); }>},
};

/// The table's name of the node's function: BitShift has two.
std::string function_name(const NodeContext& c) {
  if (c.op_type() != "BitShift") return c.op_type();
  std::string direction = c.attribute_string("direction", "");
  if (direction != "LEFT" && direction != "RIGHT") {
    c.fail(ErrorCode::model, "a shift goes left or right", "attribute 'direction'", "LEFT or RIGHT", direction);
  }
  return direction;
}

}  // namespace

void infer_compare(InferContext& c) {
  const bool unsigned_shift = c.op_type() == "BitShift" && c.opset() < 28;
  require_types(c, 0, types_of(kTyped, function_name(c)) & (unsigned_shift ? kUnsignedTypes : ~TypeSet{0}));
  require_same_type(c, 0, 1);
  const bool bits = c.op_type().starts_with("Bit");
  infer_broadcast(c, bits ? c.input(0).type : DataType::boolean);
}

void plan_compare(PlanContext& c) { plan_typed(c, *find_typed(kTyped, function_name(c), c.placement_in(0).type)); }

}  // namespace linnet::ops
