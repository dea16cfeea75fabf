// What the elementwise operators share: broadcasting as strides, the one loop nest, and element types as templates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "kernels/table.h"
#include "ops/blocked.h"
#include "ops/plan_context.h"

namespace linnet::ops {

/// A set of element types, as bits.
using TypeSet = std::uint32_t;
constexpr TypeSet types(std::initializer_list<DataType> list) {
  TypeSet set = 0;
  for (const DataType type : list) set |= TypeSet{1} << static_cast<unsigned>(type);
  return set;
}
constexpr bool contains(TypeSet set, DataType type) { return (set >> static_cast<unsigned>(type) & 1) != 0; }

constexpr TypeSet kRealTypes = types({DataType::float32, DataType::float64});
constexpr TypeSet kUnsignedTypes = types({DataType::uint8, DataType::uint16, DataType::uint32, DataType::uint64});
constexpr TypeSet kSignedTypes = types({DataType::int8, DataType::int16, DataType::int32, DataType::int64});
constexpr TypeSet kIntegerTypes = kUnsignedTypes | kSignedTypes;
constexpr TypeSet kNumberTypes = kRealTypes | kIntegerTypes;
constexpr TypeSet kBoolean = types({DataType::boolean});

/// Throws Error(unsupported) unless input i has one of the types; one that is not known yet passes.
void require_types(const NodeContext& context, std::size_t i, TypeSet allowed);
/// Throws Error(model) unless inputs i and j have the same type.
void require_same_type(const NodeContext& context, std::size_t i, std::size_t j);

/// visit(T{}) with the C++ type of `type`, which is one of `kSet`. Types outside it are not instantiated.
template <TypeSet kSet, typename Visit>
void visit_type(DataType type, const Visit& visit) {
  const auto attempt = [&](auto element) {
    using T = decltype(element);
    if constexpr (contains(kSet, data_type_of<T>())) {
      if (type == data_type_of<T>()) visit(element);
    }
  };
  attempt(float{});
  attempt(double{});
  attempt(bool{});
  attempt(std::uint8_t{});
  attempt(std::int8_t{});
  attempt(std::uint16_t{});
  attempt(std::int16_t{});
  attempt(std::uint32_t{});
  attempt(std::int32_t{});
  attempt(std::uint64_t{});
  attempt(std::int64_t{});
}

/// Two operands broadcast to a result, with neighbouring axes merged where both operands allow it.
struct Broadcast {
  int rank = 1;
  std::int64_t size[kernels::kMaxRank] = {1};
  std::ptrdiff_t a_stride[kernels::kMaxRank] = {};
  std::ptrdiff_t b_stride[kernels::kMaxRank] = {};
  std::int64_t count = 1;  // elements of the result
};
/// Precondition: a and b broadcast to y. Throws Error(limit) if more than kMaxRank axes are left.
Broadcast make_broadcast(const NodeContext& context, const Shape& a, const Shape& b, const Shape& y);

/// y[i] = f(a[..], b[..]) for i in [range.first, range.last), the result's elements in order: the loop nest of all
/// operators and types that have no kernel.
template <typename A, typename B, typename Y, typename F>
void broadcast_loop(const Broadcast& plan, const A* a, const B* b, Y* y, Range range, const F& f) {
  const int last = plan.rank - 1;
  const std::int64_t inner = plan.size[last];
  while (range.first < range.last) {
    std::int64_t row = range.first / inner;
    const std::int64_t column = range.first % inner;
    const std::int64_t n = inner - column < range.last - range.first ? inner - column : range.last - range.first;
    const A* from_a = a + column * plan.a_stride[last];
    const B* from_b = b + column * plan.b_stride[last];
    for (int axis = last - 1; axis >= 0; --axis) {
      const std::int64_t at = row % plan.size[axis];
      row /= plan.size[axis];
      from_a += at * plan.a_stride[axis];
      from_b += at * plan.b_stride[axis];
    }
    Y* const to = y + range.first;
    for (std::int64_t i = 0; i < n; ++i) to[i] = f(from_a[i * plan.a_stride[last]], from_b[i * plan.b_stride[last]]);
    range.first += n;
  }
}

/// y[i] = f(x[i]).
template <typename X, typename Y, typename F>
void map_loop(const X* x, Y* y, Range range, const F& f) {
  for (std::int64_t i = range.first; i < range.last; ++i) y[i] = f(x[i]);
}

/// Elements that a thread's part of a plain tensor is a multiple of: a cache line of floats, so that no two threads write one.
constexpr std::int64_t kElementUnit = 64;

/// Whether y may lie where input i did: the same bytes element for element.
bool may_share_buffer(PlanContext& context, std::size_t i);

}  // namespace linnet::ops
