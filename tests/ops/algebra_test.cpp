#include <catch2/catch.hpp>

#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::algebra_test {
namespace {

Tensor random(Shape shape, std::uint64_t seed = 17) {
  Random numbers(seed);
  return from_reference(random_reals(numbers, std::move(shape), -2, 2));
}
/// Summed in double and rounded once.
const Tolerance kRounded = {0x1p-23, 1e-12};

OpCase einsum(std::string equation, std::vector<Tensor> inputs) {
  return op_case("Einsum", 12, std::move(inputs), {{"equation", std::move(equation)}});
}

TEST_CASE("Einsum computes what its equation says", "[ops]") {
  const Tensor a = counting(DataType::float64, {2, 3}), b = counting(DataType::float64, {3, 4});
  CHECK(values<double>(run(einsum("ij,jk->ik", {a, b}))[0]) == std::vector<double>{20, 23, 26, 29, 56, 68, 80, 92});
  check_op(einsum("ij->ji", {a}));
  check_op(einsum("ij", {a}));
  check_op(einsum("ba", {a}));  // alphabetical: a transposition
  check_op(einsum("ij->", {a}));
  check_op(einsum("ij->i", {a}));
  check_op(einsum("i,i", {counting(DataType::int32, {5}), counting(DataType::int32, {5})}));
  check_op(einsum("...ii ->...i", {counting(DataType::int64, {2, 3, 3})}));
  check_op(einsum("ii", {counting(DataType::float64, {3, 3})}));
  check_op(einsum("b...ij, b...jk", {random({2, 3, 4, 5}), random({2, 1, 5, 6})}), kRounded);
  check_op(einsum("bhid,bhjd->bhij", {random({2, 3, 17, 20}), random({2, 3, 15, 20})}), kRounded);
  check_op(einsum("aB,Bc,c->ac", {random({3, 4}), random({4, 5}), random({5})}), kRounded);
  check_op(einsum("...a,a...->...", {random({2, 3}), random({3, 4, 2})}), kRounded);
  check_op(einsum("", {tensor<float>({}, {3})}));
  check_op(einsum(",->", {tensor<float>({}, {3}), tensor<float>({}, {4})}));
  check_op(einsum("ij,jk", {random({3, 0}), random({0, 2})}), kRounded);
  check_op(einsum("ij,kl->il", {counting(DataType::uint8, {3, 40}), counting(DataType::uint8, {30, 5})}));
  CHECK(inferred(einsum("nij,njk->nik", {}), {desc(DataType::float32, {graph::Dim::symbolic("N"), 2, 3}),
                                              desc(DataType::float32, {graph::Dim::symbolic("N"), 3, 4})}) ==
        "float[N,2,4]");
}

TEST_CASE("Einsum refuses what it cannot read", "[ops]") {
  const Tensor a = counting(DataType::float64, {2, 3});
  for (const char* equation : {"ijk->i", "i->i", "ij,jk->ik", "ij->k", "ij->ii", "i1->i", "i.->i", "......ij"})
    CHECK(refusal(einsum(equation, {a})) == ErrorCode::model);
  CHECK(refusal(einsum("ij,jk", {a, a})) == ErrorCode::model);
  CHECK(refusal(einsum("ij,ij", {a, random({2, 3})})) == ErrorCode::model);
  CHECK(refusal(einsum("i", {tensor<bool>({1}, {true})})) == ErrorCode::unsupported);
  CHECK(refusal(einsum("", {})) == ErrorCode::unsupported);
}

TEST_CASE("Det", "[ops]") {
  CHECK(values<float>(run(op_case("Det", 11, {tensor<float>({2, 2}, {1, 2, 3, 4})}))[0]) == std::vector<float>{-2});
  CHECK(values<double>(run(op_case("Det", 11, {tensor<double>({3, 3}, {0, 2, 0, 1, 0, 0, 0, 0, 4})}))[0]) ==
        std::vector<double>{-8});
  CHECK(values<float>(run(op_case("Det", 11, {tensor<float>({2, 2}, {1, 2, 2, 4})}))[0]) == std::vector<float>{0});
  check_op(op_case("Det", 11, {random({3, 5, 4, 4})}), kRounded);
  check_op(op_case("Det", 22, {random({6, 6})}), kRounded);
  check_op(op_case("Det", 22, {random({2, 0, 0})}), kRounded);
  CHECK(inferred(op_case("Det", 11, {}), {desc(DataType::float32, {graph::Dim::symbolic("N"), 3, 3})}) == "float[N]");
  CHECK(refusal(op_case("Det", 11, {random({3})})) == ErrorCode::model);
  CHECK(refusal(op_case("Det", 11, {random({3, 2})})) == ErrorCode::model);
}

TEST_CASE("Matrix products of every type", "[ops]") {
  for (const DataType type :
       {DataType::float64, DataType::int32, DataType::int64, DataType::uint32, DataType::uint64}) {
    const auto make = [type](Shape shape) { return counting(type, std::move(shape)); };
    check_op(op_case("MatMul", 13, {make({3, 4}), make({4, 5})}));
    check_op(op_case("MatMul", 9, {make({2, 1, 3, 4}), make({5, 4, 2})}));
    check_op(op_case("MatMul", 13, {make({60, 40}), make({40, 50})}));
    check_op(op_case("MatMul", 13, {make({4}), make({4})}));
    check_op(op_case("MatMul", 13, {make({3, 0}), make({0, 2})}));
    for (const std::int64_t transposed : {0, 1}) {
      const AttributeList attributes = {{"transA", transposed}, {"transB", 1 - transposed}};
      const Tensor a = transposed != 0 ? make({4, 3}) : make({3, 4}), b = transposed != 0 ? make({4, 5}) : make({5, 4});
      check_op(op_case("Gemm", 11, {a, b}, attributes));
      for (const Shape& shape : {Shape{3, 5}, Shape{5}, Shape{3, 1}, Shape{1, 5}, Shape{}})
        check_op(op_case("Gemm", 11, {a, b, make(shape)}, attributes));
    }
  }
  const AttributeList scaled = {{"alpha", 0.5f}, {"beta", 3.0f}};
  check_op(op_case("Gemm", 13, {random({3, 4}), random({4, 5}), random({5})}, scaled), {1e-5, 1e-5});
  check_op(op_case(
      "Gemm", 13,
      {counting(DataType::float64, {3, 4}), counting(DataType::float64, {4, 5}), counting(DataType::float64, {5})},
      scaled));
  const Tensor most = tensor<std::uint64_t>({1, 2}, {1ull << 63, 1});
  CHECK(values<std::uint64_t>(run(op_case("MatMul", 13, {most, tensor<std::uint64_t>({2, 1}, {2, 7})}))[0]) ==
        std::vector<std::uint64_t>{7});
  const Tensor bytes = tensor<std::int8_t>({1, 1}, {1});
  CHECK(refusal(op_case("MatMul", 13, {bytes, bytes})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("MatMul", 13, {random({2, 2}), counting(DataType::float64, {2, 2})})) == ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::algebra_test
