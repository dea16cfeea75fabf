#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/op_case.h"

namespace linnet::test::gather_test {
namespace {

using Floats = std::vector<float>;
using graph::Dim;

const DataType kFloat = DataType::float32;
const Dim kN = Dim::symbolic("N");
AttributeList axis(std::int64_t value) { return {{"axis", value}}; }
AttributeList reduction(const char* name) { return {{"reduction", std::string(name)}}; }

TEST_CASE("Gather selects slices", "[ops]") {
  const Tensor x = counting(kFloat, {3, 4, 2});
  check_op(op_case("Gather", 13, {x, tensor<std::int64_t>({2, 2}, {2, 0, -1, 1})}));
  check_op(op_case("Gather", 13, {x, tensor<std::int32_t>({3}, {-4, 3, 0})}, axis(1)));
  check_op(op_case("Gather", 13, {x, tensor<std::int64_t>({}, {1})}, axis(-1)));
  check_op(op_case("Gather", 13, {x, int64s({})}, axis(1)));
  check_op(op_case("Gather", 13, {counting(DataType::int64, {5}), int64s({4, 4, 1})}));
  check_op(op_case("Gather", 13, {counting(DataType::boolean, {5, 3}), int64s({4, 0})}));
  check_op(op_case("Gather", 13, {counting(kFloat, {4, 20, 100}), int64s({1, 19, 3, 3, 7, 0, 2, 5, 6, 12})}, axis(1)));
  CHECK(inferred(op_case("Gather", 13, {}, axis(1)), {desc(kFloat, {kN, 4, 2}), desc(DataType::int64, {kN, 3})}) ==
        "float[N,N,3,2]");
}

TEST_CASE("GatherElements selects elements along an axis", "[ops]") {
  const Tensor x = counting(kFloat, {3, 4});
  check_op(op_case("GatherElements", 13, {x, tensor<std::int64_t>({3, 2}, {0, -1, 2, 3, 1, 1})}, axis(1)));
  check_op(op_case("GatherElements", 13, {x, tensor<std::int32_t>({2, 3}, {0, 1, 2, -1, 0, -3})}));
  check_op(op_case("GatherElements", 13, {x, tensor<std::int64_t>({5, 1}, {0, 1, 2, 0, 1})}));
  CHECK(refusal(op_case("GatherElements", 13, {x, int64s({0})})) == ErrorCode::model);
  CHECK(refusal(op_case("GatherElements", 13, {x, tensor<std::int64_t>({1, 5}, {0, 0, 0, 0, 0})})) == ErrorCode::model);
}

TEST_CASE("GatherND selects slices by tuples", "[ops]") {
  const Tensor x = counting(kFloat, {2, 3, 4});
  check_op(op_case("GatherND", 11, {x, tensor<std::int64_t>({2, 2}, {0, 1, -1, 2})}));
  check_op(op_case("GatherND", 13, {x, tensor<std::int64_t>({1, 2, 3}, {0, 1, 2, 1, 0, -4})}));
  check_op(op_case("GatherND", 13, {x, tensor<std::int64_t>({2, 1}, {2, 0})}, {{"batch_dims", std::int64_t{1}}}));
  check_op(
      op_case("GatherND", 13, {x, tensor<std::int64_t>({2, 2, 1}, {2, 0, 1, 1})}, {{"batch_dims", std::int64_t{1}}}));
  CHECK(refusal(op_case("GatherND", 13, {x, tensor<std::int64_t>({1, 4}, {0, 0, 0, 0})})) == ErrorCode::model);
  CHECK(refusal(op_case("GatherND", 13, {x, tensor<std::int64_t>({3, 1}, {0, 0, 0})},
                        {{"batch_dims", std::int64_t{1}}})) == ErrorCode::model);
  CHECK(refusal(op_case("GatherND", 13, {x, int64s({0})}, {{"batch_dims", std::int64_t{1}}})) == ErrorCode::model);
}

TEST_CASE("An index out of range is an error of the input, never a wild read", "[ops]") {
  const Tensor x = counting(kFloat, {3, 4});
  for (const std::int64_t bad : {std::int64_t{3}, std::int64_t{-4}, std::int64_t{1} << 62, -(std::int64_t{1} << 62)}) {
    CHECK(refusal(op_case("Gather", 13, {x, int64s({0, bad})})) == ErrorCode::input);
    CHECK(refusal(op_case("GatherElements", 13, {x, tensor<std::int64_t>({1, 1}, {bad})})) == ErrorCode::input);
    CHECK(refusal(op_case("GatherND", 13, {x, tensor<std::int64_t>({1, 1}, {bad})})) == ErrorCode::input);
    CHECK(refusal(op_case("ScatterElements", 16,
                          {x, tensor<std::int64_t>({1, 1}, {bad}), tensor<float>({1, 1}, {7})})) == ErrorCode::input);
    CHECK(refusal(op_case("ScatterND", 16, {x, tensor<std::int64_t>({1, 1}, {bad}), counting(kFloat, {1, 4})})) ==
          ErrorCode::input);
  }
  CHECK(refusal(op_case("Gather", 13, {counting(kFloat, {0, 4}), int64s({0})})) == ErrorCode::input);
  CHECK(refusal(op_case("Gather", 13, {x, tensor<float>({1}, {0})})) == ErrorCode::model);
  // Threads that find one write zeros and go on.
  const Tensor y = run_split(op_case("Gather", 13, {x, int64s({1, 9})}), 2)[0];
  CHECK(values<float>(y) == Floats{4, 5, 6, 7, 0, 0, 0, 0});
}

TEST_CASE("ScatterElements writes or reduces in the order of the indices", "[ops]") {
  const Tensor x = tensor<float>({1, 5}, {1, 2, 3, 4, 5});
  const Tensor at = tensor<std::int64_t>({1, 3}, {1, -1, 1}), updates = tensor<float>({1, 3}, {10, 20, 3});
  const auto scatter = [&](const char* name) {
    return values<float>(run(op_case("ScatterElements", 18, {x, at, updates},
                                     {{"axis", std::int64_t{1}}, {"reduction", std::string(name)}}))[0]);
  };
  CHECK(scatter("none") == Floats{1, 3, 3, 4, 20});
  CHECK(scatter("add") == Floats{1, 15, 3, 4, 25});
  CHECK(scatter("mul") == Floats{1, 60, 3, 4, 100});
  CHECK(scatter("max") == Floats{1, 10, 3, 4, 20});
  CHECK(scatter("min") == Floats{1, 2, 3, 4, 5});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const char* extreme : {"min", "max"}) {
    const OpCase c =
        op_case("ScatterElements", 18, {tensor<float>({2}, {1, nan}), int64s({0, 1}), tensor<float>({2}, {nan, 1})},
                reduction(extreme));
    const Floats got = values<float>(run(c)[0]);
    CHECK((std::isnan(got[0]) && std::isnan(got[1])));
  }
  CHECK(values<float>(run(op_case("Scatter", 9, {x, at, updates}, axis(1)))[0]) == Floats{1, 3, 3, 4, 20});
  CHECK(refusal(op_case("ScatterElements", 16, {x, at, updates}, reduction("min"))) == ErrorCode::model);
  CHECK(refusal(op_case("ScatterElements", 13, {x, at, counting(kFloat, {3})}, axis(1))) == ErrorCode::model);
  CHECK(refusal(op_case("ScatterElements", 13, {x, at, counting(DataType::int32, {1, 3})}, axis(1))) ==
        ErrorCode::model);
  CHECK(refusal(op_case("ScatterElements", 16,
                        {counting(DataType::boolean, {1, 3}), at, counting(DataType::boolean, {1, 3})},
                        reduction("add"))) == ErrorCode::unsupported);
}

TEST_CASE("ScatterND writes or reduces slices", "[ops]") {
  const Tensor x = tensor<std::int8_t>({3, 2}, {1, 2, 3, 4, 100, 100});
  const Tensor at = tensor<std::int64_t>({2, 1}, {2, 0}), updates = tensor<std::int8_t>({2, 2}, {50, -1, 7, 8});
  using Bytes = std::vector<std::int8_t>;
  CHECK(values<std::int8_t>(run(op_case("ScatterND", 11, {x, at, updates}))[0]) == Bytes{7, 8, 3, 4, 50, -1});
  CHECK(values<std::int8_t>(run(op_case("ScatterND", 16, {x, at, updates}, reduction("add")))[0]) ==
        Bytes{8, 10, 3, 4, -106, 99});
  CHECK(values<std::int8_t>(run(op_case("ScatterND", 16, {x, at, updates}, reduction("mul")))[0]) ==
        Bytes{7, 16, 3, 4, -120, -100});
  // 65535 * 65535 is beyond int, to which C++ promotes.
  const Tensor wide = tensor<std::uint16_t>({1}, {65535}), first = tensor<std::int64_t>({1, 1}, {0});
  CHECK(values<std::uint16_t>(run(op_case("ScatterND", 16, {wide, first, wide}, reduction("mul")))[0]) ==
        std::vector<std::uint16_t>{1});
  CHECK(values<std::uint16_t>(run(op_case("ScatterND", 16, {wide, first, wide}, reduction("add")))[0]) ==
        std::vector<std::uint16_t>{65534});
  CHECK(refusal(op_case("ScatterND", 16, {x, at, tensor<std::int8_t>({2}, {1, 2})})) == ErrorCode::model);
  CHECK(refusal(op_case("ScatterND", 16, {x, tensor<std::int64_t>({1, 3}, {0, 0, 0}), updates})) == ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::gather_test
