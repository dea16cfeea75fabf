// QuantizeLinear, DequantizeLinear, the integer convolutions and matrix products. Scales are powers of two, so that the
// oracle's doubles round as the engine's floats do, and the checks are exact.
#include <catch2/catch.hpp>
#include <limits>

#include "support/op_case.h"

namespace linnet::test::quantize_test {
namespace {

using List = std::vector<std::int64_t>;
using Int8 = std::int8_t;
using Uint8 = std::uint8_t;

Tensor scale(float value) { return tensor<float>({}, {value}); }
template <typename T>
Tensor zero(std::int64_t value) {
  return tensor<T>({}, {static_cast<T>(value)});
}

/// Bytes that take all values and no simple pattern.
template <typename T>
Tensor bytes(Shape shape, int step) {
  Tensor result(data_type_of<T>(), std::move(shape));
  int value = 7;
  for (T& x : result.mutable_data<T>()) {
    x = static_cast<T>(value);
    value += step;
  }
  return result;
}

TEST_CASE("QuantizeLinear rounds ties to even and saturates", "[ops]") {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = tensor<float>({2, 5}, {-1, 0.25f, 0.75f, 1.25f, -0.25f, 200, -200, infinity, -infinity, 3});
  const OpCase c = op_case("QuantizeLinear", 13, {x, scale(0.5f), zero<Uint8>(128)});
  CHECK(values<Uint8>(run(c)[0]) == std::vector<Uint8>{126, 128, 130, 130, 128, 255, 0, 255, 0, 134});
  check_op(c);
  CHECK(values<Int8>(run(op_case("QuantizeLinear", 13, {x, scale(0.5f), zero<Int8>(-1)}))[0])[5] == 127);
  CHECK(run(op_case("QuantizeLinear", 13, {x, scale(0.5f)}))[0].type() == DataType::uint8);
  const Tensor nan = tensor<float>({1}, {std::numeric_limits<float>::quiet_NaN()});
  CHECK(values<Uint8>(run(op_case("QuantizeLinear", 13, {nan, scale(1), zero<Uint8>(9)}))[0])[0] == 0);
  check_op(op_case("QuantizeLinear", 10, {tensor<std::int32_t>({3}, {-9, 5, 4000}), scale(4), zero<Uint8>(3)}));
}

TEST_CASE("QuantizeLinear and DequantizeLinear per axis and per block", "[ops]") {
  const Tensor x = counting(DataType::float32, {2, 3, 4});
  const Tensor scales = tensor<float>({3}, {0.5f, 2, 4}), zeros = tensor<Uint8>({3}, {1, 2, 3});
  check_op(op_case("QuantizeLinear", 13, {x, scales, zeros}));
  check_op(op_case("QuantizeLinear", 13, {x, scales, zeros}, {{"axis", std::int64_t{-2}}}));
  check_op(op_case("DequantizeLinear", 13, {bytes<Uint8>({2, 3, 4}, 29), scales, zeros}));
  check_op(op_case("DequantizeLinear", 13, {tensor<std::int32_t>({2}, {1 << 30, -5}), scale(0.25f)}));
  const Tensor blocks = tensor<float>({2, 2, 4}, {1, 2, 4, 8, 0.5f, 1, 2, 4, 1, 2, 4, 8, 0.5f, 1, 2, 4});
  const AttributeList by_two = {{"axis", std::int64_t{1}}, {"block_size", std::int64_t{2}}};
  check_op(op_case("QuantizeLinear", 21, {x, blocks}, by_two));
  check_op(op_case("DequantizeLinear", 21, {bytes<Int8>({2, 3, 4}, 31), blocks}, by_two));
  const OpCase wide = op_case("QuantizeLinear", 21, {x, scale(0.125f)}, {{"output_dtype", std::int64_t{5}}});
  CHECK(run(wide)[0].type() == DataType::int16);
  check_op(wide);
}

TEST_CASE("Quantisation refuses what it does not know", "[ops]") {
  const Tensor x = counting(DataType::float32, {2, 3});
  CHECK(refusal(op_case("QuantizeLinear", 13, {x, tensor<float>({2}, {1, 1})})) == ErrorCode::model);
  CHECK(refusal(op_case("QuantizeLinear", 10, {x, tensor<float>({3}, {1, 1, 1})})) == ErrorCode::model);
  const Tensor one = tensor<float>({1}, {1}), three = tensor<float>({3}, {1, 1, 1});
  CHECK(refusal(op_case("QuantizeLinear", 13, {x, three, tensor<Uint8>({1}, {0})})) == ErrorCode::model);
  CHECK(refusal(op_case("DequantizeLinear", 13, {bytes<Uint8>({2, 3}, 1), one, tensor<Uint8>({3}, {0, 1, 2})})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("QuantizeLinear", 21, {x, scale(1)}, {{"output_dtype", std::int64_t{17}}})) ==
        ErrorCode::unsupported);
  CHECK(refusal(op_case("QuantizeLinear", 23, {x, scale(1)}, {{"precision", std::int64_t{10}}})) ==
        ErrorCode::unsupported);
  CHECK(refusal(op_case("QuantizeLinear", 21, {x, scale(1)}, {{"block_size", std::int64_t{2}}})) == ErrorCode::model);
  CHECK(refusal(op_case("DequantizeLinear", 13, {bytes<Uint8>({3}, 1), scale(1), zero<Int8>(0)})) == ErrorCode::model);
  CHECK(inferred(op_case("QuantizeLinear", 13, {Tensor(), scale(1), zero<Int8>(0)}),
                 {desc(DataType::float32, {graph::Dim::symbolic("N"), 3})}) == "int8[N,3]");
}

TEST_CASE("DynamicQuantizeLinear", "[ops]") {
  // The range 0..255 and -128..127 have a scale of exactly 1.
  for (const float low : {0.0f, -128.0f}) {
    check_op(op_case("DynamicQuantizeLinear", 11, {tensor<float>({4}, {low, 3.5f, low + 255, 0.25f})}, {}, 3));
  }
  check_op(op_case("DynamicQuantizeLinear", 11, {tensor<float>({2}, {0, 0})}, {}, 3));
}

TEST_CASE("DynamicQuantizeLinear of a range without end", "[ops]") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Tensor x = tensor<float>({4}, {-kInfinity, kInfinity, std::numeric_limits<float>::quiet_NaN(), 7});
  const std::vector<Tensor> y = run(op_case("DynamicQuantizeLinear", 11, {x}, {}, 3));
  CHECK(values<std::uint8_t>(y[0]) == std::vector<std::uint8_t>{0, 0, 0, 0});
  CHECK(values<float>(y[1]) == std::vector<float>{kInfinity});
  CHECK(values<std::uint8_t>(y[2]) == std::vector<std::uint8_t>{0});
}

TEST_CASE("ConvInteger and QLinearConv sum exactly", "[ops]") {
  const AttributeList grouped = {{"group", std::int64_t{2}}, {"pads", List{1, 0, 1, 1}}, {"strides", List{2, 1}}};
  const Tensor x = bytes<Uint8>({2, 4, 5, 40}, 37), w = bytes<Int8>({6, 2, 3, 3}, 53);
  check_op(op_case("ConvInteger", 10, {x, w, zero<Uint8>(200), zero<Int8>(-3)}, grouped));
  check_op(op_case("ConvInteger", 10, {x, w, Tensor(), tensor<Int8>({6}, {1, -2, 3, -4, 5, -128})}, grouped));
  check_op(op_case("ConvInteger", 10, {bytes<Uint8>({1, 2, 9}, 91), bytes<Uint8>({3, 2, 2}, 77)}));
  check_op(op_case("ConvInteger", 10, {bytes<Int8>({1, 1, 3, 4, 5}, 91), bytes<Int8>({2, 1, 2, 2, 2}, 77)},
                   {{"dilations", List{1, 2, 3}}, {"pads", List{1, 1, 1, 1, 1, 1}}}));
  const Tensor scales = tensor<float>({6}, {1, 0.5f, 0.25f, 2, 1, 4});
  const Tensor bias = tensor<std::int32_t>({6}, {1, -2000, 30000, 0, 5, 6});
  check_op(op_case("QLinearConv", 10,
                   {x, scale(0.5f), zero<Uint8>(100), w, scales, tensor<Int8>({6}, {0, 1, 2, 3, 4, 5}), scale(512),
                    zero<Uint8>(128), bias},
                   grouped));
  check_op(op_case("QLinearConv", 10,
                   {x, scale(0.5f), zero<Uint8>(100), w, scale(1), zero<Int8>(0), scale(1024), zero<Int8>(7)},
                   grouped));
  CHECK(refusal(op_case("QLinearConv", 10,
                        {x, scale(1), zero<Int8>(0), w, scale(1), zero<Int8>(0), scale(1), zero<Uint8>(0)}, grouped)) ==
        ErrorCode::model);
}

TEST_CASE("An integer sum wraps modulo 2^32 as ONNX's types do", "[ops]") {
  // 255 * 255 * 40000 is beyond 2^31.
  Tensor a(DataType::uint8, {1, 40000}), b(DataType::uint8, {40000, 1});
  for (Uint8& v : a.mutable_data<Uint8>()) v = 255;
  for (Uint8& v : b.mutable_data<Uint8>()) v = 255;
  const std::int32_t sum = values<std::int32_t>(run(op_case("MatMulInteger", 10, {a, b}))[0])[0];
  CHECK(static_cast<std::uint32_t>(sum) == 255u * 255u * 40000u);
}

TEST_CASE("MatMulInteger and QLinearMatMul", "[ops]") {
  const Tensor a = bytes<Uint8>({2, 3, 5}, 43), b = bytes<Int8>({1, 5, 4}, 59);
  check_op(op_case("MatMulInteger", 10, {a, b, zero<Uint8>(77), zero<Int8>(-9)}));
  check_op(op_case("MatMulInteger", 10,
                   {bytes<Int8>({3, 5}, 43), bytes<Int8>({5, 4}, 59), tensor<Int8>({3}, {1, 2, 3}),
                    tensor<Int8>({4}, {-1, 0, 5, 99})}));
  check_op(op_case("QLinearMatMul", 10,
                   {a, scale(0.5f), zero<Uint8>(3), b, tensor<float>({4}, {1, 2, 0.5f, 1}),
                    tensor<Int8>({4}, {0, 1, 2, 3}), scale(256), zero<Uint8>(128)}));
  CHECK(run(op_case("MatMulInteger", 10, {bytes<Uint8>({5}, 3), bytes<Uint8>({5}, 3)}))[0].shape() == Shape{});
  CHECK(refusal(op_case("MatMulInteger", 10, {a, bytes<Int8>({4, 4}, 1)})) == ErrorCode::model);
  CHECK(refusal(op_case("MatMulInteger", 10, {a, b, zero<Int8>(0)})) == ErrorCode::model);
}

TEST_CASE("A vector in an integer product has one scale and one zero point", "[ops]") {
  const Tensor a = tensor<Uint8>({1, 2}, {10, 20}), b = tensor<Int8>({2}, {1, 1}), zeros = tensor<Int8>({2}, {0, 1});
  CHECK(refusal(op_case("MatMulInteger", 10, {a, b, Tensor(), zeros})) == ErrorCode::model);
  const auto linear = [&](const Tensor& scales, const Tensor& b_zero) {
    return op_case("QLinearMatMul", 10, {a, scale(1), zero<Uint8>(0), b, scales, b_zero, scale(1), zero<Uint8>(0)});
  };
  CHECK(refusal(linear(scale(1), zeros)) == ErrorCode::model);
  CHECK(refusal(linear(tensor<float>({2}, {1, 2}), zero<Int8>(0))) == ErrorCode::model);
  CHECK(values<Uint8>(run(linear(tensor<float>({1}, {2}), tensor<Int8>({1}, {-3})))[0]) == std::vector<Uint8>{240});
}

TEST_CASE("Scales and zero points of columns may stand as a row, those of rows as a column", "[ops]") {
  const auto same = [](const OpCase& c, const OpCase& with_lists) {
    return bit_difference(run(c)[0], run(with_lists)[0]);
  };
  const Tensor zeros = tensor<Int8>({4}, {-1, 0, 5, 99}), scales = tensor<float>({4}, {1, 2, 0.5f, 1});
  for (const Shape& stack : {Shape{}, Shape{1}, Shape{2}}) {
    const auto shape = [&](Shape matrix, bool of_ones) {
      for (const std::int64_t extent : stack) matrix.insert(matrix.begin(), of_ones ? 1 : extent);
      return matrix;
    };
    const Tensor a = bytes<Int8>(shape({2, 3}, false), 43), b = bytes<Int8>(shape({3, 4}, false), 59);
    const Tensor row = tensor<Int8>(shape({1, 4}, true), {-1, 0, 5, 99}),
                 column = tensor<Int8>(shape({2, 1}, true), {1, 2});
    const Tensor list = tensor<Int8>({2}, {1, 2}), scale_row = tensor<float>(shape({1, 4}, true), {1, 2, 0.5f, 1});
    CHECK(same(op_case("MatMulInteger", 10, {a, b, column, row}), op_case("MatMulInteger", 10, {a, b, list, zeros})) ==
          "");
    const auto linear = [&](const Tensor& b_scale, const Tensor& b_zero) {
      return op_case("QLinearMatMul", 10,
                     {a, scale(0.5f), zero<Int8>(3), b, b_scale, b_zero, scale(256), zero<Uint8>(128)});
    };
    CHECK(same(linear(scale_row, row), linear(scales, zeros)) == "");
  }
  const Tensor a = bytes<Int8>({2, 2, 3}, 43), b = bytes<Int8>({2, 3, 4}, 59);
  CHECK(refusal(op_case("MatMulInteger", 10, {a, b, Tensor(), bytes<Int8>({2, 1, 4}, 3)})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("MatMulInteger", 10, {a, b, Tensor(), bytes<Int8>({1, 1, 3}, 3)})) == ErrorCode::unsupported);
}

}  // namespace
}  // namespace linnet::test::quantize_test
