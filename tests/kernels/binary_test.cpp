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

const std::vector<BinaryOp> kOperators = {BinaryOp::add, BinaryOp::sub, BinaryOp::mul, BinaryOp::div,
                                          BinaryOp::max, BinaryOp::min, BinaryOp::pow, BinaryOp::prelu};

/// In float: but for pow, one rounding, so there is one right answer.
float right(BinaryOp op, float a, float b) {
  const bool nan = std::isnan(a) || std::isnan(b);
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return a / b;
    case BinaryOp::max: return nan ? NAN : a > b ? a : b;
    case BinaryOp::min: return nan ? NAN : a < b ? a : b;
    case BinaryOp::pow: return static_cast<float>(std::pow(static_cast<double>(a), static_cast<double>(b)));
    case BinaryOp::prelu: return a < 0 ? a * b : a;
  }
  return 0;
}

float clamped(float x, const Clamp& c) { return x < c.lo ? c.lo : x > c.hi ? c.hi : x; }

/// The tensor's elements lie at offsets up to the last one that its strides reach.
std::size_t reach(const BinaryArguments& args, const std::ptrdiff_t* stride) {
  std::size_t last = 0;
  for (int i = 0; i < args.rank; ++i) last += static_cast<std::size_t>((args.size[i] - 1) * stride[i]);
  return last + 1;
}

/// Runs a broadcast in two parts, and checks each element.
void check_broadcast(BinaryArguments args, Random& random) {
  const GuardBuffer a(random_floats(random, reach(args, args.a_stride), 3));
  const GuardBuffer b(random_floats(random, reach(args, args.b_stride), 3));
  std::int64_t n = 1;
  for (int i = 0; i < args.rank; ++i) n *= args.size[i];
  args.a = a.data(), args.b = b.data();
  const std::vector<float> y = on_every_isa([&](const Table& k) {
    GuardBuffer out(static_cast<std::size_t>(n));
    args.y = out.data();
    for (const auto& [begin, end] : {std::pair{n * 2 / 3, n}, std::pair{std::int64_t{0}, n * 2 / 3}}) {
      args.begin = begin, args.end = end;
      k.binary(args);
    }
    return out.values();
  });
  double worst = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    std::ptrdiff_t at_a = 0, at_b = 0;
    std::int64_t rest = i;
    for (int axis = args.rank - 1; axis >= 0; --axis) {
      at_a += rest % args.size[axis] * args.a_stride[axis];
      at_b += rest % args.size[axis] * args.b_stride[axis];
      rest /= args.size[axis];
    }
    const float expected = clamped(right(args.op, a.data()[at_a], b.data()[at_b]), args.clamp);
    worst = std::max(worst, ulps(y[static_cast<std::size_t>(i)], static_cast<double>(expected)));
  }
  CHECK(worst <= (args.op == BinaryOp::pow ? 4 : 0));
}

void check_random_broadcast(int round, Random& random) {
  BinaryArguments args;
  args.op = kOperators[static_cast<std::size_t>(round) % kOperators.size()];
  args.rank = static_cast<int>(random.integer(1, 4));
  std::ptrdiff_t a_step = 1, b_step = 1;
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    args.size[axis] = random.integer(1, axis == args.rank - 1 && round % 5 == 0 ? 600 : 7);
    if (random.chance(0.2)) a_step *= 2;  // a tensor with gaps
    if (random.chance(0.2)) b_step *= 3;
    args.a_stride[axis] = random.chance(0.3) ? 0 : a_step;
    args.b_stride[axis] = random.chance(0.3) ? 0 : b_step;
    a_step *= args.size[axis];
    b_step *= args.size[axis];
  }
  check_broadcast(args, random);
}

/// kinds: bit 0: a is a tensor, bit 1: b is.
void check_blocked_binary(int channels, int height, int width, int kinds, Random& random) {
  INFO(channels << "x" << height << "x" << width << ", kinds " << kinds);
  BlockedBuffer tensor_a(2, channels, height, width, 1), tensor_b(2, channels, height, width),
      vector_a(2, channels, 1, 1), vector_b(1, channels, 1, 1);
  for (BlockedBuffer* t : {&tensor_a, &tensor_b, &vector_a, &vector_b}) t->fill(random);
  BlockedBinaryArguments args;
  args.op = kinds == 3 ? BinaryOp::add : BinaryOp::mul;
  args.a = kinds & 1 ? tensor_a.source() : vector_a.source();
  args.b = kinds & 2 ? tensor_b.source() : vector_b.source();
  if (!(kinds & 1)) args.a.row = args.a_pixel = 0;
  if (!(kinds & 2)) args.b.image = args.b.row = args.b_pixel = 0;
  args.blocks = tensor_a.blocks(), args.width = width, args.clamp = {0.0f, 0.5f};
  on_every_isa([&](const Table& k) {
    BlockedBuffer y(2, channels, height, width, 2);
    args.y = y.target();
    run_in_parts(k.blocked_binary, args, y.all());
    int wrong = 0;
    y.each([&](int n, int c, int h, int w) {
      const float a = kinds & 1 ? tensor_a.at(n, c, h, w) : vector_a.at(n, c, 0, 0);
      const float b = kinds & 2 ? tensor_b.at(n, c, h, w) : vector_b.at(0, c, 0, 0);
      wrong += y.at(n, c, h, w) != clamped(right(args.op, a, b), args.clamp);
    });
    CHECK(wrong == 0);
    return y.values();
  });
}

void check_scale_shift(int channels, int height, int width, Random& random) {
  INFO(channels << "x" << height << "x" << width);
  BlockedBuffer x(2, channels, height, width, 1);
  x.fill(random);
  const auto padded = static_cast<std::size_t>(x.blocks() * 16);
  const GuardBuffer scale(random_floats(random, padded)), shift(random_floats(random, padded));
  on_every_isa([&](const Table& k) {
    BlockedBuffer y(2, channels, height, width);
    ScaleShiftArguments args;
    args.x = x.source(), args.y = y.target();
    args.scale = scale.data(), args.shift = shift.data();
    args.blocks = x.blocks(), args.width = width, args.clamp.lo = 0;
    run_in_parts(k.scale_shift, args, y.all());
    int wrong = 0;
    y.each([&](int n, int c, int h, int w) {
      wrong += y.at(n, c, h, w) != clamped(std::fmaf(x.at(n, c, h, w), scale.data()[c], shift.data()[c]), args.clamp);
    });
    CHECK(wrong == 0);
    return y.values();
  });
}

}  // namespace

TEST_CASE("binary operators handle every length with vectors and scalars on either side") {
  at_both_ends();
  Random random(1);
  for (const BinaryOp op : kOperators) {
    for (std::int64_t n = 1; n <= 40; ++n) {
      for (int kinds = 0; kinds < 4; ++kinds) {
        BinaryArguments args;
        args.op = op;
        args.size[0] = n;
        args.a_stride[0] = kinds & 1;
        args.b_stride[0] = kinds >> 1;
        if (n % 3 == 0) args.clamp = {0.0f, 2.0f};
        check_broadcast(args, random);
      }
    }
  }
}

TEST_CASE("binary operators broadcast like numpy, with any strides") {
  at_both_ends();
  Random random(2);
  for (int round = 0; round < 200; ++round) check_random_broadcast(round, random);
}

TEST_CASE("guard pages: 10,000 binary operators", "[.nightly]") {
  Random random(101);
  for (int round = 0; round < 10'000; ++round) {
    at_either_end(random);
    check_random_broadcast(round, random);
  }
}

TEST_CASE("max and min give NaN if either operand is NaN, and every operator treats special values as C does") {
  const std::vector<float> special = special_floats();
  std::vector<float> a, b;
  for (const float x : special) {
    for (const float y : special) a.push_back(x), b.push_back(y);
  }
  for (const BinaryOp op : kOperators) {
    BinaryArguments args;
    args.op = op;
    args.size[0] = args.end = static_cast<std::int64_t>(a.size());
    args.a = a.data(), args.b = b.data();
    args.a_stride[0] = args.b_stride[0] = 1;
    const std::vector<float> y = on_every_isa([&](const Table& k) {
      std::vector<float> out(a.size());
      args.y = out.data();
      k.binary(args);
      return out;
    });
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double expected = op == BinaryOp::pow ? std::pow(static_cast<double>(a[i]), static_cast<double>(b[i]))
                                                  : static_cast<double>(right(op, a[i], b[i]));
      if (ulps(y[i], expected) <= (op == BinaryOp::pow ? 2 : 0) &&
          (std::isnan(y[i]) || op == BinaryOp::max || op == BinaryOp::min ||
           std::signbit(y[i]) == std::signbit(expected))) {
        continue;
      }
      INFO("operator " << static_cast<int>(op) << " of " << std::hexfloat << a[i] << " and " << b[i]);
      CHECK(y[i] == static_cast<float>(expected));
    }
  }
}

TEST_CASE("pow keeps its error bound") {
  Random random(3);
  std::vector<float> a, b;
  for (int i = 0; i < 200000; ++i) {
    // Results spread evenly over all exponents, bases near 1 included.
    const double log2_of_base = random.uniform(-1, 1) * std::exp2(random.uniform(-20, 7));
    a.push_back(static_cast<float>(std::exp2(log2_of_base)));
    b.push_back(static_cast<float>(random.uniform(-150, 130) / log2_of_base));
  }
  BinaryArguments args;
  args.op = BinaryOp::pow;
  args.size[0] = args.end = static_cast<std::int64_t>(a.size());
  args.a = a.data(), args.b = b.data();
  args.a_stride[0] = args.b_stride[0] = 1;
  const std::vector<float> y = on_every_isa([&](const Table& k) {
    std::vector<float> out(a.size());
    args.y = out.data();
    k.binary(args);
    return out;
  });
  double worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double error = ulps(y[i], std::pow(static_cast<double>(a[i]), static_cast<double>(b[i])));
    if (error > worst) worst = error, at = i;
  }
  INFO("pow(" << std::hexfloat << a[at] << ", " << b[at] << ") is off by " << std::defaultfloat << worst << " ULP");
  CHECK(worst <= 2);
}

TEST_CASE("square and square root as powers are correctly rounded") {
  const std::vector<float> x = special_floats();
  for (const float exponent : {2.0f, 0.5f}) {
    BinaryArguments args;
    args.op = BinaryOp::pow;
    args.size[0] = args.end = static_cast<std::int64_t>(x.size());
    args.a = x.data(), args.b = &exponent;
    args.a_stride[0] = 1;
    const std::vector<float> y = on_every_isa([&](const Table& k) {
      std::vector<float> out(x.size());
      args.y = out.data();
      k.binary(args);
      return out;
    });
    for (std::size_t i = 0; i < x.size(); ++i) {
      INFO(x[i] << " to the power of " << exponent);
      const auto expected = static_cast<float>(std::pow(static_cast<double>(x[i]), static_cast<double>(exponent)));
      CHECK(bits_of(y[i]) == bits_of(expected));
    }
  }
}

TEST_CASE("blocked binary operators take tensors and one value a channel") {
  at_both_ends();
  Random random(4);
  for (const int width : {1, 2, 7, 13}) {
    for (int kinds = 1; kinds < 4; ++kinds) check_blocked_binary(37, 5, width, kinds, random);
  }
}

TEST_CASE("scale and shift is one fma and a clamp") {
  at_both_ends();
  Random random(5);
  check_scale_shift(40, 4, 9, random);
}

TEST_CASE("guard pages: 5,000 sums, products, scales and shifts of blocked tensors", "[.nightly]") {
  Random random(50);
  for (int round = 0; round < 5'000; ++round) {
    at_either_end(random);
    const int channels = static_cast<int>(random.integer(1, 40)), height = static_cast<int>(random.integer(1, 5)),
              width = static_cast<int>(random.integer(1, 20));
    if (round % 4 == 0) check_scale_shift(channels, height, width, random);
    else check_blocked_binary(channels, height, width, round % 4, random);
  }
}
