#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::ordering_test {
namespace {

using Ints = std::vector<std::int64_t>;

Tensor random(Shape shape) {
  Random numbers(11);
  return from_reference(random_reals(numbers, std::move(shape), -2, 2));
}
AttributeList one(const char* name, std::int64_t value) { return {{name, value}}; }
Tensor axis_of(std::int64_t axis) { return tensor<std::int64_t>({}, {axis}); }

TEST_CASE("TopK orders by value, then by index", "[ops]") {
  const Tensor x = tensor<float>({2, 4}, {3, 1, 3, 2, 7, 8, 5, 8});
  const std::vector<Tensor> two = run(op_case("TopK", 11, {x, int64s({3})}, {}, 2));
  CHECK(values<float>(two[0]) == std::vector<float>{3, 3, 2, 8, 8, 7});
  CHECK(values<std::int64_t>(two[1]) == Ints{0, 2, 3, 1, 3, 0});
  const std::vector<Tensor> least = run(op_case("TopK", 24, {x, int64s({2})}, one("largest", 0), 2));
  CHECK(values<float>(least[0]) == std::vector<float>{1, 2, 5, 7});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor odd = tensor<float>({4}, {1, nan, INFINITY, nan});
  CHECK(values<std::int64_t>(run(op_case("TopK", 11, {odd, int64s({4})}, {}, 2))[1]) == Ints{1, 3, 2, 0});
  CHECK(values<std::int64_t>(run(op_case("TopK", 11, {odd, int64s({4})}, one("largest", 0), 2))[1]) ==
        Ints{0, 2, 1, 3});
}

TEST_CASE("TopK along any axis, of any type, at every version", "[ops]") {
  for (const std::int64_t axis : {-1, 0, 1, 2}) {
    check_op(op_case("TopK", 11, {random({5, 7, 6}), int64s({4})}, one("axis", axis), 2));
    check_op(op_case("TopK", 10, {random({50, 70, 60}), int64s({3})}, one("axis", axis), 2));
  }
  check_op(op_case("TopK", 1, {random({3, 9})}, one("k", 5), 2));
  for (const DataType type : {DataType::float64, DataType::uint8, DataType::int8, DataType::int64, DataType::uint64})
    check_op(op_case("TopK", 11, {counting(type, {3, 300}), int64s({7})}, {}, 2));
  check_op(op_case("TopK", 11, {random({3, 4}), int64s({0})}, {}, 2));
  CHECK(run(op_case("TopK", 11, {random({3, 4}), int64s({2})}, {}, 1))[0].shape() == Shape{3, 2});
  const OpCase open = op_case("TopK", 11, {Tensor(), int64s({2})}, {}, 2);
  CHECK(inferred(open, {desc(DataType::float32, {graph::Dim::symbolic("N"), 9})}) == "float[N,2]");
  CHECK(inferred(open, {desc(DataType::float32, {3, 9}), desc(DataType::int64, {1})}) == "float[3,?]");
  CHECK(refusal(op_case("TopK", 11, {random({3, 4}), int64s({5})}, {}, 2)) == ErrorCode::model);
  CHECK(refusal(op_case("TopK", 11, {random({3, 4}), int64s({-1})}, {}, 2)) == ErrorCode::model);
  CHECK(refusal(op_case("TopK", 1, {random({3, 4})}, {}, 2)) == ErrorCode::model);
  CHECK(refusal(op_case("TopK", 11, {tensor<bool>({2}, {true, false}), int64s({1})}, {}, 2)) == ErrorCode::unsupported);
}

TEST_CASE("Trilu keeps one triangle", "[ops]") {
  for (const std::int64_t upper : {0, 1}) {
    for (const std::int64_t k : {-9, -2, -1, 0, 1, 3, 9})
      check_op(op_case("Trilu", 14, {counting(DataType::float32, {2, 4, 5}), axis_of(k)}, one("upper", upper)));
    for (const std::int64_t k : {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
      const bool all = (upper != 0) == (k < 0);
      const Tensor x = tensor<std::int8_t>({2, 2}, {1, 2, 3, 4});
      CHECK(values<std::int8_t>(run(op_case("Trilu", 14, {x, axis_of(k)}, one("upper", upper)))[0]) ==
            (all ? values<std::int8_t>(x) : std::vector<std::int8_t>(4, 0)));
    }
  }
  check_op(op_case("Trilu", 14, {counting(DataType::int64, {130, 140})}));
  check_op(op_case("Trilu", 14, {counting(DataType::boolean, {3, 3})}));
  check_op(op_case("Trilu", 14, {random({0, 3})}));
  check_op(op_case("Trilu", 14, {random({3, 0})}));
  CHECK(refusal(op_case("Trilu", 14, {random({3})})) == ErrorCode::model);
  CHECK(refusal(op_case("Trilu", 14, {random({3, 3}), int64s({1, 2})})) == ErrorCode::model);
}

TEST_CASE("ReverseSequence mirrors the head of each sequence", "[ops]") {
  const AttributeList batch_first = {{"time_axis", std::int64_t{1}}, {"batch_axis", std::int64_t{0}}};
  check_op(op_case("ReverseSequence", 10, {counting(DataType::float32, {4, 3}), int64s({4, 1, 0})}));
  check_op(op_case("ReverseSequence", 10, {counting(DataType::int16, {3, 4, 2}), int64s({2, 4, 3})}, batch_first));
  check_op(op_case("ReverseSequence", 10, {counting(DataType::boolean, {60, 5, 100}), int64s({7, 60, 1, 59, 2})}));
  check_op(op_case("ReverseSequence", 28, {random({4, 0}), int64s({})}));
  const Tensor x = random({4, 2});
  CHECK(refusal(op_case("ReverseSequence", 10, {x, int64s({5, 1})})) == ErrorCode::input);
  CHECK(refusal(op_case("ReverseSequence", 10, {x, int64s({-1, 1})})) == ErrorCode::input);
  CHECK(refusal(op_case("ReverseSequence", 10, {x, int64s({1})})) == ErrorCode::model);
  CHECK(refusal(op_case("ReverseSequence", 10, {random({4}), int64s({1})})) == ErrorCode::model);
  CHECK(refusal(op_case("ReverseSequence", 10, {x, int64s({1, 1})}, one("time_axis", 1))) == ErrorCode::model);
}

TEST_CASE("CumSum and CumProd", "[ops]") {
  const Tensor x = tensor<double>({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto sums = [&](std::int64_t axis, const AttributeList& attributes = {}) {
    return values<double>(run(op_case("CumSum", 14, {x, axis_of(axis)}, attributes))[0]);
  };
  CHECK(sums(0) == std::vector<double>{1, 2, 3, 5, 7, 9});
  CHECK(sums(-1) == std::vector<double>{1, 3, 6, 4, 9, 15});
  CHECK(sums(1, one("exclusive", 1)) == std::vector<double>{0, 1, 3, 0, 4, 9});
  CHECK(sums(1, one("reverse", 1)) == std::vector<double>{6, 5, 3, 15, 11, 6});
  for (const char* name : {"CumSum", "CumProd"}) {
    const int opset = name == std::string("CumSum") ? 11 : 26;
    const AttributeList both = {{"reverse", std::int64_t{1}}, {"exclusive", std::int64_t{1}}};
    for (const std::int64_t axis : {-3, 0, 1, 2}) {
      check_op(op_case(name, opset, {counting(DataType::float64, {2, 3, 2}), axis_of(axis)}, both));
      check_op(op_case(name, opset, {random({40, 50, 30}), axis_of(axis)}), {1e-4, 1e-4});
      check_op(op_case(name, opset, {counting(DataType::int32, {3, 4, 2}), axis_of(axis)}, one("exclusive", 1)));
      check_op(op_case(name, opset, {counting(DataType::uint64, {3, 4, 2}), axis_of(axis)}, one("reverse", 1)));
    }
    CHECK(refusal(op_case(name, opset, {x, int64s({2})})) == ErrorCode::model);
    CHECK(refusal(op_case(name, opset, {tensor<double>({}, {1}), axis_of(0)})) == ErrorCode::model);
    // The axis may be known only when the model runs.
    CHECK(inferred(op_case(name, opset, {}), {desc(DataType::float32, {2, 3}), desc(DataType::int64, {})}) ==
          "float[2,3]");
  }
}

}  // namespace
}  // namespace linnet::test::ordering_test
