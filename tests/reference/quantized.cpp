// The quantised operators of ONNX, from their formulas, in double: equal to a float32 engine where scales are powers of 2.
// The quotient of QuantizeLinear is rounded to float32 as well, in which ONNX defines it: its ties are those of floats.
#include <algorithm>
#include <cmath>

#include "reference/call.h"
#include "reference/window.h"

namespace linnet::reference {

namespace {

std::int64_t lowest(Type type) { return type == Type::int8 ? -128 : type == Type::int16 ? -32768 : 0; }
std::int64_t highest(Type type) {
  switch (type) {
    case Type::int8: return 127;
    case Type::int16: return 32767;
    case Type::uint16: return 65535;
    default: return 255;
  }
}

/// Ties to the even integer.
double rounded(double x) {
  const double down = std::floor(x), part = x - down;
  if (part != 0.5) return std::floor(x + 0.5);
  return std::fmod(down, 2) == 0 ? down : down + 1;
}

std::int64_t saturated(Type type, double scaled, std::int64_t zero) {
  const double y = rounded(scaled) + static_cast<double>(zero);
  return static_cast<std::int64_t>(
      std::clamp(y, static_cast<double>(lowest(type)), static_cast<double>(highest(type))));
}

/// Element `i` of a scale or zero point, or its only one; a zero point may be omitted.
double parameter(const Call& call, std::size_t input, std::int64_t i) {
  if (!call.has(input)) return 0;
  return call.in(input).number(call.in(input).size() == 1 ? 0 : i);
}

/// Which element of the scale belongs to element `at` of the input.
std::int64_t scale_index(const Call& call, const Index& at) {
  const Shape &x = call.in(0).shape, &scale = call.in(1).shape;
  if (call.in(1).size() == 1) return 0;
  const auto axis = static_cast<std::size_t>(call.axis(call.attribute("axis", std::int64_t{1}), call.in(0).rank()));
  const std::int64_t block = call.attribute("block_size", std::int64_t{0});
  if (block == 0) return at[axis];
  Shape index = at.tuple();
  call.require(scale.size() == x.size(), "the scales do not fit the blocks");
  index[axis] /= block;
  return flatten(scale, index);
}

struct Operand {
  const Tensor* tensor;
  std::size_t scale, zero;  // inputs; scale unused for the Integer operators
};

std::int64_t value(const Call& call, const Operand& o, std::int64_t at, std::int64_t channel) {
  return o.tensor->integer(at) - static_cast<std::int64_t>(parameter(call, o.zero, channel));
}

/// The integer convolution; finish(channel, sum) is the element.
template <typename Finish>
Tensor convolve(const Call& call, const Operand& x, const Operand& w, Type type, Finish finish) {
  const Shape &xs = x.tensor->shape, &ws = w.tensor->shape;
  const Window window = make_window(call, xs, {ws.begin() + 2, ws.end()});
  const std::int64_t group = call.attribute("group", std::int64_t{1}), m_of_group = ws[0] / group;
  Tensor y = call.make(type, with_spatial(xs[0], ws[0], window.output, xs));
  for (std::int64_t n = 0; n < xs[0]; ++n) {
    for (std::int64_t m = 0; m < ws[0]; ++m) {
      for_each(window.output, [&](std::int64_t d, std::int64_t h, std::int64_t v) {
        std::int64_t sum = 0;
        for (std::int64_t c = 0; c < ws[1]; ++c) {
          for_each(window.kernel, [&](std::int64_t i, std::int64_t j, std::int64_t k) {
            const std::int64_t z = window.source(0, d, i), r = window.source(1, h, j), s = window.source(2, v, k);
            if (!window.inside(0, z) || !window.inside(1, r) || !window.inside(2, s)) return;
            const std::int64_t channel = m / m_of_group * ws[1] + c;
            const std::int64_t from = (n * xs[1] + channel) * volume(window.input) + position(window.input, z, r, s);
            const std::int64_t tap = (m * ws[1] + c) * volume(window.kernel) + position(window.kernel, i, j, k);
            sum += value(call, x, from, 0) * value(call, w, tap, m);
          });
        }
        const std::int64_t to = (n * ws[0] + m) * volume(window.output) + position(window.output, d, h, v);
        y.set_integer(to, finish(m, sum));
      });
    }
  }
  return y;
}

/// The integer matmul of operands of equal rank, 2 or more; finish(row, column, sum) is the element.
template <typename Finish>
Tensor multiply(const Call& call, const Operand& a, const Operand& b, Type type, Finish finish) {
  const Shape &as = a.tensor->shape, &bs = b.tensor->shape;
  call.require(as.size() == bs.size() && as.size() >= 2, "the interpreter multiplies operands of equal rank");
  const std::size_t rank = as.size();
  Shape shape = broadcast(call, {as.begin(), as.end() - 2}, {bs.begin(), bs.end() - 2});
  shape.push_back(as[rank - 2]);
  shape.push_back(bs[rank - 1]);
  Tensor y = call.make(type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    std::int64_t sum = 0;
    for (std::int64_t k = 0; k < as[rank - 1]; ++k) {
      Shape left = at.tuple(), right = at.tuple();
      left[rank - 1] = k;
      right[rank - 2] = k;
      sum += value(call, a, broadcast_position(as, left), at[rank - 2]) *
             value(call, b, broadcast_position(bs, right), at[rank - 1]);
    }
    y.set_integer(at.flat(), finish(at[rank - 2], at[rank - 1], sum));
  }
  return y;
}

}  // namespace

Outputs quantize_linear(const Call& call) {
  const Tensor& x = call.in(0);
  const std::int64_t wanted = call.attribute("output_dtype", std::int64_t{0});
  const Type type = call.has(2) ? call.in(2).type : wanted != 0 ? static_cast<Type>(wanted) : Type::uint8;
  Tensor y = call.make(type, x.shape);
  for (Index at(x.shape); at.valid(); at.next()) {
    const std::int64_t i = scale_index(call, at);
    const double scaled = round_to(Type::float32, x.number(at.flat()) / call.in(1).number(i));
    y.set_integer(at.flat(), saturated(type, scaled, static_cast<std::int64_t>(parameter(call, 2, i))));
  }
  return {y};
}

Outputs dequantize_linear(const Call& call) {
  const Tensor& x = call.in(0);
  Tensor y = call.make(call.in(1).type, x.shape);
  for (Index at(x.shape); at.valid(); at.next()) {
    const std::int64_t i = scale_index(call, at);
    y.set(at.flat(), (x.number(at.flat()) - parameter(call, 2, i)) * call.in(1).number(i));
  }
  return {y};
}

Outputs dynamic_quantize_linear(const Call& call) {
  const Tensor& x = call.in(0);
  double low = 0, high = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    low = std::min(low, x.number(i));
    high = std::max(high, x.number(i));
  }
  Tensor y = call.make(Type::uint8, x.shape), scale = call.make(Type::float32, {}), zero = call.make(Type::uint8, {});
  scale.set(0, round_to(Type::float32, high == low ? 1 : (high - low) / 255));
  zero.set_integer(0, saturated(Type::uint8, round_to(Type::float32, -low / scale.number(0)), 0));
  for (std::int64_t i = 0; i < x.size(); ++i)
    y.set_integer(i, saturated(Type::uint8, round_to(Type::float32, x.number(i) / scale.number(0)), zero.integer(0)));
  return {y, scale, zero};
}

Outputs conv_integer(const Call& call) {
  return {convolve(call, {&call.in(0), 0, 2}, {&call.in(1), 0, 3}, Type::int32,
                   [](std::int64_t, std::int64_t sum) { return wrap_to(Type::int32, sum); })};
}

Outputs qlinear_conv(const Call& call) {
  const Type type = call.in(7).type;
  return {convolve(call, {&call.in(0), 1, 2}, {&call.in(3), 4, 5}, type, [&](std::int64_t m, std::int64_t sum) {
    if (call.has(8)) sum += call.in(8).integer(m);
    const double scale = parameter(call, 1, 0) * parameter(call, 4, m) / parameter(call, 6, 0);
    return saturated(type, static_cast<double>(sum) * scale, static_cast<std::int64_t>(parameter(call, 7, 0)));
  })};
}

Outputs matmul_integer(const Call& call) {
  return {multiply(call, {&call.in(0), 0, 2}, {&call.in(1), 0, 3}, Type::int32,
                   [](std::int64_t, std::int64_t, std::int64_t sum) { return wrap_to(Type::int32, sum); })};
}

Outputs qlinear_matmul(const Call& call) {
  const Type type = call.in(7).type;
  const auto finish = [&](std::int64_t row, std::int64_t column, std::int64_t sum) {
    const double scale = parameter(call, 1, row) * parameter(call, 4, column) / parameter(call, 6, 0);
    return saturated(type, static_cast<double>(sum) * scale, static_cast<std::int64_t>(parameter(call, 7, 0)));
  };
  return {multiply(call, {&call.in(0), 1, 2}, {&call.in(3), 4, 5}, type, finish)};
}

Outputs qlinear_add(const Call& call) {
  const Tensor &a = call.in(0), &b = call.in(3);
  Tensor y = call.make(a.type, broadcast(call, a.shape, b.shape));
  for (Index at(y.shape); at.valid(); at.next()) {
    const double left = a.number(broadcast_position(a.shape, at.tuple())) - parameter(call, 2, 0);
    const double right = b.number(broadcast_position(b.shape, at.tuple())) - parameter(call, 5, 0);
    const double sum = left * parameter(call, 1, 0) + right * parameter(call, 4, 0);
    // The zero point counts before rounding.
    y.set_integer(at.flat(), saturated(a.type, sum / parameter(call, 6, 0) + parameter(call, 7, 0), 0));
  }
  return {y};
}

Outputs qlinear_global_average_pool(const Call& call) {
  const Tensor& x = call.in(0);
  Shape shape(x.shape.size(), 1);
  std::copy_n(x.shape.begin(), 2, shape.begin());
  Tensor y = call.make(x.type, shape);
  const std::int64_t pixels = x.size() / y.size();
  for (std::int64_t plane = 0; plane < y.size(); ++plane) {
    double sum = 0;
    for (std::int64_t i = 0; i < pixels; ++i) sum += x.number(plane * pixels + i) - parameter(call, 2, 0);
    const double scale = parameter(call, 1, 0) / (parameter(call, 3, 0) * static_cast<double>(pixels));
    y.set_integer(plane, saturated(x.type, sum * scale, static_cast<std::int64_t>(parameter(call, 4, 0))));
  }
  return {y};
}

}  // namespace linnet::reference
