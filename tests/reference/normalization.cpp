#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

namespace {

/// Elements of one channel of one image.
std::int64_t plane_size(const Tensor& x) { return element_count({x.shape.begin() + 2, x.shape.end()}); }

/// The same with the statistics of x itself; the running ones follow them.
Outputs trained_batch_normalization(const Call& call) {
  const Tensor& x = call.in(0);
  const double epsilon = call.attribute("epsilon", to_float(1e-5));
  const double momentum = call.attribute("momentum", to_float(0.9));
  const std::int64_t channels = x.shape[1];
  const std::int64_t plane = plane_size(x);
  Tensor y = call.make(x.type, x.shape);
  Tensor mean = call.make(x.type, {channels});
  Tensor variance = call.make(x.type, {channels});
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto average = [&](const auto& term) {
      double sum = 0;
      std::int64_t count = 0;
      for (std::int64_t i = 0; i < x.size(); ++i) {
        if (i / plane % channels != c) continue;
        sum += term(x.number(i));
        ++count;
      }
      return sum / static_cast<double>(count);
    };
    const double m = average([](double value) { return value; });
    const double v = average([m](double value) { return (value - m) * (value - m); });
    for (std::int64_t i = 0; i < x.size(); ++i) {
      if (i / plane % channels != c) continue;
      y.set(i, (x.number(i) - m) / std::sqrt(v + epsilon) * call.in(1).number(c) + call.in(2).number(c));
    }
    mean.set(c, call.in(3).number(c) * momentum + m * (1 - momentum));
    variance.set(c, call.in(4).number(c) * momentum + v * (1 - momentum));
  }
  return {y, mean, variance};
}

}  // namespace

// y = scale (x - mean) / sqrt(var + epsilon) + bias, per channel.
Outputs batch_normalization(const Call& call) {
  const Tensor& x = call.in(0);
  const double epsilon = call.attribute("epsilon", to_float(1e-5));
  if (call.attribute("training_mode", std::int64_t{0}) != 0) return trained_batch_normalization(call);
  call.require(call.opset() >= 7 || call.attribute("is_test", std::int64_t{0}) != 0, "training is not inference");
  const std::int64_t channels = x.rank() >= 2 ? x.shape[1] : 1;
  const std::int64_t plane = x.rank() >= 2 ? plane_size(x) : 1;
  for (std::size_t i = 1; i <= 4; ++i) {
    // spatial = 0 with statistics per channel is what MXNet writes, and means the same.
    call.require(call.in(i).size() == channels, "the statistics are not per channel");
  }
  Tensor y = call.make(x.type, x.shape);
  y.terms = x.terms;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t c = i / plane % channels;
    const double factor = call.in(1).number(c) / std::sqrt(call.in(4).number(c) + epsilon);
    const double shift = call.in(2).number(c) - call.in(3).number(c) * factor;
    y.set(i, (x.number(i) - call.in(3).number(c)) * factor + call.in(2).number(c));
    // The engine folds the factor in double, and may add the shift to the sum behind x.
    const double magnitude = (std::fabs(x.number(i)) + x.error(i)) * std::fabs(factor) + std::fabs(shift) +
                             std::fabs(call.in(2).number(c)) + std::fabs(call.in(3).number(c) * factor);
    y.set_error(i, x.error(i) * std::fabs(factor) + sum_factor(x.terms) * magnitude);
  }
  return {y};
}

Outputs scale_shift(const Call& call) {
  const Tensor& x = call.in(0);
  const std::int64_t plane = plane_size(x);
  Tensor y = call.make(x.type, x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t c = i / plane % x.shape[1];
    const double scale = call.in(1).number(c);
    const double shift = call.in(2).number(c);
    y.set(i, x.number(i) * scale + shift);
    const double magnitude = (std::fabs(x.number(i)) + x.error(i)) * std::fabs(scale) + std::fabs(shift);
    y.set_error(i, x.error(i) * std::fabs(scale) + sum_factor(0) * magnitude);
  }
  activate(call, y);
  return {y};
}

namespace {

struct Moments {
  double mean = 0;
  double variance = 0;
  double largest = 0;        // of |x|
  double largest_error = 0;  // of the inputs
};

/// Population mean and variance of elements [first, first + count).
Moments moments_of(const Tensor& x, std::int64_t first, std::int64_t count) {
  Moments moments;
  for (std::int64_t i = first; i < first + count; ++i) {
    moments.mean += x.number(i);
    moments.largest = std::max(moments.largest, std::fabs(x.number(i)));
    moments.largest_error = std::max(moments.largest_error, x.error(i));
  }
  moments.mean /= static_cast<double>(count);
  for (std::int64_t i = first; i < first + count; ++i) {
    const double difference = x.number(i) - moments.mean;
    moments.variance += difference * difference;
  }
  moments.variance /= static_cast<double>(count);
  return moments;
}

/// Bound on the error of (x - mean) / sqrt(variance + epsilon), coarse: each input may be off by `off`, so may the mean,
/// and the standard deviation (which changes by no more than its inputs do).
double normalized_error(const Moments& moments, double deviation, double normalized, double count) {
  const double off = moments.largest_error + 2 * sum_factor(count) * (moments.largest + moments.largest_error);
  if (2 * off >= deviation) return std::numeric_limits<double>::infinity();
  return 2 * off * (1 + std::fabs(normalized)) / (deviation - 2 * off) + 8 * kUnitRoundoff * std::fabs(normalized);
}

}  // namespace

Outputs instance_normalization(const Call& call) {
  const Tensor& x = call.in(0);
  const double epsilon = call.attribute("epsilon", to_float(1e-5));
  const std::int64_t plane = plane_size(x);
  Tensor y = call.make(x.type, x.shape);
  for (std::int64_t first = 0; first < x.size(); first += plane) {
    const std::int64_t c = first / plane % x.shape[1];
    const Moments moments = moments_of(x, first, plane);
    const double deviation = std::sqrt(moments.variance + epsilon);
    for (std::int64_t i = first; i < first + plane; ++i) {
      const double normalized = (x.number(i) - moments.mean) / deviation;
      const double scale = call.in(1).number(c);
      const double bias = call.in(2).number(c);
      y.set(i, scale * normalized + bias);
      y.set_error(i, std::fabs(scale) * normalized_error(moments, deviation, normalized, static_cast<double>(plane)) +
                         sum_factor(0) * (std::fabs(scale * normalized) + std::fabs(bias)));
    }
  }
  return {y};
}

namespace {

/// Input i, broadcast to input 0, at element `flat`.
double parameter_at(const Call& call, std::size_t i, std::int64_t flat) {
  const Shape& shape = call.in(0).shape;
  Shape index(shape.size(), 0);
  for (std::size_t axis = shape.size(); axis-- > 0; flat /= shape[axis]) index[axis] = flat % shape[axis];
  return call.in(i).number(broadcast_position(call.in(i).shape, index));
}

}  // namespace

Outputs layer_normalization(const Call& call) {
  const Tensor& x = call.in(0);
  const double epsilon = call.attribute("epsilon", to_float(1e-5));
  const std::int64_t axis = call.axis(call.attribute("axis", std::int64_t{-1}), x.rank());
  const Shape outer(x.shape.begin(), x.shape.begin() + axis);
  const std::int64_t inner = element_count({x.shape.begin() + axis, x.shape.end()});
  Shape reduced = outer;
  reduced.resize(x.shape.size(), 1);
  Tensor y = call.make(x.type, x.shape);
  Tensor means = call.make(Type::float32, reduced);
  Tensor inverses = call.make(Type::float32, reduced);
  for (std::int64_t row = 0; row < element_count(outer); ++row) {
    const Moments moments = moments_of(x, row * inner, inner);
    const double deviation = std::sqrt(moments.variance + epsilon);
    means.set(row, moments.mean);
    inverses.set(row, 1 / deviation);
    for (std::int64_t i = 0; i < inner; ++i) {
      const std::int64_t at = row * inner + i;
      const double normalized = (x.number(at) - moments.mean) / deviation;
      const double scale = parameter_at(call, 1, at);
      const double bias = call.has(2) ? parameter_at(call, 2, at) : 0.0;
      y.set(at, normalized * scale + bias);
      y.set_error(at, std::fabs(scale) * normalized_error(moments, deviation, normalized, static_cast<double>(inner)) +
                          sum_factor(0) * (std::fabs(scale * normalized) + std::fabs(bias)));
    }
  }
  return {y, means, inverses};
}

// y = scale * x / sqrt(mean of squares + epsilon).
Outputs rms_normalization(const Call& call) {
  const Tensor& x = call.in(0);
  const double epsilon = call.attribute("epsilon", to_float(1e-5));
  const std::int64_t axis = call.axis(call.attribute("axis", std::int64_t{-1}), x.rank());
  const std::int64_t inner = element_count({x.shape.begin() + axis, x.shape.end()});
  Tensor y = call.make(x.type, x.shape);
  for (std::int64_t at = 0; at < x.size(); ++at) {
    double squares = 0, square_errors = 0;
    for (std::int64_t i = at / inner * inner; i < (at / inner + 1) * inner; ++i) {
      squares += x.number(i) * x.number(i);
      square_errors += product_error(x.number(i), x.error(i), x.number(i), x.error(i));
    }
    const double mean = squares / static_cast<double>(inner) + epsilon;
    const double scale = parameter_at(call, 1, at);
    y.set(at, scale * x.number(at) / std::sqrt(mean));
    // The root's relative error is half of the mean's.
    const double relative =
        0.5 * square_errors / static_cast<double>(inner) / mean + sum_factor(static_cast<double>(inner));
    y.set_error(at,
                std::fabs(y.number(at)) * relative + std::fabs(scale) * x.error(at) / std::sqrt(mean) * (1 + relative));
  }
  return {y};
}

// y = x / (bias + alpha / size * sum of squares over the neighbouring channels) ^ beta.
Outputs lrn(const Call& call) {
  const Tensor& x = call.in(0);
  const double alpha = call.attribute("alpha", to_float(1e-4));
  const double beta = call.attribute("beta", 0.75);
  const double bias = call.attribute("bias", 1.0);
  const std::int64_t size = call.attribute("size", std::int64_t{0});
  const std::int64_t plane = plane_size(x);
  const std::int64_t channels = x.shape[1];
  Tensor y = call.make(x.type, x.shape);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t c = i / plane % channels;
    const std::int64_t base = i - c * plane;
    const std::int64_t first = std::max<std::int64_t>(0, c - (size - 1) / 2);
    const std::int64_t last = std::min(channels - 1, c + size / 2);
    double squares = 0, square_errors = 0;
    for (std::int64_t k = first; k <= last; ++k) {
      const double value = x.number(base + k * plane);
      const double error = x.error(base + k * plane);
      squares += value * value;
      square_errors += product_error(value, error, value, error);
    }
    const double inner = bias + alpha / static_cast<double>(size) * squares;
    const double divisor = std::pow(inner, beta);
    y.set(i, x.number(i) / divisor);
    // The divisor's relative error is beta times that of its base; the power function itself is good to a few ulp.
    const double off =
        alpha / static_cast<double>(size) * square_errors / inner + sum_factor(static_cast<double>(size));
    const double relative = std::fabs(beta) * off / (1 - off) + 16 * kUnitRoundoff * (1 + std::fabs(std::log(inner)));
    y.set_error(i, (x.error(i) + relative * (std::fabs(x.number(i)) + x.error(i))) / (divisor * (1 - relative)));
  }
  return {y};
}

namespace {

struct Rows {
  std::int64_t outer, length, inner;
  [[nodiscard]] std::int64_t at(std::int64_t o, std::int64_t i, std::int64_t k) const {
    return (o * length + k) * inner + i;
  }
};

/// From opset 13 the normalization runs along one axis; before, along all axes from `axis` on.
Rows rows_of(const Call& call, const Tensor& x) {
  const std::int64_t axis =
      call.axis(call.attribute("axis", std::int64_t{call.opset() >= 13 ? -1 : 1}), std::max<std::int64_t>(x.rank(), 1));
  const Shape outer(x.shape.begin(), x.shape.begin() + axis);
  if (call.opset() < 13) {
    return {element_count(outer), element_count({x.shape.begin() + axis, x.shape.end()}), 1};
  }
  return {element_count(outer), x.shape[static_cast<std::size_t>(axis)],
          element_count({x.shape.begin() + axis + 1, x.shape.end()})};
}

Outputs softmax_or_log(const Call& call, bool logarithm) {
  const Tensor& x = call.in(0);
  const Rows rows = rows_of(call, x);
  Tensor y = call.make(x.type, x.shape);
  for (std::int64_t o = 0; o < rows.outer; ++o) {
    for (std::int64_t i = 0; i < rows.inner; ++i) {
      double largest = -std::numeric_limits<double>::infinity();
      double error = 0;
      for (std::int64_t k = 0; k < rows.length; ++k) {
        largest = std::max(largest, x.number(rows.at(o, i, k)));
        error = std::max(error, x.error(rows.at(o, i, k)));
      }
      double sum = 0;
      for (std::int64_t k = 0; k < rows.length; ++k) sum += std::exp(x.number(rows.at(o, i, k)) - largest);
      for (std::int64_t k = 0; k < rows.length; ++k) {
        const std::int64_t at = rows.at(o, i, k);
        const double shifted = x.number(at) - largest;
        // Numerator and denominator each change by a factor of at most exp(2 error) and the engine's exp is good to a few ulp.
        const double argument = std::fabs(shifted) * kUnitRoundoff * 2;
        const double relative =
            std::expm1(4 * error + argument) + sum_factor(static_cast<double>(rows.length)) + 16 * kUnitRoundoff;
        y.set(at, logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum);
        y.set_error(at, logarithm ? relative + std::fabs(y.number(at)) * 16 * kUnitRoundoff
                                  : y.number(at) * relative + 2 * kSmallestRoundoff);
      }
    }
  }
  return {y};
}

}  // namespace

Outputs softmax(const Call& call) { return softmax_or_log(call, false); }
Outputs log_softmax(const Call& call) { return softmax_or_log(call, true); }

}  // namespace linnet::reference
