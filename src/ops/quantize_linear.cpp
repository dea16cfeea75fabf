// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear.
#include <algorithm>
#include <array>
#include <functional>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/quantization.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kX = 0, kScale = 1, kZero = 2;

/// Which scale an element has: the same for all, one a slice of an axis, or (from opset 21) one for every `block` elements
/// along the axis.
struct ScaleGrid {
  std::int64_t extent = 1, inner = 1;  // of the axis, and of what is inside it
  std::int64_t block = 1, blocks = 1;
  bool blocked = false, has_zero = false;

  /// visit(first, count, scale, step): elements [first, first + count) have the scales `scale`, `scale + step`, ...
  template <typename Visit>
  void each_run(Range range, const Visit& visit) const {
    while (range.first < range.last) {
      const std::int64_t row = range.first / inner, column = range.first % inner, slice = row % extent;
      const std::int64_t count = std::min(inner - column, range.last - range.first);
      if (blocked) visit(range.first, count, (row / extent * blocks + slice / block) * inner + column, 1);
      else visit(range.first, count, slice, 0);
      range.first += count;
    }
  }
};

std::size_t quant_axis(const NodeContext& c, std::size_t rank) { return c.axis(c.attribute_int("axis", 1), rank); }

ScaleGrid scale_grid(const PlanContext& c) {
  const Shape& x = c.placement_in(kX).shape;
  ScaleGrid grid;
  grid.blocked = c.attribute_int("block_size", 0) != 0;
  grid.has_zero = c.has_input(kZero);
  if (!grid.blocked && !is_vector(c, kScale)) {
    grid.inner = std::max<std::int64_t>(1, c.placement_in(kX).elements());
    return grid;
  }
  const std::size_t axis = quant_axis(c, x.size());
  grid.extent = x[axis];
  grid.inner = base::checked_product(std::span(x).subspan(axis + 1), "a quantised tensor");
  if (grid.blocked) {
    grid.block = c.attribute_int("block_size", 0);
    grid.blocks = base::ceil_div(grid.extent, grid.block);
  }
  return grid;
}

/// The scale's shape for blocks: the input's, with the axis counted in blocks.
void check_blocks(const NodeContext& c, std::int64_t block) {
  if (block < 0)
    c.fail(ErrorCode::model, "a block is empty", "attribute 'block_size'", "0 or more", std::to_string(block));
  const graph::TensorDesc &x = c.input(kX), &scale = c.input(kScale);
  if (!x.has_rank() || !scale.has_rank()) return;
  bool fits = scale.shape->size() == x.shape->size() && !x.shape->empty();
  const std::size_t axis = fits ? quant_axis(c, x.shape->size()) : 0;
  for (std::size_t i = 0; fits && i < x.shape->size(); ++i) {
    const Dim &of_x = (*x.shape)[i], &of_scale = (*scale.shape)[i];
    if (!of_x.known() || !of_scale.known()) continue;
    fits = of_scale.value == (i == axis ? base::ceil_div(of_x.value, block) : of_x.value);
  }
  if (!fits) {
    c.fail(ErrorCode::model, "the scales do not fit the blocks", c.input_label(kScale), graph::to_string(x),
           graph::to_string(scale));
  }
}

/// Scale and zero point of QuantizeLinear and DequantizeLinear.
void check_scales(const NodeContext& c) {
  require_types(c, kScale, types({DataType::float32}));
  const auto differ = [](const Dim& a, const Dim& b) { return a.known() && b.known() && a.value != b.value; };
  if (c.has_input(kZero) && c.input(kZero).has_rank() && c.input(kScale).has_rank() &&
      !std::equal(c.input(kZero).shape->begin(), c.input(kZero).shape->end(), c.input(kScale).shape->begin(),
                  c.input(kScale).shape->end(), std::not_fn(differ))) {
    c.fail(ErrorCode::model, "scale and zero point differ in shape", c.input_label(kZero),
           graph::to_string(c.input(kScale)), graph::to_string(c.input(kZero)));
  }
  if (const std::int64_t block = c.attribute_int("block_size", 0); block != 0) return check_blocks(c, block);
  const graph::TensorDesc& x = c.input(kX);
  for (const std::size_t i : {kScale, kZero}) {
    if (!c.has_input(i) || !c.input(i).has_rank() || !x.has_rank()) continue;
    const DimList& shape = *c.input(i).shape;
    if (c.opset() < 13) require_scalar(c, i);
    const bool one = shape.empty() || (shape.size() == 1 && shape[0].known() && shape[0].value == 1);
    if (!one) require_scalar_or_vector(c, i, (*x.shape)[quant_axis(c, x.shape->size())]);
  }
}

DataType quantized_type(const NodeContext& c) {
  const std::int64_t code = c.attribute_int("output_dtype", 0);
  if (code < 0 || code > static_cast<std::int64_t>(DataType::bfloat16)) {
    c.fail(ErrorCode::unsupported, "integers of 8 and 16 bits are quantised", "attribute 'output_dtype'",
           "int8, uint8, int16, uint16", "data type " + std::to_string(code));
  }
  const auto wanted = static_cast<DataType>(code);
  if (!c.has_input(kZero)) return wanted == DataType::undefined ? DataType::uint8 : wanted;
  const DataType type = c.input(kZero).type;
  if (wanted != DataType::undefined && wanted != type && type != DataType::undefined) {
    c.fail(ErrorCode::model, "output_dtype is not the zero point's type", c.input_label(kZero),
           std::string(to_string(wanted)), std::string(to_string(type)));
  }
  return type;
}

template <typename X, typename Y>
void quantize(const RunArgs& args, const ScaleGrid& grid, Range range) {
  const X* const x = args.in<X>(kX);
  const float* const scales = args.in<float>(kScale);
  const Y* const zeros = grid.has_zero ? args.in<Y>(kZero) : nullptr;
  Y* const y = args.out<Y>(0);
  grid.each_run(range, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int32_t zero = zeros == nullptr ? 0 : static_cast<std::int32_t>(zeros[at + i * step]);
      y[first + i] = quantized<Y>(static_cast<float>(x[first + i]) / scales[at + i * step], zero);
    }
  });
}

template <typename X>
void dequantize(const RunArgs& args, const ScaleGrid& grid, Range range) {
  const X* const x = args.in<X>(kX);
  const float* const scales = args.in<float>(kScale);
  const X* const zeros = grid.has_zero ? args.in<X>(kZero) : nullptr;
  float* const y = args.out<float>(0);
  grid.each_run(range, [&](std::int64_t first, std::int64_t count, std::int64_t at, std::int64_t step) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t zero = zeros == nullptr ? 0 : static_cast<std::int64_t>(zeros[at + i * step]);
      y[first + i] = static_cast<float>(static_cast<std::int64_t>(x[first + i]) - zero) * scales[at + i * step];
    }
  });
}

}  // namespace

void infer_quantize_linear(InferContext& c) {
  require_types(c, kX, types({DataType::float32, DataType::int32}));
  if (const std::int64_t precision = c.attribute_int("precision", 0); precision > 1) {
    c.fail(ErrorCode::unsupported, "the division is done in float", "attribute 'precision'", "0 or 1",
           std::to_string(precision));
  }
  const DataType type = quantized_type(c);
  if (type != DataType::undefined && !contains(kQuantizedTypes, type)) {
    c.fail(ErrorCode::unsupported, "integers of 8 and 16 bits are quantised", "output 0", "int8, uint8, int16, uint16",
           std::string(to_string(type)));
  }
  check_scales(c);
  c.set(0, {type, c.input(kX).shape, graph::Layout::plain});
}

void plan_quantize_linear(PlanContext& c) {
  c.step().algorithm = "elementwise";
  c.step().run = [grid = scale_grid(c), n = c.placement_in(kX).elements(), from = c.placement_in(kX).type,
                  to = c.placement_out(0).type](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    visit_type<kQuantizedTypes>(to, [&](auto y) {
      if (from == DataType::float32) quantize<float, decltype(y)>(args, grid, mine);
      else quantize<std::int32_t, decltype(y)>(args, grid, mine);
    });
  };
}

void infer_dequantize_linear(InferContext& c) {
  require_types(c, kX, kQuantizedTypes | types({DataType::int32}));
  if (c.has_input(kZero)) require_same_type(c, kX, kZero);
  check_scales(c);
  // output_dtype may name a 16-bit float, which is a float32 until it leaves the model.
  c.set(0, {DataType::float32, c.input(kX).shape, graph::Layout::plain});
}

void plan_dequantize_linear(PlanContext& c) {
  c.step().algorithm = "elementwise";
  c.step().run = [grid = scale_grid(c), n = c.placement_in(kX).elements(),
                  type = c.placement_in(kX).type](const RunArgs& args) {
    const Range mine = thread_share(args, n, n, kElementUnit);
    visit_type<kQuantizedTypes | types({DataType::int32})>(type,
                                                           [&](auto x) { dequantize<decltype(x)>(args, grid, mine); });
  };
}

void infer_dynamic_quantize_linear(InferContext& c) {
  require_types(c, kX, types({DataType::float32}));
  c.set(0, {DataType::uint8, c.input(kX).shape, graph::Layout::plain});
  c.set_output(1, DataType::float32, {});
  c.set_output(2, DataType::uint8, {});
}

/// Every thread looks for the extremes itself: there is nothing else to wait for, and reading is cheap.
void plan_dynamic_quantize_linear(PlanContext& c) {
  c.step().algorithm = "elementwise";
  const std::array<bool, 3> wants = {c.has_output(0), c.has_output(1), c.has_output(2)};
  c.step().run = [wants, n = c.placement_in(kX).elements()](const RunArgs& args) {
    const float* const x = args.in<float>(kX);
    float low = 0, high = 0;  // the range always holds 0
    for (std::int64_t i = 0; i < n; ++i) {
      low = std::min(low, x[i]);
      high = std::max(high, x[i]);
    }
    const float scale = high == low ? 1.0f : (high - low) / 255.0f;
    const std::int32_t zero = quantized<std::uint8_t>(-low / scale, 0);  // an endless range is 0 everywhere
    if (args.thread == 0 && wants[1]) *args.out<float>(1) = scale;
    if (args.thread == 0 && wants[2]) *args.out<std::uint8_t>(2) = static_cast<std::uint8_t>(zero);
    const Range mine = thread_share(args, n, n, kElementUnit);
    if (!wants[0]) return;
    for (std::int64_t i = mine.first; i < mine.last; ++i)
      args.out<std::uint8_t>(0)[i] = quantized<std::uint8_t>(x[i] / scale, zero);
  };
}

}  // namespace linnet::ops
