#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "ops/op_def.h"
#include "support/op_case.h"

namespace linnet::test::constant_test {
namespace {

using Floats = std::vector<float>;
using Ints = std::vector<std::int64_t>;
using graph::Dim;

const DataType kFloat = DataType::float32;
const Dim kN = Dim::symbolic("N");

TEST_CASE("Constant in all its spellings", "[ops]") {
  CHECK(values<float>(run(op_case("Constant", 9, {}, {{"value", tensor<float>({2}, {1, 2})}}))[0]) == Floats{1, 2});
  CHECK(values<float>(run(op_case("Constant", 13, {}, {{"value_float", 1.5f}}))[0]) == Floats{1.5f});
  CHECK(values<float>(run(op_case("Constant", 13, {}, {{"value_floats", Floats{1, 2}}}))[0]) == Floats{1, 2});
  CHECK(values<std::int64_t>(run(op_case("Constant", 13, {}, {{"value_int", std::int64_t{7}}}))[0]) == Ints{7});
  CHECK(values<std::int64_t>(run(op_case("Constant", 13, {}, {{"value_ints", ints({3, 4})}}))[0]) == Ints{3, 4});
  CHECK(refusal(op_case("Constant", 13, {})) == ErrorCode::model);
  CHECK(refusal(op_case("Constant", 13, {}, {{"value_string", std::string("x")}})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Constant", 11, {}, {{"value_int", std::int64_t{7}}})) == ErrorCode::unsupported);
}

TEST_CASE("ConstantOfShape repeats one element", "[ops]") {
  check_op(op_case("ConstantOfShape", 9, {int64s({2, 3})}));
  check_op(op_case("ConstantOfShape", 9, {int64s({})}, {{"value", tensor<std::int64_t>({1}, {5})}}));
  check_op(op_case("ConstantOfShape", 9, {int64s({0, 4})}, {{"value", tensor<bool>({1}, {true})}}));
  check_op(op_case("ConstantOfShape", 9, {int64s({200, 200})}, {{"value", tensor<double>({1}, {0.5})}}));
  CHECK(refusal(op_case("ConstantOfShape", 9, {int64s({-1})})) == ErrorCode::model);
  CHECK(refusal(op_case("ConstantOfShape", 9, {int64s({1ll << 40})})) == ErrorCode::limit);
  CHECK(refusal(op_case("ConstantOfShape", 9, {int64s({1ll << 40, 1ll << 40})})) == ErrorCode::limit);
  CHECK(refusal(op_case("ConstantOfShape", 9, {int64s({1})}, {{"value", tensor<float>({2}, {1, 2})}})) ==
        ErrorCode::model);
}

TEST_CASE("Range counts up or down to its limit", "[ops]") {
  const auto range = [](auto start, auto limit, auto delta) {
    using T = decltype(start);
    const OpCase c = op_case("Range", 11, {tensor<T>({}, {start}), tensor<T>({}, {limit}), tensor<T>({}, {delta})});
    return values<T>(run(c)[0]);
  };
  CHECK(range(std::int64_t{0}, std::int64_t{5}, std::int64_t{2}) == Ints{0, 2, 4});
  CHECK(range(std::int64_t{5}, std::int64_t{0}, std::int64_t{-3}) == Ints{5, 2});
  CHECK(range(std::int64_t{5}, std::int64_t{0}, std::int64_t{1}).empty());
  CHECK(range(std::int64_t{5}, std::int64_t{0}, std::numeric_limits<std::int64_t>::min()) == Ints{5});
  // The distance from the start may be more than the type has.
  CHECK(range(std::int32_t{-2147483647}, std::int32_t{2147483647}, std::int32_t{1500000000}) ==
        std::vector<std::int32_t>{-2147483647, -647483647, 852516353});
  CHECK(range(0.0f, 1.0f, 0.25f) == Floats{0, 0.25f, 0.5f, 0.75f});
  CHECK(range(1.0, 0.0, -0.5) == std::vector<double>{1, 0.5});
  CHECK(range(std::int16_t{1}, std::int16_t{3}, std::int16_t{1}) == std::vector<std::int16_t>{1, 2});
  const auto refused = [](double start, double limit, double delta) {
    return refusal(
        op_case("Range", 11, {tensor<double>({}, {start}), tensor<double>({}, {limit}), tensor<double>({}, {delta})}));
  };
  CHECK(refused(0, 1, 0) == ErrorCode::model);
  CHECK(refused(1, 0, 0) == ErrorCode::model);
  CHECK(refused(0, INFINITY, 1) == ErrorCode::model);
  CHECK(refused(0, NAN, 1) == ErrorCode::model);
  CHECK(refused(0, 1e17, 1) == ErrorCode::limit);
  CHECK(refusal(op_case("Range", 11, {int64s({0}), int64s({1}), int64s({0})})) == ErrorCode::model);
  CHECK(inferred(op_case("Range", 11, {}), {desc(kFloat, {}), desc(kFloat, {}), desc(kFloat, {})}) == "float[?]");
}

TEST_CASE("EyeLike and OneHot", "[ops]") {
  const Tensor x = counting(kFloat, {3, 4});
  for (const std::int64_t k : {0, 1, -1, 3, 4, -2, -3}) check_op(op_case("EyeLike", 9, {x}, {{"k", k}}));
  check_op(op_case("EyeLike", 9, {x}, {{"dtype", std::int64_t{7}}}));
  for (const std::int64_t type : {std::int64_t{257}, std::int64_t{-255}, (std::int64_t{1} << 32) + 1})
    CHECK(refusal(op_case("EyeLike", 9, {x}, {{"dtype", type}})) == ErrorCode::unsupported);
  CHECK(values<float>(run(op_case("EyeLike", 9, {x}, {{"k", std::numeric_limits<std::int64_t>::min()}}))[0]) ==
        Floats(12, 0));
  CHECK(refusal(op_case("EyeLike", 9, {counting(kFloat, {3})})) == ErrorCode::model);
  CHECK(refusal(op_case("EyeLike", 9, {x}, {{"dtype", std::int64_t{8}}})) == ErrorCode::unsupported);

  const Tensor at = tensor<std::int64_t>({2, 2}, {0, -1, 5, 2}), off_on = tensor<float>({2}, {-1, 1});
  for (const std::int64_t axis : {-1, 0, 1, 2})
    check_op(op_case("OneHot", 11, {at, int64s({3}), off_on}, {{"axis", axis}}));
  check_op(
      op_case("OneHot", 9, {tensor<float>({2}, {1, 0}), tensor<float>({}, {2}), tensor<std::int64_t>({2}, {0, 9})}));
  check_op(op_case("OneHot", 10, {at, int64s({3}), off_on}));  // a negative index counted from no end yet
  CHECK(refusal(op_case("OneHot", 11, {at, int64s({0}), off_on})) == ErrorCode::model);
  CHECK(refusal(op_case("OneHot", 11, {at, int64s({3}), tensor<float>({3}, {1, 2, 3})})) == ErrorCode::model);
}

TEST_CASE("Shape and Size need extents, not elements", "[ops]") {
  const Tensor x = counting(kFloat, {2, 3, 4});
  check_op(op_case("Shape", 13, {x}));
  check_op(op_case("Size", 13, {x}));
  check_op(op_case("Shape", 13, {counting(kFloat, {})}));
  for (const std::int64_t start : {-9, -2, 0, 1, 3, 9})
    check_op(op_case("Shape", 15, {x}, {{"start", start}, {"end", std::int64_t{-1}}}));
  CHECK(inferred(op_case("Shape", 15, {}, {{"start", std::int64_t{1}}}), {desc(kFloat, {kN, 3, 4})}) == "int64[2]");

  graph::Graph graph;
  const graph::ValueId in = graph.add_value("x", desc(kFloat, {kN, 3, 4})), out = graph.add_value("y");
  graph.add_input(in);
  graph::Node node = op_case("Shape", 15, {}, {{"start", std::int64_t{1}}}).node;
  node.inputs = {in};
  node.outputs = {out};
  const graph::NodeId id = graph.add_node(node);
  CHECK(values<std::int64_t>(*ops::known_result(graph, id)) == Ints{3, 4});
  graph.attributes(id).erase("start");
  CHECK_FALSE(ops::known_result(graph, id).has_value());
}

}  // namespace
}  // namespace linnet::test::constant_test
