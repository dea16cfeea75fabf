#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/blocked_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::elementwise_binary_test {
namespace {

using Preference = ops::LayoutRule::Preference;
const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor random(Shape shape, double low = 0.5, double high = 4, DataType type = DataType::float32,
              std::uint64_t seed = 1) {
  Random numbers(seed + static_cast<std::uint64_t>(shape.size()));
  return from_reference(random_reals(numbers, std::move(shape), low, high, static_cast<reference::Type>(type)));
}

const std::pair<Shape, Shape> kShapes[] = {
    {{2, 3, 4, 5}, {2, 3, 4, 5}},
    {{2, 3, 4, 5}, {}},
    {{}, {3, 4}},
    {{2, 3, 4, 5}, {5}},
    {{2, 3, 4, 5}, {3, 1, 1}},
    {{2, 3, 4, 5}, {1, 3, 1, 1}},
    {{2, 3, 4, 5}, {2, 1, 4, 1}},
    {{3, 1}, {1, 4}},
    {{1, 3, 1, 5}, {2, 1, 4, 1}},
    {{0, 3}, {1, 3}},
    {{7}, {1}},
    {{1}, {1, 1, 1}},
    {{2, 1, 2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2, 1, 2}},
    {{40, 1, 33}, {1, 20, 33}},
    {{2, 3, 0}, {2, 3, 1}},
};

TEST_CASE("Arithmetic with broadcasting, in float and double", "[ops]") {
  for (const char* name : {"Add", "Sub", "Mul", "Div", "Pow"}) {
    const Tolerance tolerance = name == std::string("Pow") ? Tolerance{4e-6, 0} : Tolerance{1e-7, 0};
    for (const auto& [a, b] : kShapes) {
      INFO(name << ' ' << to_string(a) << ' ' << to_string(b));
      check_op(op_case(name, 13, {random(a), random(b, 0.5, 4, DataType::float32, 9)}), tolerance);
      check_op(op_case(name, 13, {random(a, 0.5, 4, DataType::float64), random(b, 0.5, 4, DataType::float64, 9)}),
               tolerance);
    }
  }
}

TEST_CASE("Arithmetic of all integer types is modulo 2^bits and divides towards zero", "[ops]") {
  const auto each = [](auto element) {
    using T = decltype(element);
    const T most = std::numeric_limits<T>::max(), least = std::numeric_limits<T>::lowest();
    const Tensor a = tensor<T>({6}, {most, 7, 100, most, 1, least}), b = tensor<T>({6}, {2, 3, 100, most, 5, 3});
    for (const char* name : {"Add", "Sub", "Mul", "Div"}) {
      INFO(name << ' ' << to_string(a.type()));
      if (std::is_same_v<T, std::uint64_t>) continue;  // beyond the oracle's int64
      check_op(op_case(name, 14, {a, b}));
    }
  };
  each(std::uint8_t{}), each(std::int8_t{}), each(std::uint16_t{}), each(std::int16_t{});
  each(std::uint32_t{}), each(std::int32_t{}), each(std::int64_t{});
  const std::uint64_t big = ~std::uint64_t{0};
  const auto of = [&](const char* name, std::uint64_t a, std::uint64_t b) {
    return values<std::uint64_t>(
        run(op_case(name, 14, {tensor<std::uint64_t>({1}, {a}), tensor<std::uint64_t>({1}, {b})}))[0])[0];
  };
  CHECK(of("Add", big, 2) == 1);
  CHECK(of("Mul", big, big) == 1);
  CHECK(of("Div", big, 2) == big / 2);
  check_op(op_case("Div", 14, {int64s({7, -7, 7, -7}), int64s({2, 2, -2, -2})}));
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  CHECK(values<std::int64_t>(run(op_case("Div", 14, {int64s({least}), int64s({-1})}))[0])[0] == least);
  CHECK(refusal(op_case("Div", 14, {int64s({1, 2}), int64s({1, 0})})) == ErrorCode::input);
  CHECK(refusal(op_case("Mod", 13, {int64s({1, 2}), int64s({0})})) == ErrorCode::input);
  CHECK(values<std::int64_t>(run_split(op_case("Div", 14, {int64s({9, 2}), int64s({2, 0})}), 2)[0]) ==
        std::vector<std::int64_t>{4, 0});
}

TEST_CASE("Mod has the sign of the divisor, or with fmod the dividend's", "[ops]") {
  const Tensor a = int64s({-4, 7, 5, 4, -7, 8}), b = int64s({2, -3, 8, -2, 3, 5});
  check_op(op_case("Mod", 13, {a, b}));
  check_op(op_case("Mod", 10, {a, b}, {{"fmod", std::int64_t{1}}}));
  CHECK(values<std::int64_t>(run(op_case("Mod", 13, {a, b}))[0]) == std::vector<std::int64_t>{0, -2, 5, 0, 2, 3});
  CHECK(values<std::int64_t>(run(op_case("Mod", 13, {a, b}, {{"fmod", std::int64_t{1}}}))[0]) ==
        std::vector<std::int64_t>{0, 1, 5, 0, -1, 3});
  check_op(op_case("Mod", 13, {random({30}, -9, 9), random({30}, 1, 3)}, {{"fmod", std::int64_t{1}}}), {1e-6, 1e-6});
  CHECK(refusal(op_case("Mod", 13, {random({3}), random({3})})) == ErrorCode::unsupported);
  check_op(op_case("Mod", 28, {random({30}, -9, 9), random({30}, -3, 3)}), {1e-6, 1e-6});
  const Tensor dividends = tensor<double>({7}, {5, -5, 5, -5, 0, 6, INFINITY}),
               divisors = tensor<double>({7}, {3, 3, -3, INFINITY, -2, -3, 2});
  const std::vector<double> moduli = values<double>(run(op_case("Mod", 28, {dividends, divisors}))[0]);
  CHECK(std::vector<double>(moduli.begin(), moduli.end() - 1) == std::vector<double>{2, 1, -1, INFINITY, 0, 0});
  CHECK((std::signbit(moduli[4]) && std::signbit(moduli[5]) && std::isnan(moduli[6])));
}

TEST_CASE("Pow with a base and an exponent of different types", "[ops]") {
  check_op(op_case("Pow", 13, {random({2, 3}), tensor<std::int64_t>({3}, {0, 2, 3})}), {1e-6, 0});
  check_op(op_case("Pow", 13, {tensor<std::int32_t>({4}, {2, -3, 0, 7}), tensor<std::int32_t>({}, {3})}));
  check_op(op_case("Pow", 13, {int64s({1, 2, 3}), tensor<float>({3}, {4, 5, 0.5f})}));
  check_op(op_case("Pow", 13, {random({4}), tensor<double>({1}, {2})}), {1e-6, 0});
  CHECK(values<std::int64_t>(run(op_case("Pow", 13, {int64s({1, -1, -1, 2, 0}), int64s({-5, -3, -2, -1, 0})}))[0]) ==
        std::vector<std::int64_t>{1, -1, 1, 0, 1});
  CHECK(values<float>(
            run(op_case("Pow", 13, {tensor<float>({4}, {-2, 0, -8, kNan}), tensor<float>({4}, {3, 0, 1, 0})}))[0]) ==
        std::vector<float>{-8, 1, -8, 1});
}

TEST_CASE("PRelu's slope is broadcast to its input only", "[ops]") {
  const Tensor x = random({2, 3, 4, 5}, -3, 3);
  check_op(op_case("PRelu", 16, {x, random({3, 1, 1})}), {1e-7, 0});
  check_op(op_case("PRelu", 9, {x, random({1})}), {1e-7, 0});
  check_op(op_case("PRelu", 6, {x, random({3})}), {1e-7, 0});
  check_op(op_case("PRelu", 9, {tensor<std::int32_t>({3}, {-2, 0, 2}), tensor<std::int32_t>({1}, {3})}));
  CHECK(refusal(op_case("PRelu", 16, {random({3}), x})) == ErrorCode::model);
  CHECK(refusal(op_case("PRelu", 16, {x, random({2, 1, 1})})) == ErrorCode::model);
}

TEST_CASE("Before opset 7 the second operand broadcasts from an axis on", "[ops]") {
  const Tensor x = random({2, 3, 4, 5});
  const AttributeList broadcast = {{"broadcast", std::int64_t{1}}};
  const AttributeList axis1 = {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{1}}};
  // The oracle computes in double: a float result is right to half a unit in the last place.
  const Tolerance rounded = {0x1p-24, 0};
  check_op(op_case("Add", 6, {x, random({3, 4})}, axis1), rounded);
  check_op(op_case("Mul", 6, {x, random({3})}, axis1), rounded);
  check_op(op_case("Sub", 6, {x, random({4, 5})}, broadcast), rounded);
  check_op(op_case("Add", 6, {x, random({1})}, broadcast), rounded);
  check_op(op_case("Pow", 1, {x, random({3})}, axis1), {4e-6, 0});
  check_op(op_case("Div", 6, {x, x}));
  CHECK(refusal(op_case("Add", 6, {random({3}), x}, broadcast)) == ErrorCode::model);
  CHECK(refusal(op_case("Add", 6, {x, random({4, 5, 1})},
                        {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{2}}})) == ErrorCode::model);
}

TEST_CASE("Comparisons and logic", "[ops]") {
  const Tensor a = tensor<float>({2, 3}, {1, 2, 3, kNan, kInf, -kInf}), b = tensor<float>({3}, {2, 2, kNan});
  const Tensor p = tensor<bool>({2, 2}, {true, true, false, false}), q = tensor<bool>({2}, {true, false});
  for (const char* name : {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"}) {
    check_op(op_case(name, 16, {a, b}));
    check_op(op_case(name, 16, {int64s({1, 2, 3}), int64s({2})}));
    check_op(op_case(name, 16, {tensor<std::uint8_t>({2}, {200, 3}), tensor<std::uint8_t>({2}, {100, 3})}));
    check_op(op_case(name, 16, {random({3, 1}, 0, 1, DataType::float64), random({1, 50}, 0, 1, DataType::float64)}));
  }
  for (const char* name : {"And", "Or", "Xor", "Equal"}) check_op(op_case(name, 7, {p, q}));
  check_op(op_case("And", 6, {p, q}, {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{0}}}));
  CHECK(refusal(op_case("And", 7, {a, a})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Less", 9, {a, int64s({1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Less", 9, {a, random({2})})) == ErrorCode::model);
}

TEST_CASE("Bits", "[ops]") {
  const auto of = [](const char* name, std::uint8_t a, std::uint8_t b, const AttributeList& attributes = {}) {
    return values<std::uint8_t>(
        run(op_case(name, 18, {tensor<std::uint8_t>({1}, {a}), tensor<std::uint8_t>({1}, {b})}, attributes))[0])[0];
  };
  const AttributeList left = {{"direction", std::string("LEFT")}}, right = {{"direction", std::string("RIGHT")}};
  CHECK(of("BitwiseAnd", 0x3c, 0x0f) == 0x0c);
  CHECK(of("BitwiseOr", 0x3c, 0x0f) == 0x3f);
  CHECK(of("BitwiseXor", 0x3c, 0x0f) == 0x33);
  CHECK(of("BitShift", 0x81, 1, left) == 0x02);
  CHECK(of("BitShift", 0x81, 1, right) == 0x40);
  CHECK(of("BitShift", 0x81, 8, right) == 0);
  CHECK(of("BitShift", 0x81, 255, left) == 0);
  CHECK(refusal(op_case("BitShift", 11, {tensor<std::uint8_t>({1}, {1}), tensor<std::uint8_t>({1}, {1})})) ==
        ErrorCode::model);
  const Tensor numbers = tensor<std::int8_t>({5}, {-128, -1, 64, -7, 5}),
               by = tensor<std::int8_t>({5}, {1, 9, 1, -1, -1});
  CHECK(values<std::int8_t>(run(op_case("BitShift", 28, {numbers, by}, left))[0]) ==
        std::vector<std::int8_t>{0, 0, -128, 0, 0});
  CHECK(values<std::int8_t>(run(op_case("BitShift", 28, {numbers, by}, right))[0]) ==
        std::vector<std::int8_t>{-64, -1, 32, -1, 0});
  CHECK(refusal(op_case("BitShift", 27, {numbers, by}, left)) == ErrorCode::unsupported);
}

TEST_CASE("Sum, Mean, Max and Min of any number of tensors", "[ops]") {
  const Tensor a = random({2, 3, 4}, -1, 1), b = random({3, 1}, -1, 1), c = random({1}, -1, 1),
               d = random({5, 1, 1, 4}, -1, 1);
  for (const char* name : {"Sum", "Mean", "Max", "Min"}) {
    check_op(op_case(name, 13, {a}));
    check_op(op_case(name, 13, {a, b}), {1e-6, 1e-7});
    check_op(op_case(name, 13, {c, b, a}), {1e-6, 1e-7});
    check_op(op_case(name, 13, {a, b, c, d}), {1e-6, 1e-7});
    check_op(op_case(name, 8, {random({70, 400}), random({400}), random({70, 1})}), {1e-6, 1e-7});
    check_op(op_case(name, 13, {random({2, 3}, 0, 1, DataType::float64), random({3}, 0, 1, DataType::float64)}),
             {1e-12, 0});
    CHECK(refusal(op_case(name, 13, {})) == ErrorCode::model);
    CHECK(refusal(op_case(name, 13, {a, random({5})})) == ErrorCode::model);
  }
  check_op(op_case("Max", 12, {int64s({1, 5}), int64s({3}), int64s({2, 9})}));
  check_op(op_case("Min", 12, {tensor<std::uint8_t>({2}, {200, 5}), tensor<std::uint8_t>({2}, {100, 7})}));
  CHECK(refusal(op_case("Sum", 13, {int64s({1}), int64s({1})})) == ErrorCode::unsupported);
  const Tensor nan = run(op_case("Max", 13, {tensor<float>({2}, {kNan, 1}), tensor<float>({2}, {1, kNan})}))[0];
  CHECK((std::isnan(values<float>(nan)[0]) && std::isnan(values<float>(nan)[1])));
}

TEST_CASE("Shapes that are not all known", "[ops]") {
  const graph::Dim n = graph::Dim::symbolic("N");
  const DataType f = DataType::float32;
  CHECK(inferred(op_case("Add", 13, {}), {desc(f, {n, 3, 4}), desc(f, {3, 1})}) == "float[N,3,4]");
  CHECK(inferred(op_case("Less", 13, {}), {desc(f, {n, 3}), desc(f, {n, 1})}) == "bool[N,3]");
  CHECK(inferred(op_case("Sum", 13, {}), {desc(f, {n, 1}), desc(f, {1, 3}), desc(f, {1})}) == "float[N,3]");
}

TEST_CASE("Blocked arithmetic of two tensors", "[ops]") {
  const Tensor odd = random({2, 21, 5, 7}), whole = random({3, 32, 6, 13});
  const auto other = [](const Shape& shape) { return random(shape, 0.5, 4, DataType::float32, 77); };
  for (const char* name : {"Add", "Sub", "Mul", "PRelu"}) check_blocked(op_case(name, 13, {odd, other({2, 21, 5, 7})}));
  for (const char* name : {"Div", "Pow"}) {
    CHECK(layout_rule(op_case(name, 13, {odd, odd})).preference == Preference::plain);
    check_blocked(op_case(name, 13, {whole, other({3, 32, 6, 13})}));
  }
  check_blocked(op_case("Add", 13, {random({1, 40, 24, 32}), other({1, 40, 24, 32})}));
  // Squeeze and excite.
  check_blocked(op_case("Mul", 13, {odd, other({2, 21, 1, 1})}));
  check_blocked(op_case("Mul", 13, {other({1, 21, 1, 1}), odd}));
  check_blocked(op_case("Sub", 13, {other({3, 32, 1, 1}), whole}));
  check_blocked(op_case("Add", 13, {other({2, 21, 1, 1}), other({2, 21, 1, 1})}));
  CHECK(layout_rule(op_case("Mul", 13, {odd, other({2, 1, 5, 7})})).preference == Preference::plain);
  CHECK(layout_rule(op_case("Mul", 13, {odd, other({2, 21, 5, 1})})).preference == Preference::plain);
  CHECK(layout_rule(op_case("Mul", 13, {other({21, 1, 1}), odd})).preference == Preference::plain);
}

TEST_CASE("Blocked arithmetic with a constant", "[ops]") {
  const Tensor odd = random({2, 21, 5, 7}), whole = random({3, 32, 6, 13});
  const Tensor channels = random({21, 1, 1}, 0.5, 4, DataType::float32, 5), scalar = tensor<float>({}, {3});
  for (const char* name : {"Add", "Sub", "Mul", "Div", "Pow"}) {
    INFO(name);
    check_blocked(op_case(name, 13, {odd, channels}), 0b10);
    check_blocked(op_case(name, 13, {odd, scalar}), 0b10);
    check_blocked(op_case(name, 13, {whole, random({1, 32, 1, 1})}), 0b10);
    check_blocked(op_case(name, 13, {tensor<float>({1}, {2}), whole}), 0b01);
  }
  check_blocked(op_case("Add", 6, {odd, random({21})}, {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{1}}}),
                0b10);
  check_blocked(op_case("PRelu", 6, {random({2, 21, 3, 3}, -2, 2), random({21})}), 0b10);
  check_blocked(op_case("Sub", 13, {tensor<float>({1}, {1}), odd}), 0b01);
  CHECK(layout_rule(op_case("Div", 13, {scalar, odd}), 0b01).preference == Preference::plain);
  CHECK(layout_rule(op_case("Add", 13, {odd, random({7})}), 0b10).preference == Preference::plain);
  CHECK(layout_rule(op_case("Add", 13, {odd, random({1, 1, 1, 1, 1})}), 0b10).preference == Preference::plain);
  CHECK(layout_rule(op_case("Mul", 13, {random({1, 1, 5, 7}), channels}), 0b10).preference == Preference::plain);
}

TEST_CASE("Blocked sums of many tensors", "[ops]") {
  const Tensor a = random({2, 21, 5, 7}), b = random({2, 21, 5, 7}, -1, 1), c = random({2, 21, 5, 7}, -3, 0);
  for (const char* name : {"Sum", "Mean", "Max", "Min"}) check_blocked(op_case(name, 13, {a, b, c}));
  CHECK(layout_rule(op_case("Sum", 13, {a, b, random({21, 1, 1})})).preference == Preference::plain);
}

}  // namespace
}  // namespace linnet::test::elementwise_binary_test
