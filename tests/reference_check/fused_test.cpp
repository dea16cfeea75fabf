// What no test data cover: the fused operators, and the bounds on rounding errors.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "reference/interpreter.h"
#include "support/compare.h"
#include "support/random_data.h"

namespace {

namespace reference = linnet::reference;
namespace test = linnet::test;
using reference::Model;
using reference::Node;
using reference::Tensor;
using reference::Tensors;
using reference::Type;

Node make_node(const std::string& op_type, std::vector<std::string> inputs, const std::string& output,
               std::map<std::string, reference::Attribute> attributes = {}, const std::string& domain = "") {
  return {output, op_type, domain, domain.empty() ? 13 : 1, std::move(inputs), {output}, std::move(attributes)};
}

Tensors block_constants(test::Random& random) {
  Tensors constants;
  constants["w"] = test::random_reals(random, {6, 2, 3, 3}, -1, 1);
  constants["b"] = test::random_reals(random, {6}, -1, 1);
  constants["gamma"] = test::random_reals(random, {6}, 0.5, 2);
  constants["beta"] = test::random_reals(random, {6}, -1, 1);
  constants["mean"] = test::random_reals(random, {6}, -1, 1);
  constants["var"] = test::random_reals(random, {6}, 0.5, 2);
  return constants;
}

const std::map<std::string, reference::Attribute> kConv = {{"pads", std::vector<std::int64_t>{1, 1, 1, 1}},
                                                           {"group", std::int64_t{2}},
                                                           {"strides", std::vector<std::int64_t>{2, 1}}};

}  // namespace

TEST_CASE("FusedConv is Conv, BatchNormalization, Add and Relu") {
  test::Random random(3);
  Model apart;
  apart.constants = block_constants(random);
  apart.nodes = {make_node("Conv", {"x", "w", "b"}, "c", kConv),
                 make_node("BatchNormalization", {"c", "gamma", "beta", "mean", "var"}, "n"),
                 make_node("Add", {"n", "r"}, "s"), make_node("Relu", {"s"}, "y")};
  Model fused;
  fused.constants["w"] = apart.constants["w"];
  Tensor scale = Tensor::make(Type::float64, {6});
  Tensor bias = Tensor::make(Type::float64, {6});
  for (std::int64_t m = 0; m < 6; ++m) {
    const auto number = [&](const char* name) { return apart.constants.at(name).number(m); };
    scale.set(m, number("gamma") / std::sqrt(number("var") + reference::round_to(Type::float32, 1e-5)));
    bias.set(m, (number("b") - number("mean")) * scale.number(m) + number("beta"));
  }
  fused.constants["scale"] = scale;
  fused.constants["bias"] = bias;
  auto attributes = kConv;
  attributes["activation"] = std::string("Relu");
  fused.nodes = {make_node("FusedConv", {"x", "w", "bias", "scale", "r"}, "y", attributes, "linnet")};

  const Tensors inputs = {{"x", test::random_reals(random, {2, 4, 5, 6}, -1, 1)},
                          {"r", test::random_reals(random, {2, 6, 3, 6}, -1, 1)}};
  const Tensor expected = reference::run(apart, inputs).at("y");
  const auto comparison = test::compare(reference::run(fused, inputs).at("y"), expected, {1e-12, 1e-12});
  INFO(comparison.text);
  CHECK(comparison.ok);
}

TEST_CASE("FusedGemm and ScaleShift end with their activation") {
  test::Random random(4);
  Model model;
  model.constants["w"] = test::random_reals(random, {3, 4}, -1, 1);
  model.constants["scale"] = test::random_reals(random, {3}, -1, 1);
  model.constants["shift"] = test::random_reals(random, {3}, -1, 1);
  const std::map<std::string, reference::Attribute> clip = {
      {"activation", std::string("Clip")}, {"activation_alpha", -0.25}, {"activation_beta", 0.5}};
  model.nodes = {make_node("Gemm", {"x", "w", "shift"}, "g", {{"transB", std::int64_t{1}}}),
                 make_node("FusedGemm", {"x", "w", "shift"}, "f",
                           {{"transB", std::int64_t{1}}, {"activation", std::string("Relu")}}, "linnet"),
                 make_node("ScaleShift", {"g", "scale", "shift"}, "s", clip, "linnet")};
  const Tensors values = reference::run(model, {{"x", test::random_reals(random, {2, 4}, -1, 1)}});
  for (std::int64_t i = 0; i < 6; ++i) {
    const double g = values.at("g").number(i);
    CHECK(values.at("f").number(i) == std::max(0.0, g));
    const double y = g * model.constants["scale"].number(i % 3) + model.constants["shift"].number(i % 3);
    CHECK(values.at("s").number(i) == std::min(0.5, std::max(-0.25, y)));
  }
}

TEST_CASE("the bound of a convolution holds for a float32 sum in the worst order, and is not idle") {
  test::Random random(5);
  Model model;
  model.constants["w"] = test::random_reals(random, {1, 300, 1, 1}, -1, 1);
  model.nodes = {make_node("Conv", {"x", "w"}, "y")};
  const Tensors inputs = {{"x", test::random_reals(random, {1, 300, 1, 1}, -1, 1)}};
  reference::Options options;
  options.bound_errors = true;
  const Tensor right = reference::run(model, inputs, options).at("y");
  float sum = 0;
  double magnitude = 0;
  for (std::int64_t i = 0; i < 300; ++i) {
    const double product = inputs.at("x").number(i) * model.constants["w"].number(i);
    sum += static_cast<float>(product);
    magnitude += std::fabs(product);
  }
  CHECK(std::fabs(static_cast<double>(sum) - right.number(0)) <= right.error(0));
  CHECK(right.error(0) <= 310 * 0x1p-24 * magnitude);
  CHECK(right.error(0) > 0);
}

TEST_CASE("errors are carried through layers, and stopped by a saturated activation") {
  Model model;
  model.nodes = {make_node("MatMul", {"x", "w"}, "y"), make_node("Relu", {"y"}, "z")};
  model.constants["w"] = Tensor::of_reals(Type::float32, {1, 2}, {2, -3});
  Tensor x = Tensor::of_reals(Type::float32, {1, 1}, {5});
  x.errors = {0.5};
  reference::Options options;
  options.bound_errors = true;
  const Tensors values = reference::run(model, {{"x", x}}, options);
  CHECK(values.at("y").error(0) == Approx(1.0).epsilon(1e-5));
  CHECK(values.at("y").error(1) == Approx(1.5).epsilon(1e-5));
  CHECK(values.at("z").error(0) == Approx(1.0).epsilon(1e-5));
  CHECK(values.at("z").error(1) == 0);
}

TEST_CASE("before opset 7, arithmetic broadcasts as its attributes say") {
  Node add = make_node("Add", {"a", "b"}, "y", {{"broadcast", std::int64_t{1}}, {"axis", std::int64_t{1}}});
  add.opset = 6;
  const Tensor a = Tensor::make(Type::float32, {2, 3, 2});
  const Tensor b = Tensor::of_reals(Type::float32, {3}, {1, 2, 3});
  const Tensor y = reference::evaluate(add, {a, b})[0];
  CHECK(y.reals == std::vector<double>{1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3});
}

TEST_CASE("rounding to float, half and bfloat16") {
  CHECK(reference::round_to(Type::float32, 1 + 0x1p-24) == 1);
  CHECK(reference::round_to(Type::float32, 1 + 0x1.8p-24) == 1 + 0x1p-23);
  CHECK(reference::round_to(Type::float32, 1e300) == INFINITY);
  CHECK(reference::round_to(Type::float32, 0x1p-150) == 0);
  CHECK(reference::round_to(Type::float16, 65519) == 65504);
  CHECK(reference::round_to(Type::float16, 65520) == INFINITY);
  CHECK(reference::round_to(Type::float16, 0x1.8p-25) == 0x1p-24);
  CHECK(reference::round_to(Type::bfloat16, 1 + 0x1.8p-8) == 1 + 0x1p-7);
}
