// Fourier transforms, each number from the sum that defines it; windows.
#include <cmath>
#include <complex>

#include "reference/call.h"

namespace linnet::reference {

namespace {

using Complex = std::complex<double>;

std::vector<Complex> transformed(const std::vector<Complex>& x, bool inverse) {
  const auto n = static_cast<double>(x.size());
  std::vector<Complex> y(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double turns = static_cast<double>(i * k % x.size()) / n;
      y[k] += x[i] * std::polar(1.0, (inverse ? 2 : -2) * M_PI * turns);
    }
    if (inverse) y[k] /= n;
  }
  return y;
}

Complex element(const Tensor& x, std::int64_t i) {
  return x.shape.back() == 2 ? Complex(x.number(2 * i), x.number(2 * i + 1)) : Complex(x.number(i), 0);
}

}  // namespace

Outputs dft(const Call& call) {
  const Tensor& x = call.in(0);
  const bool inverse = call.attribute("inverse", std::int64_t{0}) != 0;
  const bool onesided = call.attribute("onesided", std::int64_t{0}) != 0;
  std::int64_t axis = call.opset() < 20 ? call.attribute("axis", std::int64_t{1}) : -2;
  if (call.opset() >= 20 && call.has(2)) axis = call.in(2).integer(0);
  const auto along = static_cast<std::size_t>(call.axis(axis, x.rank()));
  const std::int64_t extent = x.shape[along];
  const std::int64_t length = call.has(1) ? call.in(1).integer(0) : (inverse && onesided ? 2 * (extent - 1) : extent);
  Shape shape = x.shape;
  shape[along] = onesided && !inverse ? length / 2 + 1 : length;
  shape.back() = inverse && onesided ? 1 : 2;
  Tensor y = call.make(x.type, shape);
  Shape lines = shape;
  lines[along] = 1;
  lines.back() = 1;
  const std::int64_t inner = element_count({shape.begin() + static_cast<std::ptrdiff_t>(along) + 1, shape.end() - 1});
  for (std::int64_t line = 0; line < element_count(lines); ++line) {
    const std::int64_t outer = line / inner;
    std::vector<Complex> in(static_cast<std::size_t>(length));
    for (std::int64_t i = 0; i < length; ++i) {
      const bool mirrored = inverse && onesided && i > length / 2;
      const std::int64_t from = mirrored ? length - i : i;
      Complex value = from < extent ? element(x, (outer * extent + from) * inner + line % inner) : Complex(0);
      if (inverse && onesided && (i == 0 || 2 * i == length)) value = value.real();
      in[static_cast<std::size_t>(i)] = mirrored ? std::conj(value) : value;
    }
    const std::vector<Complex> out = transformed(in, inverse);
    for (std::int64_t i = 0; i < shape[along]; ++i) {
      const std::int64_t to = ((outer * shape[along] + i) * inner + line % inner) * shape.back();
      y.set(to, out[static_cast<std::size_t>(i)].real());
      if (shape.back() == 2) y.set(to + 1, out[static_cast<std::size_t>(i)].imag());
    }
  }
  return {y};
}

Outputs stft(const Call& call) {
  const Tensor& x = call.in(0);
  const std::int64_t step = call.in(1).integer(0);
  const std::int64_t length = call.has(3) ? call.in(3).integer(0) : (call.has(2) ? call.in(2).size() : x.shape[1]);
  const std::int64_t frames = (x.shape[1] - length) / step + 1;
  const std::int64_t bins = call.attribute("onesided", std::int64_t{1}) != 0 ? length / 2 + 1 : length;
  Tensor y = call.make(x.type, {x.shape[0], frames, bins, 2});
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    for (std::int64_t f = 0; f < frames; ++f) {
      std::vector<Complex> frame;
      for (std::int64_t i = 0; i < length; ++i)
        frame.push_back(element(x, b * x.shape[1] + f * step + i) * (call.has(2) ? call.in(2).number(i) : 1.0));
      const std::vector<Complex> out = transformed(frame, false);
      for (std::int64_t k = 0; k < bins; ++k) {
        y.set(((b * frames + f) * bins + k) * 2, out[static_cast<std::size_t>(k)].real());
        y.set(((b * frames + f) * bins + k) * 2 + 1, out[static_cast<std::size_t>(k)].imag());
      }
    }
  }
  return {y};
}

Outputs signal_window(const Call& call) {
  const std::int64_t size = call.in(0).integer(0);
  const auto type = static_cast<Type>(call.attribute("output_datatype", std::int64_t{1}));
  const double n = static_cast<double>(size) - (call.attribute("periodic", std::int64_t{1}) != 0 ? 0 : 1);
  Tensor y = call.make(type, {size});
  for (std::int64_t i = 0; i < size; ++i) {
    const double turn = 2 * M_PI * static_cast<double>(i) / n;
    double value = 0.5 - 0.5 * std::cos(turn);
    if (call.node().op_type == "HammingWindow") value = 25.0 / 46 - 21.0 / 46 * std::cos(turn);
    if (call.node().op_type == "BlackmanWindow") value = 0.42 - 0.5 * std::cos(turn) + 0.08 * std::cos(2 * turn);
    if (is_real(type)) y.set(i, value);
    else y.set_integer(i, static_cast<std::int64_t>(value));
  }
  return {y};
}

}  // namespace linnet::reference
