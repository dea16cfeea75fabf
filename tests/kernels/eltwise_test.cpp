#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

using Formula = std::function<double(double)>;

/// What an operator should give, in double, and how far from it the kernel may be: in ULP of the result, or, where its
/// formula cancels, absolutely in units of 2^-24 |x|.
struct Unary {
  UnaryOp op;
  const char* name;
  Formula formula;
  double max_ulps;
  double max_of_x = 0;
  float alpha = 0, beta = 0;
};

double sigmoid_of(double x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
double softplus_of(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }
double keep_nan(double x, double y) { return std::isnan(x) ? x : y; }
double negative_part(double x, double negative) { return x < 0 ? negative : x; }
double clipped(double x, double lo, double hi) { return keep_nan(x, std::min(std::max(x, lo), hi)); }

std::vector<Unary> unary_operators() {
  const float alpha = 0.3f, beta = 0.6f;
  const double a = alpha, b = beta;
  const auto gelu_tanh = [](double x) {
    return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  };
  return {
      {UnaryOp::relu, "relu", [](double x) { return x > 0 || std::isnan(x) ? x : 0; }, 0},
      {UnaryOp::leaky_relu, "leaky_relu", [=](double x) { return negative_part(x, a * x); }, 0.5, 0, alpha},
      {UnaryOp::thresholded_relu, "thresholded_relu", [=](double x) { return keep_nan(x, x > a ? x : 0); }, 0, 0,
       alpha},
      {UnaryOp::clip, "clip", [=](double x) { return clipped(x, a, b); }, 0, 0, alpha, beta},
      {UnaryOp::sigmoid, "sigmoid", sigmoid_of, 2.5},
      {UnaryOp::hard_sigmoid, "hard_sigmoid", [=](double x) { return clipped(a * x + b, 0, 1); }, 0.5, 0, alpha, beta},
      {UnaryOp::hard_swish, "hard_swish", [](double x) { return x * clipped(x / 6 + 0.5, 0, 1); }, 1, 3},
      {UnaryOp::swish, "swish", [](double x) { return x * sigmoid_of(x); }, 3, 0, 1},
      {UnaryOp::tanh, "tanh", [](double x) { return std::tanh(x); }, 2},
      {UnaryOp::elu, "elu", [=](double x) { return negative_part(x, a * std::expm1(x)); }, 2, 0, alpha},
      {UnaryOp::selu, "selu", [=](double x) { return b * negative_part(x, a * std::expm1(x)); }, 3, 0, alpha, beta},
      {UnaryOp::celu, "celu", [=](double x) { return negative_part(x, a * std::expm1(x / a)); }, 3, 0, alpha},
      {UnaryOp::softplus, "softplus", softplus_of, 2},
      {UnaryOp::softsign, "softsign", [](double x) { return x / (1 + std::fabs(x)); }, 1.5},
      {UnaryOp::mish, "mish", [](double x) { return x * std::tanh(softplus_of(x)); }, 4},
      {UnaryOp::gelu, "gelu", [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }, 4, 4},
      {UnaryOp::gelu_tanh, "gelu_tanh", gelu_tanh, 4, 4},
      {UnaryOp::exp, "exp", [](double x) { return std::exp(x); }, 1},
      {UnaryOp::log, "log", [](double x) { return std::log(x); }, 1},
      {UnaryOp::sqrt, "sqrt", [](double x) { return std::sqrt(x); }, 0.5},
      {UnaryOp::reciprocal, "reciprocal", [](double x) { return 1 / x; }, 0.5},
      {UnaryOp::neg, "neg", [](double x) { return -x; }, 0},
      {UnaryOp::abs, "abs", [](double x) { return std::fabs(x); }, 0},
      {UnaryOp::erf, "erf", [](double x) { return std::erf(x); }, 1.5},
      {UnaryOp::floor, "floor", [](double x) { return std::floor(x); }, 0},
      {UnaryOp::ceil, "ceil", [](double x) { return std::ceil(x); }, 0},
      {UnaryOp::round, "round", [](double x) { return std::nearbyint(x); }, 0},
      {UnaryOp::sign, "sign", [](double x) { return keep_nan(x, (x > 0) - (x < 0)); }, 0},
      {UnaryOp::sin, "sin", [](double x) { return std::sin(x); }, 1},
      {UnaryOp::cos, "cos", [](double x) { return std::cos(x); }, 1},
  };
}

/// Special values, and every `step`-th float there is.
std::vector<float> floats_of_all_kinds(std::uint32_t step) {
  std::vector<float> all = special_floats();
  for (std::uint64_t bits = 0; bits < 0x100000000; bits += step)
    all.push_back(float_of(static_cast<std::uint32_t>(bits)));
  return all;
}

std::vector<float> run_unary(const Table& k, const Unary& u, const std::vector<float>& x) {
  GuardBuffer in(x), out(x.size());
  UnaryArguments args;
  args.op = u.op, args.alpha = u.alpha, args.beta = u.beta;
  args.x = in.data(), args.y = out.data();
  args.end = static_cast<std::int64_t>(x.size());
  k.unary(args);
  return out.values();
}

void check_accuracy(const Unary& u, const std::vector<float>& x) {
  const std::vector<float> y = on_every_isa([&](const Table& k) { return run_unary(k, u, x); });
  double worst = 0;
  float worst_x = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double expected = u.formula(static_cast<double>(x[i]));
    // x times a factor that is a denormal cannot be better than that factor.
    const double allowed_of_x = std::max(u.max_of_x * 0x1p-24, 0x1p-149) * std::fabs(static_cast<double>(x[i]));
    const double error = ulps(y[i], expected);
    if (std::fabs(static_cast<double>(y[i]) - expected) <= allowed_of_x || error <= worst) continue;
    worst = error;
    worst_x = x[i];
  }
  INFO(u.name << "(" << std::hexfloat << worst_x << ") is off by " << std::defaultfloat << worst << " ULP");
  CHECK(worst <= u.max_ulps);
}

/// Flush against an unreadable page, and in place in two parts.
void check_length(const Unary& u, std::size_t n, Random& random) {
  INFO(u.name << ", " << n << " elements");
  const std::vector<float> x = random_floats(random, n, 4);
  const std::vector<float> y = on_every_isa([&](const Table& k) { return run_unary(k, u, x); });
  on_every_isa([&](const Table& k) {
    GuardBuffer both(x);
    UnaryArguments args;
    args.op = u.op, args.alpha = u.alpha, args.beta = u.beta;
    args.x = args.y = both.data();
    args.begin = static_cast<std::int64_t>(n) / 3, args.end = static_cast<std::int64_t>(n);
    k.unary(args);
    args.begin = 0, args.end = static_cast<std::int64_t>(n) / 3;
    k.unary(args);
    CHECK(first_difference(both.values(), y) == "");
    return both.values();
  });
}

void check_blocked_unary(int channels, int height, int width, Random& random) {
  INFO(channels << "x" << height << "x" << width);
  BlockedBuffer x(2, channels, height, width, 1);
  x.fill(random);
  on_every_isa([&](const Table& k) {
    BlockedBuffer y(2, channels, height, width, 2);
    BlockedUnaryArguments args;
    args.op = UnaryOp::sigmoid;
    args.x = x.source(), args.y = y.target();
    args.blocks = x.blocks(), args.width = width;
    run_in_parts(k.blocked_unary, args, x.all());
    double worst = 0;
    y.each([&](int n, int c, int h, int w) {
      worst = std::max(worst, ulps(y.at(n, c, h, w), sigmoid_of(static_cast<double>(x.at(n, c, h, w)))));
    });
    CHECK(worst <= 2.5);
    return y.values();
  });
}

}  // namespace

TEST_CASE("K11: unary operators keep their error bounds, with equal bits on every ISA") {
  const std::vector<float> x = floats_of_all_kinds(16381);  // 2^18 of them
  for (const Unary& u : unary_operators()) check_accuracy(u, x);
}

TEST_CASE("unary operators keep their error bounds on 2^24 floats", "[nightly]") {
  const std::vector<float> x = floats_of_all_kinds(257);
  for (const Unary& u : unary_operators()) check_accuracy(u, x);
}

TEST_CASE("exp keeps its error bound on 2^20 floats of its range") {
  std::vector<float> x;
  for (int i = 0; i < 1 << 20; ++i) x.push_back(-105.0f + 195.0f * static_cast<float>(i) / (1 << 20));
  check_accuracy({UnaryOp::exp, "exp", [](double v) { return std::exp(v); }, 1}, x);
}

TEST_CASE("K07: unary operators handle every length, at both ends of a page and in place") {
  at_both_ends();
  Random random(1);
  for (const Unary& u : unary_operators()) {
    for (std::size_t n = 0; n <= 40; ++n) check_length(u, n, random);
  }
}

TEST_CASE("guard pages: 10,000 unary operators", "[.nightly]") {
  Random random(41);
  const std::vector<Unary> all = unary_operators();
  for (int round = 0; round < 5'000; ++round) {  // of two cases each
    at_either_end(random);
    check_length(all[static_cast<std::size_t>(round) % all.size()], static_cast<std::size_t>(random.integer(1, 600)),
                 random);
  }
}

TEST_CASE("relu keeps NaN and the sign of zero") {
  for (const Table* k : runnable_tables()) {
    const std::vector<float> y = run_unary(*k, {UnaryOp::relu, "", {}, 0}, {NAN, -0.0f, 0.0f, -1.0f, -INFINITY});
    CHECK(std::isnan(y[0]));
    CHECK(std::signbit(y[1]));
    CHECK_FALSE(std::signbit(y[2]));
    CHECK((y[3] == 0 && !std::signbit(y[3]) && y[4] == 0));
  }
}

TEST_CASE("unary operators run on the rows of a blocked tensor") {
  at_both_ends();
  Random random(2);
  check_blocked_unary(20, 5, 3, random);
}

TEST_CASE("guard pages: 2,000 unary operators on blocked tensors", "[.nightly]") {
  Random random(200);
  for (int round = 0; round < 2'000; ++round) {
    at_either_end(random);
    check_blocked_unary(static_cast<int>(random.integer(1, 40)), static_cast<int>(random.integer(1, 5)),
                        static_cast<int>(random.integer(1, 20)), random);
  }
}
