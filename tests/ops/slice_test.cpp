#include <catch2/catch.hpp>
#include <limits>

#include "support/op_case.h"
#include "support/random_data.h"

namespace linnet::test::slice_test {
namespace {

using graph::Dim;

const DataType kFloat = DataType::float32;
const Dim kN = Dim::symbolic("N");
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max(), kMin = std::numeric_limits<std::int64_t>::min();

std::vector<float> slice(std::int64_t start, std::int64_t end, std::int64_t step) {
  const Tensor x = tensor<float>({5}, {0, 1, 2, 3, 4});
  const OpCase c = op_case("Slice", 13, {x, int64s({start}), int64s({end}), int64s({0}), int64s({step})});
  return values<float>(run(c)[0]);
}

TEST_CASE("Slice clamps its bounds on the side the step comes from", "[ops]") {
  using Floats = std::vector<float>;
  CHECK(slice(1, 3, 1) == Floats{1, 2});
  CHECK(slice(-2, kMax, 1) == Floats{3, 4});
  CHECK(slice(0, 5, 2) == Floats{0, 2, 4});
  CHECK(slice(4, 0, -1) == Floats{4, 3, 2, 1});
  CHECK(slice(kMax, kMin, -1) == Floats{4, 3, 2, 1, 0});
  CHECK(slice(4, -6, -2) == Floats{4, 2, 0});
  CHECK(slice(-1, -6, -3) == Floats{4, 1});
  CHECK(slice(3, 1, 1).empty());
  CHECK(slice(1, 3, -1).empty());
  CHECK(slice(7, 9, 1).empty());
  CHECK(slice(-9, 2, 1) == Floats{0, 1});
  CHECK(slice(1, kMax, kMax) == Floats{1});
  CHECK(slice(2, kMin, kMin) == Floats{2});
  CHECK(slice(-7, -9, -1) == Floats{0});  // the start is clamped to 0; NumPy would take nothing
  CHECK(refusal(op_case("Slice", 13, {counting(kFloat, {5}), int64s({0}), int64s({1}), int64s({0}), int64s({0})})) ==
        ErrorCode::model);
}

TEST_CASE("Slice agrees with the oracle", "[ops]") {
  const Tensor x = counting(kFloat, {3, 4, 5});
  check_op(op_case("Slice", 9, {x}, {{"starts", ints({1, -3})}, {"ends", ints({3, 1000})}, {"axes", ints({0, 2})}}));
  check_op(op_case("Slice", 7, {x}, {{"starts", ints({1})}, {"ends", ints({2})}}));
  check_op(op_case("Slice", 10, {x, int64s({0, 1}), int64s({2, 3})}));
  check_op(
      op_case("Slice", 13,
              {x, tensor<std::int32_t>({1}, {1}), tensor<std::int32_t>({1}, {9}), tensor<std::int32_t>({1}, {-1})}));
  check_op(
      op_case("Slice", 13,
              {counting(kFloat, {5, 70, 80}), int64s({60, 79}), int64s({2, -90}), int64s({1, 2}), int64s({-3, -1})}));
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    std::vector<std::int64_t> starts, ends, steps;
    for (int axis = 0; axis < 3; ++axis) {
      starts.push_back(random.integer(-3, 7));
      ends.push_back(random.integer(-7, 7));
      steps.push_back(random.chance(0.5) ? random.integer(1, 3) : random.integer(-3, -1));
    }
    check_op(op_case("Slice", 13, {x, int64s(starts), int64s(ends), int64s({0, 1, 2}), int64s(steps)}));
  }
}

TEST_CASE("Slice of everything is a view, and symbols live on", "[ops]") {
  const Tensor x = counting(kFloat, {3, 4});
  CHECK(run(op_case("Slice", 13, {x, int64s({0}), int64s({kMax}), int64s({1})}))[0].raw() == x.raw());
  const auto d = desc(kFloat, {kN, 8});
  CHECK(inferred(op_case("Slice", 13, {Tensor(), int64s({0, 2}), int64s({kMax, 6})}), {d}) == "float[N,4]");
  CHECK(inferred(op_case("Slice", 13, {Tensor(), int64s({1}), int64s({kMax}), int64s({0})}), {d}) == "float[?,8]");
  CHECK(inferred(op_case("Slice", 13, {Tensor(), Tensor(), int64s({3}), int64s({1})}),
                 {d, desc(DataType::int64, {1})}) == "float[N,?]");
  CHECK(inferred(op_case("Slice", 13, {Tensor(), Tensor(), int64s({3})}), {d, desc(DataType::int64, {1})}) ==
        "float[?,?]");
}

TEST_CASE("Slice refuses lists that do not fit", "[ops]") {
  const Tensor x = counting(kFloat, {3, 4});
  CHECK(refusal(op_case("Slice", 13, {x, int64s({0, 0}), int64s({1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Slice", 13, {x, int64s({0, 0}), int64s({1, 1}), int64s({0, 0})})) == ErrorCode::model);
  CHECK(refusal(op_case("Slice", 13, {x, int64s({0, 0, 0}), int64s({1, 1, 1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Slice", 13, {x, int64s({0})})) == ErrorCode::model);
  CHECK(refusal(op_case("Slice", 9, {x}, {{"starts", ints({0})}})) == ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::slice_test
