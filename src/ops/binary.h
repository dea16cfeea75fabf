// Two operands with broadcasting: what arithmetic, comparisons and operators of many inputs share.
#pragma once

#include <string_view>

#include "ops/elementwise.h"

namespace linnet::ops {

/// The shape of input 1 as broadcasting sees it. Before opset 7 it broadcasts only where the attribute `broadcast` says so,
/// and its axes may begin at the attribute `axis` of input 0; before opset 7 PRelu's slope is one a channel.
graph::DimList second_operand_shape(const NodeContext& context);

/// Infers output 0 of `type` from the broadcast inputs 0 and 1.
void infer_broadcast(InferContext& context, DataType type);

/// Broadcasting of inputs 0 and 1 to output 0, of shapes that are known.
Broadcast broadcast_operands(const PlanContext& context);

/// The kernel's arguments for `plan`, but for pointers and range.
kernels::BinaryArguments binary_arguments(const Broadcast& plan, kernels::BinaryOp op);

/// Which inputs of a float32 operator with two operands would come in nchw16c: none (0) where the shapes, or padded
/// channels that would not stay zero, forbid it.
std::uint32_t blocked_input_mask(const NodeContext& context, kernels::BinaryOp op);

/// Plans float32 output 0 = op(input 0, input 1) on the SIMD kernel, in either layout.
void plan_binary_kernel(PlanContext& context, kernels::BinaryOp op);

/// A function on a set of element types, run on a part of the result.
struct TypedBinary {
  std::string_view name;
  TypeSet types;
  void (*run)(DataType type, const Broadcast& plan, const void* a, const void* b, void* y, Range range);
};

/// A table entry's function from a generic lambda f(a, b) of two equal types.
template <TypeSet kSet, auto kFunction>
void run_typed(DataType type, const Broadcast& plan, const void* a, const void* b, void* y, Range range) {
  visit_type<kSet>(type, [&](auto element) {
    using T = decltype(element);
    using Y = decltype(kFunction(element, element));
    broadcast_loop(plan, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<Y*>(y), range, kFunction);
  });
}

/// The entry with this name that has this type; null where there is none.
template <typename Table>
const TypedBinary* find_typed(const Table& table, std::string_view name, DataType type) {
  for (const TypedBinary& entry : table) {
    if (entry.name == name && contains(entry.types, type)) return &entry;
  }
  return nullptr;
}

/// The types that any entry with this name has.
template <typename Table>
TypeSet types_of(const Table& table, std::string_view name) {
  TypeSet set = 0;
  for (const TypedBinary& entry : table) {
    if (entry.name == name) set |= entry.types;
  }
  return set;
}

/// Plans output 0 = entry(input 0, input 1).
void plan_typed(PlanContext& context, const TypedBinary& entry);

// Sums and products of any integer type are modulo 2^bits, as numpy's: computed in uint64, which no product overflows
// without being defined, and cut to the type.
template <typename T>
T wrapping_add(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a + b;
  else return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
template <typename T>
T wrapping_sub(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a - b;
  else return static_cast<T>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
template <typename T>
T wrapping_mul(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) return a * b;
  else return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}
/// A NaN in either operand gives NaN, as numpy's maximum and minimum.
template <typename T>
T larger(T a, T b) {
  return a > b || a != a ? a : b;
}
template <typename T>
T smaller(T a, T b) {
  return a < b || a != a ? a : b;
}

}  // namespace linnet::ops
