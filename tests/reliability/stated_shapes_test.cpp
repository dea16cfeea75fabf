// What a file states of shapes and cannot be held to: symbols of inputs are checked when inputs come, what is stated of outputs
// is told to people and concludes nothing.
#include <algorithm>

#include "reliability/hostile.h"

namespace linnet::test::stated_shapes_test {

namespace {

const std::vector<OnnxDim> kImages = {"N", 1, 4, 4};

OnnxNode conv(const std::string& in, const std::string& out) { return OnnxNode("Conv", {in, "w"}, {out}); }
const Constants kTwice = {{"w", floats_of({1, 1, 1, 1}, 2)}};

/// 0, 1, 2, ...
Tensor ramp(Shape shape) {
  Tensor result(DataType::float32, std::move(shape));
  for (float i = 0; float& x : result.mutable_data<float>()) x = i++;
  return result;
}

/// y = 2 x + z, which one convolution computes where both have the same extents.
OnnxModel residual(std::vector<OnnxNode> more = {}) {
  std::vector<OnnxNode> nodes = {conv("x", "c"), OnnxNode("Add", {"c", "z"}, {"y"}, "add")};
  nodes.insert(nodes.end(), more.begin(), more.end());
  return model_of(nodes, {{"x", kImages}, {"z", kImages}}, kTwice);
}

/// r = relu(x) and y = op(r, constants), stated to be of x's extents.
std::vector<float> stated(OnnxNode op, const Constants& constants, const std::vector<float>& x) {
  OnnxModel model;
  model.graph.node(OnnxNode("Relu", {"x"}, {"r"})).node(op).input("x", DataType::float32, {"N"});
  for (const auto& [name, value] : constants) model.graph.initializer(name, value);
  model.graph.output("y", DataType::float32, {"N"});
  return floats(run(model, {tensor<float>({static_cast<std::int64_t>(x.size())}, x)}).at(0));
}

Tensor int64s(const std::vector<std::int64_t>& values) {
  return tensor<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

}  // namespace

TEST_CASE("one symbol of two inputs is one extent") {
  const OnnxModel plain = residual();
  OnnxModel in_parts = residual({OnnxNode("NonZero", {"y"}, {"nz"}), OnnxNode("Size", {"nz"}, {"count"})});
  in_parts.graph.output("count", DataType::int64, {});
  for (const OnnxModel& model : {plain, in_parts}) {
    const std::vector<std::byte> file = model.bytes();
    for (const Shape& batches : {Shape{600, 1}, Shape{1, 600}, Shape{3, 2}}) {
      const std::vector<Tensor> inputs = {floats_of({batches[0], 1, 4, 4}), floats_of({batches[1], 1, 4, 4})};
      CHECK_REFUSED([&] { (void)run(file, inputs); }, ErrorCode::input, "the extent 'N' would have two values",
                    "input 'z'");
    }
    CHECK(floats(run(file, {floats_of({3, 1, 4, 4}), floats_of({3, 1, 4, 4})}).at(0)) == std::vector<float>(48, 3));
  }
}

TEST_CASE("one symbol of one input is one extent") {
  const OnnxModel model =
      model_of({OnnxNode("Transpose", {"x"}, {"t"}).set("perm", Ints{1, 0}), OnnxNode("Add", {"x", "t"}, {"y"})},
               {{"x", {"N", "N"}}});
  const std::vector<std::byte> file = model.bytes();
  CHECK_REFUSED(
      [&] {
        (void)run(file, {floats_of({1, 3})});
      },
      ErrorCode::input, "the extent 'N' would have two values");
  CHECK(floats(run(file, {ramp({2, 2})}).at(0)) == std::vector<float>{0, 3, 3, 6});
}

TEST_CASE("a shape that is given ahead gives other inputs their extents") {
  SessionOptions options = one_thread();
  options.input_shapes["z"] = {3, 1, 4, 4};
  const std::vector<std::byte> file = residual().bytes();
  const Plan plan(Model::load(file), options);
  CHECK(plan.report().macs == 3 * 16);
  options.input_shapes["x"] = {2, 1, 4, 4};
  CHECK_REFUSED([&] { (void)Plan(Model::load(file), options); }, ErrorCode::input, "'N' would have two values");
}

TEST_CASE("what is stated of an output keeps no element and adds none") {
  const std::vector<float> x = {-1, 0, 1, 2};
  const Constants tail = {{"from", int64s({1})}, {"to", int64s({kHuge})}};
  CHECK(stated(OnnxNode("Slice", {"r", "from", "to"}, {"y"}), tail, x) == std::vector<float>{0, 1, 2});
  CHECK(stated(OnnxNode("Tile", {"r", "times"}, {"y"}), {{"times", int64s({2})}}, x) ==
        std::vector<float>{0, 0, 1, 2, 0, 0, 1, 2});
}

TEST_CASE("what is stated of an output makes no residual of it") {
  OnnxModel model =
      model_of({OnnxNode("Slice", {"x", "from", "to"}, {"z"}), conv("x", "c"), OnnxNode("Add", {"c", "z"}, {"y"})},
               {{"x", kImages}}, {{"w", kTwice[0].second}, {"from", int64s({0})}, {"to", int64s({1})}});
  model.graph.output("z", DataType::float32, kImages);
  const std::vector<Tensor> results = run(model, {floats_of({600, 1, 4, 4})});
  CHECK(floats(results.at(0)) == std::vector<float>(600 * 16, 3));
  CHECK(results.at(1).shape() == Shape{1, 1, 4, 4});
}

TEST_CASE("what a batch of one has in common with a constant extent is nothing for other batches to rely on") {
  const OnnxModel model =
      model_of({conv("x", "c"), OnnxNode("Add", {"c", "z"}, {"y"})}, {{"x", kImages}, {"z", {1, 1, 4, 4}}}, kTwice);
  const std::vector<std::byte> file = model.bytes();
  Session session(Model::load(file), one_thread());  // plans for a batch of one
  for (const std::int64_t batch : {3, 1, 600}) {
    const Tensor y = session.run({{"x", floats_of({batch, 1, 4, 4})}, {"z", floats_of({1, 1, 4, 4})}}).at(0);
    CHECK(floats(y) == std::vector<float>(static_cast<std::size_t>(batch) * 16, 3));
  }
}

TEST_CASE("a Shape tells what an output has, not what is stated of it") {
  OnnxModel slice = model_of({OnnxNode("Slice", {"x", "from", "to"}, {"z"}), OnnxNode("Shape", {"z"}, {"y"})},
                             {{"x", {"N"}}}, {{"from", int64s({1})}, {"to", int64s({kHuge})}});
  slice.graph.output("z", DataType::float32, {7});
  CHECK(run(slice, {ramp({4})}).at(0).data<std::int64_t>()[0] == 3);
  OnnxModel found = model_of({OnnxNode("NonZero", {"x"}, {"z"}), OnnxNode("Shape", {"z"}, {"y"})}, {{"x", {"N"}}});
  found.graph.output("z", DataType::int64, {1, 5});
  CHECK(run(found, {ramp({4})}).at(0).data<std::int64_t>()[1] == 3);
}

TEST_CASE("a pool is global where its input has its window's extents, not where that is stated") {
  OnnxModel model =
      model_of({OnnxNode("Slice", {"x", "from", "to", "axes"}, {"z"}),
                OnnxNode("MaxPool", {"z"}, {"y"}).set("kernel_shape", Ints{2, 2})},
               {{"x", {1, 1, "H", "W"}}}, {{"from", int64s({0, 0})}, {"to", int64s({3, 3})}, {"axes", int64s({2, 3})}});
  model.graph.output("z", DataType::float32, {1, 1, 2, 2});
  const Tensor y = run(model, {ramp({1, 1, 4, 4})}).at(0);
  CHECK(y.shape() == Shape{1, 1, 2, 2});
  CHECK(floats(y) == std::vector<float>{5, 6, 9, 10});
}

TEST_CASE("what is stated of an output fills the gaps of what is told of it") {
  OnnxModel model;
  model.graph.node(OnnxNode("NonZero", {"x"}, {"found"}))
      .node(OnnxNode("Relu", {"x"}, {"same"}))
      .input("x", DataType::float32, {"N", 3})
      .output("found", DataType::int64, {7, "count"})
      .output("same", DataType::float32, {"M", 4});
  const std::vector<std::byte> file = model.bytes();
  const Model loaded = Model::load(file);
  const Plan plan(loaded, one_thread());
  for (const std::vector<ValueInfo>& outputs : {loaded.outputs(), plan.outputs()}) {
    CHECK(to_string(outputs.at(0)) == "int64[2,count]");  // what is known is not what is stated
    CHECK(to_string(outputs.at(1)) == "float[N,3]");
  }
}

}  // namespace linnet::test::stated_shapes_test
