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

struct Shape {
  int channels, in_h, in_w, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left,
      pad_bottom, pad_right;
  int out_h() const { return (in_h + pad_top + pad_bottom - (kernel_h - 1) * dilation_h - 1) / stride_h + 1; }
  int out_w() const { return (in_w + pad_left + pad_right - (kernel_w - 1) * dilation_w - 1) / stride_w + 1; }
  bool sound() const {
    return in_h + pad_top + pad_bottom > (kernel_h - 1) * dilation_h &&
           in_w + pad_left + pad_right > (kernel_w - 1) * dilation_w;
  }
};

void check(const Shape& s, bool with_bias, bool with_residual, Random& random) {
  INFO(s.channels << "x" << s.in_h << "x" << s.in_w << ", kernel " << s.kernel_h << "x" << s.kernel_w << ", strides "
                  << s.stride_h << " " << s.stride_w << ", dilations " << s.dilation_h << " " << s.dilation_w
                  << ", pads " << s.pad_top << " " << s.pad_left << (with_bias ? ", bias" : "")
                  << (with_residual ? ", residual" : ""));
  BlockedBuffer x(2, s.channels, s.in_h, s.in_w, static_cast<int>(random.integer(0, 1)));
  BlockedBuffer residual(2, s.channels, s.out_h(), s.out_w());
  x.fill(random);
  residual.fill(random);
  const int taps = s.kernel_h * s.kernel_w;
  GuardBuffer weights(random_floats(random, static_cast<std::size_t>(x.blocks() * taps * 16)));
  GuardBuffer bias(random_floats(random, static_cast<std::size_t>(x.blocks() * 16)));
  DepthwiseArguments args;
  args.x = x.source(), args.weights = weights.data(), args.blocks = x.blocks();
  if (with_bias) args.bias = bias.data();
  args.in_h = s.in_h, args.in_w = s.in_w, args.out_w = s.out_w();
  args.kernel_h = s.kernel_h, args.kernel_w = s.kernel_w, args.stride_h = s.stride_h, args.stride_w = s.stride_w;
  args.dilation_h = s.dilation_h, args.dilation_w = s.dilation_w, args.pad_top = s.pad_top, args.pad_left = s.pad_left;
  args.clamp = {-0.75f, 6.0f};
  BlockedBuffer y(2, s.channels, s.out_h(), s.out_w(), 1);
  const std::vector<float> values = on_every_isa([&](const Table& k) {
    BlockedBuffer out(2, s.channels, s.out_h(), s.out_w(), 1);
    args.y = out.target();
    if (with_residual) {  // in place: the output begins as the residual
      out.each([&](int n, int c, int h, int w) { out.at(n, c, h, w) = residual.at(n, c, h, w); });
      for (int c = s.channels; c < out.blocks() * 16; ++c) out.at(0, c, 0, 0) = 0;
      args.residual = out.source();
    }
    run_in_parts(k.depthwise, args, out.all());
    return out.values();
  });
  std::copy(values.begin(), values.end(), y.memory.data());
  int wrong = 0;
  y.each([&](int n, int c, int oy, int ox) {
    double sum = (with_bias ? static_cast<double>(bias.data()[c]) : 0) +
                 (with_residual ? static_cast<double>(residual.at(n, c, oy, ox)) : 0);
    for (int kh = 0; kh < s.kernel_h; ++kh) {
      for (int kw = 0; kw < s.kernel_w; ++kw) {
        const int iy = oy * s.stride_h - s.pad_top + kh * s.dilation_h,
                  ix = ox * s.stride_w - s.pad_left + kw * s.dilation_w;
        if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
        sum += static_cast<double>(x.at(n, c, iy, ix)) *
               static_cast<double>(weights.data()[((c / 16 * s.kernel_h + kh) * s.kernel_w + kw) * 16 + c % 16]);
      }
    }
    const double expected = std::fmin(6.0, std::fmax(-0.75, sum));
    wrong += !(std::fabs(static_cast<double>(y.at(n, c, oy, ox)) - expected) <= 0x1p-24 * (taps + 3) * 2);
  });
  CHECK(wrong == 0);
}

void check_random_depthwise(Random& random) {
  const auto any = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
  for (;;) {
    const Shape s = {any(1, 40), any(1, 12), any(1, 30), any(1, 7), any(1, 7), any(1, 3), any(1, 3),
                     any(1, 3),  any(1, 3),  any(0, 4),  any(0, 4), any(0, 4), any(0, 4)};
    if (s.sound()) return check(s, random.chance(0.7), random.chance(0.3), random);
  }
}

}  // namespace

TEST_CASE("depthwise convolution handles every width with the fast filters") {
  at_both_ends();
  Random random(1);
  for (const int kernel : {3, 5}) {
    for (const int stride : {1, 2}) {
      for (int width = 1; width <= 40; ++width) {
        const int pad = kernel / 2;
        const Shape s = {width % 2 ? 16 : 20, 6, width, kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad};
        check(s, width % 3 != 0, width % 4 == 0, random);
      }
    }
  }
}

TEST_CASE("K15: depthwise convolution handles any filter, stride, dilation and padding") {
  at_both_ends();
  Random random(2);
  for (int round = 0; round < 200; ++round) check_random_depthwise(random);
}

TEST_CASE("guard pages: 7,000 depthwise convolutions", "[.nightly]") {
  Random random(20);
  for (int round = 0; round < 7'000; ++round) {
    at_either_end(random);
    check_random_depthwise(random);
  }
}
