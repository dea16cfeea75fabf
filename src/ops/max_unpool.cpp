// MaxUnpool: puts the maxima of a MaxPool back to where they were.
#include <cstring>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/pool.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kX = 0, kIndices = 1, kShape = 2;

/// The shape that MaxPool had at its input, as far as the window tells; the indices count in it.
DimList pooled_shape(const NodeContext& c) {
  const DimList& x = *c.input(kX).shape;
  const Window w = pool_window(c, {x.begin() + 2, x.end()});
  DimList y(x.begin(), x.begin() + 2);
  for (std::size_t i = 0; i + 2 < x.size(); ++i) {
    if (!x[i + 2].known()) {
      y.emplace_back();
      continue;
    }
    constexpr const char* kWhat = "an output extent";
    const std::int64_t last = base::checked_mul(x[i + 2].value - 1, w.strides[i], kWhat);  // where its window begins
    const std::int64_t extent = base::checked_add(last - (w.pads_begin[i] + w.pads_end[i]), w.kernel[i], kWhat);
    if (extent < 0) {
      c.fail(ErrorCode::model, "the output extent is negative", "spatial axis " + std::to_string(i), "0 or more",
             std::to_string(extent));
    }
    y.emplace_back(extent);
  }
  return y;
}

}  // namespace

void infer_max_unpool(InferContext& c) {
  const graph::TensorDesc &x = c.input(kX), &indices = c.input(kIndices);
  if (indices.type != DataType::int64 && indices.type != DataType::undefined) {
    c.fail(ErrorCode::model, "an input is of the wrong type", c.input_label(kIndices), "int64",
           std::string(to_string(indices.type)));
  }
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  check_spatial(c, x);
  if (x.is_static() && indices.is_static() && x.static_shape() != indices.static_shape()) {
    c.fail(ErrorCode::model, "every maximum needs an index", c.input_label(kIndices), graph::to_string(x),
           graph::to_string(indices));
  }
  DimList y = pooled_shape(c);
  if (c.has_input(kShape)) {
    if (is_runtime_input(c, kShape)) return c.set_output(0, x.type, unknown_dims(y.size()));
    const std::vector<std::int64_t> wanted = c.constant_ints(kShape);
    bool valid = wanted.size() == y.size();
    for (const std::int64_t extent : wanted) valid = valid && extent >= 0;
    if (!valid) {
      c.fail(ErrorCode::model, "this is no shape for the output", c.input_label(kShape),
             std::to_string(y.size()) + " extents", to_string(wanted));
    }
    y.assign(wanted.begin(), wanted.end());
  }
  c.set_output(0, x.type, std::move(y));
}

/// One thread scatters, in order, so that of two maxima with one index the later stays.
void plan_max_unpool(PlanContext& c) {
  const Placement& y = c.placement_out(0);
  Shape from;
  for (const Dim& d : pooled_shape(c)) from.push_back(d.value);
  const std::size_t bytes = element_bytes(y.type);
  if (c.has_input(kShape)) c.consumed(kShape);
  c.step().algorithm = "scatter";
  c.step().phases = 2;
  c.step().run = [from, to = y.shape, bytes, n = c.placement_in(kX).elements(), m = y.elements(),
                  limit = base::checked_product(from, "an output")](const RunArgs& args) {
    constexpr std::byte kZero[8] = {};
    if (args.phase == 0) return fill_elements(args, args.outputs[0], m, kZero, bytes);
    if (args.thread != 0) return;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t index = args.in<std::int64_t>(kIndices)[i];
      bool inside = index >= 0 && index < limit;
      std::int64_t rest = index, target = 0, stride = 1;
      for (std::size_t axis = from.size(); inside && axis-- > 0;) {
        const std::int64_t at = rest % from[axis];
        rest /= from[axis];
        inside = at < to[axis];
        target += at * stride;
        stride *= to[axis];
      }
      if (!inside) args.report("an index is out of range");
      else
        std::memcpy(args.outputs[0] + static_cast<std::size_t>(target) * bytes,
                    args.inputs[kX] + static_cast<std::size_t>(i) * bytes, bytes);
    }
  };
}

}  // namespace linnet::ops
