// Softmax, normalisation of rows, local response normalisation.
#pragma once

#include "kernels/blocked.h"
#include "kernels/eltwise/eltwise_kernels.h"
#include "kernels/fold.h"
#include "kernels/norm/norm.h"

namespace linnet::kernels::LINNET_ISA {

/// The axis is the innermost one.
static inline void softmax_row(const float* x, float* y, int64_t n, bool logarithm) {
  const auto itself = [](const V& v) LINNET_LAMBDA { return v; };
  const V greatest = V::set(static_cast<float>(fold_row<Maximum>(x, n, itself)));
  if (logarithm) {
    const double total = fold_row<Addition>(x, n, [&](const V& v) LINNET_LAMBDA { return exp(V::sub(v, greatest)); });
    const V log_total = log(V::set(static_cast<float>(total)));
    map(x, y, n, [&](const V& v) LINNET_LAMBDA { return V::sub(V::sub(v, greatest), log_total); });
  } else {
    map(x, y, n, [&](const V& v) LINNET_LAMBDA { return exp(V::sub(v, greatest)); });
    const V total = V::set(static_cast<float>(fold_row<Addition>(y, n, itself)));
    map(y, y, n, [&](const V& v) LINNET_LAMBDA { return V::div(v, total); });
  }
}

/// Up to 16 neighbouring columns.
static inline void softmax_columns(const float* x, float* y, ptrdiff_t row, int64_t n, int lanes, bool logarithm) {
  const V greatest = fold_columns<Maximum>(x, row, n, lanes, [](const V& v) LINNET_LAMBDA { return v; });
  const auto power = [&](const V& v) LINNET_LAMBDA { return exp(V::sub(v, greatest)); };
  const V total = fold_columns<Addition>(x, row, n, lanes, power);
  const V log_total = log(total);
  for (int64_t i = 0; i < n; ++i) {
    const V v = load_lanes(x + i * row, lanes);
    store_lanes(y + i * row, logarithm ? V::sub(V::sub(v, greatest), log_total) : V::div(power(v), total), lanes);
  }
}

static void softmax(const SoftmaxArguments& a) {
  if (a.inner == 1) {
    for (int64_t i = a.begin; i < a.end; ++i) softmax_row(a.x + i * a.n, a.y + i * a.n, a.n, a.logarithm);
    return;
  }
  each_group(a.begin, a.end, a.inner, [&](int64_t outer, int64_t column, int lanes) {
    const int64_t first = outer * a.n * a.inner + column;
    softmax_columns(a.x + first, a.y + first, a.inner, a.n, lanes, a.logarithm);
  });
}

/// Mean and variance in two passes. The first adds differences from x[0], so that a row far from zero loses nothing;
/// the mean stands as a float and a remainder for the same reason.
struct Moments {
  float mean;
  double remainder;  // true mean - mean
  double variance;
};
static inline Moments moments_of(const float* x, int64_t n) {
  const double count = static_cast<double>(n);
  const V first = V::set(x[0]);
  const double shifted = fold_row<Addition>(x, n, [&](const V& v) LINNET_LAMBDA { return V::sub(v, first); });
  const double exact = static_cast<double>(x[0]) + shifted / count;
  const float mean = static_cast<float>(exact);
  const double remainder = exact - static_cast<double>(mean);
  const V m = V::set(mean);
  const double squares = fold_row<Addition>(x, n, [&](const V& v) LINNET_LAMBDA {
    const V d = V::sub(v, m);
    return V::mul(d, d);
  });
  const double variance = squares / count - remainder * remainder;
  return {mean, remainder, variance > 0 || variance != variance ? variance : 0};
}

static void row_norm(const RowNormArguments& a) {
  for (int64_t row = a.begin; row < a.end; ++row) {
    const float* x = a.x + row * a.n;
    float* y = a.y + row * a.n;
    const Moments m = moments_of(x, a.n);
    const double inverse = 1.0 / __builtin_sqrt(m.variance + static_cast<double>(a.eps));
    const double scale = a.scale != nullptr && !a.per_element ? static_cast<double>(a.scale[row % a.channels]) : 1.0;
    const double bias = a.bias != nullptr && !a.per_element ? static_cast<double>(a.bias[row % a.channels]) : 0.0;
    const V mean = V::set(m.mean), factor = V::set(static_cast<float>(inverse * scale));
    const V shift = V::set(static_cast<float>(bias - m.remainder * (inverse * scale)));
    if (!a.per_element) {
      map(x, y, a.n, [&](const V& v) LINNET_LAMBDA { return V::fma(V::sub(v, mean), factor, shift); });
      continue;
    }
    for (int64_t i = 0; i < a.n; i += 16) {
      const int lanes = static_cast<int>(smaller_of(16, a.n - i));
      V v = V::fma(V::sub(load_lanes(x + i, lanes), mean), factor, shift);
      const V s = a.scale != nullptr ? load_lanes(a.scale + i, lanes) : V::set(1.0f);
      const V b = a.bias != nullptr ? load_lanes(a.bias + i, lanes) : V::zero();
      v = V::fma(v, s, b);
      store_lanes(y + i, v, lanes);
    }
  }
}

/// x / (bias + alpha / size * squares)^beta; AlexNet's and GoogLeNet's beta needs no logarithm.
struct LrnFormula {
  V factor, bias, beta;
  float exponent;

  [[gnu::always_inline]] inline V operator()(const V& x, const V& squares) const {
    const V base = V::fma(factor, squares, bias);
    if (exponent == 0.75f) {
      const V root = V::sqrt(base);
      return V::div(x, V::mul(root, V::sqrt(root)));
    }
    return V::div(x, pow(base, beta));
  }
};
template <class Arguments>
static inline LrnFormula lrn_formula(const Arguments& a) {
  const double factor = static_cast<double>(a.alpha) / a.size;
  return {V::set(static_cast<float>(factor)), V::set(a.bias), V::set(a.beta), a.beta};
}

static void lrn(const LrnArguments& a) {
  const LrnFormula formula = lrn_formula(a);
  const int64_t before = (a.size - 1) / 2, after = a.size / 2;
  each_group(a.begin, a.end, a.pixels, [&](int64_t image, int64_t first, int lanes) {
    const float* x = a.x + image * a.channels * a.pixels + first;
    float* y = a.y + image * a.channels * a.pixels + first;
    for (int64_t c = 0; c < a.channels; ++c) {
      const int64_t end = smaller_of(a.channels, c + after + 1);
      V squares = V::zero();
      for (int64_t i = larger_of(0, c - before); i < end; ++i) {
        const V v = load_lanes(x + i * a.pixels, lanes);
        squares = V::add(squares, V::mul(v, v));
      }
      store_lanes(y + c * a.pixels, formula(load_lanes(x + c * a.pixels, lanes), squares), lanes);
    }
  });
}

/// A pixel's squares go into a line of memory with zeros at both ends, where a window over channels is `size` loads
/// that need no alignment. The sums are those of lrn, bit for bit: adding a zero changes nothing.
static void blocked_lrn(const BlockedLrnArguments& a) {
  const LrnFormula formula = lrn_formula(a);
  const int before = (a.size - 1) / 2;
  for (int64_t i = 0; i < lrn_scratch(a.blocks, a.size); ++i) a.scratch[i] = 0;
  for (int64_t image = a.image_begin; image < a.image_end; ++image) {
    for (int row = a.row_begin; row < a.row_end; ++row) {
      const float* x = pixel(a.x, image, 0, row);
      float* y = pixel(a.y, image, 0, row);
      for (int i = 0; i < a.width; ++i, x += kBlock, y += kBlock) {
        for (int block = 0; block < a.blocks; ++block) {
          const V v = V::load(x + block * a.x.plane);
          V::store(a.scratch + before + block * kBlock, V::mul(v, v));
        }
        for (int block = 0; block < a.blocks; ++block) {
          const float* window = a.scratch + block * kBlock;
          V squares = V::zero();
          for (int k = 0; k < a.size; ++k) squares = V::add(squares, V::load(window + k));
          V::store(y + block * a.y.plane, formula(V::load(x + block * a.x.plane), squares));
        }
      }
    }
  }
}

}  // namespace linnet::kernels::LINNET_ISA
