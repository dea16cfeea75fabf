// Catalogue H: normalization, matrices, broadcasting, and what else takes numbers from a file.
#include <cmath>
#include <limits>

#include "reliability/hostile.h"

using namespace linnet;
using namespace linnet::test;

namespace {

struct Normalization {
  Tensor scale = floats_of({4}), bias = floats_of({4}, 0), mean = floats_of({4}, 0), variance = floats_of({4});
  std::vector<std::pair<std::string, std::int64_t>> numbers = {};
  float epsilon = 1e-5F;
  std::vector<OnnxDim> x = {1, 4, 2, 2};
  std::int64_t opset = 13;
};

OnnxNode batch_norm_node(const Normalization& n, const std::string& input = "x") {
  OnnxNode node("BatchNormalization", {input, "scale", "bias", "mean", "var"}, {"y"}, "bn1");
  node.set("epsilon", n.epsilon);
  for (const auto& [name, number] : n.numbers) node.set(name, number);
  return node;
}

Constants statistics(const Normalization& n) {
  return {{"scale", n.scale}, {"bias", n.bias}, {"mean", n.mean}, {"var", n.variance}};
}

OnnxModel batch_norm(const Normalization& n) {
  return model_of({batch_norm_node(n)}, {{"x", n.x}}, statistics(n), n.opset);
}

/// A 1x1 convolution by the identity matrix before the normalization, which a pass may fold.
OnnxModel conv_batch_norm(const Normalization& n) {
  Tensor identity(DataType::float32, {4, 4, 1, 1});
  for (std::size_t i = 0; i < 4; ++i) identity.mutable_data<float>()[5 * i] = 1;
  Constants constants = statistics(n);
  constants.emplace_back("w", identity);
  return model_of({OnnxNode("Conv", {"x", "w"}, {"c"}), batch_norm_node(n, "c")}, {{"x", n.x}}, constants);
}

OnnxModel gemm(const Shape& a, const Shape& b, const std::optional<Tensor>& c,
               std::vector<std::pair<std::string, std::int64_t>> numbers = {}, float alpha = 1, float beta = 1) {
  OnnxNode node("Gemm", c ? std::vector<std::string>{"a", "b", "c"} : std::vector<std::string>{"a", "b"}, {"y"},
                "gemm1");
  node.set("alpha", alpha).set("beta", beta);
  for (const auto& [name, number] : numbers) node.set(name, number);
  Constants constants = {{"b", floats_of(b)}};
  if (c) constants.emplace_back("c", *c);
  return model_of({node}, {{"a", std::vector<OnnxDim>(a.begin(), a.end())}}, constants);
}

OnnxModel unary(OnnxNode node, const std::vector<OnnxDim>& x, std::int64_t opset = 13,
                const Constants& constants = {}) {
  return model_of({std::move(node)}, {{"x", x}}, constants, opset);
}

std::vector<float> result(const OnnxModel& model, const std::vector<Tensor>& inputs,
                          const SessionOptions& options = one_thread()) {
  return floats(run(model, inputs, options).at(0));
}

/// NaN equals NaN.
bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](float x, float y) {
           return x == y || (std::isnan(x) && std::isnan(y));
         });
}

}  // namespace

TEST_CASE("H01: statistics of another length or rank are refused") {
  for (const Shape& wrong : {Shape{3}, Shape{5}, Shape{1}, Shape{1, 4}, Shape{}}) {
    CHECK_REFUSED(batch_norm({.scale = floats_of(wrong)}), ErrorCode::model, "bn1", "'scale'");
    CHECK_REFUSED(batch_norm({.bias = floats_of(wrong)}), ErrorCode::model, "bn1", "'bias'");
    CHECK_REFUSED(batch_norm({.mean = floats_of(wrong)}), ErrorCode::model, "bn1", "'mean'");
    CHECK_REFUSED(batch_norm({.variance = floats_of(wrong)}), ErrorCode::model, "bn1", "'var'");
  }
}

TEST_CASE("H02: a negative variance gives NaN with and without folding") {
  const Normalization n{.variance = tensor<float>({4}, {-1, 1, 4, 0.25F})};
  const std::vector<Tensor> x = {floats_of({1, 4, 2, 2})};
  const std::vector<float> alone = result(batch_norm(n), x), folded = result(conv_batch_norm(n), x);
  CHECK(std::isnan(alone.at(0)));
  CHECK(alone.at(4) == Approx(1).epsilon(1e-4));
  CHECK(same(alone, folded));
}

TEST_CASE("H03: variances and epsilons that divide by nothing") {
  const std::vector<Tensor> x = {floats_of({1, 4, 2, 2})};
  for (const float epsilon : {0.0F, -1.0F, kNan, 1e30F}) {
    const Normalization n{.variance = tensor<float>({4}, {0, 1, 2, 3}), .epsilon = epsilon};
    INFO("epsilon " << epsilon);
    const std::vector<float> alone = result(batch_norm(n), x), folded = result(conv_batch_norm(n), x);
    REQUIRE(alone.size() == folded.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      CHECK(std::isfinite(alone[i]) == std::isfinite(folded[i]));
      if (std::isfinite(alone[i])) CHECK(alone[i] == Approx(folded[i]).epsilon(1e-5));
    }
  }
}

TEST_CASE("H04: old forms of BatchNormalization's training are refused, and statistics for each pixel") {
  CHECK_REFUSED(batch_norm({.numbers = {{"is_test", 0}}, .opset = 6}), ErrorCode::unsupported, "BatchNormalization");
  // spatial = 0 with statistics for each pixel is refused; MXNet's spatial = 0 with one for each channel is the usual thing.
  CHECK_REFUSED(batch_norm({.scale = floats_of({4, 2, 2}), .numbers = {{"spatial", 0}}, .opset = 7}),
                ErrorCode::unsupported, "bn1");
  CHECK(run(batch_norm({.numbers = {{"spatial", 0}}, .opset = 7})).at(0).shape() == Shape{1, 4, 2, 2});
}

TEST_CASE("H05: BatchNormalization first or of a matrix") {
  const Normalization n{.scale = tensor<float>({4}, {1, 2, 3, 4}), .epsilon = 0, .x = {2, 4}};
  CHECK(result(batch_norm(n), {floats_of({2, 4})}) == std::vector<float>{1, 2, 3, 4, 1, 2, 3, 4});
}

TEST_CASE("H06: transpositions: any number but 0 is true") {
  for (const std::int64_t flag : {1, 2, -1}) {
    CHECK(run(gemm({2, 3}, {4, 3}, {}, {{"transB", flag}})).at(0).shape() == Shape{2, 4});
    CHECK(run(gemm({3, 2}, {3, 4}, {}, {{"transA", flag}})).at(0).shape() == Shape{2, 4});
    CHECK(run(gemm({3, 2}, {4, 3}, {}, {{"transA", flag}, {"transB", flag}})).at(0).shape() == Shape{2, 4});
  }
}

TEST_CASE("H07: alpha and beta of 0 or NaN or infinity") {
  const std::vector<Tensor> a = {floats_of({1, 2})};
  CHECK(result(gemm({1, 2}, {2, 1}, floats_of({1}, 5), {}, 0, 1), a) == std::vector<float>{5});
  CHECK(std::isnan(result(gemm({1, 2}, {2, 1}, floats_of({1}, 5), {}, kNan, 1), a).at(0)));
  CHECK(result(gemm({1, 2}, {2, 1}, floats_of({1}, 5), {}, 1, kInfinity), a) == std::vector<float>{kInfinity});
}

TEST_CASE("H08: what C broadcasts and what it does not") {
  for (const Shape& c : {Shape{}, Shape{1}, Shape{4}, Shape{1, 4}, Shape{2, 1}, Shape{2, 4}}) {
    CHECK(result(gemm({2, 3}, {3, 4}, floats_of(c)), {floats_of({2, 3})}) == std::vector<float>(8, 4.0F));
  }
  for (const Shape& c : {Shape{2}, Shape{3, 4}, Shape{1, 2, 4}, Shape{5}}) {
    CHECK_REFUSED(gemm({2, 3}, {3, 4}, floats_of(c)), ErrorCode::model, "gemm1");
  }
}

TEST_CASE("H09: inner extents that differ are refused; empty ones give beta times C") {
  CHECK_REFUSED(gemm({2, 3}, {4, 4}, {}), ErrorCode::model, "gemm1");
  CHECK(result(gemm({2, 0}, {0, 3}, floats_of({3}, 7)), {Tensor(DataType::float32, {2, 0})}) ==
        std::vector<float>(6, 7.0F));
  CHECK(run(gemm({0, 3}, {3, 4}, {})).at(0).shape() == Shape{0, 4});
}

TEST_CASE("H09: matrices whose rows or columns the kernels cannot count are over a limit") {
  constexpr std::int64_t kMany = (std::int64_t{1} << 31) - 8;
  CHECK_REFUSED(gemm({1, 0}, {0, kMany}, {}), ErrorCode::limit, "gemm1", "2^31");
  CHECK_REFUSED(gemm({kMany + 8, 0}, {0, 1}, {}), ErrorCode::limit, "gemm1", "2^31");
}

TEST_CASE("H10: a Gemm whose weight is an input; one of four axes is refused") {
  const OnnxModel model = model_of({OnnxNode("Gemm", {"a", "b"}, {"y"})}, {{"a", {1, 2}}, {"b", {2, 2}}});
  CHECK(result(model, {tensor<float>({1, 2}, {1, 2}), tensor<float>({2, 2}, {1, 2, 3, 4})}) ==
        std::vector<float>{7, 10});
  CHECK_REFUSED(gemm({1, 1, 2, 3}, {3, 4}, {}), ErrorCode::model, "gemm1");
}

TEST_CASE("H11: broadcasting both ways; shapes that cannot meet and the old attributes are refused") {
  const auto add = [](const std::vector<OnnxDim>& a, const std::vector<OnnxDim>& b, std::int64_t opset = 13) {
    return model_of({OnnxNode("Add", {"a", "b"}, {"y"}, "add1")}, {{"a", a}, {"b", b}}, {}, opset);
  };
  CHECK(run(add({2, 1}, {3})).at(0).shape() == Shape{2, 3});
  CHECK(run(add({}, {2, 3})).at(0).shape() == Shape{2, 3});
  CHECK(run(add({4, 1, 5}, {3, 1})).at(0).shape() == Shape{4, 3, 5});
  CHECK_REFUSED(add({2, 3}, {2}), ErrorCode::model, "add1", "[2,3]", "[2]");
  CHECK_REFUSED(add({3}, {2, 3}, 6), ErrorCode::model, "add1");  // before opset 7 only the second operand is stretched
  CHECK_REFUSED(model_of({OnnxNode("Add", {"a", "a"}, {"y"}).set("broadcast", 1)}, {{"a", {2}}}),
                ErrorCode::unsupported, "broadcast");
  const OnnxModel old = model_of({OnnxNode("Add", {"a", "b"}, {"y"}).set("broadcast", 1).set("axis", 0)},
                                 {{"a", {2, 2}}, {"b", {2}}}, {}, 6);
  CHECK(result(old, {floats_of({2, 2}, 0), tensor<float>({2}, {1, 2})}) == std::vector<float>{1, 1, 2, 2});
}

TEST_CASE("H12: axes of Flatten and counts of Reshape") {
  const auto flatten = [](std::int64_t axis) {
    return unary(OnnxNode("Flatten", {"x"}, {"y"}, "f").set("axis", axis), {2, 3, 4});
  };
  CHECK(run(flatten(-3)).at(0).shape() == Shape{1, 24});
  CHECK(run(flatten(3)).at(0).shape() == Shape{24, 1});
  for (const std::int64_t axis :
       {std::int64_t{4}, std::int64_t{-4}, std::int64_t{-100000}, std::numeric_limits<std::int64_t>::min()}) {
    CHECK_REFUSED(flatten(axis), ErrorCode::model, "axis");
  }
  CHECK_REFUSED(unary(OnnxNode("Reshape", {"x", "s"}, {"y"}, "r"), {2, 3}, 13, {{"s", tensor<std::int64_t>({1}, {7})}}),
                ErrorCode::model, "r");
}

TEST_CASE("H13: Concat along any axis; extents that differ elsewhere are refused") {
  const auto concat = [](std::int64_t axis, const std::vector<OnnxDim>& b) {
    return model_of({OnnxNode("Concat", {"a", "b"}, {"y"}, "cat").set("axis", axis)}, {{"a", {2, 3}}, {"b", b}});
  };
  CHECK(run(concat(-1, {2, 4})).at(0).shape() == Shape{2, 7});
  CHECK_REFUSED(concat(2, {2, 3}), ErrorCode::model, "axis");
  CHECK_REFUSED(concat(-3, {2, 3}), ErrorCode::model, "axis");
  CHECK_REFUSED(concat(0, {2, 4}), ErrorCode::model, "cat");
  CHECK_REFUSED(concat(0, {2}), ErrorCode::model, "cat");
  CHECK(run(model_of({OnnxNode("Concat", {"a"}, {"y"}).set("axis", 0)}, {{"a", {2}}})).at(0).shape() == Shape{2});
}

TEST_CASE("H14: Softmax of infinities, of large numbers, and with the axis of its opset") {
  const auto softmax = [](std::int64_t opset) { return unary(OnnxNode("Softmax", {"x"}, {"y"}), {1, 2, 2}, opset); };
  CHECK(result(softmax(13), {tensor<float>({1, 2, 2}, {1000, 1000, -1000, -1000})}) ==
        std::vector<float>{0.5F, 0.5F, 0.5F, 0.5F});
  CHECK(result(softmax(11), {floats_of({1, 2, 2})}) == std::vector<float>(4, 0.25F));
  const std::vector<float> empty =
      result(softmax(13), {tensor<float>({1, 2, 2}, {-kInfinity, -kInfinity, kInfinity, 0})});
  CHECK(std::isnan(empty[0]));
  CHECK(std::isnan(empty[2]));
  CHECK_REFUSED(unary(OnnxNode("Softmax", {"x"}, {"y"}).set("axis", 3), {1, 2, 2}), ErrorCode::model, "axis");
}

TEST_CASE("H15: Clip with bounds that cross, are missing, are NaN, or are attributes") {
  const auto clip = [](const std::vector<std::string>& inputs, const Constants& bounds) {
    return model_of({OnnxNode("Clip", inputs, {"y"})}, {{"x", {3}}}, bounds);
  };
  const std::vector<Tensor> x = {tensor<float>({3}, {-5, 0, 5})};
  CHECK(result(clip({"x"}, {}), x) == std::vector<float>{-5, 0, 5});
  CHECK(result(clip({"x", "", "hi"}, {{"hi", floats_of({})}}), x) == std::vector<float>{-5, 0, 1});
  CHECK(result(clip({"x", "lo", "hi"}, {{"lo", floats_of({}, 2)}, {"hi", floats_of({}, -2)}}), x) ==
        std::vector<float>(3, -2.0F));
  CHECK(result(unary(OnnxNode("Clip", {"x"}, {"y"}).set("min", -1.0F).set("max", 1.0F), {3}, 6), x) ==
        std::vector<float>{-1, 0, 1});
  CHECK(std::isnan(result(clip({"x"}, {}), {floats_of({3}, kNan)}).at(0)));
}

TEST_CASE("H16: permutations that are none are refused") {
  for (const Ints& perm : {Ints{0, 1}, Ints{0, 1, 2, 3}, Ints{0, 0, 1}, Ints{0, 1, 3}, Ints{-1, 0, 1}}) {
    CHECK_REFUSED(unary(OnnxNode("Transpose", {"x"}, {"y"}, "t").set("perm", perm), {2, 3, 4}), ErrorCode::model,
                  "perm");
  }
}

TEST_CASE("H17: Dropout does nothing; in training it is refused") {
  const Constants inputs = {{"ratio", floats_of({}, 0.5F)}, {"training", tensor<std::uint8_t>({}, {1})}};
  CHECK(result(model_of({OnnxNode("Dropout", {"x", "ratio"}, {"y"})}, {{"x", {3}}}, inputs), {floats_of({3})}) ==
        std::vector<float>(3, 1.0F));
  Tensor yes(DataType::boolean, {});
  *static_cast<std::uint8_t*>(yes.mutable_raw()) = 1;
  CHECK_REFUSED(model_of({OnnxNode("Dropout", {"x", "ratio", "yes"}, {"y"}, "drop")}, {{"x", {3}}},
                         {{"ratio", floats_of({}, 0.5F)}, {"yes", yes}}),
                ErrorCode::unsupported, "drop");
  // Both by nodes, as PyTorch exports a stochastic depth of 0.
  const OnnxNode ratio = OnnxNode("Constant", {}, {"ratio"}).set("value", floats_of({}, 0.0F));
  const OnnxNode training = OnnxNode("Constant", {}, {"yes"}).set("value", yes);
  CHECK(result(model_of({ratio, training, OnnxNode("Dropout", {"x", "ratio", "yes"}, {"y"})}, {{"x", {3}}}),
               {floats_of({3})}) == std::vector<float>(3, 1.0F));
}

TEST_CASE("H18: LRN over no channels is refused") {
  for (const std::int64_t size : {0, -1}) {
    CHECK_REFUSED(unary(OnnxNode("LRN", {"x"}, {"y"}, "lrn1").set("size", size), {1, 4, 2, 2}), ErrorCode::model,
                  "size");
  }
  CHECK(run(unary(OnnxNode("LRN", {"x"}, {"y"}, "lrn1").set("size", 2), {1, 4, 2, 2})).at(0).shape() ==
        Shape{1, 4, 2, 2});
}

TEST_CASE("H19: a hundred thousand identities") {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 100'000; ++i) {
    nodes.emplace_back("Identity", std::vector<std::string>{i == 0 ? "x" : "v" + std::to_string(i)},
                       std::vector<std::string>{i == 99'999 ? "y" : "v" + std::to_string(i + 1)});
  }
  CHECK(result(model_of(nodes, {{"x", {3}}}), {tensor<float>({3}, {1, 2, 3})}) == std::vector<float>{1, 2, 3});
}

TEST_CASE("H20: axes of reductions that stand twice or lie outside are refused") {
  const auto mean = [](const Ints& axes) {
    return unary(OnnxNode("ReduceMean", {"x"}, {"y"}, "mean1").set("axes", axes), {2, 3, 4});
  };
  CHECK_REFUSED(mean({3}), ErrorCode::model, "mean1");
  CHECK_REFUSED(mean({-4}), ErrorCode::model, "mean1");
  CHECK_REFUSED(mean({1, 1}), ErrorCode::model, "mean1");
  CHECK_REFUSED(mean({1, -2}), ErrorCode::model, "mean1");
  CHECK(run(mean({0, 2})).at(0).shape() == Shape{1, 3, 1});
}
