// Bounds on the rounding errors of a float32 engine, term by term. Every bound holds for any order of summation.
#pragma once

#include <cmath>
#include <limits>

#include "reference/tensor.h"

namespace linnet::reference {

constexpr double kUnitRoundoff = 0x1p-24;  // of float32, which the engine computes in

/// What a rounding to float32 may be off by where its result is below the normal numbers, which relative errors do not cover.
constexpr double kSmallestRoundoff = 0x1p-150;

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

/// How much Winograd's F(4x4,3x3) with the points {0, +-sqrt(1/2), +-sqrt(2)} may magnify a rounding error: in one
/// dimension, y = A^T ((G w) * (B^T x)), so its terms add up to at most
///   max_i sum_j |A^T_ij| max_k |G_jk| sum_l |B^T_jl| = 13.75
/// times the largest input times the sum of |w|; two dimensions multiply. F(2x2,3x3) and tiles of fewer outputs stay below.
/// F(3x3,4x4) at the same points: 14.75. F(2x2,3x3) of stride 2 with the points {0, 1} and infinity: 5.
constexpr double kWinogradAmplification = 13.75 * 13.75, kWinogradAmplification4 = 14.75 * 14.75,
                 kWinogradAmplification2 = 5.0 * 5.0;

}  // namespace linnet::reference
