#include <catch2/catch.hpp>

#include "support/op_case.h"

namespace linnet::test::pad_test {
namespace {

using Floats = std::vector<float>;
using graph::Dim;

const DataType kFloat = DataType::float32;

AttributeList mode(const char* name) { return {{"mode", std::string(name)}}; }
Floats pad(const char* name, const std::vector<std::int64_t>& pads) {
  return values<float>(run(op_case("Pad", 19, {tensor<float>({4}, {1, 2, 3, 4}), int64s(pads)}, mode(name)))[0]);
}

TEST_CASE("Pad in its four modes", "[ops]") {
  CHECK(pad("constant", {1, 2}) == Floats{0, 1, 2, 3, 4, 0, 0});
  CHECK(pad("edge", {2, 1}) == Floats{1, 1, 1, 2, 3, 4, 4});
  CHECK(pad("reflect", {2, 3}) == Floats{3, 2, 1, 2, 3, 4, 3, 2, 1});
  CHECK(pad("wrap", {2, 1}) == Floats{3, 4, 1, 2, 3, 4, 1});
  CHECK(pad("reflect", {0, 7}) == Floats{1, 2, 3, 4, 3, 2, 1, 2, 3, 4, 3});
}

TEST_CASE("Negative pads cut off, and the other side mirrors what is kept", "[ops]") {
  CHECK(pad("constant", {-1, -2}) == Floats{2});
  CHECK(pad("constant", {-1, 2}) == Floats{2, 3, 4, 0, 0});
  CHECK(pad("constant", {-2, -2}).empty());
  CHECK(pad("constant", {-6, 4}) == Floats{0, 0});
  CHECK(pad("edge", {2, -3}) == Floats{1, 1, 1});
  CHECK(pad("reflect", {1, -1}) == Floats{2, 1, 2, 3});
  CHECK(pad("wrap", {-1, 1}) == Floats{2, 3, 4, 2});
  const auto refused = [](const char* name, const std::vector<std::int64_t>& pads) {
    return refusal(op_case("Pad", 19, {counting(kFloat, {4}), int64s(pads)}, mode(name)));
  };
  CHECK(refused("constant", {-3, -2}) == ErrorCode::model);
  CHECK(refused("edge", {-6, 4}) == ErrorCode::model);
  CHECK(refused("constant", {std::int64_t{1} << 62, std::int64_t{1} << 62}) == ErrorCode::limit);
  CHECK(refused("constant", {0, std::int64_t{1} << 40}) == ErrorCode::limit);
}

TEST_CASE("Pad takes its parameters from where the opset has them", "[ops]") {
  const Tensor x = counting(kFloat, {2, 3, 4});
  check_op(op_case("Pad", 2, {x}, {{"pads", ints({0, 1, 2, 1, 0, 3})}, {"value", 1.5f}}));
  check_op(op_case("Pad", 10, {x}, {{"pads", ints({0, 1, 2, 0, 1, 3})}, {"mode", std::string("reflect")}}));
  check_op(op_case("Pad", 11, {x, int64s({0, 1, 2, 1, 0, 3}), tensor<float>({}, {-7})}));
  check_op(op_case("Pad", 18, {x, int64s({1, 2}), tensor<float>({}, {9}), int64s({-1})}));
  check_op(op_case("Pad", 18, {x, int64s({1, 2, 3, 4}), Tensor(), int64s({2, 0})}, mode("edge")));
  for (const DataType type : {DataType::uint8, DataType::int64, DataType::float64, DataType::int16})
    check_op(op_case("Pad", 13, {counting(type, {3, 2}), int64s({1, 1, 2, 2})}));
  check_op(op_case("Pad", 13, {counting(kFloat, {2, 20, 50, 60}), int64s({0, 0, 3, 3, 0, 0, 3, 3})}));
  check_op(op_case("Pad", 13, {counting(kFloat, {2, 20, 50, 60}), int64s({0, 1, 0, 0, 0, 2, 0, 0})}, mode("reflect")));
  check_op(op_case("Pad", 13, {counting(kFloat, {2, 0}), int64s({1, 1, 1, 1})}));
  CHECK(run(op_case("Pad", 13, {x, int64s({0, 0, 0, 0, 0, 0})}))[0].raw() == x.raw());
  // Nothing comes out, though one of its extents is beyond all memory.
  CHECK(run(op_case("Pad", 13, {counting(kFloat, {2, 0}), int64s({std::int64_t{1} << 40, 0, 0, 0})}))[0].size() == 0);
}

TEST_CASE("Pad refuses what its opset does not know", "[ops]") {
  const Tensor x = counting(kFloat, {4});
  CHECK(refusal(op_case("Pad", 18, {x, int64s({1, 1})}, mode("wrap"))) == ErrorCode::model);
  CHECK(refusal(op_case("Pad", 13, {x, int64s({1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Pad", 13, {x, int64s({1, 1}), tensor<double>({}, {0})})) == ErrorCode::model);
  CHECK(refusal(op_case("Pad", 13, {x}, {{"pads", ints({1, 1})}})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Pad", 2, {x})) == ErrorCode::model);
  const graph::DimList dims = {Dim::symbolic("N"), 3, Dim::symbolic("H")};
  CHECK(inferred(op_case("Pad", 13, {Tensor(), int64s({0, 1, 1, 0, 1, 1})}), {desc(kFloat, dims)}) == "float[N,5,?]");
  CHECK(inferred(op_case("Pad", 13, {}), {desc(kFloat, dims), desc(DataType::int64, {6})}) == "float[?,?,?]");
}

}  // namespace
}  // namespace linnet::test::pad_test
