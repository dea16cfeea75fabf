// Comparing what was computed with what is right.
//
//   const Comparison c = compare(to_reference(output), expected, kOnnxTolerance);
//   INFO(c.text);
//   CHECK(c.ok);
#pragma once

#include <cstdint>
#include <string>

#include "linnet/tensor.h"
#include "reference/tensor.h"

namespace linnet::test {

/// |actual - expected| <= absolute + relative |expected|.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// What the runner of the ONNX backend tests allows.
inline constexpr Tolerance kOnnxTolerance = {1e-3, 1e-7};

struct Comparison {
  bool ok = false;
  double max_abs = 0;       // the greatest absolute difference
  double max_ulp = 0;       // the greatest difference in units in the last place of the type
  double max_of_bound = 0;  // the greatest difference as a part of what was allowed
  std::int64_t mismatches = 0;
  std::string text;  // "3 of 1000 elements differ, the worst at [0,12]: found 1.5, expected 1.25, ..."
};

/// Type and shape must be equal, NaN agrees with NaN, infinities with their like. Integers must be equal.
Comparison compare(const reference::Tensor& actual, const reference::Tensor& expected, Tolerance tolerance);
/// Each element may be off by its Tensor::errors of `expected`.
Comparison compare_within_errors(const reference::Tensor& actual, const reference::Tensor& expected);
/// What compare_within_errors() allows element i: what was computed was rounded to its type once more than the bounds know,
/// half a unit in the last place.
double allowed_error(const reference::Tensor& expected, std::int64_t i);

/// The same type, shape and bytes.
bool same_bits(const Tensor& a, const Tensor& b);
/// Says where they differ first; empty if they do not.
std::string bit_difference(const Tensor& a, const Tensor& b);
/// Image n of a batch, as a batch of its own.
Tensor image_of(const Tensor& batch, std::int64_t n);

}  // namespace linnet::test
