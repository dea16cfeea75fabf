#include <catch2/catch.hpp>

#include "support/op_case.h"

namespace linnet::test::transpose_test {
namespace {

using graph::Dim;

const DataType kFloat = DataType::float32;
const Dim kN = Dim::symbolic("N");

TEST_CASE("Transpose permutes axes of elements of every size", "[ops]") {
  for (const DataType type :
       {kFloat, DataType::float64, DataType::uint8, DataType::int16, DataType::int64, DataType::boolean}) {
    check_op(op_case("Transpose", 13, {counting(type, {2, 3, 4})}));
    check_op(op_case("Transpose", 13, {counting(type, {2, 3, 4, 5})}, {{"perm", ints({0, 2, 3, 1})}}));
    check_op(op_case("Transpose", 13, {counting(type, {2, 3, 4, 5})}, {{"perm", ints({2, 0, 1, 3})}}));
  }
  check_op(op_case("Transpose", 13, {counting(kFloat, {})}));
  check_op(op_case("Transpose", 13, {counting(kFloat, {3, 0, 2})}));
  check_op(op_case("Transpose", 13, {counting(kFloat, {2, 2, 2, 2, 2, 2, 2, 2, 2})}));
  check_op(op_case("Transpose", 13, {counting(kFloat, {3, 100, 200})}, {{"perm", ints({0, 2, 1})}}));
  check_op(op_case("Transpose", 13, {counting(kFloat, {1, 64, 30, 30})}, {{"perm", ints({0, 2, 3, 1})}}));
}

TEST_CASE("Transpose of axes of one is a view", "[ops]") {
  const Tensor x = counting(kFloat, {4, 1, 5});
  CHECK(run(op_case("Transpose", 13, {x}, {{"perm", ints({1, 0, 2})}}))[0].raw() == x.raw());
  CHECK(run(op_case("Transpose", 13, {x}, {{"perm", ints({2, 1, 0})}}))[0].raw() != x.raw());
}

TEST_CASE("Transpose keeps symbols and refuses what is no permutation", "[ops]") {
  CHECK(inferred(op_case("Transpose", 13, {}, {{"perm", ints({1, 0})}}), {desc(kFloat, {kN, 4})}) == "float[4,N]");
  for (const auto& perm : {ints({0, 0}), ints({0}), ints({0, 2}), ints({-1, 0})})
    CHECK(refusal(op_case("Transpose", 13, {counting(kFloat, {2, 3})}, {{"perm", perm}})) == ErrorCode::model);
}

TEST_CASE("DepthToSpace and SpaceToDepth", "[ops]") {
  const std::int64_t two = 2;
  const Tensor x = counting(kFloat, {2, 8, 3, 5});
  check_op(op_case("DepthToSpace", 1, {x}, {{"blocksize", two}}));
  check_op(op_case("DepthToSpace", 13, {x}, {{"blocksize", two}, {"mode", std::string("DCR")}}));
  check_op(op_case("DepthToSpace", 13, {x}, {{"blocksize", two}, {"mode", std::string("CRD")}}));
  check_op(op_case("SpaceToDepth", 13, {counting(kFloat, {2, 3, 4, 6})}, {{"blocksize", two}}));
  // By hand: channels 0..3 of one pixel become a square.
  const Tensor pixel = tensor<float>({1, 4, 1, 1}, {0, 1, 2, 3});
  CHECK(values<float>(run(op_case("DepthToSpace", 13, {pixel}, {{"blocksize", two}}))[0]) ==
        std::vector<float>{0, 1, 2, 3});
  CHECK(refusal(op_case("DepthToSpace", 13, {counting(kFloat, {1, 6, 2, 2})}, {{"blocksize", two}})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("DepthToSpace", 13, {x}, {{"blocksize", std::int64_t{0}}})) == ErrorCode::model);
  CHECK(refusal(op_case("DepthToSpace", 13, {x}, {{"blocksize", two}, {"mode", std::string("XYZ")}})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("SpaceToDepth", 13, {x}, {{"blocksize", two}})) == ErrorCode::model);
  CHECK(inferred(op_case("DepthToSpace", 13, {}, {{"blocksize", two}}), {desc(kFloat, {kN, 8, Dim(), 3})}) ==
        "float[N,2,?,6]");
}

TEST_CASE("SpaceToDepth with columns before rows, of opset 28", "[ops]") {
  const Tensor x = counting(DataType::float32, {1, 2, 2, 2});
  const AttributeList crd = {{"blocksize", std::int64_t{2}}, {"mode", std::string("CRD")}};
  CHECK(values<float>(run(op_case("SpaceToDepth", 28, {x}, crd))[0]) == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7});
  check_op(op_case("SpaceToDepth", 28, {counting(DataType::int32, {2, 3, 4, 6})}, crd));
  check_op(op_case("SpaceToDepth", 28, {counting(DataType::int32, {2, 3, 4, 6})}, {{"blocksize", std::int64_t{2}}}));
}

}  // namespace
}  // namespace linnet::test::transpose_test
