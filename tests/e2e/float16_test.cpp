// float16 and bfloat16: every operator's result is rounded to the type that the model gives it, in plain plans and on
// NCHW16c.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/onnx_builder.h"
#include "support/op_case.h"
#include "support/random_data.h"
#include "support/session_of.h"
#include "support/tensor_adapter.h"

namespace linnet::test::float16_test {
namespace {

const DataType kHalf = DataType::float16;

Tensor narrow(DataType type, Shape shape, const std::vector<float>& numbers) {
  return convert(tensor<float>(std::move(shape), numbers), type);
}
std::vector<float> wide(const Tensor& narrow) { return values<float>(convert(narrow, DataType::float32)); }
Tensor random(DataType type, Shape shape, std::uint64_t seed, double low = -1) {
  Random numbers(seed);
  return convert(from_reference(random_reals(numbers, std::move(shape), low, 1)), type);
}

TEST_CASE("A sum is rounded before the next one", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  const float start = type == kHalf ? 2048 : 256;  // the next number of the type is two larger, and the tie goes back
  OnnxModel model;
  model.graph.node(OnnxNode("Add", {"x", "one"}, {"a"}))
      .node(OnnxNode("Add", {"a", "one"}, {"y"}))
      .input("x", type, {1})
      .initializer("one", narrow(type, {1}, {1}))
      .output("y", type, {1});
  const NamedTensor x = {"x", narrow(type, {1}, {start})};
  CHECK(wide(session_of(model).run({x})[0]) == std::vector<float>{start});
  SessionOptions unrounded;
  unrounded.disabled_passes = {"round_float16"};
  CHECK(wide(session_of(model, unrounded).run({x})[0]) == std::vector<float>{start + 2});
}

TEST_CASE("A bound or value that is an attribute is rounded to the type, as what is clipped to it is", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  const float tenth = wide(narrow(type, {1}, {0.1f})).at(0);
  OnnxModel model(4, 10);
  model.graph.node(OnnxNode("Clip", {"x"}, {"c"}).set("min", 0.1f).set("max", 0.3f))
      .node(OnnxNode("Pad", {"x"}, {"p"}).set("pads", std::vector<std::int64_t>{1, 0}).set("value", 0.1f))
      .node(OnnxNode("Greater", {"c", "tenth"}, {"y"}))
      .node(OnnxNode("Greater", {"p", "tenth"}, {"z"}))
      .input("x", type, {1})
      .initializer("tenth", narrow(type, {1}, {tenth}))
      .output("y", DataType::boolean, {1})
      .output("z", DataType::boolean, {2});
  const std::vector<Tensor> found = session_of(model).run({{"x", narrow(type, {1}, {-1})}});
  CHECK_FALSE(found.at(0).data<bool>()[0]);
  CHECK_FALSE(found.at(1).data<bool>()[0]);
}

TEST_CASE("A bound that Clip leaves out is the type's own", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  const float most = type == kHalf ? 65504.0f : 0x1.FEp127f;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  OnnxModel model(8, 13);
  model.graph.node(OnnxNode("Add", {"x", "x"}, {"a"}))
      .node(OnnxNode("Clip", {"a", "zero"}, {"below"}))
      .node(OnnxNode("Clip", {"a", "", "zero"}, {"above"}))
      .node(OnnxNode("Clip", {"a"}, {"both"}))
      .input("x", type, {4})
      .initializer("zero", narrow(type, {}, {0}))
      .output("below", type, {4})
      .output("above", type, {4})
      .output("both", type, {4});
  const std::vector<Tensor> found =
      session_of(model).run({{"x", narrow(type, {4}, {-kInfinity, -1, most, kInfinity})}});
  CHECK(wide(found.at(0)) == std::vector<float>{0, 0, most, most});
  CHECK(wide(found.at(1)) == std::vector<float>{-most, -2, 0, 0});
  CHECK(wide(found.at(2)) == std::vector<float>{-most, -2, most, most});
}

TEST_CASE("RMSNormalization makes the type of its scale", "[float16]") {
  OnnxModel model(10, 23);
  model.graph.node(OnnxNode("RMSNormalization", {"x", "scale"}, {"n"}).set("axis", -1))
      .node(OnnxNode("Neg", {"n"}, {"y"}))
      .input("x", kHalf, {2})
      .initializer("scale", tensor<float>({2}, {1, 1}))
      .output("y", DataType::float32, {2});
  const Tensor y = session_of(model).run({{"x", narrow(kHalf, {2}, {1, 2})}})[0];
  CHECK(values<float>(y)[0] == Approx(-1 / std::sqrt(2.5)).epsilon(1e-5));  // as a float16 0.0001 away
}

TEST_CASE("CastLike rounds to the type of what it is like", "[float16]") {
  OnnxModel model(8, 15);
  model.graph.node(OnnxNode("CastLike", {"x", "like"}, {"h"}))
      .node(OnnxNode("Cast", {"h"}, {"y"}).set("to", 1))
      .input("x", DataType::float32, {1})
      .initializer("like", narrow(kHalf, {1}, {0}))
      .output("y", DataType::float32, {1});
  CHECK(values<float>(session_of(model).run({{"x", tensor<float>({1}, {2049})}})[0]) == std::vector<float>{2048});
}

struct Layer {
  std::string op;
  std::vector<std::string> inputs;
  std::string output;
};

TEST_CASE("A network gives the bits of its operators one by one", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  const std::vector<Layer> layers = {{"Conv", {"x", "w", "b"}, "conv"},
                                     {"Relu", {"conv"}, "relu"},
                                     {"BatchNormalization", {"relu", "b", "b", "b", "v"}, "norm"},
                                     {"Add", {"norm", "relu"}, "sum"},
                                     {"Sigmoid", {"sum"}, "gate"},
                                     {"Mul", {"sum", "gate"}, "swish"},
                                     {"GlobalAveragePool", {"swish"}, "y"}};
  const std::vector<std::pair<std::string, Tensor>> constants = {
      {"w", random(type, {20, 3, 3, 3}, 1)}, {"b", random(type, {20}, 2)}, {"v", random(type, {20}, 3, 0.5)}};
  std::vector<NamedTensor> known = {{"x", random(type, {2, 3, 13, 11}, 4)}};
  for (const auto& constant : constants) known.push_back(constant);
  OnnxModel whole;
  whole.graph.input("x", type, {2, 3, 13, 11}).output("y", type, {2, 20, 1, 1});
  for (const auto& [name, value] : constants) whole.graph.initializer(name, value);
  for (const Layer& layer : layers) {
    whole.graph.node(OnnxNode(layer.op, layer.inputs, {layer.output}));
    OnnxModel one;
    one.graph.node(OnnxNode(layer.op, layer.inputs, {layer.output})).output(layer.output, type, {"a", "b", "c", "d"});
    std::vector<NamedTensor> inputs;
    for (const NamedTensor& value : known) {
      if (std::count(layer.inputs.begin(), layer.inputs.end(), value.first) == 0) continue;
      const bool constant = value.second.rank() == 1 || value.first == "w";
      if (constant) {
        one.graph.initializer(value.first, value.second);
        continue;
      }
      one.graph.input(value.first, type, {"a", "b", "c", "d"});
      inputs.push_back(value);
    }
    known.emplace_back(layer.output, session_of(one).run(inputs)[0]);
  }
  const Tensor y = session_of(whole).run({known[0]})[0];
  CHECK(wide(y) == wide(known.back().second));
  SessionOptions unrounded;
  unrounded.disabled_passes = {"round_float16"};
  CHECK(wide(session_of(whole, unrounded).run({known[0]})[0]) != wide(y));
}

/// s = s * k + x, twice, in a Loop whose body captures k, a result, and x, an input; then an If that captures the loop's.
OnnxModel nested_model(DataType type) {
  OnnxGraph body, negated, kept;
  body.node(OnnxNode("Mul", {"s_in", "k"}, {"product"}))
      .node(OnnxNode("Add", {"product", "x"}, {"s_out"}))
      .node(OnnxNode("Identity", {"go_in"}, {"go_out"}))
      .node(OnnxNode("Identity", {"product"}, {"collected"}))
      .input("i", DataType::int64, {})
      .input("go_in", DataType::boolean, {})
      .input("s_in", type, {2})
      .output("go_out", DataType::boolean, {})
      .output("s_out", type, {2})
      .output("collected", type, {2});
  negated.node(OnnxNode("Neg", {"s"}, {"minus"})).output("minus", type, {2});
  kept.node(OnnxNode("Identity", {"s"}, {"same"})).output("same", type, {2});
  OnnxModel model;
  model.graph.node(OnnxNode("Add", {"x", "step"}, {"k"}))
      .node(OnnxNode("Loop", {"n", "", "x"}, {"s", "products"}, "loop").set("body", body))
      .node(OnnxNode("If", {"negate"}, {"branch"}, "if").set("then_branch", negated).set("else_branch", kept))
      .node(OnnxNode("Mul", {"branch", "k"}, {"y"}))
      .input("n", DataType::int64, {})
      .input("negate", DataType::boolean, {})
      .input("x", type, {2})
      .initializer("step", narrow(type, {1}, {1.0f / 3}))
      .output("y", type, {2})
      .output("products", type, {"N", 2});
  return model;
}

TEST_CASE("Subgraphs take, round and give 16-bit floats", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  const bool negate = GENERATE(false, true);
  const auto rounded = [type](float number) { return wide(narrow(type, {1}, {number}))[0]; };
  const std::vector<float> xs = {rounded(0.7f), rounded(-1.3f)};
  std::vector<float> expected, products(4);
  for (std::size_t i = 0; i < 2; ++i) {
    const float k = rounded(xs[i] + rounded(1.0f / 3));
    float s = xs[i];
    for (std::size_t trip = 0; trip < 2; ++trip) {
      products[trip * 2 + i] = rounded(s * k);
      s = rounded(products[trip * 2 + i] + xs[i]);
    }
    expected.push_back(rounded((negate ? -s : s) * k));
  }
  Tensor truth(DataType::boolean, {});
  truth.mutable_data<bool>()[0] = negate;
  Session session = session_of(nested_model(type));
  const std::vector<Tensor> results =
      session.run({{"n", tensor<std::int64_t>({}, {2})}, {"negate", truth}, {"x", narrow(type, {2}, xs)}});
  CHECK(results[0].type() == type);
  CHECK(wide(results[0]) == expected);
  CHECK(wide(results[1]) == products);
}

TEST_CASE("A subgraph that states no types is of those that it is given", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  OnnxGraph body;
  body.node(OnnxNode("Cast", {"x_in"}, {"wide"}).set("to", 1))
      .node(OnnxNode("Mul", {"wide", "wide"}, {"square"}))
      .node(OnnxNode("CastLike", {"square", "x_in"}, {"y_out"}))
      .input("x_in", DataType::undefined, {2})
      .output("y_out", DataType::undefined, {2});
  OnnxModel model(8, 15);
  model.graph.node(OnnxNode("Scan", {"x"}, {"squares"}, "scan").set("num_scan_inputs", 1).set("body", body))
      .node(OnnxNode("Transpose", {"squares"}, {"y"}))
      .input("x", type, {"N", 2})
      .output("y", type, {2, "N"});
  Session session = session_of(model);
  const float third = wide(narrow(type, {1}, {1.0f / 3}))[0];
  const std::vector<Tensor> results = session.run({{"x", narrow(type, {2, 2}, {1, third, 3, 4})}});
  CHECK(results[0].type() == type);
  CHECK(wide(results[0]) == wide(narrow(type, {4}, {1, 9, third * third, 16})));
}

TEST_CASE("SequenceMap rounds what its body computes on sequences of 16-bit floats", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  const DataType stated =
      GENERATE(true, false) ? type : DataType::undefined;  // (GENERATE_COPY keeps a reference to its copy)
  OnnxGraph body;
  body.node(OnnxNode("Mul", {"e", "third"}, {"scaled"}))
      .node(OnnxNode("Mul", {"scaled", "scaled"}, {"square"}))
      .node(OnnxNode("Identity", {"e"}, {"same"}))
      .initializer("third", narrow(type, {1}, {1.0f / 3}))
      .input("e", stated, {2})
      .output("square", stated, {2})
      .output("same", stated, {2});
  OnnxModel model(8, 17);
  model.graph.node(OnnxNode("SplitToSequence", {"x"}, {"parts"}).set("keepdims", 0))
      .node(OnnxNode("SequenceMap", {"parts"}, {"squares", "copies"}, "map").set("body", body))
      .node(OnnxNode("ConcatFromSequence", {"squares"}, {"y"}).set("axis", 0))
      .node(OnnxNode("ConcatFromSequence", {"copies"}, {"z"}).set("axis", 0))
      .input("x", type, {2, 2})
      .output("y", type, {4})
      .output("z", type, {4});
  const std::vector<float> xs = wide(narrow(type, {4}, {0.7f, -1.3f, 5, 1e-3f}));
  const float third = wide(narrow(type, {1}, {1.0f / 3}))[0];
  std::vector<float> expected;
  for (const float x : xs) {
    const float scaled = wide(narrow(type, {1}, {x * third}))[0];
    expected.push_back(wide(narrow(type, {1}, {scaled * scaled}))[0]);
  }
  Session session = session_of(model);
  const std::vector<Tensor> results = session.run({{"x", narrow(type, {2, 2}, xs)}});
  CHECK(results[0].type() == type);
  CHECK(wide(results[0]) == expected);
  CHECK(results[1].type() == type);
  CHECK(wide(results[1]) == xs);
}

TEST_CASE("16-bit constants keep their type where shapes are decided at run time", "[float16]") {
  const DataType type = GENERATE(DataType::float16, DataType::bfloat16);
  const Tensor thirds = narrow(type, {1}, {1.0f / 3});
  OnnxModel model(8, 13);
  model.graph.node(OnnxNode("ConstantOfShape", {"extents"}, {"filled"}).set("value", thirds))
      .node(OnnxNode("Mul", {"filled", "filled"}, {"ninths"}))
      .node(OnnxNode("Constant", {}, {"third"}).set("value", thirds))
      .node(OnnxNode("Expand", {"third", "extents"}, {"expanded"}))
      .node(OnnxNode("SequenceConstruct", {"filled", "expanded"}, {"both"}))
      .node(OnnxNode("ConcatFromSequence", {"both"}, {"joined"}).set("axis", 0))
      .input("extents", DataType::int64, {1})
      .output("filled", type, {"N"})
      .output("ninths", type, {"N"})
      .output("joined", type, {"M"});
  Session session = session_of(model);
  const std::vector<Tensor> results = session.run({{"extents", tensor<std::int64_t>({1}, {2})}});
  const float third = wide(thirds)[0];
  for (const Tensor& result : results) CHECK(result.type() == type);
  CHECK(wide(results[0]) == std::vector<float>(2, third));
  CHECK(wide(results[1]) == wide(narrow(type, {2}, {third * third, third * third})));
  CHECK(wide(results[2]) == std::vector<float>(4, third));
}

}  // namespace
}  // namespace linnet::test::float16_test
