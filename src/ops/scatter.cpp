// ScatterElements (and its elder, Scatter) and ScatterND: a copy of the data, then the updates.
#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>

#include "base/checked_math.h"
#include "ops/binary.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/indices.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

enum class Reduction : unsigned char { none, add, mul, min, max };

Reduction read_reduction(const NodeContext& c) {
  const std::string name = c.attribute_string("reduction", "none");
  if (name == "none") return Reduction::none;
  if (name == "add") return Reduction::add;
  if (name == "mul") return Reduction::mul;
  if (name == "min" && c.opset() >= 18) return Reduction::min;
  if (name == "max" && c.opset() >= 18) return Reduction::max;
  c.fail(ErrorCode::model, "reduction has no such value", "attribute 'reduction'",
         c.opset() >= 18 ? "none, add, mul, min or max" : "none, add or mul", name);
}

template <typename T>
bool is_nan(T x) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(x);
  return false;
}

template <typename T>
T reduced(Reduction reduction, T old, T update) {
  switch (reduction) {
    case Reduction::none: return update;
    case Reduction::add: return wrapping_add(old, update);
    case Reduction::mul: return wrapping_mul(old, update);
    // A NaN stays, whichever it is, as in Min and Max.
    case Reduction::min: return old <= update || is_nan(old) ? old : update;
    case Reduction::max: return old >= update || is_nan(old) ? old : update;
  }
  return update;
}

/// Applies `count` updates to as many neighbouring elements.
using Update = void (*)(Reduction reduction, std::byte* to, const std::byte* updates, std::int64_t count);

template <typename T>
void update_numbers(Reduction reduction, std::byte* to, const std::byte* updates, std::int64_t count) {
  auto* const y = reinterpret_cast<T*>(to);
  const auto* const x = reinterpret_cast<const T*>(updates);
  for (std::int64_t i = 0; i < count; ++i) y[i] = reduced(reduction, y[i], x[i]);
}

Update find_update(DataType type) {
  Update update = nullptr;
  visit_element_type(type, [&](auto element) {
    using T = decltype(element);
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) update = &update_numbers<T>;
  });
  return update;
}

/// Runs the updates one after the other: where an index comes twice, the last one wins or the sum has the order of the
/// indices, whatever the number of threads.
struct Scatter {
  std::size_t element_bytes = 0;
  DataType index_type = DataType::int64;
  Reduction reduction = Reduction::none;
  Update update = nullptr;  // null: bytes are copied

  void apply(const RunArgs& args, std::int64_t at, std::int64_t from, std::int64_t count) const {
    std::byte* const to = args.outputs[0] + static_cast<std::size_t>(at) * element_bytes;
    const std::byte* const updates = args.inputs[2] + static_cast<std::size_t>(from) * element_bytes;
    if (reduction == Reduction::none) std::memcpy(to, updates, static_cast<std::size_t>(count) * element_bytes);
    else update(reduction, to, updates, count);
  }
};

Scatter read_scatter(const PlanContext& c) {
  const DataType type = c.placement_in(0).type;
  return {element_bytes(type), c.placement_in(1).type, read_reduction(c), find_update(type)};
}

StridedCopy whole(const PlanContext& c) {
  return {c, element_bytes(c.placement_in(0).type), {{c.placement_in(0).elements(), 1, 1}}};
}

void check_types(const NodeContext& c) {
  require_integers(c, 1);
  if (c.input(2).type != c.input(0).type) {
    c.fail(ErrorCode::model, "the updates have another type than the data", c.input_label(2),
           std::string(to_string(c.input(0).type)), std::string(to_string(c.input(2).type)));
  }
  const DataType type = c.input(0).type;
  if (read_reduction(c) != Reduction::none && type != DataType::undefined && find_update(type) == nullptr)
    c.fail(ErrorCode::unsupported, "no reduction of this type", c.input_label(0), "numbers",
           std::string(to_string(type)));
}

/// Throws unless `updates` has the extents `wanted`, as far as both are known.
void require_updates(const NodeContext& c, const graph::DimList& wanted) {
  const graph::TensorDesc& updates = c.input(2);
  if (!updates.has_rank()) return;
  bool fits = updates.shape->size() == wanted.size();
  for (std::size_t i = 0; i < wanted.size() && fits; ++i) {
    const graph::Dim& found = (*updates.shape)[i];
    fits = !found.known() || !wanted[i].known() || found.value == wanted[i].value;
  }
  if (fits) return;
  const graph::TensorDesc expected{updates.type, wanted, graph::Layout::plain};
  c.fail(ErrorCode::model, "the updates have the wrong shape", c.input_label(2), graph::to_string(expected),
         graph::to_string(updates));
}

}  // namespace

void infer_scatter_elements(InferContext& c) {
  check_types(c);
  const graph::TensorDesc& data = c.input(0);
  const graph::TensorDesc& indices = c.input(1);
  if (data.has_rank() && indices.has_rank()) {
    require_indices_within(c, c.axis(c.attribute_int("axis", 0), data.shape->size()));
    require_updates(c, *indices.shape);
  }
  c.set(0, {data.type, data.shape, graph::Layout::plain});
}

void plan_scatter_elements(PlanContext& c) {
  const Shape& data = c.placement_in(0).shape;
  const std::size_t axis = c.axis(c.attribute_int("axis", 0), data.size());
  std::vector<std::int64_t> strides = dense_strides(data);
  const std::int64_t axis_stride = std::exchange(strides[axis], 0);
  c.step().algorithm = "scatter";
  c.step().phases = 2;
  c.step().run = [copy = whole(c), scatter = read_scatter(c), shape = c.placement_in(1).shape, strides, axis_stride,
                  extent = data[axis], count = c.placement_in(1).elements()](const RunArgs& args) {
    if (args.phase == 0) return copy.run(args, args.inputs[0], args.outputs[0]);
    if (args.thread != 0) return;
    const Indices indices(args.inputs[1], scatter.index_type);
    for (std::int64_t i = 0; i < count; ++i) {
      std::int64_t rest = i, offset = 0;
      for (std::size_t k = shape.size(); k-- > 0; rest /= shape[k]) offset += rest % shape[k] * strides[k];
      const std::int64_t at = indices.position(i, extent, args);
      if (at >= 0) scatter.apply(args, offset + at * axis_stride, i, 1);
    }
  };
}

void infer_scatter_nd(InferContext& c) {
  check_types(c);
  const graph::TensorDesc& data = c.input(0);
  const graph::TensorDesc& indices = c.input(1);
  if (data.has_rank() && indices.has_rank()) {
    const graph::DimList &d = *data.shape, &i = *indices.shape;
    if (d.empty() || i.empty())
      c.fail(ErrorCode::model, "a scalar cannot be scattered", c.input_label(d.empty() ? 0 : 1));
    if (i.back().known()) {
      const std::int64_t depth = i.back().value;
      if (depth < 0 || depth > static_cast<std::int64_t>(d.size()))
        c.fail(ErrorCode::model, "the index tuples do not fit the data", c.input_label(1),
               std::to_string(d.size()) + " at most", std::to_string(depth));
      graph::DimList wanted(i.begin(), i.end() - 1);
      wanted.insert(wanted.end(), d.begin() + static_cast<std::ptrdiff_t>(depth), d.end());
      require_updates(c, wanted);
    }
  }
  c.set(0, {data.type, data.shape, graph::Layout::plain});
}

void plan_scatter_nd(PlanContext& c) {
  const Shape& data = c.placement_in(0).shape;
  const Shape& indices_shape = c.placement_in(1).shape;
  const auto depth = static_cast<std::size_t>(indices_shape.back());
  const std::span<const std::int64_t> extents(data);
  const std::int64_t slice = base::checked_product(extents.subspan(depth), "a scattered slice");
  const std::int64_t tuples =
      base::checked_product(std::span(indices_shape).first(indices_shape.size() - 1), "index tuples");
  c.step().algorithm = "scatter";
  c.step().phases = 2;
  c.step().run = [copy = whole(c), scatter = read_scatter(c), data, strides = dense_strides(data), depth, slice,
                  tuples](const RunArgs& args) {
    if (args.phase == 0) return copy.run(args, args.inputs[0], args.outputs[0]);
    if (args.thread != 0 || slice == 0) return;
    const Indices indices(args.inputs[1], scatter.index_type);
    for (std::int64_t i = 0; i < tuples; ++i) {
      std::int64_t offset = 0;
      bool valid = true;
      for (std::size_t k = 0; k < depth; ++k) {
        const std::int64_t at =
            indices.position(i * static_cast<std::int64_t>(depth) + static_cast<std::int64_t>(k), data[k], args);
        valid = valid && at >= 0;
        offset += at * strides[k];
      }
      if (valid) scatter.apply(args, offset, i * slice, slice);
    }
  };
}

}  // namespace linnet::ops
