#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

constexpr ReduceOp kReduceOps[] = {ReduceOp::sum,  ReduceOp::mean,       ReduceOp::max, ReduceOp::min,
                                   ReduceOp::prod, ReduceOp::sum_square, ReduceOp::l1,  ReduceOp::l2};

struct ExpectedSum {
  double value, bound;
};
ExpectedSum expected_of(ReduceOp op, const float* x, std::int64_t n, std::int64_t stride) {
  double sum = 0, product = 1, squares = 0, absolute = 0, greatest = -INFINITY, least = INFINITY;
  for (std::int64_t i = 0; i < n; ++i) {
    const double v = static_cast<double>(x[i * stride]);
    sum += v, product *= v, squares += v * v, absolute += std::fabs(v);
    greatest = std::max(greatest, v), least = std::min(least, v);
  }
  // The depth of the sum's tree, not its length: 64 terms, the lanes, the pieces.
  const double eps = 0x1p-24 * (72 + static_cast<double>(n) / 64), count = static_cast<double>(n);
  switch (op) {
    case ReduceOp::sum: return {sum, eps * absolute};
    case ReduceOp::mean: return {sum / count, eps * absolute / count};
    case ReduceOp::max: return {greatest, 0};
    case ReduceOp::min: return {least, 0};
    case ReduceOp::prod: return {product, 0x1p-24 * (count + 1) * std::fabs(product) + 0x1p-149 * count};
    case ReduceOp::sum_square: return {squares, eps * squares};
    case ReduceOp::l1: return {absolute, eps * absolute};
    case ReduceOp::l2: return {std::sqrt(squares), eps * std::sqrt(squares)};
  }
  return {0, 0};
}

void check(ReduceOp op, std::int64_t outer, std::int64_t n, std::int64_t inner, Random& random) {
  INFO("op " << static_cast<int>(op) << ", " << outer << "x" << n << "x" << inner);
  const GuardBuffer x(
      random_floats(random, static_cast<std::size_t>(outer * n * inner), op == ReduceOp::prod ? 1.6f : 1.0f));
  const std::int64_t results = outer * inner;
  const std::vector<float> y = on_every_isa([&](const Table& k) {
    GuardBuffer out(static_cast<std::size_t>(results));
    ReduceArguments args;
    args.op = op, args.x = x.data(), args.y = out.data(), args.n = n, args.inner = inner;
    for (const auto& [begin, end] : {std::pair{results / 3, results}, std::pair{std::int64_t{0}, results / 3}}) {
      args.begin = begin, args.end = end;
      k.reduce(args);
    }
    return out.values();
  });
  int wrong = 0;
  for (std::int64_t i = 0; i < results; ++i) {
    const ExpectedSum e = expected_of(op, x.data() + i / inner * n * inner + i % inner, n, inner);
    wrong += !(std::fabs(static_cast<double>(y[static_cast<std::size_t>(i)]) - e.value) <= e.bound);
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("K11 K15: reductions handle every length along the innermost axis and along others") {
  at_both_ends();
  Random random(1);
  for (const ReduceOp op : kReduceOps) {
    for (std::int64_t n = 1; n <= 40; ++n) {
      check(op, 3, n, 1, random);
      check(op, 2, 3, n, random);
      check(op, 2, n, 5, random);
    }
    for (const std::int64_t n : {63, 64, 65, 127, 128, 1023, 1024, 1025, 1088, 3000}) {
      check(op, 2, n, 1, random);
      check(op, 1, n, 17, random);
    }
  }
}

TEST_CASE("guard pages: 12,000 reductions", "[.nightly]") {
  Random random(35);
  for (int round = 0; round < 12'000; ++round) {
    at_either_end(random);
    const ReduceOp op =
        kReduceOps[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(std::size(kReduceOps)) - 1))];
    check(op, random.integer(1, 4), random.integer(1, round % 10 == 0 ? 1500 : 60), random.integer(1, 40), random);
  }
}

TEST_CASE("the order of a sum is the documented one") {
  Random random(2);
  for (const std::int64_t n : {1, 15, 16, 17, 64, 100, 1024, 1100, 2500}) {
    const std::vector<float> x = random_floats(random, static_cast<std::size_t>(n));
    double total = 0;
    for (std::int64_t piece = 0; piece < n; piece += 1024) {
      const std::int64_t length = std::min<std::int64_t>(1024, n - piece), whole = length / 64 * 64;
      float lane[4][16] = {};
      for (std::int64_t i = 0; i < length; ++i)
        lane[i < whole ? i / 16 % 4 : 0][i % 16] += x[static_cast<std::size_t>(piece + i)];
      float sum[16];
      for (int l = 0; l < 16; ++l) sum[l] = (lane[0][l] + lane[1][l]) + (lane[2][l] + lane[3][l]);
      for (int half = 8; half > 0; half /= 2) {
        for (int l = 0; l < half; ++l) sum[l] += sum[l + half];
      }
      total += static_cast<double>(sum[0]);
    }
    const std::vector<float> y = on_every_isa([&](const Table& k) {
      std::vector<float> out(1);
      ReduceArguments args;
      args.x = x.data(), args.y = out.data(), args.n = n, args.end = 1;
      k.reduce(args);
      return out;
    });
    CHECK(y[0] == static_cast<float>(total));
  }
}

TEST_CASE("a NaN anywhere gives NaN") {
  for (const ReduceOp op : kReduceOps) {
    for (std::size_t where = 0; where < 130; where += 43) {
      for (const std::int64_t inner : {1, 2}) {
        std::vector<float> x(130, 1.0f), y(2);
        x[where] = NAN;
        for (const Table* k : runnable_tables()) {
          ReduceArguments args;
          args.op = op, args.x = x.data(), args.y = y.data(), args.n = 130 / inner, args.inner = inner,
          args.end = inner;
          k->reduce(args);
          CHECK(std::isnan(y[where % static_cast<std::size_t>(inner)]));
        }
      }
    }
  }
}
