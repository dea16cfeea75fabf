#include "ops/quantization.h"

#include "ops/extents.h"

namespace linnet::ops {

std::int32_t zero_point_at(const RunArgs& args, std::size_t input, DataType type, std::int64_t i) {
  std::int32_t value = 0;
  visit_type<kQuantizedTypes | types({DataType::int32})>(type, [&](auto element) {
    using T = decltype(element);
    value = static_cast<std::int32_t>(args.in<T>(input)[i]);
  });
  return value;
}

DataType optional_type(const NodeContext& c, std::size_t i) {
  return c.has_input(i) ? c.input(i).type : DataType::undefined;
}

QuantInputs quant_inputs(const PlanContext& c, std::size_t scale) { return {scale, optional_type(c, scale + 1)}; }

void require_quant_scalars(const NodeContext& c, std::size_t scale, DataType type) {
  require_types(c, scale, types({DataType::float32}));
  require_scalar(c, scale);
  if (!c.has_input(scale + 1)) return;
  const DataType found = c.input(scale + 1).type;
  if (found != type && found != DataType::undefined && type != DataType::undefined) {
    c.fail(ErrorCode::model, "a zero point is of another type than its tensor", c.input_label(scale + 1),
           std::string(to_string(type)), std::string(to_string(found)));
  }
  require_scalar(c, scale + 1);
}

void require_scalar_or_vector(const NodeContext& c, std::size_t i, const graph::Dim& extent) {
  const graph::TensorDesc& desc = c.input(i);
  if (!desc.has_rank() || desc.shape->empty()) return;
  const graph::Dim& length = desc.shape->front();
  const bool one = length.known() && length.value == 1;
  if (desc.shape->size() == 1 && (one || !length.known() || !extent.known() || length.value == extent.value)) return;
  c.fail(ErrorCode::model, "one value is needed, or one a channel", c.input_label(i),
         extent.known() ? "[" + std::to_string(extent.value) + "]" : "a list", graph::to_string(desc));
}

bool is_vector(const PlanContext& c, std::size_t i) { return c.has_input(i) && c.placement_in(i).elements() > 1; }

}  // namespace linnet::ops
