// A batch of none, which a file may ask for as well as a caller, through every blocked step.
#include <set>

#include "reliability/hostile.h"
#include "support/every_convolution.h"

namespace linnet::test::empty_batch_test {

namespace {

std::set<std::string> algorithms(const Plan& plan) {
  std::set<std::string> names;
  for (const StepReport& step : plan.report().steps) names.insert(step.algorithm);
  return names;
}

SessionOptions with_batch_of_none(int threads, const Shape& shape) {
  SessionOptions options;
  options.threads = threads;
  options.input_shapes["x"] = shape;
  return options;
}

/// What stands between convolutions: pools, norms, concatenations, resizing.
std::vector<std::byte> other_blocked_steps() {
  const std::string steps[] = {"MaxPool", "AveragePool", "LRN", "InstanceNormalization", "Resize", "LeakyRelu"};
  std::vector<OnnxNode> nodes = {OnnxNode("Conv", {"x", "w"}, {"v0"}).set("pads", Ints{1, 1, 1, 1})};
  for (std::size_t i = 0; i < std::size(steps); ++i) {
    std::vector<std::string> inputs = {"v" + std::to_string(i)};
    if (steps[i] == "InstanceNormalization") inputs.insert(inputs.end(), {"b", "b"});
    if (steps[i] == "Resize") inputs.insert(inputs.end(), {"", "s"});
    OnnxNode node(steps[i], inputs, {"v" + std::to_string(i + 1)}, "n" + std::to_string(i));
    if (steps[i].ends_with("Pool")) node.set("kernel_shape", Ints{2, 2});
    if (steps[i] == "LRN") node.set("size", 3);
    nodes.push_back(node);
  }
  nodes.push_back(OnnxNode("Concat", {"v6", "v6"}, {"joined"}).set("axis", 1));
  nodes.push_back(OnnxNode("Conv", {"joined", "w2"}, {"c"}));
  nodes.push_back(OnnxNode("GlobalAveragePool", {"c"}, {"g"}));
  nodes.push_back(OnnxNode("Flatten", {"g"}, {"f"}));
  nodes.push_back(OnnxNode("Gemm", {"f", "m"}, {"q"}));
  nodes.push_back(OnnxNode("Softmax", {"q"}, {"y"}));
  return model_of(nodes, {{"x", {"N", 16, 12, 12}}},
                  {{"w", floats_of({32, 16, 3, 3}, 0.1F)},
                   {"w2", floats_of({32, 64, 1, 1}, 0.1F)},
                   {"b", floats_of({32})},
                   {"s", tensor<float>({4}, {1, 1, 2, 2})},
                   {"m", floats_of({32, 5}, 0.1F)}})
      .bytes();
}

}  // namespace

TEST_CASE("a batch of none is nothing to do for every algorithm for convolutions") {
  const std::vector<std::byte> file = every_convolution();
  for (const int threads : {5, 2, 1}) {  // the largest team first: LLVM's OpenMP leaks as teams grow
    Session session(Model::load(file), with_batch_of_none(threads, {0, 3, 24, 24}));
    CHECK(algorithms(session.plan()) == std::set<std::string>{"nothing"});
    Shape shape = session.run(Tensor(DataType::float32, {1, 3, 24, 24})).at(0).shape();
    shape[0] = 0;
    CHECK(session.run(Tensor(DataType::float32, {0, 3, 24, 24})).at(0).shape() == shape);
  }
}

TEST_CASE("a batch of none goes through pools and norms and what else is blocked") {
  const std::vector<std::byte> file = other_blocked_steps();
  for (const int threads : {5, 2, 1}) {  // the largest team first: LLVM's OpenMP leaks as teams grow
    Session session(Model::load(file), with_batch_of_none(threads, {0, 16, 12, 12}));
    CHECK(session.run(Tensor(DataType::float32, {0, 16, 12, 12})).at(0).shape() == Shape{0, 5});
    CHECK(session.run(Tensor(DataType::float32, {2, 16, 12, 12})).at(0).shape() == Shape{2, 5});
  }
}

TEST_CASE("a file that asks for a batch of none itself") {
  for (const std::int64_t edge : {5, 14, 30}) {  // of each of three tilings
    const auto file = model_of({OnnxNode("Conv", {"x", "w"}, {"y"})}, {{"x", {0, 16, edge, edge}}},
                               {{"w", floats_of({16, 16, 3, 3})}});
    CHECK(run(file).at(0).shape() == Shape{0, 16, edge - 2, edge - 2});
  }
}

TEST_CASE("a transposed convolution of no rows or columns gives none") {
  for (const bool goes_on : {false, true}) {  // plain, and in the layout that the next node takes, too
    std::vector<OnnxNode> nodes = {OnnxNode("ConvTranspose", {"x", "t"}, {goes_on ? "d" : "y"})
                                       .set("strides", Ints{2, 2})
                                       .set("pads", Ints{1, 1, 1, 1})};
    if (goes_on) nodes.push_back(OnnxNode("Relu", {"d"}, {"y"}));
    const auto file = model_of(nodes, {{"x", {"N", 16, "H", "W"}}}, {{"t", floats_of({16, 16, 4, 4})}}).bytes();
    for (const int threads : {1, 3}) {
      SessionOptions options;
      options.threads = threads;
      Session session(Model::load(file), options);
      for (const auto& [height, width] : {std::pair{0, 5}, std::pair{5, 0}, std::pair{0, 0}, std::pair{2, 3}}) {
        const Tensor y = session.run(Tensor(DataType::float32, {1, 16, height, width})).at(0);
        CHECK(y.shape() == Shape{1, 16, 2 * height, 2 * width});
      }
    }
  }
}

}  // namespace linnet::test::empty_batch_test
