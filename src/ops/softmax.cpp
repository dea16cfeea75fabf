// Softmax, LogSoftmax, Hardmax. Before opset 13 the axes from `axis` on count as one (the input is taken for a matrix);
// since then it is one axis.
#include <cmath>

#include "base/checked_math.h"
#include "ops/binary.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

bool takes_a_matrix(const NodeContext& c) { return c.opset() < 13; }

std::size_t softmax_axis(const NodeContext& c, std::size_t rank) {
  return c.axis(c.attribute_int("axis", takes_a_matrix(c) ? 1 : -1), rank);
}

/// The tensor as [outer][n][inner], normalised along n.
struct Rows {
  std::int64_t outer = 1, n = 1, inner = 1;
};

Rows rows_of(const NodeContext& c, const Shape& shape) {
  const std::size_t axis = softmax_axis(c, shape.size());
  Rows rows;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    std::int64_t& extent = i < axis ? rows.outer : (i == axis || takes_a_matrix(c) ? rows.n : rows.inner);
    extent = base::checked_mul(extent, shape[i], "a softmax");
  }
  return rows;
}

/// Where the terms of result i begin.
std::int64_t start_of(const Rows& rows, std::int64_t i) {
  return i / rows.inner * rows.n * rows.inner + i % rows.inner;
}

/// 1 at the first of the greatest, 0 elsewhere. A NaN counts as the greatest, as in numpy's argmax.
template <typename T>
void hardmax(const Rows& rows, const T* x, T* y, Range results) {
  for (std::int64_t i = results.first; i < results.last; ++i) {
    const std::int64_t start = start_of(rows, i);
    std::int64_t best = 0;
    for (std::int64_t k = 1; k < rows.n; ++k) {
      const T now = x[start + k * rows.inner], greatest = x[start + best * rows.inner];
      if (now > greatest || (now != now && greatest == greatest)) best = k;
    }
    for (std::int64_t k = 0; k < rows.n; ++k) y[start + k * rows.inner] = k == best ? T{1} : T{0};
  }
}

/// float64, which has no kernel.
void softmax(const Rows& rows, bool logarithm, const double* x, double* y, Range results) {
  for (std::int64_t i = results.first; i < results.last; ++i) {
    const std::int64_t start = start_of(rows, i), end = start + rows.n * rows.inner;
    double greatest = x[start], sum = 0;
    for (std::int64_t at = start; at < end; at += rows.inner) greatest = larger(greatest, x[at]);
    for (std::int64_t at = start; at < end; at += rows.inner) sum += std::exp(x[at] - greatest);
    for (std::int64_t at = start; at < end; at += rows.inner)
      y[at] = logarithm ? x[at] - greatest - std::log(sum) : std::exp(x[at] - greatest) / sum;
  }
}

}  // namespace

void infer_softmax(InferContext& c) {
  require_types(c, 0, kRealTypes);
  const graph::TensorDesc& x = c.input(0);
  if (x.has_rank()) {
    if (x.shape->empty()) c.fail(ErrorCode::model, "a scalar has no axis", c.input_label(0), "1-D or more", "a scalar");
    (void)softmax_axis(c, x.shape->size());
  }
  c.set(0, x);
}

void plan_softmax(PlanContext& c) {
  const Rows rows = rows_of(c, c.placement_in(0).shape);
  const std::int64_t n = c.placement_in(0).elements();
  const std::int64_t results = n == 0 ? 0 : rows.outer * rows.inner;
  Step& step = c.step();
  step.in_place = 0;
  step.algorithm = "rows";
  if (c.op_type() == "Hardmax") {
    step.in_place = -1;
    step.run = [rows, results, n, type = c.placement_in(0).type](const RunArgs& args) {
      visit_type<kRealTypes>(type, [&](auto element) {
        using T = decltype(element);
        hardmax(rows, args.in<T>(0), args.out<T>(0), thread_share(args, results, n));
      });
    };
    return;
  }
  const bool logarithm = c.op_type() == "LogSoftmax";
  if (c.placement_in(0).type == DataType::float64) {
    step.run = [=](const RunArgs& args) {
      softmax(rows, logarithm, args.in<double>(0), args.out<double>(0), thread_share(args, results, n));
    };
    return;
  }
  step.kernel = isa_label(c);
  kernels::SoftmaxArguments k;
  k.n = rows.n;
  k.inner = rows.inner;
  k.logarithm = logarithm;
  step.run = [k, results, n, table = &c.kernels()](const RunArgs& args) {
    const Range mine = thread_share(args, results, n);
    kernels::SoftmaxArguments call = k;
    call.x = args.in<float>(0);
    call.y = args.out<float>(0);
    call.begin = mine.first;
    call.end = mine.last;
    table->softmax(call);
  };
}

}  // namespace linnet::ops
