#include <catch2/catch.hpp>

#include "support/blocked_case.h"

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

TEST_CASE("Concat and Split take blocks apart where channels are no multiples of 16", "[ops]") {
  const auto image = [](std::int64_t channels, std::int64_t height, std::int64_t width) {
    return counting(kFloat, {2, channels, height, width});
  };
  for (const auto& [a, b] : {std::pair{58, 58}, {3, 45}, {16, 20}, {24, 9}, {17, 40}}) {
    const Tensor x = image(a, 5, 7), y = image(b, 5, 7);
    check_blocked(op_case("Concat", 13, {x, y, x}, axis(1)));
    check_blocked(op_case("Split", 13, {image(a + b, 9, 3), int64s({a, b})}, axis(-3), 2), 0b10);
  }
  // More blocks than are moved at once, and more pixels than stay in L1 meanwhile.
  check_blocked(op_case("Concat", 13, {image(300, 3, 2), image(330, 3, 2)}, axis(1)));
  check_blocked(op_case("Split", 13, {image(300, 16, 40), int64s({150, 1, 149})}, axis(1), 3), 0b10);
}

TEST_CASE("Concat and Split keep the plain layout along other axes and where parts are narrow, empty or unused",
          "[ops]") {
  const Tensor x = counting(kFloat, {1, 32, 4, 4});
  const auto plain = ops::LayoutRule::Preference::plain;
  CHECK(layout_rule(op_case("Split", 13, {x, int64s({1, 3})}, axis(2), 2), 0b10).preference == plain);
  CHECK(layout_rule(op_case("Split", 13, {x, int64s({32, 0})}, axis(1), 2), 0b10).preference == plain);
  CHECK(layout_rule(op_case("Split", 13, {x, int64s({1, 1, 1, 1, 28})}, axis(1), 5), 0b10).preference == plain);
  CHECK(layout_rule(
            op_case("Concat", 13,
                    {counting(kFloat, {1, 1, 4, 4}), counting(kFloat, {1, 2, 4, 4}), counting(kFloat, {1, 3, 4, 4})},
                    axis(1)))
            .preference == plain);
  OpCase unused = op_case("Split", 13, {x, int64s({16, 16})}, axis(1), 2);
  unused.node.outputs[1] = graph::kNoValue;
  CHECK(layout_rule(unused, 0b10).preference == plain);
  CHECK(layout_rule(op_case("Split", 13, {counting(kFloat, {4, 32}), int64s({16, 16})}, axis(1), 2), 0b10).preference ==
        plain);
}

TEST_CASE("ChannelShuffle interleaves the channels of groups", "[ops]") {
  const auto shuffle = [](std::vector<Tensor> inputs, std::int64_t group, std::vector<std::int64_t> split) {
    const int outputs = static_cast<int>(split.size());
    OpCase c =
        op_case("ChannelShuffle", 1, std::move(inputs), {{"group", group}, {"split", std::move(split)}}, outputs);
    c.node.domain = "linnet";
    return c;
  };
  CHECK(values<float>(run(shuffle({tensor<float>({1, 6, 1, 1}, {0, 1, 2, 3, 4, 5})}, 2, {6}))[0]) ==
        std::vector<float>{0, 3, 1, 4, 2, 5});
  const Tensor x = counting(kFloat, {2, 58, 7, 3});
  for (const std::int64_t group : {1, 2, 4, 29, 116}) {
    INFO(group << " groups");
    for (const auto& split : {ints({116}), ints({58, 58}), ints({17, 98, 1})}) {
      check_op(shuffle({x, x}, group, split));
      check_blocked(shuffle({x, x}, group, split));
    }
  }
  check_blocked(shuffle({counting(kFloat, {1, 136, 28, 28})}, 4, {136}));
  for (const Shape& other : {Shape{1, 58, 7, 3}, Shape{2, 58, 6, 3}, Shape{2, 58, 7, 1}})
    CHECK(refusal(shuffle({x, counting(kFloat, other)}, 2, {116})) == ErrorCode::model);
  for (const Shape& empty : {Shape{0, 4, 3, 3}, Shape{1, 4, 0, 3}, Shape{1, std::int64_t{1} << 40, 0, 1}})
    CHECK(run(shuffle({counting(kFloat, empty)}, 2, {empty[1]}))[0].shape() == empty);
  CHECK(refusal(shuffle({x}, 3, {58})) == ErrorCode::model);
  CHECK(refusal(shuffle({x}, 2, {57})) == ErrorCode::model);
  CHECK(refusal(shuffle({counting(kFloat, {4, 4})}, 2, {4})) == ErrorCode::model);
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
