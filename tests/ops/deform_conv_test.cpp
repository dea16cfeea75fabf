// DeformConv. Inputs are small multiples of a quarter, so that sums of floats are exact and so compared.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/op_case.h"

namespace linnet::test::deform_conv_test {
namespace {

using List = std::vector<std::int64_t>;
using Floats = std::vector<float>;

Tensor steps(Shape shape, int seed, float unit) {
  Tensor result(DataType::float32, std::move(shape));
  for (float& x : result.mutable_data<float>()) x = unit * static_cast<float>((seed = seed * 31 % 1009) % 13 - 6);
  return result;
}

/// The definition, element by element, of 2-D operands with a mask; window attributes as below.
struct Definition {
  const Tensor &x, &w, &offset, &bias, &mask;
  std::int64_t groups, offset_groups, stride_y, stride_x, pad_y, pad_x, dilation_y, dilation_x;

  [[nodiscard]] double pixel(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t z) const {
    const Shape& s = x.shape();
    if (y < 0 || y >= s[2] || z < 0 || z >= s[3]) return 0;
    return x.data<float>()[static_cast<std::size_t>(((n * s[1] + c) * s[2] + y) * s[3] + z)];
  }
  [[nodiscard]] double between(std::int64_t n, std::int64_t c, double y, double z) const {
    const double top = std::floor(y), left = std::floor(z), v = y - top, u = z - left;
    const auto i = static_cast<std::int64_t>(top), j = static_cast<std::int64_t>(left);
    return (1 - v) * ((1 - u) * pixel(n, c, i, j) + u * pixel(n, c, i, j + 1)) +
           v * ((1 - u) * pixel(n, c, i + 1, j) + u * pixel(n, c, i + 1, j + 1));
  }
  [[nodiscard]] double at(std::int64_t n, std::int64_t m, std::int64_t y, std::int64_t z) const {
    const Shape &filter = w.shape(), &moves = offset.shape();
    const std::int64_t taps = filter[2] * filter[3], pixels = moves[2] * moves[3];
    double sum = bias.data<float>()[static_cast<std::size_t>(m)];
    for (std::int64_t c = 0; c < filter[1]; ++c) {
      const std::int64_t channel = m / (filter[0] / groups) * filter[1] + c;
      const std::int64_t own = n * offset_groups + channel / (x.shape()[1] / offset_groups);
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t tap_row = t / filter[3], tap_column = t % filter[3];
        const auto down = static_cast<std::size_t>((own * taps + t) * 2 * pixels + y * moves[3] + z);
        const auto weight = static_cast<std::size_t>((own * taps + t) * pixels + y * moves[3] + z);
        const double row = static_cast<double>(y * stride_y - pad_y + tap_row * dilation_y) +
                           static_cast<double>(offset.data<float>()[down]);
        const double column = static_cast<double>(z * stride_x - pad_x + tap_column * dilation_x) +
                              static_cast<double>(offset.data<float>()[down + static_cast<std::size_t>(pixels)]);
        sum += static_cast<double>(w.data<float>()[static_cast<std::size_t>((m * filter[1] + c) * taps + t)]) *
               static_cast<double>(mask.data<float>()[weight]) * between(n, channel, row, column);
      }
    }
    return sum;
  }
};

TEST_CASE("DeformConv is what its definition says", "[ops]") {
  struct Case {
    std::int64_t groups, offset_groups;
    List strides, pads, dilations;
  };
  const Case cases[] = {{1, 1, {1, 1}, {0, 0, 0, 0}, {1, 1}},
                        {2, 4, {2, 1}, {1, 2, 0, 1}, {1, 2}},
                        {4, 2, {1, 3}, {2, 0, 1, 1}, {2, 1}},
                        {8, 8, {1, 1}, {1, 1, 1, 1}, {1, 1}}};
  for (const Case& k : cases) {
    const Tensor x = steps({2, 8, 11, 9}, 1, 1), w = steps({24, 8 / k.groups, 3, 2}, 2, 0.5f), bias = steps({24}, 3, 1);
    const std::int64_t rows = (11 + k.pads[0] + k.pads[2] - 2 * k.dilations[0] - 1) / k.strides[0] + 1;
    const std::int64_t columns = (9 + k.pads[1] + k.pads[3] - k.dilations[1] - 1) / k.strides[1] + 1;
    const Tensor offset = steps({2, k.offset_groups * 12, rows, columns}, 4, 0.75f);
    const Tensor mask = steps({2, k.offset_groups * 6, rows, columns}, 5, 0.5f);
    const OpCase c = op_case("DeformConv", 19, {x, w, offset, bias, mask},
                             {{"group", k.groups},
                              {"offset_group", k.offset_groups},
                              {"strides", k.strides},
                              {"pads", k.pads},
                              {"dilations", k.dilations}});
    const Tensor y = run(c)[0];
    for (const int threads : {2, 3, 7}) CHECK(bit_difference(run_split(c, threads)[0], y).empty());
    REQUIRE(y.shape() == Shape{2, 24, rows, columns});
    const Definition definition = {x,
                                   w,
                                   offset,
                                   bias,
                                   mask,
                                   k.groups,
                                   k.offset_groups,
                                   k.strides[0],
                                   k.strides[1],
                                   k.pads[0],
                                   k.pads[1],
                                   k.dilations[0],
                                   k.dilations[1]};
    Floats expected;
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const std::int64_t pixel = i % (rows * columns), m = i / (rows * columns) % 24, n = i / (rows * columns * 24);
      expected.push_back(static_cast<float>(definition.at(n, m, pixel / columns, pixel % columns)));
    }
    CHECK(values<float>(y) == expected);
  }
}

TEST_CASE("DeformConv that moves nothing is Conv", "[ops]") {
  const Tensor x = steps({1, 4, 7, 6}, 1, 1), w = steps({5, 4, 3, 3}, 2, 1);
  const Tensor still(DataType::float32, {1, 18, 5, 4});
  CHECK(values<float>(run(op_case("DeformConv", 19, {x, w, still}))[0]) ==
        values<float>(run(op_case("Conv", 11, {x, w}))[0]));
}

TEST_CASE("DeformConv: places outside of the picture, and places that are none", "[ops]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  // One tap over one pixel each: what is moved by (y, x) from (0, 0) on is what the picture holds there.
  const Tensor x = tensor<float>({1, 1, 2, 2}, {1, 2, 3, 4}), one = tensor<float>({1, 1, 1, 1}, {1});
  const auto moved = [&](float down, float right) {
    const Tensor offset = tensor<float>({1, 2, 2, 2}, {down, down, down, down, right, right, right, right});
    return values<float>(run(op_case("DeformConv", 22, {x, one, offset}))[0])[0];
  };
  CHECK(moved(0, 1) == 2);
  CHECK(moved(0.5f, 0) == 2);
  CHECK(moved(-0.25f, 0) == 0.75f);
  CHECK(moved(-0.5f, -0.5f) == 0.25f);
  CHECK(moved(1.5f, 0) == 1.5f);
  CHECK(moved(-1, 0) == 0);
  CHECK(moved(0, 2) == 0);
  for (const float nowhere : {kNan, kInfinity, -kInfinity, 1e30f, -1e30f}) {
    CHECK(moved(nowhere, 0) == 0);
    CHECK(moved(0, nowhere) == 0);
  }
}

TEST_CASE("DeformConv refuses what does not fit", "[ops]") {
  const Tensor x(DataType::float32, {1, 4, 5, 5}), w(DataType::float32, {2, 4, 3, 3});
  const auto code = [&](const Tensor& offset, const Tensor& mask, const AttributeList& attributes = {}) {
    return refusal(op_case("DeformConv", 19, {x, w, offset, Tensor(), mask}, attributes));
  };
  const Tensor offset(DataType::float32, {1, 18, 3, 3}), mask(DataType::float32, {1, 9, 3, 3});
  CHECK(run(op_case("DeformConv", 19, {x, w, offset, Tensor(), mask})).size() == 1);
  CHECK(code(Tensor(DataType::float32, {1, 9, 3, 3}), mask) == ErrorCode::model);
  CHECK(code(Tensor(DataType::float32, {1, 18, 3, 2}), mask) == ErrorCode::model);
  CHECK(code(Tensor(DataType::float32, {18, 3, 3}), mask) == ErrorCode::model);
  CHECK(code(offset, Tensor(DataType::float32, {2, 9, 3, 3})) == ErrorCode::model);
  CHECK(code(offset, Tensor(DataType::float64, {1, 9, 3, 3})) == ErrorCode::model);
  CHECK(code(offset, mask, {{"offset_group", std::int64_t{2}}}) == ErrorCode::model);
  CHECK(code(offset, mask, {{"offset_group", std::int64_t{3}}}) == ErrorCode::model);
  CHECK(code(offset, mask, {{"offset_group", std::int64_t{0}}}) == ErrorCode::model);
  const Tensor volume(DataType::float32, {1, 4, 5, 5, 5}), cube(DataType::float32, {2, 4, 3, 3, 3});
  CHECK(refusal(op_case("DeformConv", 19, {volume, cube, Tensor(DataType::float32, {1, 81, 3, 3, 3})})) ==
        ErrorCode::unsupported);
  const Tensor doubles(DataType::float64, {1, 4, 5, 5}), filter(DataType::float64, {2, 4, 3, 3});
  CHECK(refusal(op_case("DeformConv", 19, {doubles, filter, Tensor(DataType::float64, {1, 18, 3, 3})})) ==
        ErrorCode::unsupported);
}

}  // namespace
}  // namespace linnet::test::deform_conv_test
