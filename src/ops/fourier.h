// The discrete Fourier transform of one line, in double.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace linnet::ops {

struct Complex {
  double re = 0, im = 0;

  friend Complex operator+(const Complex& a, const Complex& b) { return {a.re + b.re, a.im + b.im}; }
  friend Complex operator*(const Complex& a, const Complex& b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
};

/// Of one length: by its prime factors, so that an element costs the sum of them, in an order that depends on nothing else.
class Fourier {
 public:
  explicit Fourier(std::int64_t length);

  [[nodiscard]] std::int64_t length() const noexcept { return length_; }
  /// out[k] = sum of in[n] e^(-2 pi i k n / length); with `inverse` the sign is plus and the sum is divided by the length.
  /// `spare` holds as many numbers as the length; none of the three overlap.
  void run(const Complex* in, Complex* out, Complex* spare, bool inverse) const;

 private:
  void transform(const Complex* in, std::int64_t stride, std::int64_t n, Complex* out, Complex* spare,
                 bool inverse) const;

  std::int64_t length_;
  std::shared_ptr<const std::vector<Complex>> roots_;  // e^(-2 pi i k / length)
};

}  // namespace linnet::ops
