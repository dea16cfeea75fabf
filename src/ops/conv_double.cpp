// Conv and ConvTranspose of float64.
#include <memory>

#include "ops/conv_loops.h"

namespace linnet::ops {

void plan_conv_double(PlanContext& c, const ConvProblem& problem, bool transposed) {
  const auto loops = std::make_shared<const ConvLoops<double>>(problem, transposed);
  loops->reserve(c.step());
  c.step().algorithm = "im2col_dot";
  c.step().run = [loops, bias = c.has_input(kConvB)](const RunArgs& args) {
    if (args.phase == 0) return loops->filters(args, args.in<double>(kConvW), [](std::int64_t) { return 0.0; });
    const double* const b = bias ? args.in<double>(kConvB) : nullptr;
    double* const y = args.out<double>(0);
    loops->sums(args, args.in<double>(kConvX), 0.0,
                [=](std::int64_t i, std::int64_t m, double sum) { y[i] = b == nullptr ? sum : b[m] + sum; });
  };
}

}  // namespace linnet::ops
