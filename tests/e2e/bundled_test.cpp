// The bundled network: from a picture's bytes to its class.
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "linnet/linnet.h"
#include "support/data_dir.h"

namespace {

using namespace linnet;

/// CIFAR-10's own numbers of its classes.
constexpr int kAirplane = 0, kShip = 8, kTruck = 9;

Classification classify(Session& session, const Tensor& input) {
  const std::vector<Tensor> outputs = session.run(input);
  return top_k(outputs.at(0).data<float>(), 1, true).at(0);
}

}  // namespace

TEST_CASE("the bundled network knows its three pictures") {
  Session session(Model::load(test::bundled_model().string()));
  struct Expected {
    const char* file;
    int index;
    float probability;
  };
  // From the folder's README, made with another engine.
  const Expected all[] = {
      {"ship.jpg", kShip, 0.95f}, {"airplane.png", kAirplane, 0.99f}, {"truck.jpg", kTruck, 0.995f}};
  for (const Expected& expected : all) {
    const Image image = load_image((test::bundled_dir() / "sample_data" / expected.file).string());
    const Classification best = classify(session, preprocess(image, preset("cifar10")));
    INFO(expected.file);
    CHECK(best.index == expected.index);
    CHECK(best.probability == Approx(expected.probability).margin(0.02));
  }
}

TEST_CASE("the bundled network classifies lossless CIFAR-10 pictures as its training run did") {
  const auto path = test::data_dir() / "images" / "cifar10_test100.csv";
  if (test::skip_without(path)) return;
  Session session(Model::load(test::bundled_model().string()));
  std::ifstream file(path);
  int pictures = 0;
  int right = 0;
  for (std::string line; std::getline(file, line) && !line.empty(); ++pictures) {
    std::istringstream fields(line);
    std::string field;
    std::getline(fields, field, ',');
    const int label = std::stoi(field);
    Image image;
    image.width = image.height = 32;
    image.channels = 3;
    while (std::getline(fields, field, ',')) image.pixels.push_back(static_cast<std::uint8_t>(std::stoi(field)));
    if (classify(session, preprocess(image, preset("cifar10"))).index == label) ++right;
  }
  CHECK(pictures == 100);
  CHECK(right == 91);
}
