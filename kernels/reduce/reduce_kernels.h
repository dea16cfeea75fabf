// Reductions along one axis.
#pragma once

#include "kernels/fold.h"
#include "kernels/reduce/reduce.h"

namespace linnet::kernels::LINNET_ISA {

/// finish(V or double, n): what becomes of the total.
template <class Fold, class Term, class FinishRow, class FinishColumns>
[[gnu::always_inline]] static inline void reduce_with(const ReduceArguments& a, const Term& term,
                                                      const FinishRow& finish_row,
                                                      const FinishColumns& finish_columns) {
  if (a.inner == 1) {
    for (int64_t i = a.begin; i < a.end; ++i)
      a.y[i] = static_cast<float>(finish_row(fold_row<Fold>(a.x + i * a.n, a.n, term)));
    return;
  }
  each_group(
      a.begin, a.end, a.inner, [&](int64_t outer, int64_t column, int lanes) __attribute__((always_inline)) {
        const V total = fold_columns<Fold>(a.x + outer * a.n * a.inner + column, a.inner, a.n, lanes, term);
        store_lanes(a.y + outer * a.inner + column, finish_columns(total), lanes);
      });
}

static void reduce(const ReduceArguments& a) {
  const auto itself = [](const V& v) LINNET_LAMBDA { return v; };
  const auto square = [](const V& v) LINNET_LAMBDA { return V::mul(v, v); };
  const auto absolute = [](const V& v) LINNET_LAMBDA { return V::abs(v); };
  const auto same = [](double total) LINNET_LAMBDA { return total; };
  const V count = V::set(static_cast<float>(a.n));
  switch (a.op) {
    case ReduceOp::sum: return reduce_with<Addition>(a, itself, same, itself);
    case ReduceOp::mean:
      return reduce_with<Addition>(
          a, itself, [&](double total) LINNET_LAMBDA { return total / static_cast<double>(a.n); },
          [&](const V& total) LINNET_LAMBDA { return V::div(total, count); });
    case ReduceOp::max: return reduce_with<Maximum>(a, itself, same, itself);
    case ReduceOp::min: return reduce_with<Minimum>(a, itself, same, itself);
    case ReduceOp::prod: return reduce_with<Multiplication>(a, itself, same, itself);
    case ReduceOp::sum_square: return reduce_with<Addition>(a, square, same, itself);
    case ReduceOp::l1: return reduce_with<Addition>(a, absolute, same, itself);
    case ReduceOp::l2:
      return reduce_with<Addition>(
          a, square, [](double total) LINNET_LAMBDA { return __builtin_sqrt(total); },
          [](const V& total) LINNET_LAMBDA { return V::sqrt(total); });
  }
}

}  // namespace linnet::kernels::LINNET_ISA
