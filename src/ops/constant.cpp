// Operators that make tensors from little or nothing: Constant, ConstantOfShape, Range, EyeLike, OneHot.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "base/checked_math.h"
#include "ops/binary.h"
#include "ops/blocked.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// The value of a Constant, whichever attribute spells it.
Tensor spelled_value(const NodeContext& c) {
  if (c.node().attributes.entries().size() != 1)
    c.fail(ErrorCode::model, "a Constant needs one value", "attributes", "1",
           std::to_string(c.node().attributes.entries().size()));
  if (const Tensor* value = c.attribute_tensor("value")) return *value;
  if (const Tensor* value = c.attribute_tensor("sparse_value")) return *value;
  if (c.has_attribute("value_float")) {
    const float value = c.attribute_float("value_float", 0);
    return Tensor::of<float>({}, std::span(&value, 1));
  }
  if (c.has_attribute("value_int")) {
    const std::int64_t value = c.attribute_int("value_int", 0);
    return Tensor::of<std::int64_t>({}, std::span(&value, 1));
  }
  if (c.has_attribute("value_floats")) {
    const std::vector<float> values = c.attribute_floats("value_floats");
    return Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values);
  }
  const std::vector<std::int64_t> values = c.attribute_ints("value_ints");
  return Tensor::of<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

/// The one element that ConstantOfShape repeats.
Tensor repeated_value(const NodeContext& c) {
  const Tensor* value = c.attribute_tensor("value");
  if (value == nullptr) return Tensor(DataType::float32, {1});
  if (value->size() != 1)
    c.fail(ErrorCode::model, "value is not one element", "attribute 'value'", "1", std::to_string(value->size()));
  return *value;
}

/// A number of whatever type as a T.
template <typename T>
T scalar_of(const Tensor& tensor) {
  T result{};
  visit_element_type(tensor.type(), [&](auto element) { result = convert<T>(tensor.data<decltype(element)>()[0]); });
  return result;
}

std::int64_t integer_range_count(const NodeContext& c, std::int64_t start, std::int64_t limit, std::int64_t delta) {
  if (delta == 0) c.fail(ErrorCode::model, "the step of a Range is 0", c.input_label(2), "not 0", "0");
  if (delta == std::numeric_limits<std::int64_t>::min()) return limit < start ? 1 : 0;
  const std::int64_t distance =
      delta > 0 ? base::checked_sub(limit, start, "Range") : base::checked_sub(start, limit, "Range");
  return distance <= 0 ? 0 : base::ceil_div(distance, std::abs(delta));
}

std::int64_t real_range_count(const NodeContext& c, double start, double limit, double delta) {
  const double count = std::ceil((limit - start) / delta);
  if (delta == 0 || !(count < 0x1p62))
    c.fail(ErrorCode::model, "a Range has no end", c.input_label(2), "a step towards the limit", std::to_string(delta));
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(std::max(count, -1.0)));
}

bool is_real(DataType type) { return type == DataType::float32 || type == DataType::float64; }

std::int64_t range_count(const NodeContext& c) {
  const Tensor &start = *c.constant(0), &limit = *c.constant(1), &delta = *c.constant(2);
  if (is_real(start.type()))
    return real_range_count(c, scalar_of<double>(start), scalar_of<double>(limit), scalar_of<double>(delta));
  return integer_range_count(c, scalar_of<std::int64_t>(start), scalar_of<std::int64_t>(limit),
                             scalar_of<std::int64_t>(delta));
}

DataType eye_type(const NodeContext& c) {
  if (!c.has_attribute("dtype")) return c.input(0).type;
  const std::int64_t type = c.attribute_int("dtype", 0);
  const bool known = type > 0 && type <= static_cast<std::int64_t>(DataType::bfloat16);
  return known ? static_cast<DataType>(type) : DataType::undefined;
}

}  // namespace

void infer_constant(InferContext& c) {
  const Tensor value = spelled_value(c);
  c.set_output(0, value.type(), DimList(value.shape().begin(), value.shape().end()));
}

void plan_constant(PlanContext& c) {
  c.step().algorithm = "constant";
  c.step().run = [value = spelled_value(c)](const RunArgs& args) {
    if (args.thread == 0 && value.bytes() != 0) std::memcpy(args.outputs[0], value.raw(), value.bytes());
  };
}

void infer_constant_of_shape(InferContext& c) {
  const DataType type = repeated_value(c).type();
  require_integers(c, 0);
  if (is_runtime_input(c, 0)) return c.set_output_unknown_rank(0, type);
  const std::vector<std::int64_t> shape = c.constant_ints(0);
  for (const std::int64_t extent : shape) {
    if (extent < 0)
      c.fail(ErrorCode::model, "an extent is negative", c.input_label(0), "0 or more", std::to_string(extent));
  }
  c.set_output(0, type, DimList(shape.begin(), shape.end()));
}

void plan_constant_of_shape(PlanContext& c) {
  (void)c.constant_ints(0);  // throws where the shape is not known
  c.consumed(0);
  c.step().algorithm = "fill";
  c.step().run = [value = repeated_value(c), count = c.placement_out(0).elements()](const RunArgs& args) {
    fill_elements(args, args.outputs[0], count, static_cast<const std::byte*>(value.raw()),
                  element_bytes(value.type()));
  };
}

void infer_range(InferContext& c) {
  const DataType type = c.input(0).type;
  for (std::size_t i = 0; i < 3; ++i) {
    require_scalar(c, i);
    if (c.input(i).type != type) c.fail(ErrorCode::model, "the inputs have different types", c.input_label(i));
  }
  const bool integer = type == DataType::int16 || type == DataType::int32 || type == DataType::int64;
  if (!is_real(type) && !integer)
    c.fail(ErrorCode::unsupported, "no Range of this type", c.input_label(0), {}, std::string(to_string(type)));
  const bool known = c.constant(0) != nullptr && c.constant(1) != nullptr && c.constant(2) != nullptr;
  c.set_output(0, type, {known ? Dim(range_count(c)) : Dim()});
}

void plan_range(PlanContext& c) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (is_runtime_input(c, i))
      c.fail(ErrorCode::unsupported, "this input must be known before the model runs", c.input_label(i), "a constant");
  }
  const std::int64_t count = range_count(c);
  c.step().algorithm = "range";
  visit_element_type(c.input(0).type, [&](auto element) {
    using T = decltype(element);
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, std::int16_t> || std::is_same_v<T, std::int32_t> ||
                  std::is_same_v<T, std::int64_t>) {
      const T start = scalar_of<T>(*c.constant(0)), delta = scalar_of<T>(*c.constant(2));
      c.step().run = [start, delta, count](const RunArgs& args) {
        const Range part = thread_share(args, count, count, 64);
        for (std::int64_t i = part.first; i < part.last; ++i)
          args.out<T>(0)[i] = wrapping_add(start, wrapping_mul(static_cast<T>(i), delta));  // i * delta may not fit
      };
    }
  });
  for (std::size_t i = 0; i < 3; ++i) c.consumed(i);
}

void infer_eye_like(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  const DataType type = eye_type(c);
  if (element_bytes(type) == 0)
    c.fail(ErrorCode::unsupported, "no values of this type can be computed", "attribute 'dtype'");
  if (input.has_rank() && input.shape->size() != 2)
    c.fail(ErrorCode::model, "the input has the wrong rank", c.input_label(0), "2-D", graph::to_string(input));
  c.set(0, {type, input.has_rank() ? input.shape : unknown_dims(2), graph::Layout::plain});
}

void plan_eye_like(PlanContext& c) {
  const Shape& shape = c.placement_out(0).shape;
  const DataType type = c.placement_out(0).type;
  c.consumed(0);
  c.step().algorithm = "fill";
  c.step().run = [rows = shape[0], columns = shape[1], k = c.attribute_int("k", 0),
                  one = element_of(type, 1)](const RunArgs& args) {
    if (args.thread != 0 || rows * columns == 0) return;
    std::memset(args.outputs[0], 0, static_cast<std::size_t>(rows * columns) * one.size());
    if (k <= -rows || k >= columns) return;
    for (std::int64_t row = std::max<std::int64_t>(0, -k); row < rows && row + k < columns; ++row)
      std::memcpy(args.outputs[0] + static_cast<std::size_t>(row * columns + row + k) * one.size(), one.data(),
                  one.size());
  };
}

void infer_one_hot(InferContext& c) {
  const graph::TensorDesc& indices = c.input(0);
  const DataType type = c.input(2).type;
  require_scalar(c, 1);
  if (c.input(2).is_static() && c.input(2).static_shape() != Shape{2})
    c.fail(ErrorCode::model, "values is not [off, on]", c.input_label(2), "[2]", graph::to_string(c.input(2)));
  if (!indices.has_rank()) return c.set_output_unknown_rank(0, type);
  DimList out = *indices.shape;
  const std::size_t axis = c.axis(c.attribute_int("axis", -1), out.size() + 1);
  Dim depth;
  if (const Tensor* given = c.constant(1)) {
    depth = Dim(scalar_of<std::int64_t>(*given));
    if (depth.value < 1)
      c.fail(ErrorCode::model, "the depth is not positive", c.input_label(1), "1 or more", std::to_string(depth.value));
  }
  out.insert(out.begin() + static_cast<std::ptrdiff_t>(axis), depth);
  c.set_output(0, type, std::move(out));
}

void plan_one_hot(PlanContext& c) {
  if (is_runtime_input(c, 1))
    c.fail(ErrorCode::unsupported, "the depth must be known before the model runs", c.input_label(1), "a constant");
  c.consumed(1);
  const Placement& out = c.placement_out(0);
  const std::size_t axis = c.axis(c.attribute_int("axis", -1), out.shape.size());
  const std::int64_t depth = out.shape[axis];
  const std::int64_t inner = dense_strides(out.shape)[axis], count = out.elements();
  const std::size_t width = element_bytes(out.type);
  const bool wraps = c.opset() >= 11;
  c.step().algorithm = "one_hot";
  visit_element_type(c.placement_in(0).type, [&](auto element) {
    using Index = decltype(element);
    c.step().run = [depth, inner, count, width, wraps](const RunArgs& args) {
      const Range part = thread_share(args, count, count, 64);
      for (std::int64_t i = part.first; i < part.last; ++i) {
        const auto index = convert<std::int64_t>(args.in<Index>(0)[i / (depth * inner) * inner + i % inner]);
        const std::int64_t at = i / inner % depth;
        const bool on = index == at || (wraps && index == at - depth);  // one out of range is off everywhere
        std::memcpy(args.outputs[0] + static_cast<std::size_t>(i) * width, args.inputs[2] + (on ? width : 0), width);
      }
    };
  });
}

}  // namespace linnet::ops
