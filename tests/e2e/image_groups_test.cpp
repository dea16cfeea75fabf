// A batch whose tensors outgrow the caches goes through the plan a few images at a time: the same bits in less memory.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/onnx_builder.h"
#include "support/random_data.h"
#include "support/session_of.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

Tensor weights(Random& random, const Shape& shape) { return from_reference(random_reals(random, shape, -0.2, 0.2)); }

void add_conv(OnnxModel& model, Random& random, const std::string& x, const std::string& y, int in, int out, int kernel,
              int stride) {
  model.graph.initializer(y + "_w", weights(random, {out, in, kernel, kernel}));
  model.graph.node(OnnxNode("Conv", {x, y + "_w"}, {y})
                       .set("strides", std::vector<std::int64_t>{stride, stride})
                       .set("pads", std::vector<std::int64_t>(4, kernel / 2)));
}

/// Every kind of step and of buffer: the caller's input, pixels split into phases, a residual read and overwritten, one that is kept, a concatenation, an
/// output that a group writes, pools, and a tail on the whole batch.
OnnxModel network() {
  Random random(5);
  OnnxModel model(8, 13);
  model.graph.input("x", DataType::float32, {"N", 3, 96, 96});
  add_conv(model, random, "x", "stem", 3, 32, 7, 2);
  model.graph.node(OnnxNode("Relu", {"stem"}, {"stem_r"}));
  add_conv(model, random, "stem_r", "a", 32, 32, 3, 1);
  model.graph.node(OnnxNode("Add", {"a", "stem_r"}, {"sum"}));
  model.graph.node(OnnxNode("Sigmoid", {"sum"}, {"gate"}));
  add_conv(model, random, "gate", "b", 32, 32, 1, 1);
  model.graph.node(OnnxNode("Concat", {"b", "sum"}, {"both"}).set("axis", 1));
  model.graph.node(OnnxNode("MaxPool", {"both"}, {"pooled"})
                       .set("kernel_shape", std::vector<std::int64_t>{2, 2})
                       .set("strides", std::vector<std::int64_t>{2, 2}));
  add_conv(model, random, "pooled", "c", 64, 48, 3, 2);
  model.graph.node(OnnxNode("GlobalAveragePool", {"c"}, {"mean"}));
  model.graph.node(OnnxNode("Flatten", {"mean"}, {"y"}));
  model.graph.output("y", DataType::float32, {"N", 48});
  model.graph.output("gate", DataType::float32, {"N", 32, 48, 48});
  return model;
}

long steps_with(const PlanReport& report, std::string_view words) {
  return std::count_if(report.steps.begin(), report.steps.end(),
                       [&](const StepReport& step) { return step.output.find(words) != std::string::npos; });
}
long grouped_steps(const PlanReport& report) { return steps_with(report, " by "); }
long steps_alone(const PlanReport& report) { return steps_with(report, " a thread"); }

SessionOptions with_threads(int count) {
  SessionOptions options;
  options.threads = count;
  return options;
}

Tensor picture(std::int64_t batch) {
  Random random(static_cast<std::uint64_t>(batch));
  return from_reference(random_reals(random, {batch, 3, 96, 96}, -2, 2));
}

}  // namespace

TEST_CASE("a few images at a time give the bits of each image alone") {
  const std::vector<std::byte> file = network().bytes();
  for (const int threads : {1, 2, 3}) {
    Session session(Model::load(file), with_threads(threads));
    for (const std::int64_t batch : {3, 40, 36, 38}) {
      INFO(threads << " threads, batch " << batch);
      const Tensor input = picture(batch);
      const std::vector<Tensor> together = session.run(input);
      CHECK(session.profile().steps.at(0).algorithm == "winograd_f3x3_4x4_phases");
      const long grouped = grouped_steps(session.profile());
      CHECK((grouped > 4) == (batch > 3));
      CHECK(grouped < static_cast<long>(session.profile().steps.size()));
      CHECK(steps_alone(session.profile()) == (threads > 1 ? grouped : 0));
      for (std::int64_t n = 0; n < batch; n += 5) {
        INFO("image " << n);
        const std::vector<Tensor> alone = session.run(image_of(input, n));
        for (std::size_t i = 0; i < alone.size(); ++i) CHECK(bit_difference(alone[i], image_of(together[i], n)) == "");
      }
    }
  }
}

TEST_CASE("threads share the images where they do not divide among them evenly") {
  Session session = session_of(network(), with_threads(16));
  (void)session.run(picture(85));  // 5 or 6 for each of 16, so that most would wait
  CHECK(grouped_steps(session.profile()) > 4);
  CHECK(steps_alone(session.profile()) == 0);
  (void)session.run(picture(95));
  CHECK(steps_alone(session.profile()) > 4);
}

TEST_CASE("threads with images of their own are cancelled at any time") {
  const std::vector<std::byte> file = network().bytes();
  const Model model = Model::load(file);
  const Tensor input = picture(40);
  const std::vector<Tensor> expected = Session(model, with_threads(1)).run(input);
  const auto check = [&](const std::vector<Tensor>& found) {
    for (std::size_t i = 0; i < expected.size(); ++i) CHECK(bit_difference(found.at(i), expected[i]) == "");
  };
  Session session(model, with_threads(4));
  check(session.run(input));
  CHECK(steps_alone(session.profile()) > 4);
  using Clock = std::chrono::steady_clock;
  int cancelled = 0, done = 0;
  for (Clock::duration allowed = std::chrono::microseconds(50); done == 0; allowed = allowed * 5 / 4) {
    try {
      check(session.run(input, {.deadline = Clock::now() + allowed}));
      ++done;
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::cancelled);
      ++cancelled;
    }
  }
  CHECK(cancelled > 0);
  check(session.run(input));
}

TEST_CASE("a constant for each image of the batch stays with its image") {
  constexpr std::int64_t kImages = 12;
  Random random(9);
  OnnxModel model(8, 13);
  model.graph.input("x", DataType::float32, {kImages, 32, 64, 64});
  add_conv(model, random, "x", "a", 32, 32, 3, 1);
  model.graph.initializer("position", weights(random, {kImages, 32, 64, 64}));
  model.graph.node(OnnxNode("Add", {"a", "position"}, {"sum"}));
  add_conv(model, random, "sum", "y", 32, 32, 1, 1);
  model.graph.output("y", DataType::float32, {kImages, 32, 64, 64});
  SessionOptions options;
  options.threads = 1;
  Session session = session_of(model, options);
  const Tensor input = from_reference(random_reals(random, {kImages, 32, 64, 64}, -2, 2));
  const Tensor grouped = session.run(input).at(0);
  CHECK(grouped_steps(session.profile()) > 1);
  options.threads = 64;  // as many caches: the whole batch at once
  Session whole = session_of(model, options);
  const Tensor expected = whole.run(input).at(0);
  CHECK(grouped_steps(whole.profile()) == 0);
  CHECK(bit_difference(grouped, expected) == "");
}

TEST_CASE("what all images of the batch share goes to each of them") {
  constexpr std::int64_t kImages = 12;
  Random random(10);
  OnnxModel model(8, 13);
  model.graph.input("x", DataType::float32, {kImages, 32, 64, 64});
  model.graph.input("gate", DataType::float32, {1, 32, 1, 1});
  add_conv(model, random, "x", "a", 32, 32, 3, 1);
  model.graph.node(OnnxNode("Relu", {"a"}, {"r"}));
  model.graph.node(OnnxNode("Mul", {"r", "gate"}, {"gated"}));
  add_conv(model, random, "gated", "b", 32, 32, 1, 1);
  model.graph.node(OnnxNode("Relu", {"b"}, {"y"}));
  model.graph.output("y", DataType::float32, {kImages, 32, 64, 64});
  const std::vector<NamedTensor> inputs = {{"x", from_reference(random_reals(random, {kImages, 32, 64, 64}, -2, 2))},
                                           {"gate", from_reference(random_reals(random, {1, 32, 1, 1}, -2, 2))}};
  Session session = session_of(model, with_threads(1)), whole = session_of(model, with_threads(64));
  const Tensor found = session.run(inputs).at(0), expected = whole.run(inputs).at(0);
  CHECK(grouped_steps(session.profile()) > 0);
  CHECK(grouped_steps(whole.profile()) == 0);
  CHECK(bit_difference(found, expected) == "");
}

TEST_CASE("what one group hands to the next stays until all images of it are read") {
  constexpr std::int64_t kImages = 16;
  Random random(11);
  OnnxModel model(8, 13);
  model.graph.input("x", DataType::float32, {kImages, 32, 96, 96});
  add_conv(model, random, "x", "a", 32, 32, 3, 1);
  model.graph.node(OnnxNode("MaxPool", {"a"}, {"pooled"})
                       .set("kernel_shape", std::vector<std::int64_t>{4, 4})
                       .set("strides", std::vector<std::int64_t>{4, 4}));
  add_conv(model, random, "pooled", "b", 32, 32, 1, 1);
  add_conv(model, random, "b", "c", 32, 384, 1, 1);  // would have room where what is read first lay
  add_conv(model, random, "c", "y", 384, 32, 1, 1);
  model.graph.output("y", DataType::float32, {kImages, 32, 24, 24});
  Session session = session_of(model, with_threads(1)), whole = session_of(model, with_threads(64));
  const Tensor input = from_reference(random_reals(random, {kImages, 32, 96, 96}, -2, 2));
  const Tensor found = session.run(input).at(0), expected = whole.run(input).at(0);
  CHECK(steps_with(session.profile(), " by 1") > 0);
  CHECK(steps_with(session.profile(), " by 4") == 3);
  CHECK(grouped_steps(whole.profile()) == 0);
  CHECK(bit_difference(found, expected) == "");
}

TEST_CASE("what only a group touches takes the memory of its images alone") {
  const std::vector<std::byte> file = network().bytes();
  SessionOptions options;
  options.threads = 1;
  options.outputs = {"y"};
  const auto arena = [&](std::int64_t batch) {
    options.input_shapes = {{"x", {batch, 3, 96, 96}}};
    Session session(Model::load(file), options);
    (void)session.run(Tensor(DataType::float32, {batch, 3, 96, 96}));
    return static_cast<double>(session.profile().arena_bytes);
  };
  CHECK(arena(128) < 0.25 * 128 * arena(1));
}

}  // namespace linnet::test
