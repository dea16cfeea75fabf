#include "ops/indices.h"

namespace linnet::ops {

void require_indices_within(const NodeContext& context, std::size_t axis) {
  const graph::TensorDesc& data = context.input(0);
  const graph::TensorDesc& indices = context.input(1);
  bool fits = data.shape->size() == indices.shape->size();
  for (std::size_t k = 0; k < data.shape->size() && fits; ++k) {
    const graph::Dim &d = (*data.shape)[k], &i = (*indices.shape)[k];
    fits = k == axis || !d.known() || !i.known() || i.value <= d.value;
  }
  if (fits) return;
  context.fail(ErrorCode::model, "the indices reach beyond the data", context.input_label(1), graph::to_string(data),
               graph::to_string(indices));
}

}  // namespace linnet::ops
