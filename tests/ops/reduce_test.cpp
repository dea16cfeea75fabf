#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::reduce_test {
namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();
const char* const kNames[] = {"ReduceSum", "ReduceMean", "ReduceMax",       "ReduceMin",    "ReduceProd",
                              "ReduceL1",  "ReduceL2",   "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"};

Tensor random(Shape shape, DataType type = DataType::float32) {
  Random numbers(3);
  return from_reference(random_reals(numbers, std::move(shape), 0.5, 1.5, static_cast<reference::Type>(type)));
}
AttributeList axes(const std::vector<std::int64_t>& list, std::int64_t keep = 1) {
  return {{"axes", list}, {"keepdims", keep}};
}
AttributeList one(const char* name, std::int64_t value) { return {{name, value}}; }
bool is_sum(const char* name) { return name == std::string("ReduceSum"); }

TEST_CASE("Reductions over any axes, in float and double", "[ops]") {
  const std::vector<std::int64_t> lists[] = {{0},    {1},    {-1},         {0, 1}, {1, 2},
                                             {0, 2}, {2, 0}, {0, 1, 2, 3}, {1, 3}, {3, 2, -4}};
  for (const char* name : kNames) {
    INFO(name);
    const Tolerance tolerance = {2e-6, 2e-6};
    for (const auto& list : lists) {
      INFO(to_string(list));
      check_op(op_case(name, 11, {random({2, 3, 4, 5})}, axes(list)), tolerance);
      check_op(op_case(name, 11, {random({2, 3, 4, 5})}, axes(list, 0)), tolerance);
      check_op(op_case(name, 11, {random({2, 1, 4, 5})}, axes(list)), tolerance);
      check_op(op_case(name, 11, {random({2, 3, 4, 5}, DataType::float64)}, axes(list)), {1e-12, 1e-12});
    }
    check_op(op_case(name, 11, {random({3, 4})}), tolerance);
    check_op(op_case(name, 11, {random({3, 4})}, one("keepdims", 0)), tolerance);
    check_op(op_case(name, 18, {random({3, 4, 2}), int64s({1})}), tolerance);
    check_op(op_case(name, 18, {random({3, 4, 2}), int64s({-1, 0})}, one("keepdims", 0)), tolerance);
    check_op(op_case(name, 18, {random({3, 4, 2}), int64s({})}), tolerance);
    check_op(op_case(name, 18, {random({3, 4, 2}), int64s({})}, one("noop_with_empty_axes", 1)), tolerance);
    check_op(op_case(name, 11, {random({1, 3})}, axes({0})), tolerance);
    check_op(op_case(name, 11, {random({0, 3})}, axes({1})), tolerance);
    CHECK(run(op_case(name, 11, {random({})}))[0].shape() == Shape{});
  }
}

TEST_CASE("Large reductions", "[ops]") {
  for (const char* name : kNames) {
    if (name == std::string("ReduceProd")) continue;  // leaves the range of float
    for (const std::vector<std::int64_t>& list : {std::vector<std::int64_t>{1}, {0, 2}, {2}, {0, 1, 2}}) {
      INFO(name << ' ' << to_string(list));
      check_op(op_case(name, 11, {random({33, 70, 50})}, axes(list)), {1e-5, 1e-5});
    }
  }
}

TEST_CASE("Reductions of integers and bools", "[ops]") {
  const Tensor x = tensor<std::int32_t>({2, 3}, {-3, 4, 5, 7, -8, 9});
  for (const char* name :
       {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceSumSquare"}) {
    INFO(name);
    check_op(op_case(name, 11, {x}, axes({1})));
    check_op(op_case(name, 11, {int64s({1, 2, 3})}));
  }
  check_op(op_case("ReduceMax", 13, {tensor<std::int8_t>({3}, {-128, 5, 127})}));
  check_op(op_case("ReduceMin", 13, {tensor<std::uint8_t>({3}, {200, 5, 127})}));
  CHECK(values<std::int64_t>(run(op_case("ReduceL2", 13, {int64s({3, 4})}))[0])[0] == 5);
  CHECK(values<bool>(
            run(op_case("ReduceMax", 20, {tensor<bool>({2, 2}, {false, true, false, false}), int64s({1})}))[0]) ==
        std::vector<bool>{true, false});
  CHECK(
      values<bool>(run(op_case("ReduceMin", 20, {tensor<bool>({2, 2}, {true, true, false, true}), int64s({1})}))[0]) ==
      std::vector<bool>{true, false});
  CHECK(refusal(op_case("ReduceSum", 13, {tensor<bool>({1}, {true})})) == ErrorCode::unsupported);
}

TEST_CASE("A reduction of nothing is what the operator begins with", "[ops]") {
  const auto of_nothing = [](const char* name) {
    const Tensor y = run(op_case(name, is_sum(name) ? 11 : 13, {Tensor(DataType::float32, {2, 0})}, axes({1})))[0];
    CHECK(y.shape() == Shape{2, 1});
    return values<float>(y)[1];
  };
  CHECK(of_nothing("ReduceSum") == 0);
  CHECK(of_nothing("ReduceL1") == 0);
  CHECK(of_nothing("ReduceL2") == 0);
  CHECK(of_nothing("ReduceSumSquare") == 0);
  CHECK(of_nothing("ReduceProd") == 1);
  CHECK(of_nothing("ReduceMax") == -kInf);
  CHECK(of_nothing("ReduceMin") == kInf);
  CHECK(of_nothing("ReduceLogSum") == -kInf);
  CHECK(of_nothing("ReduceLogSumExp") == -kInf);
  CHECK(std::isnan(of_nothing("ReduceMean")));
  const Tensor none(DataType::int64, {0});
  CHECK(values<std::int64_t>(run(op_case("ReduceMax", 13, {none}))[0])[0] == std::numeric_limits<std::int64_t>::min());
  CHECK(values<std::int64_t>(run(op_case("ReduceMean", 13, {none}))[0])[0] == 0);
}

TEST_CASE("NaN, infinity and large numbers", "[ops]") {
  const auto of = [](const char* name, const std::vector<float>& x) {
    return values<float>(run(op_case(name, 11, {tensor<float>({static_cast<std::int64_t>(x.size())}, x)}))[0])[0];
  };
  CHECK(std::isnan(of("ReduceMax", {1, kNan, 2})));
  CHECK(std::isnan(of("ReduceMin", {kNan, 1})));
  CHECK(of("ReduceMax", {1, kInf, 2}) == kInf);
  CHECK(of("ReduceLogSumExp", {1000, 1000}) == Approx(1000 + std::log(2.0)));
  CHECK(of("ReduceLogSumExp", {-kInf, 0}) == 0);
  CHECK(of("ReduceLogSumExp", {kInf, 0}) == kInf);
}

TEST_CASE("Axes that cannot be", "[ops]") {
  const Tensor x = random({2, 3});
  CHECK(refusal(op_case("ReduceSum", 11, {x}, axes({2}))) == ErrorCode::model);
  CHECK(refusal(op_case("ReduceSum", 11, {x}, axes({0, -2}))) == ErrorCode::model);
  CHECK(refusal(op_case("ReduceSum", 13, {x}, axes({0}))) == ErrorCode::unsupported);  // an input since 13
  const graph::Dim n = graph::Dim::symbolic("N");
  const DataType f = DataType::float32;
  CHECK(inferred(op_case("ReduceMax", 11, {}, axes({1}, 0)), {desc(f, {n, 3})}) == "float[N]");
  CHECK(inferred(op_case("ReduceSum", 13, {}), {desc(f, {n, 3}), desc(DataType::int64, {1})}) == "float[?,?]");
}

TEST_CASE("ArgMax and ArgMin", "[ops]") {
  const Tensor x = tensor<float>({2, 4}, {1, 3, 3, 0, -1, -5, -5, -1});
  for (const char* name : {"ArgMax", "ArgMin"}) {
    check_op(op_case(name, 13, {x}));
    check_op(op_case(name, 13, {x}, one("axis", 1)));
    check_op(op_case(name, 13, {x}, {{"axis", std::int64_t{-1}}, {"keepdims", std::int64_t{0}}}));
    check_op(op_case(name, 13, {x}, {{"axis", std::int64_t{1}}, {"select_last_index", std::int64_t{1}}}));
    check_op(op_case(name, 11, {int64s({4, 9, 2})}));
    check_op(op_case(name, 11, {random({20, 30, 40})}, one("axis", 1)));
    check_op(op_case(name, 11, {random({0, 3})}, one("axis", 1)));
    CHECK(values<std::int64_t>(run(op_case(name, 13, {tensor<float>({3}, {1, kNan, 9})}))[0])[0] == 1);
    CHECK(refusal(op_case(name, 11, {random({0, 3})})) == ErrorCode::model);
    CHECK(refusal(op_case(name, 11, {x}, one("axis", 2))) == ErrorCode::model);
  }
}

}  // namespace
}  // namespace linnet::test::reduce_test
