// DFT and STFT.
#include "ops/fourier.h"

#include <cmath>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

Fourier::Fourier(std::int64_t length) : length_(length) {
  std::vector<Complex> roots;
  for (std::int64_t k = 0; k < length; ++k) {
    const double angle = -2 * M_PI * static_cast<double>(k) / static_cast<double>(length);
    roots.push_back({std::cos(angle), std::sin(angle)});
  }
  roots_ = std::make_shared<const std::vector<Complex>>(std::move(roots));
}

void Fourier::run(const Complex* in, Complex* out, Complex* spare, bool inverse) const {
  transform(in, 1, length_, out, spare, inverse);
  for (std::int64_t k = 0; inverse && k < length_; ++k)
    out[k] = {out[k].re / static_cast<double>(length_), out[k].im / static_cast<double>(length_)};
}

void Fourier::transform(const Complex* in, std::int64_t stride, std::int64_t n, Complex* out, Complex* spare,
                        bool inverse) const {
  if (n == 1) {
    out[0] = in[0];
    return;
  }
  std::int64_t factor = 2;
  while (n % factor != 0) factor = factor * factor > n ? n : factor + 1;
  const std::int64_t part = n / factor;
  for (std::int64_t r = 0; r < factor; ++r)
    transform(in + r * stride, stride * factor, part, out + r * part, spare, inverse);
  const auto root = [&](std::int64_t power) {  // e^(-2 pi i power / n)
    const Complex& w = (*roots_)[static_cast<std::size_t>(power % n * (length_ / n))];
    return Complex{w.re, inverse ? -w.im : w.im};
  };
  for (std::int64_t k = 0; k < part; ++k) {
    for (std::int64_t r = 0; r < factor; ++r) spare[r] = out[r * part + k] * root(r * k);
    for (std::int64_t q = 0; q < factor; ++q) {
      Complex sum = spare[0];
      for (std::int64_t r = 1; r < factor; ++r) sum = sum + spare[r] * root(r * q % factor * part);
      out[q * part + k] = sum;
    }
  }
}

namespace {

/// Lines of complex or real numbers along an axis: in and out, and what a thread needs for one of them.
struct Lines {
  std::int64_t count = 0, inner = 1;         // lines; elements (pairs count as one) from one of a line to its next
  std::int64_t in_extent = 0, in_parts = 1;  // along the axis; 1 for real numbers, 2 for complex ones
  std::int64_t out_extent = 0, out_parts = 2;
  bool inverse = false, onesided = false;
  DataType type = DataType::float32;
};

std::int64_t scratch_bytes(std::int64_t length) {
  return base::checked_mul(length, 3 * static_cast<std::int64_t>(sizeof(Complex)), "a Fourier transform");
}

template <typename T>
Complex read(const T* at, std::int64_t parts) {
  return {static_cast<double>(at[0]), parts == 2 ? static_cast<double>(at[1]) : 0};
}
template <typename T>
void write(T* at, std::int64_t parts, const Complex& value) {
  at[0] = static_cast<T>(value.re);
  if (parts == 2) at[1] = static_cast<T>(value.im);
}

template <typename T>
void run_line(const Fourier& fourier, const Lines& k, const RunArgs& args, std::int64_t line) {
  const std::int64_t n = fourier.length(), outer = line / k.inner, at = line % k.inner;
  auto* const in = reinterpret_cast<Complex*>(args.thread_scratch);
  Complex *const out = in + n, *const spare = out + n;
  const T* const from = args.in<T>(0) + (outer * k.in_extent * k.inner + at) * k.in_parts;
  T* const to = args.out<T>(0) + (outer * k.out_extent * k.inner + at) * k.out_parts;
  // One side of a spectrum stands for both: the other is its conjugate, and what it stands for is real.
  const bool mirrored = k.inverse && k.onesided;
  const std::int64_t given = mirrored ? n / 2 + 1 : n;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t source = mirrored && i >= given ? n - i : i;
    in[i] = source < k.in_extent ? read(from + source * k.inner * k.in_parts, k.in_parts) : Complex{};
    if (source != i) in[i].im = -in[i].im;
    if (mirrored && (2 * i == n || i == 0)) in[i].im = 0;
  }
  fourier.run(in, out, spare, k.inverse);
  for (std::int64_t i = 0; i < k.out_extent; ++i) write(to + i * k.inner * k.out_parts, k.out_parts, out[i]);
}

std::size_t dft_axis(const NodeContext& c, std::size_t rank) {
  std::int64_t axis = c.opset() < 20 ? c.attribute_int("axis", 1) : -2;
  if (c.opset() >= 20 && c.constant(2) != nullptr) axis = c.constant_int(2);
  const std::size_t result = c.axis(axis, rank, c.opset() < 20 ? "attribute 'axis'" : "input 2 'axis'");
  if (result + 1 == rank)
    c.fail(ErrorCode::model, "the last axis is the parts of a number", "axis", {}, std::to_string(axis));
  return result;
}

/// 1 for real numbers, 2 for complex ones; not known where the last extent is not.
graph::Dim parts_of(const NodeContext& c, const graph::TensorDesc& x) {
  const graph::Dim& last = x.shape->back();
  if (last.known() && last.value != 1 && last.value != 2)
    c.fail(ErrorCode::model, "the last extent is neither 1 nor 2", c.input_label(0), "1 or 2", graph::to_string(x));
  return last;
}

/// Input i as a positive number; unknown where it is not known or not given.
graph::Dim positive(const NodeContext& c, std::size_t i) {
  if (!c.has_input(i)) return {};
  require_integers(c, i);
  require_scalar(c, i);
  if (c.constant(i) == nullptr) return {};
  const std::int64_t value = c.constant_int(i);
  if (value < 1)
    c.fail(ErrorCode::model, "a length is not positive", c.input_label(i), "1 or more", std::to_string(value));
  return {value};
}

/// Beyond it the table of roots would be of no use to anybody, and of great harm to memory.
constexpr std::int64_t kLongest = std::int64_t{1} << 24;

Fourier make_fourier(const NodeContext& c, std::int64_t length) {
  if (length > kLongest)
    c.fail(ErrorCode::limit, "a Fourier transform is too long", {}, "at most " + std::to_string(kLongest),
           std::to_string(length));
  return Fourier(length);
}

graph::Dim dft_length(const NodeContext& c, const graph::Dim& extent, bool mirrored) {
  if (c.has_input(1)) return positive(c, 1);
  if (!extent.known()) return mirrored ? graph::Dim() : extent;
  const std::int64_t length = mirrored ? 2 * (extent.value - 1) : extent.value;
  if (length < 1)
    c.fail(ErrorCode::model, "a transform of nothing", c.input_label(0), "1 or more", std::to_string(length));
  return {length};
}

graph::Dim side_of(const graph::Dim& length) {
  return length.known() ? graph::Dim(length.value / 2 + 1) : graph::Dim();
}

graph::Dim frame_length(const NodeContext& c, const graph::TensorDesc& signal) {
  if (c.has_input(3)) return positive(c, 3);
  if (!c.has_input(2)) return (*signal.shape)[1];
  return c.input(2).has_rank() && c.input(2).shape->size() == 1 ? (*c.input(2).shape)[0] : graph::Dim();
}

void require_known_lengths(const PlanContext& c, std::initializer_list<std::size_t> inputs) {
  for (const std::size_t i : inputs) {
    if (is_runtime_input(c, i))
      c.fail(ErrorCode::unsupported, "a length must be known before the model runs", c.input_label(i), "a constant");
  }
}

}  // namespace

void infer_dft(InferContext& c) {
  require_types(c, 0, kRealTypes);
  const graph::TensorDesc& x = c.input(0);
  if (!x.has_rank()) return c.set_output_unknown_rank(0, x.type);
  if (x.shape->size() < 2)
    c.fail(ErrorCode::model, "there is no axis to transform", c.input_label(0), "2-D or more", graph::to_string(x));
  graph::DimList shape = *x.shape;
  const bool inverse = c.attribute_int("inverse", 0) != 0, onesided = c.attribute_int("onesided", 0) != 0;
  const graph::Dim parts = parts_of(c, x);
  if (onesided && parts.known() && parts.value != (inverse ? 2 : 1))
    c.fail(ErrorCode::model, "one side is of a real signal's spectrum", c.input_label(0),
           inverse ? "[...,2]" : "[...,1]", graph::to_string(x));
  if (c.opset() >= 20 && is_runtime_input(c, 2)) {
    for (std::size_t i = 0; i + 1 < shape.size(); ++i) shape[i] = graph::Dim();
  } else {
    graph::Dim& extent = shape[dft_axis(c, shape.size())];
    extent = dft_length(c, extent, inverse && onesided);
    if (onesided && !inverse) extent = side_of(extent);
  }
  shape.back() = graph::Dim(inverse && onesided ? 1 : 2);
  c.set_output(0, x.type, std::move(shape));
}

void plan_dft(PlanContext& c) {
  require_known_lengths(c, {1, 2});
  const Placement &x = c.placement_in(0), &y = c.placement_out(0);
  const std::size_t axis = dft_axis(c, x.shape.size());
  Lines k;
  k.inverse = c.attribute_int("inverse", 0) != 0;
  k.onesided = c.attribute_int("onesided", 0) != 0;
  k.type = x.type;
  k.in_extent = x.shape[axis];
  k.out_extent = y.shape[axis];
  k.in_parts = x.shape.back();
  k.out_parts = y.shape.back();
  for (std::size_t i = axis + 1; i + 1 < x.shape.size(); ++i) k.inner *= x.shape[i];
  k.count = k.inner;
  for (std::size_t i = 0; i < axis; ++i) k.count *= x.shape[i];
  const Fourier fourier = make_fourier(c, dft_length(c, graph::Dim(k.in_extent), k.inverse && k.onesided).value);
  for (std::size_t i = 1; i < c.input_count(); ++i) c.consumed(i);
  c.step().algorithm = "mixed_radix";
  c.step().thread_scratch_bytes = base::to_size(scratch_bytes(fourier.length()), "a Fourier transform");
  c.step().run = [k, fourier](const RunArgs& args) {
    const Range mine = thread_share(args, k.count, k.count * fourier.length());
    visit_type<kRealTypes>(k.type, [&](auto element) {
      for (std::int64_t i = mine.first; i < mine.last; ++i) run_line<decltype(element)>(fourier, k, args, i);
    });
  };
}

void infer_stft(InferContext& c) {
  require_types(c, 0, kRealTypes);
  const graph::TensorDesc& x = c.input(0);
  if (c.has_input(2)) require_same_type(c, 0, 2);
  const graph::Dim step = positive(c, 1);
  if (!x.has_rank()) return c.set_output(0, x.type, {{}, {}, {}, 2});
  if (x.shape->size() != 3)
    c.fail(ErrorCode::model, "the signal is not 3-D", c.input_label(0), "[batch,length,1 or 2]", graph::to_string(x));
  const graph::Dim &samples = (*x.shape)[1], parts = parts_of(c, x), length = frame_length(c, x);
  const bool onesided = c.attribute_int("onesided", 1) != 0;
  if (onesided && parts.known() && parts.value != 1)
    c.fail(ErrorCode::model, "one side is of a real signal's spectrum", c.input_label(0), "[...,1]",
           graph::to_string(x));
  if (c.has_input(2) && c.input(2).is_static() && length.known() && c.input(2).static_shape() != Shape{length.value})
    c.fail(ErrorCode::model, "the window is not as long as a frame", c.input_label(2),
           "[" + std::to_string(length.value) + "]", graph::to_string(c.input(2)));
  graph::Dim frames;
  if (samples.known() && length.known() && step.known()) {
    if (length.value > samples.value || length.value < 1)
      c.fail(ErrorCode::model, "a frame is longer than the signal, or empty", c.input_label(0),
             std::to_string(length.value), std::to_string(samples.value));
    frames = graph::Dim((samples.value - length.value) / step.value + 1);
  }
  c.set_output(0, x.type, {(*x.shape)[0], frames, onesided ? side_of(length) : length, 2});
}

void plan_stft(PlanContext& c) {
  require_known_lengths(c, {1, 3});
  const Placement &x = c.placement_in(0), &y = c.placement_out(0);
  const Fourier fourier = make_fourier(c, frame_length(c, c.input(0)).value);
  const std::int64_t frames = y.shape[1], bins = y.shape[2], samples = x.shape[1], parts = x.shape[2];
  const std::int64_t count = base::checked_mul(y.shape[0], frames, "an STFT"), step = positive(c, 1).value;
  c.consumed(1);
  if (c.has_input(3)) c.consumed(3);
  c.step().algorithm = "mixed_radix";
  c.step().thread_scratch_bytes = base::to_size(scratch_bytes(fourier.length()), "a Fourier transform");
  c.step().run = [=, windowed = c.has_input(2), type = x.type](const RunArgs& args) {
    const Range mine = thread_share(args, count, count * fourier.length());
    const std::int64_t n = fourier.length();
    auto* const in = reinterpret_cast<Complex*>(args.thread_scratch);
    Complex* const out = in + n;
    visit_type<kRealTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        const T* const from = args.in<T>(0) + (i / frames * samples + i % frames * step) * parts;
        for (std::int64_t k = 0; k < n; ++k) {
          const double weight = windowed ? static_cast<double>(args.in<T>(2)[k]) : 1;
          in[k] = read(from + k * parts, parts) * Complex{weight, 0};
        }
        fourier.run(in, out, out + n, false);
        for (std::int64_t k = 0; k < bins; ++k) write(args.out<T>(0) + (i * bins + k) * 2, 2, out[k]);
      }
    });
  };
}

}  // namespace linnet::ops
