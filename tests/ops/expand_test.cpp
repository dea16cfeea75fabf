#include <catch2/catch.hpp>

#include "support/op_case.h"

namespace linnet::test::expand_test {
namespace {

using graph::Dim;

const DataType kFloat = DataType::float32;
const Dim kN = Dim::symbolic("N");

TEST_CASE("Expand broadcasts in both directions", "[ops]") {
  const Tensor x = counting(kFloat, {3, 1});
  check_op(op_case("Expand", 8, {x, int64s({2, 1, 4})}));
  check_op(op_case("Expand", 13, {x, int64s({1, 1})}));
  check_op(op_case("Expand", 13, {counting(kFloat, {}), int64s({2, 2})}));
  check_op(op_case("Expand", 13, {counting(kFloat, {2, 3, 1, 1}), int64s({1, 1, 100, 70})}));
  check_op(op_case("Expand", 13, {x, int64s({0, 3, 1})}));
  CHECK(refusal(op_case("Expand", 13, {x, int64s({2, 2})})) == ErrorCode::model);
  CHECK(refusal(op_case("Expand", 13, {x, int64s({-1, 1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Expand", 13, {x, int64s({3, 1ll << 40})})) == ErrorCode::limit);
  CHECK(inferred(op_case("Expand", 13, {Tensor(), int64s({1, 1, 8})}), {desc(kFloat, {kN, 1})}) == "float[1,N,8]");
}

TEST_CASE("Tile repeats", "[ops]") {
  const Tensor x = counting(kFloat, {2, 3});
  check_op(op_case("Tile", 6, {x, int64s({2, 3})}));
  check_op(op_case("Tile", 13, {x, int64s({1, 1})}));
  check_op(op_case("Tile", 13, {x, int64s({0, 4})}));
  check_op(op_case("Tile", 13, {counting(DataType::uint8, {3, 1, 2}), int64s({1, 5, 2})}));
  check_op(op_case("Tile", 13, {counting(kFloat, {3, 20, 40}), int64s({2, 2, 5})}));
  CHECK(refusal(op_case("Tile", 13, {x, int64s({2})})) == ErrorCode::model);
  CHECK(refusal(op_case("Tile", 13, {x, int64s({-1, 1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Tile", 13, {x, int64s({1ll << 62, 1})})) == ErrorCode::limit);
  CHECK(inferred(op_case("Tile", 13, {Tensor(), int64s({1, 2})}), {desc(kFloat, {kN, 3})}) == "float[N,6]");
}

TEST_CASE("Where chooses element by element", "[ops]") {
  const Tensor condition = tensor<bool>({2, 1}, {true, false});
  check_op(op_case("Where", 9, {condition, counting(kFloat, {3}), tensor<float>({}, {-1})}));
  check_op(op_case("Where", 16, {condition, counting(DataType::int64, {2, 3}), counting(DataType::int64, {4, 1, 1})}));
  check_op(
      op_case("Where", 16,
              {counting(DataType::boolean, {200, 100}), counting(kFloat, {200, 100}), counting(kFloat, {1, 100})}));
  check_op(
      op_case("Where", 16, {counting(DataType::boolean, {0, 3}), counting(kFloat, {3}), counting(kFloat, {1, 1})}));
  check_op(
      op_case("Where", 16, {tensor<bool>({}, {false}), counting(DataType::uint8, {1}), counting(DataType::uint8, {})}));
  CHECK(refusal(op_case("Where", 16, {condition, counting(kFloat, {3}), counting(DataType::int32, {3})})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("Where", 16, {counting(kFloat, {1}), counting(kFloat, {3}), counting(kFloat, {3})})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("Where", 16, {condition, counting(kFloat, {3}), counting(kFloat, {4})})) == ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::expand_test
