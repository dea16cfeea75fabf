#include <algorithm>
#include <cmath>

#include "reference/bounds.h"
#include "reference/call.h"
#include "reference/window.h"

namespace linnet::reference {

namespace {

struct Sum {
  double value = 0;
  double magnitude = 0;   // sum of |x w|, and of |bias|
  double propagated = 0;  // error that the inputs bring along

  void add(double x, double ex, double w, double ew) {
    value += x * w;
    magnitude += (std::fabs(x) + ex) * (std::fabs(w) + ew);
    propagated += product_error(x, ex, w, ew);
  }
  void add(double b, double eb) {
    value += b;
    magnitude += std::fabs(b) + eb;
    propagated += eb;
  }
};

class Convolution {
 public:
  Convolution(const Call& call, const Tensor& x, const Tensor& w, const Tensor* bias, const Tensor* weight_scale,
              const Tensor* residual)
      : call_(call), x_(x), w_(w), bias_(bias), weight_scale_(weight_scale), residual_(residual) {
    call.require(w.rank() == x.rank(), "input and weights differ in rank");
    window_ = make_window(call, x.shape, {w.shape.begin() + 2, w.shape.end()});
    group_ = call.attribute("group", std::int64_t{1});
    call.require(group_ > 0 && x.shape[1] == w.shape[1] * group_, "channels of the input do not fit the weights");
    call.require(w.shape[0] % group_ == 0, "output channels are not a multiple of group");
    terms_ = static_cast<double>(w.shape[1] * volume(window_.kernel));
    for (std::int64_t i = 0; i < x.size(); ++i) largest_ = std::max(largest_, std::fabs(x.number(i)) + x.error(i));
    if (!call.options().winograd || window_.dilation != Extents{1, 1, 1} || window_.kernel[0] != 1) return;
    if (window_.kernel == Extents{1, 3, 3} && window_.stride == Extents{1, 1, 1})
      amplification_ = kWinogradAmplification;
    if (window_.kernel == Extents{1, 3, 3} && window_.stride == Extents{1, 2, 2})
      amplification_ = kWinogradAmplification2;
    const auto [depth, height, width] = window_.kernel;
    if (std::min(height, width) >= 5 && std::max(height, width) <= 8 && window_.stride == Extents{1, 2, 2})
      amplification_ = kWinogradAmplification4;
  }

  Tensor compute() {
    Tensor y = call_.make(x_.type, with_spatial(x_.shape[0], w_.shape[0], window_.output, x_.shape));
    y.terms = terms_;
    if (residual_ != nullptr) call_.require(residual_->shape == y.shape, "the residual has another shape");
    for (std::int64_t n = 0; n < x_.shape[0]; ++n) {
      for (std::int64_t m = 0; m < w_.shape[0]; ++m) {
        const std::int64_t plane = (n * w_.shape[0] + m) * volume(window_.output);
        for_each(window_.output, [&](std::int64_t d, std::int64_t h, std::int64_t w) {
          const std::int64_t i = plane + position(window_.output, d, h, w);
          const Sum sum = at(n, m, {d, h, w}, i);
          y.set(i, sum.value);
          y.set_error(i, error(m, sum));
        });
      }
    }
    return y;
  }

 private:
  [[nodiscard]] double scale(std::int64_t m) const { return weight_scale_ != nullptr ? weight_scale_->number(m) : 1.0; }

  Sum at(std::int64_t n, std::int64_t m, const Extents& out, std::int64_t i) const {
    Sum sum;
    if (bias_ != nullptr) sum.add(bias_->number(m), bias_->error(m));
    if (residual_ != nullptr) sum.add(residual_->number(i), residual_->error(i));
    const std::int64_t channels = w_.shape[1];
    const std::int64_t first = m / (w_.shape[0] / group_) * channels;
    const double factor = scale(m);
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t x_plane = (n * x_.shape[1] + first + c) * volume(window_.input);
      const std::int64_t w_plane = (m * channels + c) * volume(window_.kernel);
      for_each(window_.kernel, [&](std::int64_t kd, std::int64_t kh, std::int64_t kw) {
        const std::int64_t d = window_.source(0, out[0], kd);
        const std::int64_t h = window_.source(1, out[1], kh);
        const std::int64_t w = window_.source(2, out[2], kw);
        if (!window_.inside(0, d) || !window_.inside(1, h) || !window_.inside(2, w)) return;
        const std::int64_t x_at = x_plane + position(window_.input, d, h, w);
        const std::int64_t w_at = w_plane + position(window_.kernel, kd, kh, kw);
        sum.add(x_.number(x_at), x_.error(x_at), w_.number(w_at) * factor, w_.error(w_at) * std::fabs(factor));
      });
    }
    return sum;
  }

  [[nodiscard]] double error(std::int64_t m, const Sum& sum) const {
    double magnitude = sum.magnitude;
    if (amplification_ > 0) {
      double weights = 0;
      const std::int64_t count = element_count(w_.shape) / w_.shape[0];
      for (std::int64_t i = m * count; i < (m + 1) * count; ++i) weights += std::fabs(w_.number(i) * scale(m));
      magnitude += amplification_ * largest_ * weights;
    }
    return sum.propagated + sum_factor(terms_) * magnitude;
  }

  const Call& call_;
  const Tensor& x_;
  const Tensor& w_;
  const Tensor* bias_;
  const Tensor* weight_scale_;
  const Tensor* residual_;
  Window window_;
  std::int64_t group_ = 1;
  double terms_ = 0;
  double largest_ = 0;
  double amplification_ = 0;  // of Winograd; 0: the engine computes the sums themselves
};

const Tensor* optional(const Call& call, std::size_t i) { return call.has(i) ? &call.in(i) : nullptr; }

}  // namespace

Outputs conv(const Call& call) {
  return {Convolution(call, call.in(0), call.in(1), optional(call, 2), nullptr, nullptr).compute()};
}

Outputs fused_conv(const Call& call) {
  Tensor y =
      Convolution(call, call.in(0), call.in(1), optional(call, 2), optional(call, 3), optional(call, 4)).compute();
  activate(call, y);
  return {y};
}

// Each input element is spread over the output, times the kernel.
Outputs conv_transpose(const Call& call) {
  const Tensor& x = call.in(0);
  const Tensor& w = call.in(1);  // [C, M/group, kernel...]
  const Window window = make_transpose_window(call, x.shape, {w.shape.begin() + 2, w.shape.end()});
  const std::int64_t group = call.attribute("group", std::int64_t{1});
  call.require(x.shape[1] == w.shape[0] && w.shape[0] % group == 0, "channels of the input do not fit the weights");
  const std::int64_t in_channels = w.shape[0] / group;
  const std::int64_t out_channels = w.shape[1];
  Tensor y = call.make(x.type, with_spatial(x.shape[0], out_channels * group, window.output, x.shape));
  std::vector<Sum> sums(static_cast<std::size_t>(y.size()));
  y.terms = static_cast<double>(in_channels * volume(window.kernel));

  for (std::int64_t n = 0; n < x.shape[0]; ++n) {
    for (std::int64_t c = 0; c < x.shape[1]; ++c) {
      const std::int64_t x_plane = (n * x.shape[1] + c) * volume(window.input);
      for (std::int64_t m = 0; m < out_channels; ++m) {
        const std::int64_t y_plane =
            (n * out_channels * group + c / in_channels * out_channels + m) * volume(window.output);
        const std::int64_t w_plane = (c * out_channels + m) * volume(window.kernel);
        for_each(window.input, [&](std::int64_t d, std::int64_t h, std::int64_t v) {
          const std::int64_t x_at = x_plane + position(window.input, d, h, v);
          for_each(window.kernel, [&](std::int64_t kd, std::int64_t kh, std::int64_t kw) {
            const Extents out = {window.source(0, d, kd), window.source(1, h, kh), window.source(2, v, kw)};
            for (std::size_t axis = 0; axis < 3; ++axis) {
              if (out[axis] < 0 || out[axis] >= window.output[axis]) return;
            }
            const std::int64_t w_at = w_plane + position(window.kernel, kd, kh, kw);
            Sum& sum = sums[static_cast<std::size_t>(y_plane + position(window.output, out[0], out[1], out[2]))];
            sum.add(x.number(x_at), x.error(x_at), w.number(w_at), w.error(w_at));
          });
        });
      }
    }
  }
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Sum& sum = sums[static_cast<std::size_t>(i)];
    const std::int64_t m = i / volume(window.output) % (out_channels * group);
    if (call.has(2)) sum.add(call.in(2).number(m), call.in(2).error(m));
    y.set(i, sum.value);
    y.set_error(i, sum.propagated + sum_factor(y.terms) * sum.magnitude);
  }
  return {y};
}

}  // namespace linnet::reference
