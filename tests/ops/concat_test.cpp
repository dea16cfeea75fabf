#include <catch2/catch.hpp>

#include "support/op_case.h"

namespace linnet::test::concat_test {
namespace {

using graph::Dim;

const DataType kFloat = DataType::float32;
const Dim kN = Dim::symbolic("N");
AttributeList axis(std::int64_t value) { return {{"axis", value}}; }

TEST_CASE("Concat joins along an axis", "[ops]") {
  const Tensor a = counting(kFloat, {2, 3, 2}), b = counting(kFloat, {2, 1, 2});
  check_op(op_case("Concat", 13, {a, b, a}, axis(1)));
  check_op(op_case("Concat", 13, {a, a}, axis(0)));
  check_op(op_case("Concat", 13, {a, a}, axis(-1)));
  check_op(op_case("Concat", 13, {a}, axis(0)));
  check_op(op_case("Concat", 13, {counting(kFloat, {0}), counting(kFloat, {3})}, axis(0)));
  check_op(op_case("Concat", 4, {counting(DataType::int64, {2}), counting(DataType::int64, {1})}, axis(0)));
  check_op(op_case("Concat", 13, {counting(kFloat, {4, 60, 99}), counting(kFloat, {4, 7, 99})}, axis(1)));
  CHECK(values<float>(run(op_case("Concat", 13, {tensor<float>({2, 1}, {1, 2}), tensor<float>({2, 1}, {3, 4})},
                                  axis(1)))[0]) == std::vector<float>{1, 3, 2, 4});
}

TEST_CASE("Concat refuses inputs that do not fit", "[ops]") {
  const Tensor a = counting(kFloat, {2, 3});
  CHECK(refusal(op_case("Concat", 13, {a, counting(kFloat, {3, 3})}, axis(1))) == ErrorCode::model);
  CHECK(refusal(op_case("Concat", 13, {a, counting(kFloat, {2, 3, 1})}, axis(1))) == ErrorCode::model);
  CHECK(refusal(op_case("Concat", 13, {a, counting(DataType::int32, {2, 3})}, axis(1))) == ErrorCode::model);
  CHECK(refusal(op_case("Concat", 13, {a, a}, axis(2))) == ErrorCode::model);
  CHECK(refusal(op_case("Concat", 13, {a, a})) == ErrorCode::model);
  CHECK(refusal(op_case("Concat", 13, {}, axis(0))) == ErrorCode::model);
}

TEST_CASE("Concat keeps symbols beside its axis", "[ops]") {
  const auto x = desc(kFloat, {kN, 3, Dim()}), y = desc(kFloat, {kN, 5, 7});
  CHECK(inferred(op_case("Concat", 13, {}, axis(1)), {x, y}) == "float[N,8,7]");
  CHECK(inferred(op_case("Concat", 13, {}, axis(0)), {y, y}) == "float[?,5,7]");
}

TEST_CASE("Split cuts as each opset says", "[ops]") {
  const Tensor x = counting(kFloat, {2, 7, 3});
  check_op(op_case("Split", 11, {x}, {{"axis", std::int64_t{1}}, {"split", ints({3, 4})}}, 2));
  check_op(op_case("Split", 11, {x}, axis(0), 2));
  check_op(op_case("Split", 13, {x, int64s({1, 0, 6})}, axis(1), 3));
  check_op(op_case("Split", 18, {x}, {{"axis", std::int64_t{-2}}, {"num_outputs", std::int64_t{3}}}, 3));
  check_op(op_case("Split", 13, {counting(kFloat, {9, 40, 100}), int64s({16, 24})}, axis(1), 2));
  const std::vector<Tensor> parts =
      run(op_case("Split", 18, {tensor<float>({5}, {1, 2, 3, 4, 5})}, {{"num_outputs", std::int64_t{2}}}, 2));
  CHECK(values<float>(parts[0]) == std::vector<float>{1, 2, 3});
  CHECK(values<float>(parts[1]) == std::vector<float>{4, 5});
  OpCase unused = op_case("Split", 13, {x, int64s({1, 1})}, axis(0), 2);
  unused.node.outputs[0] = graph::kNoValue;
  CHECK(run(unused)[1].shape() == Shape{1, 7, 3});
}

TEST_CASE("Split refuses parts that are not the whole", "[ops]") {
  const Tensor x = counting(kFloat, {6});
  CHECK(refusal(op_case("Split", 13, {x}, {}, 4)) == ErrorCode::model);
  CHECK(refusal(op_case("Split", 13, {x, int64s({3, 4})}, {}, 2)) == ErrorCode::model);
  CHECK(refusal(op_case("Split", 13, {x, int64s({6})}, {}, 2)) == ErrorCode::model);
  CHECK(refusal(op_case("Split", 13, {x, int64s({7, -1})}, {}, 2)) == ErrorCode::model);
  CHECK(refusal(op_case("Split", 18, {x, int64s({3, 3})}, {{"num_outputs", std::int64_t{2}}}, 2)) == ErrorCode::model);
  CHECK(refusal(op_case("Split", 18, {x}, {{"num_outputs", std::int64_t{3}}}, 2)) == ErrorCode::model);
  CHECK(inferred(op_case("Split", 13, {}, axis(1), 2), {desc(kFloat, {kN, 6})}) == "float[N,3]");
  CHECK(inferred(op_case("Split", 13, {}, axis(0), 2), {desc(kFloat, {kN, 6})}) == "float[?,6]");
}

}  // namespace
}  // namespace linnet::test::concat_test
