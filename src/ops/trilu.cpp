// Trilu: one triangle of each innermost matrix is kept, the other cleared.
#include <algorithm>
#include <cstring>

#include "ops/blocked.h"
#include "ops/extents.h"
#include "ops/indices.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// The columns of a row that are kept.
Range kept_columns(bool upper, std::int64_t row, std::int64_t columns, std::int64_t k) {
  const std::int64_t edge = std::clamp<std::int64_t>(upper ? row + k : row + k + 1, 0, columns);
  return upper ? Range{edge, columns} : Range{0, edge};
}

}  // namespace

void infer_trilu(InferContext& c) {
  const graph::TensorDesc& x = c.input(0);
  if (x.has_rank() && x.shape->size() < 2)
    c.fail(ErrorCode::model, "the input holds no matrix", c.input_label(0), "2-D or more", graph::to_string(x));
  if (c.has_input(1)) {
    require_integers(c, 1);
    require_scalar(c, 1);
  }
  c.set(0, {x.type, x.shape, graph::Layout::plain});
}

void plan_trilu(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  const std::int64_t rows = x.shape[x.shape.size() - 2], columns = x.shape.back(), count = x.elements();
  const bool upper = c.attribute_int("upper", 1) != 0, shifted = c.has_input(1);
  c.step().algorithm = "triangle";
  c.step().in_place = 0;
  c.step().run = [=, k_type = shifted ? c.input(1).type : DataType::int64,
                  width = static_cast<std::int64_t>(element_bytes(x.type))](const RunArgs& args) {
    if (count == 0) return;
    // Beyond the matrix all diagonals are alike, and closer ones cannot overflow.
    const std::int64_t k = shifted ? std::clamp(Indices(args.inputs[1], k_type)[0], -rows, columns) : 0;
    const Range part = thread_share(args, count / columns, count);
    for (std::int64_t row = part.first; row < part.last; ++row) {
      const std::byte* const from = args.inputs[0] + row * columns * width;
      std::byte* const to = args.outputs[0] + row * columns * width;
      const Range kept = kept_columns(upper, row % rows, columns, k);
      const auto bytes = [width](std::int64_t n) { return static_cast<std::size_t>(n * width); };
      if (from != to) std::memcpy(to + kept.first * width, from + kept.first * width, bytes(kept.last - kept.first));
      std::memset(to, 0, bytes(kept.first));
      std::memset(to + kept.last * width, 0, bytes(columns - kept.last));
    }
  };
}

}  // namespace linnet::ops
