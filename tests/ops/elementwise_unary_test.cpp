#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "ops/activation.h"
#include "support/blocked_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::elementwise_unary_test {
namespace {

const float kInf = std::numeric_limits<float>::infinity();
const float kNan = std::numeric_limits<float>::quiet_NaN();
const Tolerance kClose = {4e-6, 4e-7};

Tensor random(Shape shape, double low, double high, DataType type = DataType::float32) {
  Random numbers(static_cast<std::uint64_t>(shape.size()) * 31 + 7);
  return from_reference(random_reals(numbers, std::move(shape), low, high, static_cast<reference::Type>(type)));
}

/// Where a function is tried.
struct Domain {
  const char* name;
  int opset;
  double low, high;
};
const Domain kDomains[] = {
    {"Relu", 14, -5, 5},      {"LeakyRelu", 16, -5, 5},  {"ThresholdedRelu", 10, -3, 3},
    {"Sigmoid", 13, -20, 20}, {"HardSigmoid", 6, -5, 5}, {"HardSwish", 14, -5, 5},
    {"Tanh", 13, -12, 12},    {"Elu", 6, -9, 5},         {"Selu", 6, -9, 5},
    {"Celu", 12, -9, 5},      {"Gelu", 20, -6, 6},       {"Mish", 18, -9, 9},
    {"Softplus", 1, -30, 30}, {"Softsign", 1, -9, 9},    {"Erf", 13, -4, 4},
    {"Sqrt", 13, 0, 9},       {"Exp", 13, -50, 50},      {"Log", 13, 1e-6, 50},
    {"Neg", 13, -5, 5},       {"Abs", 13, -5, 5},        {"Reciprocal", 13, 0.1, 9},
    {"Floor", 13, -5, 5},     {"Ceil", 13, -5, 5},       {"Round", 11, -5, 5},
    {"Sign", 13, -5, 5},      {"Sin", 7, -9, 9},         {"Cos", 7, -9, 9},
    {"Tan", 7, -1.2, 1.2},    {"Asin", 7, -1, 1},        {"Acos", 7, -1, 1},
    {"Atan", 7, -9, 9},       {"Sinh", 9, -9, 9},        {"Cosh", 9, -9, 9},
    {"Asinh", 9, -9, 9},      {"Acosh", 9, 1, 9},        {"Atanh", 9, -0.99, 0.99},
};

std::vector<float> applied(const char* name, int opset, const std::vector<float>& x,
                           const AttributeList& attributes = {}) {
  return values<float>(
      run(op_case(name, opset, {tensor<float>({static_cast<std::int64_t>(x.size())}, x)}, attributes))[0]);
}

TEST_CASE("Functions of one variable agree with the oracle, in float and double", "[ops]") {
  for (const Domain& d : kDomains) {
    INFO(d.name);
    check_op(op_case(d.name, d.opset, {random({3, 7, 11}, d.low, d.high)}), kClose);
    check_op(op_case(d.name, d.opset, {random({40000}, d.low, d.high)}), kClose);
    check_op(op_case(d.name, d.opset, {random({}, d.low, d.high)}), kClose);
    check_op(op_case(d.name, d.opset, {random({2, 0, 3}, d.low, d.high)}));
    if (std::string(d.name) != "Celu")
      check_op(op_case(d.name, d.opset, {random({5, 9}, d.low, d.high, DataType::float64)}), kClose);
  }
}

TEST_CASE("Their attributes", "[ops]") {
  const Tensor x = random({4, 50}, -4, 4);
  const auto with = [&](const char* name, int opset, const AttributeList& a) {
    check_op(op_case(name, opset, {x}, a), kClose);
  };
  with("LeakyRelu", 6, {{"alpha", 0.3f}});
  with("ThresholdedRelu", 10, {{"alpha", -1.5f}});
  with("HardSigmoid", 6, {{"alpha", 0.5f}, {"beta", 0.25f}});
  with("Elu", 6, {{"alpha", 2.0f}});
  with("Selu", 6, {{"alpha", 2.0f}, {"gamma", 0.5f}});
  // Selu's constants were rounded to four decimals before opset 6.
  CHECK(applied("Selu", 5, {1}) == std::vector<float>{1.0507f});
  CHECK(applied("Selu", 6, {1}) == std::vector<float>{1.05070102214813232421875f});
  with("Selu", 1, {});
  with("Selu", 5, {{"gamma", 0.5f}});
  with("Celu", 12, {{"alpha", 0.5f}});
  CHECK(applied("Shrink", 9, {-2, -1, 0, 1, 2, kNan - 1}, {{"lambd", 1.5f}, {"bias", 0.5f}})[0] == -1.5f);
  CHECK(applied("Shrink", 9, {-2, -1, 0, 1, 2}, {{"lambd", 1.5f}}) == std::vector<float>{-2, 0, 0, 0, 2});
  const std::vector<float> y = applied("Gelu", 20, {-1, 0, 2}, {{"approximate", std::string("tanh")}});
  CHECK(y[0] == Approx(-0.15880801));
  CHECK(y[2] == Approx(1.95459769));
  CHECK(refusal(op_case("Gelu", 20, {x}, {{"approximate", std::string("no")}})) == ErrorCode::model);
  CHECK(refusal(op_case("Relu", 14, {x}, {{"alpha", 1.0f}})) == ErrorCode::unsupported);
}

TEST_CASE("NaN stays NaN, and infinities go where the limits are", "[ops]") {
  for (const Domain& d : kDomains) {
    INFO(d.name);
    CHECK(std::isnan(applied(d.name, d.opset, {1, kNan, 1})[1]));
  }
  CHECK(applied("Relu", 14, {kInf, -kInf}) == std::vector<float>{kInf, 0});
  CHECK(applied("Sigmoid", 13, {kInf, -kInf}) == std::vector<float>{1, 0});
  CHECK(applied("Tanh", 13, {kInf, -kInf}) == std::vector<float>{1, -1});
  CHECK(applied("Exp", 13, {kInf, -kInf}) == std::vector<float>{kInf, 0});
  CHECK(applied("Elu", 6, {kInf, -kInf}) == std::vector<float>{kInf, -1});
  CHECK(applied("Softplus", 1, {kInf, -kInf}) == std::vector<float>{kInf, 0});
  CHECK(applied("Log", 13, {kInf, 0}) == std::vector<float>{kInf, -kInf});
  CHECK(applied("Reciprocal", 13, {kInf, 0}) == std::vector<float>{0, kInf});
  CHECK(applied("Round", 11, {0.5f, 1.5f, 2.5f, -0.5f, -2.5f}) == std::vector<float>{0, 2, 2, 0, -2});
  CHECK(std::isnan(applied("Sqrt", 13, {-1})[0]));
}

TEST_CASE("The integer forms", "[ops]") {
  check_op(op_case("Abs", 13, {tensor<std::int32_t>({4}, {-3, 0, 3, -7})}));
  check_op(op_case("Neg", 13, {tensor<std::int64_t>({3}, {-3, 0, 3})}));
  check_op(op_case("Relu", 14, {tensor<std::int8_t>({4}, {-128, -1, 0, 127})}));
  check_op(op_case("Sign", 13, {tensor<std::int16_t>({3}, {-300, 0, 300})}));
  CHECK(values<std::uint64_t>(run(op_case("Sign", 13, {tensor<std::uint64_t>({2}, {~std::uint64_t{0}, 0})}))[0]) ==
        std::vector<std::uint64_t>{1, 0});
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  CHECK(values<std::int64_t>(run(op_case("Abs", 13, {tensor<std::int64_t>({1}, {least})}))[0])[0] == least);
  CHECK(values<std::int32_t>(
            run(op_case("Shrink", 9, {tensor<std::int32_t>({3}, {-4, 1, 4})}, {{"lambd", 2.0f}, {"bias", 1.0f}}))[0]) ==
        std::vector<std::int32_t>{-3, 0, 3});
  constexpr std::uint64_t kWide = std::uint64_t{1} << 63;
  CHECK(values<std::uint64_t>(run(
            op_case("Shrink", 9, {tensor<std::uint64_t>({3}, {kWide, 1, 4})}, {{"lambd", 2.0f}, {"bias", 1.0f}}))[0]) ==
        std::vector<std::uint64_t>{kWide, 0, 3});
  CHECK(values<std::uint8_t>(run(op_case("BitwiseNot", 18, {tensor<std::uint8_t>({2}, {0, 0xf0})}))[0]) ==
        std::vector<std::uint8_t>{0xff, 0x0f});
  CHECK(refusal(op_case("Neg", 13, {tensor<std::uint8_t>({1}, {1})})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Exp", 13, {int64s({1})})) == ErrorCode::unsupported);
}

TEST_CASE("Not, IsNaN, IsInf", "[ops]") {
  const Tensor x = tensor<float>({5}, {1, kNan, kInf, -kInf, 0});
  check_op(op_case("IsNaN", 13, {x}));
  check_op(op_case("IsInf", 10, {x}));
  check_op(op_case("IsInf", 10, {x}, {{"detect_negative", std::int64_t{0}}}));
  check_op(op_case("IsInf", 10, {x}, {{"detect_positive", std::int64_t{0}}}));
  check_op(op_case("IsNaN", 13, {tensor<double>({2}, {std::nan(""), 1})}));
  check_op(op_case("Not", 1, {tensor<bool>({3}, {true, false, true})}));
  CHECK(refusal(op_case("Not", 1, {x})) == ErrorCode::unsupported);
}

TEST_CASE("Clip by attributes and by inputs", "[ops]") {
  const Tensor x = random({3, 40}, -9, 9), none;
  const auto scalar = [](float v) { return tensor<float>({}, {v}); };
  check_op(op_case("Clip", 6, {x}, {{"min", -1.0f}, {"max", 2.0f}}));
  check_op(op_case("Clip", 6, {x}, {{"max", 2.0f}}));
  check_op(op_case("Clip", 6, {random({7}, -9, 9, DataType::float64)}, {{"min", -1.0f}}));
  check_op(op_case("Clip", 11, {x, scalar(-1), scalar(2)}));
  check_op(op_case("Clip", 13, {x, none, tensor<float>({1}, {2})}));
  check_op(op_case("Clip", 13, {x}));
  check_op(op_case("Clip", 12, {int64s({-5, 0, 5, 9}), tensor<std::int64_t>({}, {-1}), tensor<std::int64_t>({}, {6})}));
  check_op(op_case("Clip", 12, {tensor<std::uint8_t>({3}, {0, 100, 255}), tensor<std::uint8_t>({}, {7})}));
  CHECK(values<float>(run(op_case("Clip", 13, {tensor<float>({3}, {0, 5, kNan}), scalar(4), scalar(1)}))[0])[0] == 1);
  CHECK(std::isnan(values<float>(run(op_case("Clip", 13, {tensor<float>({1}, {kNan}), scalar(0), scalar(1)}))[0])[0]));
  // Without bounds these are the type's, as ONNX says.
  CHECK(applied("Clip", 13, {kInf})[0] == std::numeric_limits<float>::max());
  CHECK(refusal(op_case("Clip", 13, {x, tensor<float>({2}, {1, 2})})) == ErrorCode::model);
  CHECK(refusal(op_case("Clip", 13, {x, int64s({1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Clip", 11, {int64s({1})})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Clip", 11, {x}, {{"min", 1.0f}})) == ErrorCode::unsupported);
}

TEST_CASE("Blocked: functions that keep zero take any channels, the others whole blocks", "[ops]") {
  const Tensor odd = random({2, 21, 5, 7}, -4, 4), whole = random({3, 32, 9, 13}, -4, 4),
               pixel = random({2, 48, 1, 1}, -4, 4);
  for (const char* name : {"Relu", "LeakyRelu", "HardSwish", "Tanh", "Elu", "Abs", "Neg", "Mish", "Sqrt"}) {
    const OpCase c = op_case(name, name == std::string("HardSwish") ? 14 : 18, {odd});
    check_blocked(c);
  }
  for (const char* name : {"Sigmoid", "Exp", "HardSigmoid"}) {
    CHECK(layout_rule(op_case(name, 13, {odd})).preference == ops::LayoutRule::Preference::plain);
    check_blocked(op_case(name, 13, {whole}));
    check_blocked(op_case(name, 13, {pixel}));
  }
  check_blocked(op_case("Clip", 6, {odd}, {{"min", 0.0f}, {"max", 6.0f}}));
  check_blocked(op_case("Clip", 13, {odd, tensor<float>({}, {-1}), tensor<float>({}, {1})}), 0b110);
  check_blocked(op_case("Clip", 13, {whole, tensor<float>({}, {1}), tensor<float>({}, {2})}), 0b010);
  CHECK(layout_rule(op_case("Clip", 6, {odd}, {{"min", 1.0f}})).preference == ops::LayoutRule::Preference::plain);
  CHECK(layout_rule(op_case("Relu", 14, {random({4, 16, 3}, -1, 1)})).preference == ops::LayoutRule::Preference::plain);
  CHECK(layout_rule(op_case("Tan", 7, {whole})).preference == ops::LayoutRule::Preference::plain);
  // Large enough to be shared among threads.
  check_blocked(op_case("Relu", 14, {random({1, 33, 40, 24}, -4, 4)}));
}

TEST_CASE("Fused activations", "[ops]") {
  const auto read = [](const AttributeList& attributes) {
    graph::Graph graph;
    graph::Node node;
    node.op_type = "FusedConv";
    for (const auto& [name, value] : attributes) node.attributes.set(name, value);
    return ops::read_activation(ops::NodeContext(graph, graph.add_node(std::move(node))));
  };
  const auto named = [&](const char* name) { return read({{"activation", std::string(name)}}); };
  CHECK(ops::clamp_bounds(read({}))->lo == -kInf);
  CHECK(ops::clamp_bounds(named("none"))->hi == kInf);
  CHECK(ops::clamp_bounds(named("Relu"))->lo == 0);
  const ops::Activation clip =
      read({{"activation", std::string("Clip")}, {"activation_alpha", 1.0f}, {"activation_beta", 6.0f}});
  CHECK(ops::clamp_bounds(clip)->lo == 1);
  CHECK(ops::clamp_bounds(clip)->hi == 6);
  CHECK_FALSE(ops::keeps_zero(clip));
  CHECK_FALSE(ops::clamp_bounds(named("Sigmoid")).has_value());
  CHECK_FALSE(ops::keeps_zero(named("Sigmoid")));
  for (const char* name : {"none", "Relu", "LeakyRelu", "Elu", "Tanh", "HardSwish", "Swish"})
    CHECK(ops::keeps_zero(named(name)));
  const ops::Activation swish = named("Swish");
  float x[] = {1.0f, -2.0f};
  ops::apply_activation(*kernels::table(kernels::Isa::scalar), swish, x, 2);
  CHECK(x[0] == Approx(0.731058579));
  CHECK(x[1] == Approx(-0.238405844));
  CHECK_THROWS_AS(named("Softmax"), Error);
}

}  // namespace
}  // namespace linnet::test::elementwise_unary_test
