// Operators that permute axes: Transpose, DepthToSpace, SpaceToDepth.
#include <algorithm>
#include <numeric>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

std::vector<std::size_t> permutation(const NodeContext& c, std::size_t rank) {
  std::vector<std::size_t> perm(rank);
  if (!c.has_attribute("perm")) {
    std::iota(perm.rbegin(), perm.rend(), std::size_t{0});
    return perm;
  }
  const std::vector<std::int64_t> given = c.attribute_ints("perm");
  std::vector<char> seen(rank, 0);
  for (const std::int64_t axis : given) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank) || seen[static_cast<std::size_t>(axis)] != 0) break;
    seen[static_cast<std::size_t>(axis)] = 1;
  }
  if (given.size() != rank || std::find(seen.begin(), seen.end(), 0) != seen.end()) {
    c.fail(ErrorCode::model, "perm is no permutation of the axes", "attribute 'perm'",
           std::to_string(rank) + " axes, each once", to_string(Shape(given)));
  }
  std::copy(given.begin(), given.end(), perm.begin());
  return perm;
}

/// Views `from` as `split`, permutes those axes, and stores the result densely.
void plan_permutation(PlanContext& c, const Shape& split, const std::vector<std::size_t>& perm) {
  const std::vector<std::int64_t> from = dense_strides(split);
  Shape permuted;
  for (const std::size_t axis : perm) permuted.push_back(split[axis]);
  const std::vector<std::int64_t> to = dense_strides(permuted);
  std::vector<StridedCopy::Axis> axes;
  for (std::size_t i = 0; i < perm.size(); ++i) axes.push_back({permuted[i], from[perm[i]], to[i]});
  plan_copy(c, {c, element_bytes(c.placement_in(0).type), std::move(axes)});
}

/// Whether a permutation leaves all elements where they are: only axes of 1 change places.
bool moves_nothing(const Shape& shape, const std::vector<std::size_t>& perm) {
  std::size_t last = 0;
  for (const std::size_t axis : perm) {
    if (shape[axis] == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

std::int64_t block_size(const NodeContext& c) {
  const std::int64_t block = c.attribute_int("blocksize", 0);
  if (block < 1 || block > (1 << 15))
    c.fail(ErrorCode::model, "the block size is out of range", "attribute 'blocksize'", "1 to 32768",
           std::to_string(block));
  return block;
}

const DimList& require_4d(const NodeContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (input.shape->size() != 4)
    c.fail(ErrorCode::model, "the input has the wrong rank", c.input_label(0), "4-D", graph::to_string(input));
  return *input.shape;
}

Dim divided(const NodeContext& c, const Dim& dim, std::int64_t by, const char* what) {
  if (!dim.known()) return {};
  if (dim.value % by != 0) {
    c.fail(ErrorCode::model, "the block size does not divide an extent", c.input_label(0),
           std::string(what) + " a multiple of " + std::to_string(by), std::to_string(dim.value));
  }
  return Dim(dim.value / by);
}

Dim times(const Dim& dim, std::int64_t by) {
  return dim.known() ? Dim(base::checked_mul(dim.value, by, "an extent")) : by == 1 ? dim : Dim();
}

bool is_column_major(const NodeContext& c) {
  const std::string mode = c.attribute_string("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    c.fail(ErrorCode::model, "mode has no such value", "attribute 'mode'", "DCR or CRD", mode);
  return mode == "CRD";
}

}  // namespace

void infer_transpose(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!input.has_rank()) return c.set_output_unknown_rank(0, input.type);
  DimList out;
  for (const std::size_t axis : permutation(c, input.shape->size())) out.push_back((*input.shape)[axis]);
  c.set_output(0, input.type, std::move(out));
}

void plan_transpose(PlanContext& c) {
  const Shape& shape = c.placement_in(0).shape;
  const std::vector<std::size_t> perm = permutation(c, shape.size());
  if (moves_nothing(shape, perm)) return plan_view(c);
  plan_permutation(c, shape, perm);
}

void infer_depth_to_space(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  const std::int64_t block = block_size(c);
  (void)is_column_major(c);
  if (!input.has_rank()) return c.set_output(0, input.type, unknown_dims(4));
  const DimList& d = require_4d(c);
  c.set_output(0, input.type,
               {d[0], divided(c, d[1], block * block, "channels"), times(d[2], block), times(d[3], block)});
}

void plan_depth_to_space(PlanContext& c) {
  const Shape& s = c.placement_in(0).shape;
  const std::int64_t b = block_size(c), depth = s[1] / (b * b);
  if (is_column_major(c)) return plan_permutation(c, {s[0], depth, b, b, s[2], s[3]}, {0, 1, 4, 2, 5, 3});
  plan_permutation(c, {s[0], b, b, depth, s[2], s[3]}, {0, 3, 4, 1, 5, 2});
}

void infer_space_to_depth(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  const std::int64_t block = block_size(c);
  (void)is_column_major(c);
  if (!input.has_rank()) return c.set_output(0, input.type, unknown_dims(4));
  const DimList& d = require_4d(c);
  c.set_output(0, input.type,
               {d[0], times(d[1], block * block), divided(c, d[2], block, "a height of"),
                divided(c, d[3], block, "a width of")});
}

void plan_space_to_depth(PlanContext& c) {
  const Shape& s = c.placement_in(0).shape;
  const std::int64_t b = block_size(c);
  const bool column_major = is_column_major(c);
  plan_permutation(
      c, {s[0], s[1], s[2] / b, b, s[3] / b, b},
      column_major ? std::vector<std::size_t>{0, 1, 3, 5, 2, 4} : std::vector<std::size_t>{0, 3, 5, 1, 2, 4});
}

}  // namespace linnet::ops
