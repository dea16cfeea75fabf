// The real models against their reference data, by way of the public API.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "onnx/load.h"
#include "support/compare.h"
#include "support/data_dir.h"
#include "support/graph_adapter.h"
#include "support/onnx_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;

std::filesystem::path models_dir() { return test::data_dir() / "models"; }

/// Inputs in the order of the model's: the files of old data sets have no names.
std::vector<NamedTensor> bind(const Session& session, const test::DataSet& data) {
  std::vector<NamedTensor> inputs;
  for (std::size_t i = 0; i < data.inputs.size(); ++i) {
    inputs.emplace_back(session.plan().inputs().at(i).name, data.inputs[i].second);
  }
  return inputs;
}

void check_data_sets(const std::string& name) {
  const auto folder = models_dir() / name;
  if (test::skip_without(folder / "model.onnx")) return;
  Session session(Model::load((folder / "model.onnx").string()));
  const auto data_sets = test::data_sets_of(folder);
  REQUIRE(!data_sets.empty());
  for (const auto& path : data_sets) {
    const test::DataSet data = test::load_data_set(path);
    const std::vector<Tensor> outputs = session.run(bind(session, data));
    REQUIRE(outputs.size() == data.outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto comparison = test::compare(test::to_reference(outputs[i]), test::to_reference(data.outputs[i].second),
                                            test::kOnnxTolerance);
      INFO(name << ' ' << data.name << " output " << i << ": " << comparison.text);
      CHECK(comparison.ok);
    }
  }
}

/// A picture's worth of numbers for every input of the graph; symbolic extents become 1.
reference::Tensors made_up_inputs(const graph::Graph& graph, double low, double high) {
  reference::Tensors inputs = test::random_inputs(graph, 7, 1);
  for (auto& [name, tensor] : inputs) {
    for (double& value : tensor.reals) value = reference::round_to(tensor.type, low + (high - low) * (value + 1) / 2);
  }
  return inputs;
}

/// For models without data of their own: the oracle computes what is right, with each operator's result `rounded` to its type
/// or all in double.
void check_against_oracle(const std::string& name, double low, double high, test::Tolerance tolerance,
                          bool rounded = false, const SessionOptions& session_options = {}) {
  const auto path = models_dir() / name / "model.onnx";
  if (test::skip_without(path)) return;
  const graph::Graph graph = onnx::load_graph(path.string(), {});
  const reference::Tensors inputs = made_up_inputs(graph, low, high);
  reference::Options options;
  options.round_results = rounded;
  const std::vector<reference::Tensor> expected = test::interpret(graph, inputs, options);
  std::vector<NamedTensor> named;
  for (const auto& [input, tensor] : inputs) named.emplace_back(input, test::from_reference(tensor));
  Session session(Model::load(path.string()), session_options);
  const std::vector<Tensor> outputs = session.run(named);
  REQUIRE(outputs.size() == expected.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto comparison = test::compare(test::to_reference(outputs[i]), expected[i], tolerance);
    INFO(name << " output " << i << ": " << comparison.text);
    CHECK(comparison.ok);
  }
}

/// The light models are judged on the input 0, 1/n, 2/n, ..., as ONNX's own runner makes it.
void check_light(const std::string& name) {
  const auto path = models_dir() / "light" / (name + ".onnx");
  if (test::skip_without(path)) return;
  Session session(Model::load(path.string()));
  const ValueInfo& info = session.plan().inputs().at(0);
  Shape shape;
  for (const ValueInfo::Dim& dim : info.shape) shape.push_back(dim.value);
  Tensor input(DataType::float32, shape);
  for (std::int64_t i = 0; i < input.size(); ++i) {
    input.mutable_data<float>()[static_cast<std::size_t>(i)] =
        static_cast<float>(static_cast<double>(i) / static_cast<double>(input.size()));
  }
  const Tensor output = session.run({{info.name, input}}).at(0);
  const Tensor expected = test::load_tensor_file(models_dir() / "light" / (name + "_output_0.pb"));
  const auto comparison = test::compare(test::to_reference(output), test::to_reference(expected), test::kOnnxTolerance);
  INFO(name << ": " << comparison.text);
  CHECK(comparison.ok);
}

}  // namespace

TEST_CASE("resnet18 agrees with its data sets") { check_data_sets("resnet18"); }
TEST_CASE("resnet50 agrees with its data sets") { check_data_sets("resnet50"); }
TEST_CASE("cifar10-resnet20 agrees with its data set") { check_data_sets("cifar10-resnet20"); }
TEST_CASE("cifar10-resnet56 agrees with its data set") { check_data_sets("cifar10-resnet56"); }
TEST_CASE("squeezenet1.0 agrees with its data sets") { check_data_sets("squeezenet1.0"); }
TEST_CASE("mnist-8 agrees with its data sets") { check_data_sets("mnist-8"); }
TEST_CASE("super-resolution-10 agrees with its data set") { check_data_sets("super-resolution-10"); }

// They bring no data, so the oracle computes it. Half precision holds 3 decimal digits of a probability.
TEST_CASE("squeezenet1.0-fp16 agrees with the oracle") {
  // Its scores before the Softmax lie between 8 and 16, where float16 has a number every 2^-7. One that is on the edge between
  // two may be rounded to either, and a probability moves by e to its own score's error and the sum's: twice that.
  check_against_oracle("squeezenet1.0-fp16", -110, 140, {0x1p-6, 1e-6}, true);
  SessionOptions unrounded;
  unrounded.disabled_passes = {"round_float16"};
  check_against_oracle("squeezenet1.0-fp16", -110, 140, {2e-3, 1e-6}, false, unrounded);
}
TEST_CASE("ultraface agrees with the oracle") { check_against_oracle("ultraface", -1, 1, {1e-3, 1e-5}); }

TEST_CASE("the light models agree with their outputs") {
  for (const std::string name : {"bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50",
                                 "shufflenet", "squeezenet", "vgg19", "zfnet512"}) {
    check_light("light_" + name);
  }
}
