#include "ops/gemm_loops.h"

#include <algorithm>
#include <utility>

#include "ops/binary.h"
#include "ops/convert.h"

namespace linnet::ops {

namespace {

template <typename T>
T scaled(const ProductShape& p, T sum, T start) {
  if (p.alpha == 1.0f && (!p.has_c || p.beta == 1.0f)) return p.has_c ? wrapping_add(sum, start) : sum;
  const double product = static_cast<double>(p.alpha) * static_cast<double>(sum);
  return convert<T>(p.has_c ? product + static_cast<double>(p.beta) * static_cast<double>(start) : product);
}

/// One row of one product. The sum over k runs upwards, for all columns at once: B is read in the order of its rows.
template <typename T>
void product_row(const ProductShape& p, const RunArgs& args, std::int64_t batch, std::int64_t row) {
  const T* const a = args.in<T>(0) + p.a_offset[static_cast<std::size_t>(batch)] + row * p.a_row;
  const T* const b = args.in<T>(1) + p.b_offset[static_cast<std::size_t>(batch)];
  T* const y = args.out<T>(0) + (batch * p.m + row) * p.n;
  std::fill_n(y, p.n, T{0});
  for (std::int64_t i = 0; i < p.k; ++i) {
    const T factor = a[i * p.a_column];
    for (std::int64_t j = 0; j < p.n; ++j)
      y[j] = wrapping_add(y[j], wrapping_mul(factor, b[i * p.b_row + j * p.b_column]));
  }
  for (std::int64_t j = 0; j < p.n; ++j)
    y[j] = scaled(p, y[j], p.has_c ? args.in<T>(2)[row * p.c_row + j * p.c_column] : T{0});
}

}  // namespace

void plan_product_loops(PlanContext& c, ProductShape product) {
  c.step().algorithm = "loops";
  c.step().macs = product.batches() * product.m * product.n * product.k;
  c.step().run = [p = std::move(product), type = c.placement_out(0).type](const RunArgs& args) {
    const std::int64_t rows = p.batches() * p.m;
    const Range mine = thread_share(args, rows, rows * p.n * p.k);
    visit_type<kLoopProductTypes>(type, [&](auto element) {
      for (std::int64_t i = mine.first; i < mine.last; ++i) product_row<decltype(element)>(p, args, i / p.m, i % p.m);
    });
  };
}

}  // namespace linnet::ops
