// Convolutions of float64, which have loops of their own, and grouped ones of float; the others of float are tested with
// their kernels and passes.
#include <catch2/catch.hpp>

#include "support/blocked_case.h"
#include "support/op_case.h"

namespace linnet::test::conv_test {
namespace {

using List = std::vector<std::int64_t>;

Tensor doubles(Shape shape, double step) {
  Tensor result(DataType::float64, std::move(shape));
  double value = -1;
  for (double& x : result.mutable_data<double>()) {
    x = value;
    value += step;
    if (value > 1) value -= 2;
  }
  return result;
}

constexpr Tolerance kTight = {1e-12, 1e-12};

TEST_CASE("Conv of float64", "[ops]") {
  const Tensor bias = doubles({4}, 0.3);
  check_op(op_case("Conv", 11, {doubles({2, 3, 9}, 0.37), doubles({4, 3, 2}, 0.23), bias}), kTight);
  check_op(op_case("Conv", 11, {doubles({2, 4, 7, 9}, 0.37), doubles({4, 2, 3, 2}, 0.23), bias},
                   {{"group", std::int64_t{2}}, {"strides", List{2, 1}}, {"auto_pad", std::string("SAME_LOWER")}}),
           kTight);
  check_op(op_case("Conv", 11, {doubles({1, 2, 4, 5, 6}, 0.37), doubles({4, 2, 2, 2, 2}, 0.23)},
                   {{"dilations", List{1, 2, 2}}, {"pads", List{0, 1, 0, 1, 1, 2}}}),
           kTight);
  CHECK(refusal(op_case("Conv", 11, {doubles({1, 1, 3}, 1), tensor<float>({1, 1, 1}, {1})})) == ErrorCode::model);
}

TEST_CASE("ConvTranspose of float64", "[ops]") {
  const Tensor x = doubles({2, 4, 5, 3}, 0.37), w = doubles({4, 3, 3, 2}, 0.23), bias = doubles({6}, 0.3);
  const AttributeList grouped = {{"group", std::int64_t{2}}, {"strides", List{2, 3}}, {"output_padding", List{1, 0}}};
  check_op(op_case("ConvTranspose", 11, {x, w, bias}, grouped), kTight);
  check_op(op_case("ConvTranspose", 11, {x, w, Tensor()},
                   {{"group", std::int64_t{2}}, {"dilations", List{2, 1}}, {"pads", List{1, 0, 2, 1}}}),
           kTight);
  check_op(op_case("ConvTranspose", 11, {doubles({1, 2, 4}, 0.3), doubles({2, 1, 3}, 0.7)},
                   {{"strides", List{2}}, {"output_shape", List{8}}}),
           kTight);
}

Tensor integers(Shape shape, int seed) {
  Tensor result(DataType::float32, std::move(shape));
  for (float& x : result.mutable_data<float>()) x = static_cast<float>((seed = seed * 31 % 1009) % 7 - 3);
  return result;
}

TEST_CASE("Conv in groups, of which a block of 16 channels holds one or several", "[ops]") {
  for (const std::int64_t channels : {1, 2, 4, 8, 12, 16, 24, 32}) {
    for (const std::int64_t stride : {1, 2}) {
      const std::int64_t all = channels == 12 ? 48 : channels == 24 ? 96 : 64, groups = all / channels;
      INFO(channels << " channels a group, stride " << stride);
      // Without padding, which the planner grants as a halo of the input and this check does not.
      const AttributeList attributes = {{"group", groups}, {"strides", List{stride, stride}}};
      const OpCase grouped =
          op_case("Conv", 11, {integers({2, all, 9, 7}, 5), integers({all, channels, 3, 3}, 11), integers({all}, 3)},
                  attributes);
      check_blocked(grouped, 0b110);
    }
  }
  // More outputs than inputs a group: the blocks of both no longer hold the same groups.
  check_blocked(
      op_case("Conv", 11, {integers({1, 32, 5, 5}, 5), integers({64, 8, 1, 1}, 11)}, {{"group", std::int64_t{4}}}),
      0b10);
}

}  // namespace
}  // namespace linnet::test::conv_test
