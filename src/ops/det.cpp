// Det: the determinants of the innermost matrices, by elimination with partial pivoting in double.
#include <cmath>
#include <utility>

#include "base/checked_math.h"
#include "ops/elementwise.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// Destroys the n x n matrix.
double determinant(double* a, std::int64_t n) {
  double result = 1;
  for (std::int64_t k = 0; k < n; ++k) {
    std::int64_t pivot = k;
    for (std::int64_t i = k + 1; i < n; ++i) {
      if (std::abs(a[i * n + k]) > std::abs(a[pivot * n + k])) pivot = i;
    }
    if (pivot != k) {
      for (std::int64_t j = k; j < n; ++j) std::swap(a[k * n + j], a[pivot * n + j]);
      result = -result;
    }
    const double head = a[k * n + k];
    result *= head;
    if (head == 0) return result;
    for (std::int64_t i = k + 1; i < n; ++i) {
      const double factor = a[i * n + k] / head;
      for (std::int64_t j = k + 1; j < n; ++j) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return result;
}

}  // namespace

void infer_det(InferContext& c) {
  require_types(c, 0, kRealTypes);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  const std::size_t rank = x.shape->size();
  const bool square = rank >= 2 && (!(*x.shape)[rank - 1].known() || !(*x.shape)[rank - 2].known() ||
                                    (*x.shape)[rank - 1].value == (*x.shape)[rank - 2].value);
  if (!square)
    c.fail(ErrorCode::model, "the matrices are not square", c.input_label(0), "[..., M, M]", graph::to_string(x));
  c.set_output(0, x.type, {x.shape->begin(), x.shape->end() - 2});
}

void plan_det(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  const std::int64_t n = x.shape.back(), matrices = c.placement_out(0).elements();
  const std::int64_t elements = base::checked_mul(n, n, "a matrix");
  c.step().algorithm = "elimination";
  c.step().thread_scratch_bytes = base::to_size(base::checked_mul(elements, 8, "a matrix"), "a matrix");
  c.step().run = [=, type = x.type](const RunArgs& args) {
    auto* const scratch = reinterpret_cast<double*>(args.thread_scratch);
    const Range mine = thread_share(args, matrices, matrices * elements);
    visit_type<kRealTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        map_loop(args.in<T>(0) + i * elements, scratch, {0, elements},
                 [](T value) { return static_cast<double>(value); });
        args.out<T>(0)[i] = static_cast<T>(determinant(scratch, n));
      }
    });
  };
}

}  // namespace linnet::ops
