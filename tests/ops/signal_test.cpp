#include <catch2/catch.hpp>
#include <cmath>

#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::signal_test {
namespace {

/// Both compute in double.
const Tolerance kRounded = {0x1p-22, 1e-5};

Tensor random(Shape shape) {
  Random numbers(9);
  return from_reference(random_reals(numbers, std::move(shape), -1, 1));
}
Tensor number(std::int64_t value) { return tensor<std::int64_t>({}, {value}); }
AttributeList flags(std::int64_t inverse, std::int64_t onesided) {
  return {{"inverse", inverse}, {"onesided", onesided}};
}

TEST_CASE("DFT of a few numbers", "[ops]") {
  const Tensor x = tensor<float>({1, 4, 1}, {1, 2, 3, 4});
  const std::vector<float> y = values<float>(run(op_case("DFT", 17, {x}))[0]);
  const std::vector<float> expected = {10, 0, -2, 2, -2, 0, -2, -2};
  REQUIRE(y.size() == expected.size());
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == Approx(expected[i]).margin(1e-6));
}

TEST_CASE("DFT of lengths with small, large, equal and no factors", "[ops]") {
  for (const std::int64_t n : {1, 2, 3, 7, 8, 12, 30, 49, 97, 121, 180}) {
    CAPTURE(n);
    check_op(op_case("DFT", 17, {random({2, n, 3, 1})}), kRounded);
    check_op(op_case("DFT", 17, {random({2, n, 3, 2})}, flags(1, 0)), kRounded);
    check_op(op_case("DFT", 17, {random({2, n, 3, 1})}, flags(0, 1)), kRounded);
    if (n > 1) check_op(op_case("DFT", 17, {random({2, n, 3, 2})}, flags(1, 1)), kRounded);
    check_op(op_case("DFT", 20, {random({2, 3, n, 2})}), kRounded);
    check_op(op_case("DFT", 20, {random({n, 3, 5, 2}), Tensor(), number(0)}), kRounded);
    check_op(op_case("DFT", 20, {random({2, 20, 1}), number(n), number(-2)}, flags(0, 1)), kRounded);
    check_op(op_case("DFT", 20, {random({2, 20, 2}), number(n), number(1)}, flags(1, 1)), kRounded);
  }
  check_op(op_case("DFT", 17, {random({30, 360, 4, 2})}), kRounded);  // more than one thread's
}

TEST_CASE("STFT", "[ops]") {
  const Tensor window = random({16});
  for (const std::int64_t onesided : {0, 1}) {
    const AttributeList sides = {{"onesided", onesided}};
    check_op(op_case("STFT", 17, {random({2, 100, 1}), number(7), window}, sides), kRounded);
    check_op(op_case("STFT", 17, {random({2, 100, 1}), number(7), Tensor(), number(15)}, sides), kRounded);
    check_op(op_case("STFT", 17, {random({3, 4000, 1}), number(8), window, number(16)}, sides), kRounded);
  }
  check_op(op_case("STFT", 17, {random({2, 100, 2}), number(7), window}, {{"onesided", std::int64_t{0}}}), kRounded);
}

TEST_CASE("Windows of every type", "[ops]") {
  for (const char* op : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    for (const std::int64_t periodic : {0, 1}) {
      check_op(op_case(op, 17, {number(10)}, {{"periodic", periodic}}), kRounded);
      check_op(op_case(op, 17, {number(40000)}, {{"periodic", periodic}}), kRounded);
      for (const DataType type : {DataType::float64, DataType::int32, DataType::uint8})
        check_op(op_case(op, 17, {number(9)},
                         {{"periodic", periodic}, {"output_datatype", static_cast<std::int64_t>(type)}}),
                 kRounded);
    }
    CHECK(refusal(op_case(op, 17, {number(-1)})) == ErrorCode::model);
    CHECK(refusal(op_case(op, 17, {number(4)}, {{"output_datatype", std::int64_t{8}}})) == ErrorCode::model);
  }
}

TEST_CASE("MelWeightMatrix has a triangle a band", "[ops]") {
  const auto real = [](float value) { return tensor<float>({}, {value}); };
  const OpCase mel = op_case("MelWeightMatrix", 17, {number(8), number(16), number(8192), real(0), real(4096)});
  const Tensor y = run(mel)[0];
  REQUIRE(y.shape() == Shape{9, 8});
  // Bands 0 to 7 peak at the rows where each column is 1.
  const std::vector<int> peaks = {0, 0, 1, 1, 2, 3, 4, 5};
  const std::vector<float> m = values<float>(y);
  for (std::size_t band = 0; band < 8; ++band) CHECK(m[static_cast<std::size_t>(peaks[band]) * 8 + band] == 1);
  for (const int threads : {2, 3, 7}) CHECK(values<float>(run_split(mel, threads)[0]) == m);
  CHECK(refusal(op_case("MelWeightMatrix", 17, {number(8), number(16), number(8192), real(0), real(81920)})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("MelWeightMatrix", 17, {number(8), number(16), number(0), real(0), real(4096)})) ==
        ErrorCode::model);
}

TEST_CASE("Signal operators refuse what they cannot read", "[ops]") {
  CHECK(refusal(op_case("DFT", 17, {random({2, 8, 3})})) == ErrorCode::model);
  CHECK(refusal(op_case("DFT", 17, {random({2, 8, 1})}, {{"axis", std::int64_t{2}}})) == ErrorCode::model);
  CHECK(refusal(op_case("DFT", 17, {random({2, 8, 2})}, flags(0, 1))) == ErrorCode::model);
  CHECK(refusal(op_case("DFT", 17, {random({2, 8, 1}), number(0)})) == ErrorCode::model);
  CHECK(refusal(op_case("DFT", 17, {random({2, 8, 1}), number(std::int64_t{1} << 40)})) == ErrorCode::limit);
  for (const std::vector<std::int64_t>& axes : {std::vector<std::int64_t>{}, std::vector<std::int64_t>{1, 1}})
    CHECK(refusal(op_case("DFT", 20, {random({2, 8, 1}), Tensor(), int64s(axes)})) == ErrorCode::model);
  CHECK(refusal(op_case("STFT", 17, {random({1, 8, 1}), int64s({}), Tensor(), number(4)})) == ErrorCode::model);
  CHECK(refusal(op_case("HannWindow", 17, {int64s({})})) == ErrorCode::model);
  CHECK(refusal(op_case("CumSum", 14, {random({3}), int64s({})})) == ErrorCode::model);
  CHECK(refusal(op_case("STFT", 17, {random({1, 8, 1}), number(1), Tensor(), number(9)})) == ErrorCode::model);
  CHECK(refusal(op_case("STFT", 17, {random({1, 8, 1}), number(0), Tensor(), number(4)})) == ErrorCode::model);
  CHECK(refusal(op_case("STFT", 17, {random({1, 8, 1}), number(1), random({5}), number(4)})) == ErrorCode::model);
  CHECK(refusal(op_case("STFT", 17, {random({1, 8, 2}), number(1), random({5})})) == ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::signal_test
