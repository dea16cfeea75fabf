// The operators of com.microsoft. ONNX Runtime defines them: the expected bytes are what its version 1.32 computes on AVX2.
#include <catch2/catch.hpp>

#include "support/op_case.h"

namespace linnet::test::qlinear_test {
namespace {

using List = std::vector<std::int64_t>;
using Int8 = std::int8_t;
using Uint8 = std::uint8_t;
using Bytes = std::vector<int>;

Tensor scale(float value) { return tensor<float>({}, {value}); }
template <typename T>
Tensor zero(int value) {
  return tensor<T>({}, {static_cast<T>(value)});
}

OpCase microsoft(std::string op_type, std::vector<Tensor> inputs, const AttributeList& attributes = {}) {
  OpCase c = op_case(std::move(op_type), 1, std::move(inputs), attributes);
  c.node.domain = "com.microsoft";
  return c;
}

/// The result, which any number of threads computes alike.
Bytes result(const OpCase& c) {
  const std::vector<Tensor> outputs = run(c);
  for (const int threads : {2, 3, 7}) CHECK(bit_difference(run_split(c, threads)[0], outputs[0]) == "");
  const Tensor& y = outputs[0];
  if (y.type() == DataType::uint8) return {y.data<Uint8>().begin(), y.data<Uint8>().end()};
  return {y.data<Int8>().begin(), y.data<Int8>().end()};
}

const Tensor& operand_a() {
  static const Tensor a = tensor<Uint8>({2, 3}, {0, 3, 100, 128, 200, 255});
  return a;
}
std::vector<Tensor> pair(const Tensor& b) {
  return {operand_a(),   scale(0.037f),   zero<Uint8>(120), b,
          scale(0.021f), zero<Uint8>(33), scale(0.05f),     zero<Uint8>(100)};
}

TEST_CASE("QLinearAdd and QLinearMul", "[ops]") {
  const Tensor b = tensor<Uint8>({2, 3}, {255, 7, 90, 31, 128, 1});
  CHECK(result(microsoft("QLinearAdd", pair(b))) == Bytes{104, 2, 109, 105, 199, 186});
  CHECK(result(microsoft("QLinearMul", pair(b))) == Bytes{0, 147, 82, 100, 218, 33});
  CHECK(result(microsoft("QLinearAdd", pair(tensor<Uint8>({1, 1}, {255})))) == Bytes{104, 107, 178, 199, 252, 255});
  std::vector<Tensor> mixed = pair(b);
  mixed[3] = tensor<Int8>({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(refusal(microsoft("QLinearAdd", mixed)) == ErrorCode::model);
}

TEST_CASE("QLinearSigmoid and QLinearLeakyRelu", "[ops]") {
  CHECK(result(microsoft("QLinearSigmoid", {operand_a(), scale(0.037f), zero<Uint8>(120), scale(1.0f / 256),
                                            zero<Uint8>(0)})) == Bytes{3, 3, 83, 147, 243, 254});
  const Tensor x = tensor<Int8>({2, 3}, {-128, -3, 0, 5, 100, 127});
  CHECK(result(microsoft("QLinearLeakyRelu", {x, scale(0.037f), zero<Int8>(3), scale(0.02f), zero<Int8>(-7)},
                         {{"alpha", 0.1f}})) == Bytes{-31, -8, -8, -3, 127, 127});
}

TEST_CASE("QLinearConcat takes each operand to the scale of the result", "[ops]") {
  const Tensor b = tensor<Uint8>({2, 3}, {255, 7, 90, 31, 128, 1});
  const std::vector<Tensor> inputs = {scale(0.05f), zero<Uint8>(9), operand_a(), scale(0.037f), zero<Uint8>(120), b,
                                      scale(0.05f), zero<Uint8>(9)};
  CHECK(result(microsoft("QLinearConcat", inputs, {{"axis", std::int64_t{1}}})) ==
        Bytes{0, 0, 0, 255, 7, 90, 15, 68, 109, 31, 128, 1});
  CHECK(refusal(microsoft("QLinearConcat", inputs, {{"axis", std::int64_t{2}}})) == ErrorCode::model);
  CHECK(refusal(microsoft("QLinearConcat", {inputs.begin(), inputs.begin() + 4}, {{"axis", std::int64_t{1}}})) ==
        ErrorCode::model);
  const auto desc = [](DataType type, const graph::DimList& dims) { return graph::TensorDesc{type, dims}; };
  const graph::TensorDesc factor = desc(DataType::float32, {}), offset = desc(DataType::uint8, {});
  const auto joined = [&](const graph::Dim& first, const graph::Dim& second) {
    return inferred(microsoft("QLinearConcat", {}, {{"axis", std::int64_t{1}}}),
                    {factor, offset, desc(DataType::uint8, {first, 2}), factor, offset,
                     desc(DataType::uint8, {second, 3}), factor, offset});
  };
  const graph::Dim m = graph::Dim::symbolic("M"), n = graph::Dim::symbolic("N");
  CHECK(joined(n, n) == "uint8[N,5]");
  CHECK(joined(m, n) == "uint8[?,5]");  // equal in each run, but to which of the two is not said
  CHECK(joined(n, 4) == "uint8[4,5]");
}

TEST_CASE("QLinearGlobalAveragePool and QLinearAveragePool", "[ops]") {
  Tensor x(DataType::uint8, {1, 1, 4, 4});
  for (std::size_t i = 0; i < 16; ++i) x.mutable_data<Uint8>()[i] = static_cast<Uint8>(i * 17);
  const std::vector<Tensor> inputs = {x, scale(0.037f), zero<Uint8>(120), scale(0.05f), zero<Uint8>(100)};
  CHECK(result(microsoft("QLinearGlobalAveragePool", inputs)) == Bytes{106});
  AttributeList window = {{"kernel_shape", List{3, 3}}, {"strides", List{2, 2}}, {"pads", List{1, 1, 1, 1}}};
  CHECK(result(microsoft("QLinearAveragePool", inputs, window)) == Bytes{43, 62, 118, 137});
  window.emplace_back("count_include_pad", std::int64_t{1});
  CHECK(result(microsoft("QLinearAveragePool", inputs, window)) == Bytes{75, 74, 112, 137});
}

TEST_CASE("Quantised pools with channels last", "[ops]") {
  // The second channel is the first one upside down.
  Tensor x(DataType::uint8, {1, 4, 4, 2});
  for (std::size_t i = 0; i < 16; ++i) {
    x.mutable_data<Uint8>()[2 * i] = static_cast<Uint8>(i * 17);
    x.mutable_data<Uint8>()[2 * i + 1] = static_cast<Uint8>((12 - i / 4 * 4 + i % 4) * 17);
  }
  const std::vector<Tensor> inputs = {x, scale(0.037f), zero<Uint8>(120), scale(0.05f), zero<Uint8>(100)};
  const AttributeList window = {
      {"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}, {"channels_last", std::int64_t{1}}};
  CHECK(result(microsoft("QLinearAveragePool", inputs, window)) == Bytes{43, 143, 68, 168, 143, 43, 168, 68});
  CHECK(result(microsoft("QLinearGlobalAveragePool", inputs, {{"channels_last", std::int64_t{1}}})) == Bytes{106, 106});
}

}  // namespace
}  // namespace linnet::test::qlinear_test
