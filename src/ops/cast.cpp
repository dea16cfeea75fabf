// Cast, CastLike and BitCast.
#include <cstring>
#include <string>

#include "ops/blocked.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using Loop = void (*)(const std::byte* from, std::byte* to, Range range);

template <typename From, typename To>
void cast_loop(const std::byte* from, std::byte* to, Range range) {
  // A file's truth values need not be 0 or 1, and no other bool may be looked at.
  using Stored = std::conditional_t<std::is_same_v<From, bool>, std::uint8_t, From>;
  const auto* x = reinterpret_cast<const Stored*>(from);
  auto* y = reinterpret_cast<To*>(to);
  for (std::int64_t i = range.first; i < range.last; ++i) {
    if constexpr (std::is_same_v<From, bool>) y[i] = convert<To>(x[i] != 0);
    else y[i] = convert<To>(x[i]);
  }
}

Loop find_loop(DataType from, DataType to) {
  Loop loop = nullptr;
  visit_element_type(
      from, [&](auto x) { visit_element_type(to, [&](auto y) { loop = &cast_loop<decltype(x), decltype(y)>; }); });
  return loop;
}

DataType target_type(const NodeContext& c) {
  if (c.op_type() == "CastLike") return c.input(1).type;
  if (!c.has_attribute("to")) c.fail(ErrorCode::model, "a required attribute is missing", "attribute 'to'");
  const std::int64_t to = c.attribute_int("to", 0);
  const bool known = to > 0 && to <= static_cast<std::int64_t>(DataType::bfloat16);
  const auto type = known ? static_cast<DataType>(to) : DataType::undefined;
  if (element_bytes(type) == 0) {
    c.fail(ErrorCode::unsupported, "no values of this type can be computed", "attribute 'to'", {},
           known ? std::string(to_string(type)) : "data type " + std::to_string(to));
  }
  return type;
}

}  // namespace

std::vector<std::byte> element_of(DataType type, double value) {
  std::vector<std::byte> bytes(element_bytes(type));
  visit_element_type(type, [&](auto element) {
    element = convert<decltype(element)>(value);
    std::memcpy(bytes.data(), &element, sizeof element);
  });
  return bytes;
}

void infer_cast(InferContext& c) {
  const DataType from = c.input(0).type, to = target_type(c);
  if (from != DataType::undefined && element_bytes(from) == 0) {
    c.fail(ErrorCode::unsupported, "no values of this type can be computed", c.input_label(0), {},
           std::string(to_string(from)));
  }
  c.set(0, {to, c.input(0).shape, graph::Layout::plain});
}

void plan_cast(PlanContext& c) {
  const Placement& from = c.placement_in(0);
  const Placement& to = c.placement_out(0);
  if (c.input_count() > 1) c.consumed(1);  // CastLike reads its type only
  if (from.type == to.type) return plan_view(c);
  c.step().algorithm = "cast";
  c.step().run = [loop = find_loop(from.type, to.type), count = from.elements()](const RunArgs& args) {
    loop(args.inputs[0], args.outputs[0], thread_share(args, count, count, 64));
  };
}

/// The same bytes under another type of the same width.
void infer_bit_cast(InferContext& c) {
  const DataType from = c.input(0).type, to = target_type(c);
  if (from != DataType::undefined && element_bytes(from) != element_bytes(to)) {
    c.fail(ErrorCode::model, "the types are not equally wide", "attribute 'to'", std::string(to_string(from)),
           std::string(to_string(to)));
  }
  c.set(0, {to, c.input(0).shape, graph::Layout::plain});
}

void plan_bit_cast(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  plan_copy(c, StridedCopy(c, element_bytes(x.type), {{x.elements(), 1, 1}}));
}

}  // namespace linnet::ops
