// Bounds on the rounding errors of a float32 engine, term by term. Every bound holds for any order of summation.
#pragma once

#include <cmath>
#include <limits>

#include "reference/tensor.h"

namespace linnet::reference {

constexpr double kUnitRoundoff = 0x1p-24;  // of float32, which the engine computes in

/// The relative error of a sum of `terms` products, each rounded at most once more than a sum of exact products would be:
/// n u / (1 - n u) of Higham's "Accuracy and Stability", with n one larger for the rounding of folded weights and two
/// larger for bias and residual.
inline double sum_factor(double terms) {
  const double nu = (terms + 4) * kUnitRoundoff;
  return nu < 1 ? nu / (1 - nu) : std::numeric_limits<double>::infinity();
}

/// |a b - a' b'| where a' and b' are off by up to ea and eb.
inline double product_error(double a, double ea, double b, double eb) {
  return std::fabs(a) * eb + std::fabs(b) * ea + ea * eb;
}

}  // namespace linnet::reference
