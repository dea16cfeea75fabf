// A convolution and the pool behind it as one step that goes through rows: the bits of the two on their own.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/onnx_builder.h"
#include "support/random_data.h"
#include "support/session_of.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

using List = std::vector<std::int64_t>;

struct RowCase {
  const char* what;
  std::int64_t in, out, kernel, stride;  // the convolution's
  std::int64_t height, width;
  OnnxNode pool;
  const char* activation = "Relu";
};

/// A pool of "r" to "p".
OnnxNode pool(const char* op, const List& kernel, const List& strides, const List& pads) {
  return OnnxNode(op, {"r"}, {"p"}).set("kernel_shape", kernel).set("strides", strides).set("pads", pads);
}

Tensor weights(Random& random, const Shape& shape) { return from_reference(random_reals(random, shape, -0.2, 0.2)); }

/// Convolution, activation, pool, and a convolution that reads a border around the pool's output. `split`: what lies between is an
/// output, too, and so has to be there as a whole.
OnnxModel network(const RowCase& c, bool split) {
  Random random(11);
  OnnxModel model(8, 14);
  model.graph.input("x", DataType::float32, {"N", c.in, c.height, c.width});
  model.graph.initializer("w", weights(random, {c.out, c.in, c.kernel, c.kernel}));
  model.graph.initializer("b", weights(random, {c.out}));
  model.graph.node(
      OnnxNode("Conv", {"x", "w", "b"}, {"c"}).set("strides", List(2, c.stride)).set("pads", List(4, c.kernel / 2)));
  model.graph.node(OnnxNode(c.activation, {"c"}, {"r"}));
  model.graph.node(c.pool);
  model.graph.initializer("v", weights(random, {32, c.out, 3, 3}));
  model.graph.node(OnnxNode("Conv", {"p", "v"}, {"y"}).set("pads", List(4, 1)));
  model.graph.output("y", DataType::float32, {"N", 32, "H", "W"});
  if (split) model.graph.output("r", DataType::float32, {"N", c.out, "G", "V"});
  return model;
}

Tensor pictures(const RowCase& c, std::int64_t batch) {
  Random random(static_cast<std::uint64_t>(batch));
  return from_reference(random_reals(random, {batch, c.in, c.height, c.width}, -2, 2));
}

bool goes_by_rows(Session& session) {
  const std::vector<StepReport> steps = session.profile().steps;
  return std::any_of(steps.begin(), steps.end(),
                     [](const StepReport& step) { return step.algorithm.find("+window") != std::string::npos; });
}

SessionOptions with_threads(int count) {
  SessionOptions options;
  options.threads = count;
  return options;
}

}  // namespace

TEST_CASE("a convolution and its pool by rows give the bits of one after the other") {
  const std::vector<RowCase> cases = {
      {"ResNet's stem", 3, 64, 7, 2, 224, 224, pool("MaxPool", {3, 3}, {2, 2}, {1, 1, 1, 1})},
      {"odd extents, channels that fill no block", 3, 40, 7, 2, 97, 131, pool("MaxPool", {3, 3}, {2, 2}, {1, 1, 1, 1})},
      {"no padding, the last window sticks out", 3, 64, 3, 2, 98, 75,
       pool("MaxPool", {3, 3}, {2, 2}, {0, 0, 0, 0}).set("ceil_mode", std::int64_t{1})},
      {"VGG's", 32, 64, 3, 1, 64, 52, pool("MaxPool", {2, 2}, {2, 2}, {0, 0, 0, 0})},
      {"an activation that is no clamp", 3, 64, 7, 2, 96, 96, pool("MaxPool", {2, 2}, {2, 2}, {0, 0, 0, 0}),
       "HardSwish"},
      {"windows that overlap by much", 3, 32, 7, 2, 120, 64, pool("AveragePool", {5, 3}, {1, 1}, {2, 1, 2, 1})},
      {"rows that no window reads", 3, 32, 7, 2, 260, 40, pool("MaxPool", {2, 2}, {5, 3}, {0, 0, 0, 0})},
      {"padding that counts, above more than below", 16, 32, 3, 1, 60, 33,
       pool("AveragePool", {4, 4}, {2, 3}, {3, 0, 1, 2}).set("count_include_pad", std::int64_t{1})},
      {"windows with gaps", 16, 32, 3, 1, 121, 40,
       pool("MaxPool", {3, 2}, {2, 2}, {2, 0, 1, 1}).set("dilations", List{2, 3})},
  };
  for (const RowCase& c : cases) {
    for (const std::int64_t batch : {1, 3}) {
      const Tensor input = pictures(c, batch);
      Session apart = session_of(network(c, true), with_threads(2));
      const Tensor expected = apart.run(input)[0];
      CHECK_FALSE(goes_by_rows(apart));
      for (const int threads : {1, 2, 3}) {
        INFO(c.what << ", batch " << batch << ", " << threads << " threads");
        Session session = session_of(network(c, false), with_threads(threads));
        CHECK(bit_difference(session.run(input)[0], expected) == "");
        CHECK(bit_difference(session.run(input)[0], expected) == "");  // on memory that is no longer zero
        CHECK(goes_by_rows(session));
      }
    }
  }
}

TEST_CASE("rows that are too few for the threads, or too wide for a cache, stay two steps") {
  const OnnxNode halve = pool("MaxPool", {2, 2}, {2, 2}, {0, 0, 0, 0});
  const RowCase few = {"few", 3, 32, 7, 2, 96, 96, halve}, wide = {"wide", 3, 64, 3, 2, 64, 4000, halve};
  for (const auto& [c, threads] : {std::pair{few, 7}, std::pair{wide, 1}}) {
    Session session = session_of(network(c, false), with_threads(threads));
    (void)session.run(pictures(c, 1));
    INFO(c.what);
    CHECK_FALSE(goes_by_rows(session));
  }
}

TEST_CASE("a convolution that adds something, or that somebody else reads, and its pool stay two steps") {
  const RowCase c = {"VGG's", 32, 32, 3, 1, 64, 52, pool("MaxPool", {2, 2}, {2, 2}, {0, 0, 0, 0})};
  Random random(12);
  for (const bool adds : {false, true}) {
    for (const bool plain_input : {false, true}) {
      INFO((adds ? "adds" : "is read twice") << (plain_input ? ", plain input" : ""));
      const std::int64_t in = plain_input ? 3 : c.in;
      OnnxModel model(8, 14);
      model.graph.input("x", DataType::float32, {"N", in, c.height, c.width});
      model.graph.initializer("u", weights(random, {c.out, in, 3, 3}));
      model.graph.initializer("w", weights(random, {c.out, in, 3, 3}));
      model.graph.node(OnnxNode("Conv", {"x", "u"}, {"other"}).set("pads", List(4, 1)));
      model.graph.node(OnnxNode("Conv", {"x", "w"}, {adds ? "c" : "r"}).set("pads", List(4, 1)));
      if (adds) model.graph.node(OnnxNode("Add", {"c", "other"}, {"r"}));
      model.graph.node(c.pool);
      model.graph.initializer("v", weights(random, {32, c.out, 1, 1}));
      model.graph.node(OnnxNode("Conv", {"p", "v"}, {"y"}));
      model.graph.output("y", DataType::float32, {"N", 32, "H", "W"});
      if (!adds) {
        model.graph.node(OnnxNode("Conv", {"r", "v"}, {"z"}));
        model.graph.output("z", DataType::float32, {"N", 32, "G", "V"});
      }
      Random of_input(13);
      const Tensor input = from_reference(random_reals(of_input, {2, in, c.height, c.width}, -2, 2));
      SessionOptions kept = with_threads(2);
      kept.outputs = {"y", "r"};
      const Tensor expected = session_of(model, kept).run(input)[0];
      Session session = session_of(model, with_threads(2));
      CHECK(bit_difference(session.run(input)[0], expected) == "");
      CHECK_FALSE(goes_by_rows(session));
    }
  }
}

TEST_CASE("a convolution and its pool by rows, a few images at a time, give the bits of each image alone") {
  constexpr std::int64_t kImages = 24;
  const RowCase c = {"a stem", 3, 64, 7, 2, 160, 160, pool("MaxPool", {3, 3}, {2, 2}, {1, 1, 1, 1})};
  const Tensor input = pictures(c, kImages);
  for (const int threads : {1, 2, 3}) {
    INFO(threads << " threads");
    Session session = session_of(network(c, false), with_threads(threads));
    const Tensor together = session.run(input)[0];
    CHECK(goes_by_rows(session));
    CHECK(session.profile().steps.at(0).output.find(" by ") != std::string::npos);
    CHECK(bit_difference(session.run(input)[0], together) == "");
    for (std::int64_t n = 0; n < kImages; n += 5)
      CHECK(bit_difference(session.run(image_of(input, n))[0], image_of(together, n)) == "");
  }
}

}  // namespace linnet::test
