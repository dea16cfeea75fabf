// Inputs whose first extent is open: a session plans ahead for a batch of one, and may be wrong about that.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "onnx/loading.h"
#include "support/compare.h"
#include "support/onnx_builder.h"
#include "support/op_case.h"
#include "support/random_data.h"
#include "support/session_of.h"
#include "support/tensor_adapter.h"

namespace linnet::test::open_extents_test {
namespace {

using Floats = std::vector<float>;

const DataType kFloat = DataType::float32;

Tensor random(Shape shape) {
  Random numbers(7);
  return from_reference(random_reals(numbers, std::move(shape), -1, 1));
}

TEST_CASE("A first extent that only some values of fit need not fit one", "[open]") {
  const Tensor x = counting(kFloat, {3, 4});
  OnnxModel even;  // six columns: as many rows as are even
  even.graph.node(OnnxNode("Reshape", {"x", "shape"}, {"y"}))
      .input("x", kFloat, {"N", 4})
      .initializer("shape", int64s({2, 6}))
      .output("y", kFloat, {2, 6});
  Session reshaped = session_of(even);
  CHECK(reshaped.run({{"x", x}})[0].shape() == Shape{2, 6});
  CHECK(error_of([&] { reshaped.run({{"x", counting(kFloat, {1, 4})}}); }).code() == ErrorCode::model);

  OnnxModel vector;  // no batch at all
  vector.graph.node(OnnxNode("MatMul", {"x", "w"}, {"y"}))
      .input("x", kFloat, {"K"})
      .initializer("w", tensor<float>({3, 2}, {1, 2, 3, 4, 5, 6}))
      .output("y", kFloat, {2});
  CHECK(values<float>(session_of(vector).run({{"x", tensor<float>({3}, {1, 10, 100})}})[0]) == Floats{531, 642});

  OnnxModel picture;  // without a batch: the first extent is its channels
  picture.graph.node(OnnxNode("Unsqueeze", {"x", "first"}, {"image"}))
      .node(OnnxNode("Conv", {"image", "w"}, {"y"}))
      .input("x", kFloat, {"C", 2, 2})
      .initializer("first", int64s({0}))
      .initializer("w", tensor<float>({1, 3, 1, 1}, {1, 10, 100}))
      .output("y", kFloat, {1, 1, 2, 2});
  CHECK(values<float>(session_of(picture).run({{"x", counting(kFloat, {3, 2, 2})}})[0]) ==
        Floats{840, 951, 1062, 1173});
}

TEST_CASE("Shapes that are known or given are refused when the session is made", "[open]") {
  const auto model = [](const OnnxDim& rows) {
    OnnxModel m;
    m.graph.node(OnnxNode("Reshape", {"x", "shape"}, {"y"}))
        .input("x", kFloat, {rows, 4})
        .initializer("shape", int64s({2, 6}))
        .output("y", kFloat, {2, 6});
    return m;
  };
  CHECK(error_of([&] { session_of(model(1)); }).code() == ErrorCode::model);
  SessionOptions options;
  options.input_shapes["x"] = {1, 4};
  CHECK(error_of([&] { session_of(model("N"), options); }).code() == ErrorCode::model);
}

/// A 3x3 convolution of 16 channels with 32 filters, of which the weights have no other reader.
void add_convolution(OnnxModel& model, const std::string& from, const std::string& to) {
  model.graph
      .node(OnnxNode("Conv", {from, "w"}, {to}).set("pads", ints({1, 1, 1, 1})).set("kernel_shape", ints({3, 3})))
      .initializer("w", random({32, 16, 3, 3}));
}

TEST_CASE("A plan that was given up half way leaves the weights that it had packed", "[open]") {
  // With n of one element the two long lists do not fit the arena, which is known after all is packed; with 199,000 they do.
  const auto model = [](bool open) {
    OnnxModel m;
    add_convolution(m, "image", "y");
    m.graph.node(OnnxNode("Shape", {"n"}, {"begin"}))
        .node(OnnxNode("Slice", {"list", "begin", "end"}, {"rest"}))
        .node(OnnxNode("Sigmoid", {"rest"}, {"a"}))
        .node(OnnxNode("Softplus", {"rest"}, {"b"}))
        .node(OnnxNode("Mul", {"a", "b"}, {"z"}))
        .input("image", kFloat, {1, 16, 8, 8})
        .input("list", kFloat, {200'000})
        .initializer("end", int64s({200'000}))
        .output("y", kFloat, {1, 32, 8, 8})
        .output("z", kFloat, {"M"});
    if (open) m.graph.input("n", kFloat, {"N"});
    else m.graph.input("n", kFloat, {199'000});
    return m;
  };
  const std::vector<NamedTensor> inputs = {
      {"image", random({1, 16, 8, 8})}, {"list", random({200'000})}, {"n", counting(kFloat, {199'000})}};
  SessionOptions narrow;
  narrow.max_arena_bytes = 1'500'000;
  narrow.threads = 1;
  Session session = session_of(model(true), narrow);
  const std::vector<NamedTensor> one = {inputs[0], inputs[1], {"n", counting(kFloat, {1})}};
  CHECK(error_of([&] { session.run(one); }).code() == ErrorCode::limit);
  const std::vector<Tensor> found = session.run(inputs), expected = session_of(model(false)).run(inputs);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(bit_difference(found[i], expected[i]) == "");
}

TEST_CASE("Filters packed for one row of a picture can be packed otherwise for many", "[open]") {
  const auto model = [](const OnnxDim& rows) {  // [H, W, C], of which the rows are open
    OnnxModel m;
    m.graph.node(OnnxNode("Transpose", {"x"}, {"planes"}).set("perm", ints({2, 0, 1})))
        .node(OnnxNode("Unsqueeze", {"planes", "first"}, {"image"}))
        .initializer("first", int64s({0}));
    add_convolution(m, "image", "y");
    m.graph.input("x", kFloat, {rows, 24, 16}).output("y", kFloat, {1, 32, "H", 24});
    return m;
  };
  const std::vector<NamedTensor> inputs = {{"x", random({24, 24, 16})}};
  const Tensor found = session_of(model("H")).run(inputs)[0], expected = session_of(model(24)).run(inputs)[0];
  CHECK(bit_difference(found, expected) == "");
}

TEST_CASE("The filter of a ConvTranspose may be an input of unknown extents", "[open]") {
  const auto model = [](const std::vector<OnnxDim>& filter) {
    OnnxModel m;
    m.graph.node(OnnxNode("ConvTranspose", {"x", "w"}, {"y"}).set("strides", ints({2, 2})))
        .input("x", kFloat, {1, 3, 4, 5})
        .input("w", kFloat, filter)
        .output("y", kFloat, {1, "M", "H", "W"});
    return m;
  };
  const std::vector<NamedTensor> inputs = {{"x", random({1, 3, 4, 5})}, {"w", random({3, 2, 2, 3})}};
  const Tensor expected = session_of(model({3, 2, 2, 3})).run(inputs)[0];
  CHECK(expected.shape() == Shape{1, 2, 8, 11});
  for (const std::vector<OnnxDim>& filter :
       {std::vector<OnnxDim>{"A", "B", 2, 3}, {3, 2, "K", "L"}, {"A", "B", "K", "L"}}) {
    CHECK(bit_difference(session_of(model(filter)).run(inputs)[0], expected) == "");
  }
  CHECK(error_of([&] { session_of(model({"A", "B", 2})); }).code() == ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::open_extents_test
