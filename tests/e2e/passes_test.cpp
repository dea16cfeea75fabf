// Whatever passes are switched off, a network computes the same function.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "linnet/linnet.h"
#include "onnx/loading.h"
#include "support/compare.h"
#include "support/data_dir.h"
#include "support/onnx_builder.h"
#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;

/// Two ways to compute a network in float32 may differ by the roundings of its layers: some ten units in the last place of
/// its largest output.
void check_close(const Tensor& actual, const Tensor& expected) {
  const reference::Tensor right = test::to_reference(expected);
  double largest = 0;
  for (const double value : right.reals) largest = std::max(largest, std::fabs(value));
  const auto comparison = test::compare(test::to_reference(actual), right, {0, 2e-5 * largest});
  INFO(comparison.text);
  CHECK(comparison.ok);
}

void check_passes(const std::string& path, const Shape& shape) {
  test::Random random(11);
  const Tensor input = test::from_reference(test::random_reals(random, shape, -2, 2));
  const Model model = Model::load(path);
  Session usual(model);
  const Tensor expected = usual.run(input).at(0);
  std::vector<std::string> all;
  for (const PassReport& pass : usual.plan().report().passes) all.push_back(pass.name);
  const auto check_without = [&](std::vector<std::string> disabled) {
    SessionOptions options;
    options.disabled_passes = std::move(disabled);
    Session session(model, options);
    check_close(session.run(input).at(0), expected);
  };
  for (const std::string& pass : all) {
    INFO("without " << pass);
    check_without({pass});
  }
  for (const std::string& pass : all) {
    INFO("with " << pass << " alone");
    std::vector<std::string> others = all;
    std::erase(others, pass);
    check_without(others);
  }
  INFO("without any pass");
  check_without(all);
}

}  // namespace

TEST_CASE("the bundled network computes the same without any one of its passes, and with one alone") {
  check_passes(test::bundled_model().string(), {2, 3, 32, 32});
}

TEST_CASE("real networks compute the same without any one of their passes, and with one alone") {
  const auto check = [](const std::string& name, const Shape& image) {
    const auto model = test::data_dir() / "models" / name / "model.onnx";
    if (!test::skip_without(model)) check_passes(model.string(), image);
  };
  check("resnet18", {1, 3, 224, 224});
  check("mnist-8", {1, 1, 28, 28});
  check("ultraface", {1, 3, 240, 320});
}

TEST_CASE("without fold_constants a shape is computed by a plan before the one that needs it") {
  const auto number = [](const char* name, std::int64_t value) {
    return test::OnnxNode("Constant", {}, {name}).set("value", test::tensor<std::int64_t>({1}, {value}));
  };
  test::OnnxModel model;
  model.graph.node(number("zero", 0))
      .node(number("six", 6))
      .node(test::OnnxNode("Relu", {"x"}, {"r"}))
      .node(test::OnnxNode("Shape", {"r"}, {"shape"}))
      .node(test::OnnxNode("Gather", {"shape", "zero"}, {"rows"}))
      .node(test::OnnxNode("Concat", {"rows", "six"}, {"wanted"}).set("axis", std::int64_t{0}))
      .node(test::OnnxNode("Reshape", {"r", "wanted"}, {"flat"}))
      .node(test::OnnxNode("ConstantOfShape", {"wanted"}, {"zeros"}))
      .node(test::OnnxNode("Add", {"flat", "zeros"}, {"y"}))
      .input("x", DataType::float32, {"N", 2, 3})
      .output("y", DataType::float32, {"N", 6});
  const std::vector<std::byte> file = model.bytes();
  SessionOptions unfolded;
  unfolded.disabled_passes = {"fold_constants"};
  for (const SessionOptions& options : {SessionOptions{}, unfolded}) {
    Session session(Model::load(file), options);
    for (const std::int64_t rows : {1, 4}) {
      Tensor x(DataType::float32, {rows, 2, 3});
      for (std::int64_t i = 0; i < x.size(); ++i) x.mutable_data<float>()[i] = static_cast<float>(i % 5 - 2);
      const Tensor y = session.run(x).at(0);
      CHECK(y.shape() == Shape{rows, 6});
      bool same = true;
      for (std::int64_t i = 0; i < x.size(); ++i) same &= y.data<float>()[i] == std::max(0.0f, x.data<float>()[i]);
      CHECK(same);
    }
  }
}

TEST_CASE("an unknown pass, an unknown input and a shape of no tensor are refused, also where a model runs in parts") {
  const auto path = test::bundled_model();
  test::OnnxModel in_parts;
  in_parts.graph.node(test::OnnxNode("NonZero", {"x"}, {"where"}))
      .input("x", DataType::float32, {2, 3})
      .output("where", DataType::int64, {2, "N"});
  const std::vector<std::byte> file = in_parts.bytes();
  SessionOptions pass, input;
  pass.disabled_passes = {"no_such_pass"};
  input.input_shapes = {{"no_such_input", {1}}};
  for (const Model& model : {Model::load(path.string()), Model::load(file)}) {
    CHECK_NOTHROW(Session(model));
    SessionOptions negative, huge;
    negative.input_shapes = {{model.inputs().at(0).name, {-1, 3, 32, 32}}};
    huge.input_shapes = {{model.inputs().at(0).name, {std::int64_t{1} << 62, 3, 32, 32}}};
    for (const SessionOptions& options : {pass, input, negative, huge})
      CHECK(test::error_of([&] { Session(model, options); }).code() == ErrorCode::usage);
  }
}
