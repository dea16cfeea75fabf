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

/// Sets [begin, end) to a third, then to the rest.
template <class Kernel, class Arguments>
void in_two_parts(Kernel kernel, Arguments args, std::int64_t n) {
  args.begin = n / 3, args.end = n;
  kernel(args);
  args.begin = 0, args.end = n / 3;
  kernel(args);
}

void check_softmax(std::int64_t outer, std::int64_t n, std::int64_t inner, bool logarithm, float size, Random& random) {
  INFO(outer << "x" << n << "x" << inner << (logarithm ? ", logarithm" : "") << ", values up to " << size);
  const GuardBuffer x(random_floats(random, static_cast<std::size_t>(outer * n * inner), size));
  const std::vector<float> y = on_every_isa([&](const Table& k) {
    GuardBuffer out(x.values());  // in place
    SoftmaxArguments args;
    args.x = args.y = out.data();
    args.n = n, args.inner = inner, args.logarithm = logarithm;
    in_two_parts(k.softmax, args, outer * inner);
    return out.values();
  });
  double worst = 0;
  for (std::int64_t i = 0; i < outer * inner; ++i) {
    const std::int64_t first = i / inner * n * inner + i % inner;
    double greatest = -INFINITY, total = 0;
    const auto at = [&](std::int64_t j) { return static_cast<double>(x.data()[first + j * inner]); };
    for (std::int64_t j = 0; j < n; ++j) greatest = std::max(greatest, at(j));
    for (std::int64_t j = 0; j < n; ++j) total += std::exp(at(j) - greatest);
    for (std::int64_t j = 0; j < n; ++j) {
      const double d = at(j) - greatest, found = static_cast<double>(y[static_cast<std::size_t>(first + j * inner)]);
      // exp multiplies the rounding error of x - max by x - max; the sum adds its depth; the logarithm takes two
      // subtractions.
      const double depth = 8 + 64 + static_cast<double>(n) / 64;
      const double error = logarithm
                               ? std::fabs(found - (d - std::log(total))) / (2 * std::fabs(d) + std::log(total) + depth)
                               : std::fabs(found / (std::exp(d) / total) - 1) / (std::fabs(d) + depth);
      if (logarithm || std::exp(d) / total > 1e-37) worst = std::max(worst, error);
    }
  }
  CHECK(worst <= 0x1p-24);
}

struct Row {
  double mean = 0, variance = 0;
};
Row moments(const float* x, std::int64_t n) {
  Row r;
  for (std::int64_t i = 0; i < n; ++i) r.mean += static_cast<double>(x[i]) / static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i)
    r.variance += std::pow(static_cast<double>(x[i]) - r.mean, 2) / static_cast<double>(n);
  return r;
}

void check_row_norm(RowNormArguments args, std::int64_t rows, float offset, Random& random) {
  INFO(rows << " rows of " << args.n << (args.per_element ? ", per element" : "") << ", offset " << offset);
  std::vector<float> values = random_floats(random, static_cast<std::size_t>(rows * args.n));
  for (float& v : values) v += offset;
  const GuardBuffer x(values);
  const auto parameters = static_cast<std::size_t>(args.per_element ? args.n : args.channels);
  const GuardBuffer scale(random_floats(random, parameters)), bias(random_floats(random, parameters));
  args.eps = 1e-5f;
  if (args.n % 5 != 0) args.scale = scale.data();
  if (args.n % 7 != 0) args.bias = bias.data();
  const std::vector<float> y = on_every_isa([&](const Table& k) {
    GuardBuffer out(values);  // in place
    args.x = args.y = out.data();
    in_two_parts(k.row_norm, args, rows);
    return out.values();
  });
  double worst = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* p = x.data() + row * args.n;
    const Row m = moments(p, args.n);
    for (std::int64_t i = 0; i < args.n; ++i) {
      const std::int64_t c = args.per_element ? i : row % args.channels;
      const double s = args.scale ? static_cast<double>(scale.data()[c]) : 1,
                   b = args.bias ? static_cast<double>(bias.data()[c]) : 0;
      const double unit = (static_cast<double>(p[i]) - m.mean) / std::sqrt(m.variance + static_cast<double>(args.eps));
      const double error =
          std::fabs(static_cast<double>(y[static_cast<std::size_t>(row * args.n + i)]) - (unit * s + b));
      worst = std::max(worst, error / (std::fabs(unit * s) + std::fabs(s) + std::fabs(b)));
    }
  }
  CHECK(worst <= 32 * 0x1p-24);  // of which the variance's pieces of 1024 are up to 22 deep
}

double lrn_of(double x, double squares, const LrnArguments& a) {
  return x * std::pow(static_cast<double>(a.bias) + static_cast<double>(a.alpha) / a.size * squares,
                      -static_cast<double>(a.beta));
}

/// In both layouts.
void check_lrn(int channels, int height, int width, int size, float beta, Random& random) {
  INFO(channels << "x" << height << "x" << width << ", " << size << " channels, to the power of " << beta);
  const int pixels = height * width;
  LrnArguments args;
  args.channels = channels, args.pixels = pixels, args.size = size, args.alpha = 0.5f, args.beta = beta,
  args.bias = 1.5f;
  const GuardBuffer x(random_floats(random, static_cast<std::size_t>(2 * channels * pixels), 3));
  args.x = x.data();
  const std::vector<float> y = on_every_isa([&](const Table& k) {
    GuardBuffer out(x.size());
    args.y = out.data();
    in_two_parts(k.lrn, args, 2 * pixels);
    return out.values();
  });
  const auto at = [&](const float* p, int n, int c, int i) {
    return static_cast<double>(p[(n * channels + c) * pixels + i]);
  };
  double worst = 0;
  for (int n = 0; n < 2; ++n) {
    for (int c = 0; c < channels; ++c) {
      for (int i = 0; i < pixels; ++i) {
        double squares = 0;
        for (int j = std::max(0, c - (size - 1) / 2); j <= std::min(channels - 1, c + size / 2); ++j) {
          squares += std::pow(at(x.data(), n, j, i), 2);
        }
        worst = std::max(worst,
                         ulps(static_cast<float>(at(y.data(), n, c, i)), lrn_of(at(x.data(), n, c, i), squares, args)));
      }
    }
  }
  CHECK(worst <= size + 6);
  on_every_isa([&](const Table& k) {
    BlockedBuffer blocked(2, channels, height, width, 1);
    for (int c = 0; c < blocked.blocks() * 16; ++c) {
      for (int i = 0; i < 2 * pixels; ++i) {
        const float v = c < channels ? static_cast<float>(at(x.data(), i / pixels, c, i % pixels)) : 0.0f;
        blocked.at(i / pixels, c, i % pixels / width, i % width) = v;
      }
    }
    GuardBuffer scratch(static_cast<std::size_t>(lrn_scratch(blocked.blocks(), size)));
    BlockedLrnArguments b;
    b.x = blocked.source(), b.y = blocked.target(), b.blocks = blocked.blocks(), b.width = width;
    b.size = size, b.alpha = args.alpha, b.beta = beta, b.bias = args.bias, b.scratch = scratch.data();
    b.image_end = 2, b.row_end = height;
    k.blocked_lrn(b);
    int wrong = 0;
    blocked.each([&](int n, int c, int h, int w) {
      wrong += static_cast<double>(blocked.at(n, c, h, w)) != at(y.data(), n, c, h * width + w);
    });
    CHECK(wrong == 0);
    return blocked.values();
  });
}

}  // namespace

TEST_CASE("softmax handles every length, along the innermost axis and along others") {
  at_both_ends();
  Random random(1);
  for (std::int64_t n = 1; n <= 40; ++n) {
    for (const bool logarithm : {false, true}) {
      check_softmax(3, n, 1, logarithm, 10, random);
      check_softmax(2, 5, n, logarithm, 10, random);
      check_softmax(1, n * 67, 1 + n % 3, logarithm, 80, random);
    }
  }
}

TEST_CASE("softmax is stable, and NaN where there is no answer") {
  for (const Table* k : runnable_tables()) {
    for (const std::int64_t inner : {1, 2}) {
      float x[6] = {3e38f, 3e38f, 3e38f, 3e38f, -3e38f, -3e38f}, y[6];
      SoftmaxArguments args;
      args.x = x, args.y = y, args.n = 6 / inner, args.inner = inner, args.end = inner;
      k->softmax(args);
      CHECK(y[0] == (inner == 1 ? 0.25f : 0.5f));
      CHECK(y[5] == 0);
      x[0] = NAN;
      k->softmax(args);
      CHECK(std::isnan(y[4]));
    }
  }
}

TEST_CASE("rows are normalised as layers and as instances, far from zero too") {
  at_both_ends();
  Random random(2);
  for (std::int64_t n = 2; n <= 40; ++n) {
    for (const bool per_element : {false, true}) {
      for (const float offset : {0.0f, 100.0f}) {
        RowNormArguments args;
        args.n = n, args.per_element = per_element, args.channels = 3;
        check_row_norm(args, 6, offset, random);
        args.n = n * 211;
        check_row_norm(args, 2, offset, random);
      }
    }
  }
}

TEST_CASE("local response normalisation is the same in both layouts") {
  at_both_ends();
  Random random(3);
  for (const int channels : {1, 5, 16, 33}) {
    for (const int size : {1, 3, 4, 5, 9}) {
      for (const float beta : {0.75f, 0.5f, 1.3f}) check_lrn(channels, 3, 7, size, beta, random);
    }
  }
}

TEST_CASE("guard pages: 10,000 softmaxes and normalisations", "[.nightly]") {
  Random random(121);
  const auto any = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
  for (int round = 0; round < 4'000; ++round) {
    at_either_end(random);
    check_softmax(any(1, 3), any(1, round % 10 == 0 ? 1500 : 60), any(1, round % 10 == 0 ? 3 : 40), random.chance(0.5),
                  10, random);
  }
  for (int round = 0; round < 4'000; ++round) {
    at_either_end(random);
    RowNormArguments args;
    args.n = any(2, round % 10 == 0 ? 2500 : 80), args.per_element = random.chance(0.5), args.channels = 3;
    check_row_norm(args, any(1, 6), random.chance(0.5) ? 0.0f : 100.0f, random);
  }
  for (int round = 0; round < 1'000; ++round) {  // of two cases each
    at_either_end(random);
    check_lrn(any(1, 40), any(1, 4), any(1, 12), any(1, 9), random.chance(0.5) ? 0.75f : 1.3f, random);
  }
}
