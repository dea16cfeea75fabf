#include <catch2/catch.hpp>
#include <cmath>

#include "support/blocked_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::normalization_test {
namespace {

const Tolerance kClose = {4e-6, 4e-6};

Tensor random(Shape shape, double low = -2, double high = 2, std::uint64_t seed = 5) {
  Random numbers(seed);
  return from_reference(random_reals(numbers, std::move(shape), low, high));
}
AttributeList one(const char* name, graph::Attribute value) { return {{name, std::move(value)}}; }

std::vector<Tensor> statistics(Tensor x, std::int64_t channels) {
  return {std::move(x), random({channels}, 0.5, 2, 1), random({channels}, -1, 1, 2), random({channels}, -1, 1, 3),
          random({channels}, 0.1, 2, 4)};
}

TEST_CASE("BatchNormalization that no pass has taken", "[ops]") {
  check_op(op_case("BatchNormalization", 15, statistics(random({2, 5, 4, 3}), 5)), kClose);
  check_op(op_case("BatchNormalization", 9, statistics(random({2, 40, 33, 31}), 40), one("epsilon", 0.01f)), kClose);
  check_op(op_case("BatchNormalization", 9, statistics(random({3, 7}), 7)), kClose);
  check_op(op_case("BatchNormalization", 7, statistics(random({2, 5, 4}), 5), one("spatial", std::int64_t{0})), kClose);
  check_op(op_case("BatchNormalization", 6, statistics(random({2, 5, 4}), 5), one("is_test", std::int64_t{1})), kClose);
}

TEST_CASE("BatchNormalization in training takes the input's own statistics and moves the running ones", "[ops]") {
  // Channel 0 has the mean 3 and the variance 5, channel 1 is constant.
  const Tensor x = tensor<float>({2, 2, 2}, {0, 2, 7, 7, 4, 6, 7, 7});
  const std::vector<Tensor> inputs = {x, tensor<float>({2}, {2, 3}), tensor<float>({2}, {10, 20}),
                                      tensor<float>({2}, {1, 1}), tensor<float>({2}, {3, 4})};
  const AttributeList training = {{"training_mode", std::int64_t{1}}, {"momentum", 0.5f}, {"epsilon", 4.0f}};
  const std::vector<Tensor> y = run(op_case("BatchNormalization", 15, inputs, training, 3));
  // Scales 2 / sqrt(5 + 4) and 3 / sqrt(0 + 4).
  CHECK(values<float>(y[0]) ==
        std::vector<float>{8, static_cast<float>(10 - 2.0 / 3), 20, 20, static_cast<float>(10 + 2.0 / 3), 12, 20, 20});
  CHECK(values<float>(y[1]) == std::vector<float>{2, 4});
  CHECK(values<float>(y[2]) == std::vector<float>{4, 2});
  CHECK(values<float>(run(op_case("BatchNormalization", 14, inputs, training, 1))[0]) == values<float>(y[0]));
  const OpCase wide = op_case("BatchNormalization", 15, statistics(random({3, 40, 33, 31}), 40), training, 3);
  const std::vector<Tensor> expected = run(wide);
  for (const int threads : {2, 3, 7}) {
    const std::vector<Tensor> found = run_split(wide, threads);
    for (std::size_t i = 0; i < 3; ++i) CHECK(values<float>(found[i]) == values<float>(expected[i]));
  }
}

TEST_CASE("BatchNormalization of floats takes doubles as parameters, and the other way round", "[ops]") {
  const std::vector<double> ones = {1, 1}, two = {2, 3}, shift = {10, 20}, threes = {3, 4};
  const auto narrow = [](const std::vector<double>& x) {
    return tensor<float>({2}, std::vector<float>(x.begin(), x.end()));
  };
  const auto wide = [](const std::vector<double>& x) { return tensor<double>({2}, x); };
  const Tensor x = tensor<float>({2, 2, 2}, {0, 2, 7, 7, 4, 6, 7, 7});
  const std::vector<double> elements = {0, 2, 7, 7, 4, 6, 7, 7};
  const AttributeList inference = one("epsilon", 1.0f), training = {{"training_mode", std::int64_t{1}}};
  const std::vector<Tensor> plain = {x, narrow(two), narrow(shift), narrow(ones), narrow(threes)};
  const std::vector<Tensor> mixed = {x, wide(two), wide(shift), narrow(ones), narrow(threes)};
  const std::vector<Tensor> doubles = {tensor<double>({2, 2, 2}, elements), narrow(two), narrow(shift), wide(ones),
                                       wide(threes)};
  for (const std::size_t outputs : {std::size_t{1}, std::size_t{3}}) {
    const AttributeList& attributes = outputs == 3 ? training : inference;
    const auto expected = values<float>(run(op_case("BatchNormalization", 15, plain, attributes, outputs))[0]);
    CHECK(values<float>(run(op_case("BatchNormalization", 15, mixed, attributes, outputs))[0]) == expected);
    const std::vector<Tensor> y = run(op_case("BatchNormalization", 15, doubles, attributes, outputs));
    const auto found = values<double>(y[0]);
    for (std::size_t i = 0; i < found.size(); ++i) CHECK(static_cast<float>(found[i]) == Approx(expected[i]));
    if (outputs == 3) CHECK(y[1].type() == DataType::float64);
  }
  CHECK(refusal(op_case("BatchNormalization", 9, mixed)) == ErrorCode::model);
}

TEST_CASE("BatchNormalization refuses the old forms of training", "[ops]") {
  const std::vector<Tensor> inputs = statistics(random({2, 5, 4, 3}), 5);
  CHECK(refusal(op_case("BatchNormalization", 6, inputs)) == ErrorCode::unsupported);
  const std::vector<graph::TensorDesc> descs = {desc(DataType::float32, {2, 5, 4, 3}), desc(DataType::float32, {5}),
                                                desc(DataType::float32, {5}), desc(DataType::float32, {5}),
                                                desc(DataType::float32, {5})};
  CHECK_THROWS_AS(infer(op_case("BatchNormalization", 9, {}, {}, 3), descs),
                  Error);  // the statistics are graph outputs
  std::vector<Tensor> wrong = inputs;
  wrong[3] = random({4});
  CHECK(refusal(op_case("BatchNormalization", 9, wrong)) == ErrorCode::model);
  wrong[3] = random({5, 4, 3});
  CHECK(refusal(op_case("BatchNormalization", 7, wrong, one("spatial", std::int64_t{0}))) == ErrorCode::unsupported);
}

TEST_CASE("InstanceNormalization", "[ops]") {
  for (const Shape& shape :
       {Shape{2, 3, 5, 7}, Shape{2, 3, 9}, Shape{1, 3, 2, 3, 4}, Shape{1, 3, 80, 90}, Shape{0, 3, 4}}) {
    check_op(op_case("InstanceNormalization", 6, {random(shape), random({3}), random({3})}), {2e-5, 2e-5});
  }
  check_op(op_case("InstanceNormalization", 6, {random({2, 3, 4}), random({3}), random({3})}, one("epsilon", 0.1f)),
           kClose);
  CHECK(refusal(op_case("InstanceNormalization", 6, {random({2, 3, 4}), random({2}), random({3})})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("InstanceNormalization", 6, {random({3}), random({3}), random({3})})) == ErrorCode::model);
}

Tensor wide(const Tensor& x) {
  const std::vector<float> from = values<float>(x);
  return tensor<double>(x.shape(), {from.begin(), from.end()});
}

TEST_CASE("LayerNormalization", "[ops]") {
  check_op(op_case("LayerNormalization", 17, {random({4, 3, 20}), random({20}), random({20})}), kClose);
  check_op(op_case("LayerNormalization", 17, {random({4, 3, 20}), random({3, 20})}, one("axis", std::int64_t{1})),
           kClose);
  check_op(op_case("LayerNormalization", 17, {random({300, 100}), random({100}), random({100})}, one("epsilon", 0.01f)),
           kClose);
  check_op(op_case("LayerNormalization", 17, {random({4, 3, 20}), random({1}), random({3, 1})}), kClose);
  check_op(op_case("LayerNormalization", 17, {random({4, 3, 20}), random({4, 1, 20})}, {}, 3), kClose);
  check_op(op_case("LayerNormalization", 17, {random({4, 3, 20}), random({3, 20})}, one("axis", std::int64_t{-2}), 2),
           kClose);
  check_op(op_case("LayerNormalization", 17, {wide(random({4, 3, 20})), wide(random({20})), wide(random({20}))}),
           kClose);
  CHECK(inferred(op_case("LayerNormalization", 17, {}, {}, 3), {desc(DataType::float32, {graph::Dim::symbolic("N"), 4}),
                                                                desc(DataType::float32, {4})}) == "float[N,4]");
  CHECK(refusal(op_case("LayerNormalization", 17, {random({4, 20}), random({2})})) == ErrorCode::model);
  CHECK(refusal(op_case("LayerNormalization", 17, {random({4, 20}), random({2, 4, 20})})) == ErrorCode::model);
  CHECK(refusal(op_case("LayerNormalization", 17, {random({4, 20}), wide(random({20}))})) == ErrorCode::model);
}

/// Independent of the oracle, which does not know it.
std::vector<double> group_norm(const Tensor& x, std::int64_t groups, const Tensor& scale, const Tensor& bias,
                               bool per_group) {
  const std::int64_t channels = x.shape()[1], pixels = x.size() / x.shape()[0] / channels, width = channels / groups,
                     n = width * pixels;
  std::vector<double> y;
  for (std::int64_t row = 0; row < x.shape()[0] * groups; ++row) {
    const auto at = [&](std::int64_t i) {
      return static_cast<double>(x.data<float>()[static_cast<std::size_t>(row * n + i)]);
    };
    double mean = 0, variance = 0;
    for (std::int64_t i = 0; i < n; ++i) mean += at(i) / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) variance += (at(i) - mean) * (at(i) - mean) / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto p = static_cast<std::size_t>(per_group ? row % groups : row % groups * width + i / pixels);
      y.push_back((at(i) - mean) / std::sqrt(variance + 1e-5) * static_cast<double>(scale.data<float>()[p]) +
                  static_cast<double>(bias.data<float>()[p]));
    }
  }
  return y;
}

TEST_CASE("GroupNormalization has parameters for each group, since opset 21 for each channel", "[ops]") {
  const Tensor x = random({2, 6, 5, 4});
  for (const int opset : {18, 21}) {
    const Tensor scale = random({opset == 18 ? 3 : 6}), bias = random({opset == 18 ? 3 : 6}, -1, 1, 9);
    const OpCase c = op_case("GroupNormalization", opset, {x, scale, bias}, one("num_groups", std::int64_t{3}));
    const std::vector<float> y = values<float>(run(c)[0]);
    const std::vector<double> expected = group_norm(x, 3, scale, bias, opset == 18);
    for (std::size_t i = 0; i < y.size(); ++i) CHECK(static_cast<double>(y[i]) == Approx(expected[i]).margin(1e-5));
    CHECK(bit_difference(run_split(c, 3)[0], run(c)[0]) == "");
    CHECK(refusal(op_case("GroupNormalization", opset, {x, scale, bias}, one("num_groups", std::int64_t{4}))) ==
          ErrorCode::model);
    CHECK(refusal(op_case("GroupNormalization", opset, {x, random({2}), bias}, one("num_groups", std::int64_t{3}))) ==
          ErrorCode::model);
  }
}

TEST_CASE("MeanVarianceNormalization and LpNormalization", "[ops]") {
  const Tensor x = tensor<float>({1, 2, 1, 2}, {1, 3, -2, 2});
  const std::vector<float> y = values<float>(run(op_case("MeanVarianceNormalization", 13, {x}))[0]);
  CHECK(y == std::vector<float>{-1, 1, -1, 1});
  const std::vector<float> z =
      values<float>(run(op_case("MeanVarianceNormalization", 13, {x}, one("axes", ints({0, 1, 2, 3}))))[0]);
  CHECK(z[0] == Approx(0).margin(1e-6));
  CHECK(z[1] == Approx(2 / std::sqrt(3.5)));
  const Tensor v = tensor<float>({2, 2}, {3, -4, 0, 0});
  CHECK(values<float>(run(op_case("LpNormalization", 1, {v}))[0]) == std::vector<float>{0.6f, -0.8f, 0, 0});
  CHECK(
      values<float>(run(op_case("LpNormalization", 1, {v}, {{"p", std::int64_t{1}}, {"axis", std::int64_t{0}}}))[0]) ==
      std::vector<float>{1, -1, 0, 0});
  CHECK(refusal(op_case("LpNormalization", 1, {v}, one("p", std::int64_t{3}))) == ErrorCode::model);
  CHECK(refusal(op_case("MeanVarianceNormalization", 13, {v})) == ErrorCode::model);
}

TEST_CASE("LRN, plain and blocked", "[ops]") {
  const auto attributes = [](std::int64_t size) {
    return AttributeList{{"size", size}, {"alpha", 0.3f}, {"beta", 0.6f}, {"bias", 1.5f}};
  };
  for (const std::int64_t size : {1, 2, 3, 5, 6, 40}) {
    check_op(op_case("LRN", 13, {random({2, 21, 5, 3})}, attributes(size)), kClose);
    check_blocked(op_case("LRN", 13, {random({2, 21, 5, 3})}, attributes(size)), 0, {1e-6, 1e-7});
  }
  check_op(op_case("LRN", 13, {random({1, 4, 7})}, one("size", std::int64_t{3})), kClose);
  check_op(op_case("LRN", 13, {random({0, 4, 7})}, one("size", std::int64_t{3})), kClose);
  check_blocked(op_case("LRN", 13, {random({1, 96, 27, 27})}, attributes(5)), 0, {1e-6, 1e-7});
  CHECK(refusal(op_case("LRN", 13, {random({1, 4, 7})})) == ErrorCode::model);
}

TEST_CASE("ScaleShift, plain and blocked", "[ops]") {
  const auto scale_shift = [](Tensor x, const AttributeList& attributes = {}) {
    const std::int64_t channels = x.shape()[1];
    OpCase c = op_case("ScaleShift", 1, {std::move(x), random({channels}), random({channels}, -1, 1, 8)}, attributes);
    c.node.domain = "linnet";
    return c;
  };
  const AttributeList relu = one("activation", std::string("Relu"));
  const AttributeList clip = {
      {"activation", std::string("Clip")}, {"activation_alpha", 0.5f}, {"activation_beta", 1.0f}};
  for (const Shape& shape : {Shape{2, 21, 5, 7}, Shape{1, 33, 40, 24}, Shape{2, 16, 1, 1}}) {
    check_op(scale_shift(random(shape)), {1e-6, 1e-7});
    check_op(scale_shift(random(shape), relu), {1e-6, 1e-7});
    check_blocked(scale_shift(random(shape)), 0b110);
    check_blocked(scale_shift(random(shape), relu), 0b110);
  }
  check_op(scale_shift(random({3, 5})), {1e-6, 1e-7});
  check_op(scale_shift(random({3, 5, 0})));
  check_blocked(scale_shift(random({2, 32, 5, 7}), clip), 0b110);
  CHECK(layout_rule(scale_shift(random({2, 21, 5, 7}), clip), 0b110).preference == ops::LayoutRule::Preference::plain);
  CHECK(layout_rule(scale_shift(random({2, 32, 5, 7}))).preference ==
        ops::LayoutRule::Preference::plain);  // computed parameters
  CHECK(refusal(scale_shift(random({2, 3}), one("activation", std::string("Tanh")))) == ErrorCode::unsupported);
}

TEST_CASE("Softmax along an axis, and before opset 13 along all that follow", "[ops]") {
  for (const char* name : {"Softmax", "LogSoftmax"}) {
    for (const int opset : {1, 11, 13}) {
      check_op(op_case(name, opset, {random({3, 4, 5}, -9, 9)}), kClose);
      for (const std::int64_t axis : {0, 1, 2})
        check_op(op_case(name, opset, {random({3, 4, 5}, -9, 9)}, one("axis", axis)), kClose);
    }
    check_op(op_case(name, 13, {random({3, 4, 5}, -9, 9)}, one("axis", std::int64_t{-3})), kClose);
    check_op(op_case(name, 13, {random({64, 1000}, -9, 9)}), kClose);
    check_op(op_case(name, 13, {random({20, 30, 40}, -9, 9)}, one("axis", std::int64_t{1})), kClose);
    check_op(op_case(name, 13, {random({0, 4})}), kClose);
    check_op(op_case(name, 13, {random({4, 0})}), kClose);
    CHECK(refusal(op_case(name, 13, {random({3, 4})}, one("axis", std::int64_t{2}))) == ErrorCode::model);
    CHECK(refusal(op_case(name, 13, {int64s({1})})) == ErrorCode::unsupported);
  }
  CHECK(values<float>(run(op_case("Softmax", 13, {tensor<float>({2}, {1000, 1000})}))[0]) ==
        std::vector<float>{0.5f, 0.5f});
}

TEST_CASE("Hardmax marks the first of the greatest", "[ops]") {
  const Tensor x = tensor<float>({2, 3}, {1, 5, 5, 9, 2, 9});
  CHECK(values<float>(run(op_case("Hardmax", 13, {x}))[0]) == std::vector<float>{0, 1, 0, 1, 0, 0});
  CHECK(values<float>(run(op_case("Hardmax", 13, {x}, one("axis", std::int64_t{0})))[0]) ==
        std::vector<float>{0, 1, 0, 1, 0, 1});
  CHECK(values<float>(run(op_case("Hardmax", 11, {x}, one("axis", std::int64_t{0})))[0]) ==
        std::vector<float>{0, 0, 0, 1, 0, 0});
}

TEST_CASE("RMSNormalization", "[ops]") {
  check_op(op_case("RMSNormalization", 23, {random({4, 3, 20}), random({20})}), kClose);
  check_op(op_case("RMSNormalization", 23, {random({4, 3, 20}), random({3, 1})},
                   {{"axis", std::int64_t{1}}, {"epsilon", 0.5f}}),
           kClose);
  check_op(op_case("RMSNormalization", 28, {wide(random({200, 100})), wide(random({100}))}), kClose);
  CHECK(refusal(op_case("RMSNormalization", 23, {random({4, 20}), random({2})})) == ErrorCode::model);
  CHECK(refusal(op_case("RMSNormalization", 23, {random({4, 20}), random({20})}, one("axis", std::int64_t{2}))) ==
        ErrorCode::model);
  CHECK(refusal(op_case("RMSNormalization", 23, {int64s({1}), int64s({1})})) == ErrorCode::unsupported);
}

TEST_CASE("Normalizations of float64", "[ops]") {
  const Tensor x = wide(random({2, 6, 5, 4}));
  const auto channels = [](std::int64_t n) { return wide(random({n}, 0.5, 2, 9)); };
  const Tolerance exact = {1e-12, 1e-12};
  check_op(op_case("BatchNormalization", 15, {x, channels(6), channels(6), channels(6), channels(6)}), exact);
  check_op(op_case("InstanceNormalization", 22, {x, channels(6), channels(6)}), exact);
  check_op(op_case("LRN", 13, {x}, one("size", std::int64_t{3})), exact);
  for (const char* name : {"Softmax", "LogSoftmax"}) {
    check_op(op_case(name, 13, {x}, one("axis", std::int64_t{1})), exact);
    check_op(op_case(name, 11, {x}), exact);
  }
  CHECK(values<double>(run(op_case("Hardmax", 13, {tensor<double>({3}, {1, 3, 3})}))[0]) ==
        std::vector<double>{0, 1, 0});
  CHECK(values<double>(run(op_case("LpNormalization", 1, {tensor<double>({2}, {3, 4})}))[0]) ==
        std::vector<double>{3.0 / 5, 4.0 / 5});
  // The loops and the kernel agree.
  for (const int opset : {18, 21}) {
    const std::int64_t n = opset == 18 ? 3 : 6;
    const Tensor scale = random({n}, 0.5, 2, 9);
    const AttributeList groups = one("num_groups", std::int64_t{3});
    const Tensor narrow = random({2, 6, 5, 4});
    const auto in_float = values<float>(run(op_case("GroupNormalization", opset, {narrow, scale, scale}, groups))[0]);
    const auto in_double =
        values<double>(run(op_case("GroupNormalization", opset, {x, wide(scale), wide(scale)}, groups))[0]);
    for (std::size_t i = 0; i < in_double.size(); ++i) CHECK(in_float[i] == Approx(in_double[i]).margin(1e-5));
  }
}

}  // namespace
}  // namespace linnet::test::normalization_test
