// ImageNet pictures: the class and its logit next to another engine's, from the same files.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/data_dir.h"

namespace {

using namespace linnet;

/// A line of labels.csv: the answers of ONNX Runtime 1.30 on the same picture.
struct Row {
  std::string file;
  int resnet50_index = 0;
  double resnet50_logit = 0;
  int resnet18_index = 0;
  double resnet18_logit = 0;
};

std::vector<Row> read_rows(const std::filesystem::path& path) {
  std::vector<Row> rows;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the names of the columns
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::vector<std::string> cells;
    for (std::string cell; std::getline(fields, cell, ',');) cells.push_back(cell);
    rows.push_back(
        {cells.at(0), std::stoi(cells.at(2)), std::stod(cells.at(3)), std::stoi(cells.at(4)), std::stod(cells.at(5))});
  }
  return rows;
}

/// The pictures are prescaled to 227: centre crop 224 from (1,1), /255, mean and standard deviation of ImageNet.
Preprocessing steps() {
  Preprocessing result;
  result.crop_width = result.crop_height = 224;
  result.crop_offset = CropOffset::down;
  result.scale = 1.0f / 255;
  result.mean = {0.485f, 0.456f, 0.406f};
  result.std = {0.229f, 0.224f, 0.225f};
  return result;
}

struct Agreement {
  int pictures = 0;
  int same_class = 0;
  double logit_difference = 0;  // sum of relative differences where the class is the same

  void count(const Classification& ours, int index, double logit) {
    ++pictures;
    if (ours.index != index) return;
    ++same_class;
    logit_difference += std::fabs(static_cast<double>(ours.logit) - logit) / std::fabs(logit);
  }
  void check() const {
    CHECK(same_class >= static_cast<int>(std::ceil(0.995 * pictures)));
    CHECK(logit_difference / std::max(1, same_class) < 0.01);
  }
};

void check_pictures(std::size_t count) {
  const auto folder = test::data_dir() / "images" / "imagenet-val";
  const auto models = test::data_dir() / "models";
  for (const auto& path : {folder, models / "resnet50" / "model.onnx", models / "resnet18" / "model.onnx"}) {
    if (test::skip_without(path)) return;
  }
  const Model model50 = Model::load((models / "resnet50" / "model.onnx").string());
  const Model model18 = Model::load((models / "resnet18" / "model.onnx").string());
  SessionOptions no_winograd;
  no_winograd.convolution = Convolution::direct;
  Session resnet50(model50), direct50(model50, no_winograd), resnet18(model18), direct18(model18, no_winograd);
  Agreement agreement50;
  Agreement agreement18;
  const std::vector<Row> rows = read_rows(folder / "labels.csv");
  REQUIRE(rows.size() >= count);
  for (std::size_t i = 0; i < count; ++i) {
    // Spread over the whole list.
    const Row& row = rows[i * (rows.size() / count)];
    const Tensor input = preprocess(load_image((folder / row.file).string()), steps());
    INFO(row.file);
    const auto classify = [&](Session& session) {
      return top_k(session.run(input).at(0).data<float>(), 1, true).at(0);
    };
    const Classification class50 = classify(resnet50), class18 = classify(resnet18);
    CHECK(class50.index == classify(direct50).index);
    CHECK(class18.index == classify(direct18).index);
    agreement50.count(class50, row.resnet50_index, row.resnet50_logit);
    agreement18.count(class18, row.resnet18_index, row.resnet18_logit);
  }
  agreement50.check();
  agreement18.check();
}

}  // namespace

TEST_CASE("20 ImageNet pictures get the classes that ONNX Runtime gives them, with Winograd and without") {
  check_pictures(20);
}
TEST_CASE("200 ImageNet pictures get the classes that ONNX Runtime gives them, with Winograd and without",
          "[.nightly]") {
  check_pictures(200);
}
