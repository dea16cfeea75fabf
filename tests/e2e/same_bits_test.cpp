// Promise 3: one build, one model, one set of options: the same bits for any threads, batch and instruction set.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/data_dir.h"
#include "support/env_guard.h"
#include "support/every_convolution.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;

/// A model and the shape of one image.
struct Network {
  std::string path;
  Shape image;
};

std::vector<Network> networks() {
  std::vector<Network> list = {{test::bundled_model().string(), {1, 3, 32, 32}}};
  const auto add = [&](const std::string& name, const Shape& image) {
    const auto model = test::data_dir() / "models" / name / "model.onnx";
    if (!test::skip_without(model)) list.push_back({model.string(), image});
  };
  add("resnet18", {1, 3, 224, 224});
  add("squeezenet1.0", {1, 3, 227, 227});
  add("mnist-8", {1, 1, 28, 28});
  add("ultraface", {1, 3, 240, 320});
  return list;
}

Tensor batch_of(const Shape& image, std::int64_t count, std::uint64_t seed) {
  test::Random random(seed);
  Shape shape = image;
  shape[0] = count;
  return test::from_reference(test::random_reals(random, shape, -2, 2));
}

std::vector<Tensor> run(const Network& network, const Tensor& input, const SessionOptions& options) {
  Session session(Model::load(network.path), options);
  return session.run(input);
}

void check_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(test::bit_difference(a[i], b[i]) == "");
}

bool takes_batches(const Network& network) {
  const Model model = Model::load(network.path);
  return model.inputs().at(0).shape.at(0).value < 0;
}

}  // namespace

TEST_CASE("the number of threads changes no bit") {
  for (const Network& network : networks()) {
    INFO(network.path);
    const Tensor input = batch_of(network.image, 1, 1);
    SessionOptions options;
    options.threads = 1;
    const std::vector<Tensor> expected = run(network, input, options);
    for (const int threads : {5, 3, 2}) {  // the largest first: where a team grows, LLVM's OpenMP leaks
      INFO(threads << " threads");
      options.threads = threads;
      check_same(run(network, input, options), expected);
    }
  }
}

TEST_CASE("the network of all convolutions has a step of every algorithm") {
  const std::vector<std::byte> file = test::every_convolution();
  std::vector<std::string> found;
  for (const StepReport& step : Plan(Model::load(file)).report().steps) found.push_back(step.algorithm);
  for (const std::string& algorithm : test::kConvolutionAlgorithms) {
    INFO(algorithm);
    CHECK(std::find(found.begin(), found.end(), algorithm) != found.end());
  }
}

TEST_CASE("one to eight threads give the same bits for a batch of one and of sixteen, whatever the convolution") {
  const std::pair<std::vector<std::byte>, Shape> cases[] = {{test::read_bytes(test::bundled_model()), {1, 3, 32, 32}},
                                                            {test::every_convolution(), {1, 3, 24, 24}}};
  for (const auto& [file, image] : cases) {
    const Tensor batch = batch_of(image, 16, 6);
    std::vector<Tensor> expected;                     // of the whole batch
    for (int threads = 8; threads >= 1; --threads) {  // the largest first: where a team grows, LLVM's OpenMP leaks
      INFO(file.size() << " bytes, " << threads << " threads");
      SessionOptions options;
      options.threads = threads;
      Session session(Model::load(file), options);
      CHECK(session.plan().report().threads == threads);
      const std::vector<Tensor> found = session.run(batch);
      if (expected.empty()) expected = found;
      check_same(found, expected);
      for (std::int64_t n = threads == 1 ? 0 : 14; n < 16;
           ++n)  // by one thread each image by itself, else the last two
        check_same(session.run(test::image_of(batch, n)), {test::image_of(found.at(0), n)});
    }
  }
}

TEST_CASE("the instruction set changes no bit") {
  for (const Network& network : networks()) {
    INFO(network.path);
    const Tensor input = batch_of(network.image, 1, 2);
    const test::EnvGuard scalar("LINNET_MAX_ISA", "scalar");
    const std::vector<Tensor> expected = run(network, input, {});
    for (const std::string& isa : cpu_info().available_isas) {
      INFO(isa);
      const test::EnvGuard cap("LINNET_MAX_ISA", isa);
      CHECK(cpu_info().isa == isa);
      check_same(run(network, input, {}), expected);
    }
  }
}

TEST_CASE("the batch and the place in it change no bit") {
  for (const Network& network : networks()) {
    if (!takes_batches(network)) continue;
    INFO(network.path);
    const Tensor batch = batch_of(network.image, 3, 3);
    Session session(Model::load(network.path));
    const std::vector<Tensor> together = session.run(batch);
    for (std::int64_t n = 0; n < 3; ++n) {
      INFO("image " << n);
      const std::vector<Tensor> alone = session.run(test::image_of(batch, n));
      for (std::size_t i = 0; i < alone.size(); ++i)
        CHECK(test::bit_difference(alone[i], test::image_of(together[i], n)) == "");
    }
  }
}

TEST_CASE("a second run gives the same bits") {
  const Network network = networks()[0];
  const Tensor input = batch_of(network.image, 2, 4);
  const Tensor other = batch_of(network.image, 2, 5);
  Session session(Model::load(network.path));
  const std::vector<Tensor> first = session.run(input);
  session.run(other);
  check_same(session.run(input), first);
}
