// Operators that rename extents and move nothing: Reshape, Flatten, Squeeze, Unsqueeze.
#include <algorithm>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

/// What -1 stands for: the input's elements over those of the other extents. Symbols that the target copied cancel; one
/// that is left over alone is the answer.
Dim deduced(const NodeContext& c, const DimList& input, const DimList& target, std::size_t hole) {
  std::int64_t have = 1, need = 1;
  std::vector<Dim> unmatched;
  for (const Dim& d : input) {
    if (d.known()) have = base::checked_mul(have, d.value, "Reshape");
    else unmatched.push_back(d);
  }
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (i == hole) continue;
    if (target[i].known()) {
      need = base::checked_mul(need, target[i].value, "Reshape");
      continue;
    }
    const auto same =
        std::find_if(unmatched.begin(), unmatched.end(), [&](const Dim& d) { return d.same_as(target[i]); });
    if (same == unmatched.end()) return {};
    unmatched.erase(same);
  }
  if (need == 0) {
    if (have != 0) return {};  // or an error, which the count of elements shows
    c.fail(ErrorCode::model, "nothing says how long this extent is", "shape", "no -1 beside an extent of 0", "-1");
  }
  if (unmatched.empty()) {
    if (have % need != 0) {
      c.fail(ErrorCode::model, "the elements do not fit the new shape", "shape", "a divisor of " + std::to_string(have),
             std::to_string(need));
    }
    return Dim(have / need);
  }
  return unmatched.size() == 1 && have == need ? unmatched.front() : Dim();
}

void check_count(const NodeContext& c, const graph::TensorDesc& input, const DimList& target) {
  const graph::TensorDesc desc{input.type, target, graph::Layout::plain};
  if (!input.is_static() || !desc.is_static()) return;
  if (base::checked_product(input.static_shape(), "Reshape") != base::checked_product(desc.static_shape(), "Reshape")) {
    c.fail(ErrorCode::model, "the elements do not fit the new shape", "shape",
           "as many as in " + graph::to_string(input), graph::to_string(desc));
  }
}

/// Extents with 0 resolved, and the hole of -1 if there is one.
DimList explicit_extents(const NodeContext& c, const std::vector<std::int64_t>& shape, std::size_t& hole) {
  const bool allow_zero = c.attribute_int("allowzero", 0) != 0;
  const graph::TensorDesc& input = c.input(0);
  DimList target(shape.size());
  hole = shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < -1)
      c.fail(ErrorCode::model, "an extent is negative", "shape", "-1 or more", std::to_string(shape[i]));
    if (shape[i] == -1) {
      if (hole != shape.size()) c.fail(ErrorCode::model, "two extents are to be deduced", "shape", "at most one -1");
      hole = i;
    } else if (shape[i] == 0 && !allow_zero) {
      if (!input.has_rank()) continue;
      if (i >= input.shape->size()) {
        c.fail(ErrorCode::model, "no extent of the input stands behind a 0", "shape",
               std::to_string(input.shape->size()) + " extents at most", std::to_string(i + 1));
      }
      target[i] = (*input.shape)[i];
    } else {
      target[i] = Dim(shape[i]);
    }
  }
  const bool zeros = std::find(shape.begin(), shape.end(), 0) != shape.end();
  if (allow_zero && zeros && hole != shape.size())
    c.fail(ErrorCode::model, "allowzero leaves -1 undefined beside a 0", "shape");
  return target;
}

/// The axes of Squeeze and Unsqueeze: an attribute before opset 13, an input since.
bool has_axes(const NodeContext& c) { return c.opset() >= 13 ? c.has_input(1) : c.has_attribute("axes"); }
std::vector<std::int64_t> read_axes(const NodeContext& c) {
  return c.opset() >= 13 ? c.constant_ints(1) : c.attribute_ints("axes");
}

/// Each tensor after it would have as many extents: nodes by the thousand, gigabytes. numpy allows 64.
void require_rank(const NodeContext& c, std::int64_t rank) {
  if (rank > 64)
    c.fail(ErrorCode::limit, "a shape has too many extents", c.input_label(1), "at most 64", std::to_string(rank));
}

void require_known_shape(const PlanContext& c) {
  if (is_runtime_input(c, 1)) (void)c.constant_ints(1);  // throws
}

}  // namespace

void infer_reshape(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  require_integers(c, 1);
  if (is_runtime_input(c, 1)) {
    const graph::TensorDesc& shape = c.input(1);
    if (!shape.has_rank() || shape.shape->size() != 1 || !(*shape.shape)[0].known())
      return c.set_output_unknown_rank(0, input.type);
    const std::int64_t rank = (*shape.shape)[0].value;
    require_rank(c, rank);
    return c.set_output(0, input.type, unknown_dims(static_cast<std::size_t>(rank)));
  }
  std::size_t hole = 0;
  const std::vector<std::int64_t> wanted = c.constant_ints(1);
  require_rank(c, std::ssize(wanted));
  DimList target = explicit_extents(c, wanted, hole);
  if (hole < target.size() && input.has_rank()) target[hole] = deduced(c, *input.shape, target, hole);
  check_count(c, input, target);
  c.set_output(0, input.type, std::move(target));
}

void plan_reshape(PlanContext& c) {
  require_known_shape(c);
  plan_view(c);
}

void infer_flatten(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!input.has_rank()) return c.set_output(0, input.type, unknown_dims(2));
  const DimList& dims = *input.shape;
  const auto rank = static_cast<std::int64_t>(dims.size());
  std::int64_t axis = c.attribute_int("axis", 1);
  if (axis < -rank || axis > rank) {
    c.fail(ErrorCode::model, "an axis is out of range", "attribute 'axis'",
           "from " + std::to_string(-rank) + " to " + std::to_string(rank), std::to_string(axis));
  }
  if (axis < 0) axis += rank;
  const auto cut = static_cast<std::size_t>(axis);
  const std::span<const Dim> all(dims);
  c.set_output(0, input.type, {product(all.first(cut)), product(all.subspan(cut))});
}

void infer_squeeze(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!input.has_rank() || (c.opset() >= 13 && is_runtime_input(c, 1))) return c.set_output_unknown_rank(0, input.type);
  const DimList& dims = *input.shape;
  std::vector<char> dropped(dims.size(), 0);
  if (has_axes(c)) {
    for (const std::size_t axis : unique_axes(c, read_axes(c), dims.size())) {
      if (dims[axis].known() && dims[axis].value != 1) {
        c.fail(ErrorCode::model, "only an extent of 1 can be squeezed", "axes", "1", graph::to_string(input));
      }
      dropped[axis] = 1;
    }
  } else {
    for (std::size_t i = 0; i < dims.size(); ++i) {
      if (!dims[i].known()) return c.set_output_unknown_rank(0, input.type);  // it may be 1 or not
      dropped[i] = dims[i].value == 1 ? 1 : 0;
    }
  }
  DimList out;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dropped[i] == 0) out.push_back(dims[i]);
  }
  c.set_output(0, input.type, std::move(out));
}

void infer_unsqueeze(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!has_axes(c)) c.fail(ErrorCode::model, "the axes are missing", "axes");
  if (!input.has_rank() || (c.opset() >= 13 && is_runtime_input(c, 1))) return c.set_output_unknown_rank(0, input.type);
  const std::vector<std::int64_t> axes = read_axes(c);
  const std::size_t rank = input.shape->size() + axes.size();
  DimList out(rank);
  std::vector<char> fresh(rank, 0);
  for (const std::size_t axis : unique_axes(c, axes, rank)) fresh[axis] = 1;
  auto next = input.shape->begin();
  for (std::size_t i = 0; i < rank; ++i) out[i] = fresh[i] != 0 ? Dim(1) : *next++;
  c.set_output(0, input.type, std::move(out));
}

/// Squeeze and Unsqueeze.
void plan_axes_view(PlanContext& c) {
  if (c.opset() >= 13) require_known_shape(c);
  plan_view(c);
}

}  // namespace linnet::ops
