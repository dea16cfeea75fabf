// Writes the seeds that the fuzz targets start from, and that every build replays: make_seeds <folder>.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/graph_mutator.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"

namespace {

using namespace linnet;
using test::OnnxModel;
using test::OnnxNode;

constexpr std::size_t kMostBytes = 16 << 10;  // large seeds make a fuzzer slow
constexpr std::uint32_t kMutations = 20;      // of each model

class Folder {
 public:
  explicit Folder(const std::filesystem::path& path) : path_(path) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  void add(std::string_view content) {
    char name[24];
    std::snprintf(name, sizeof name, "%05d", count_++);
    std::ofstream(path_ / name, std::ios::binary) << content;
  }

 private:
  std::filesystem::path path_;
  int count_ = 0;
};

std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string single(const OnnxNode& node, std::int64_t opset = 13) {
  OnnxModel model(8, opset);
  const std::vector<float> ones(36, 1.0F);
  model.graph.name("g")
      .node(node)
      .initializer("w", Tensor::of<float>({2, 2, 3, 3}, ones))
      .initializer("v", Tensor::of<float>({2}, std::span(ones).first(2)))
      .initializer("i", Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{1, -1}))
      .input("x", DataType::float32, {"N", 2, 8, 8})
      .output("y", DataType::float32, {});
  return text_of(model.bytes());
}

/// One small model for each family that takes attributes from the file.
std::vector<std::string> single_nodes() {
  using Ints = std::vector<std::int64_t>;
  return {
      single(OnnxNode("Conv", {"x", "w", "v"}, {"y"}).set("pads", Ints{1, 1, 1, 1}).set("strides", Ints{2, 2})),
      single(OnnxNode("Conv", {"x", "w"}, {"y"}).set("dilations", Ints{2, 2}).set("auto_pad", "SAME_UPPER")),
      single(OnnxNode("ConvTranspose", {"x", "w"}, {"y"}).set("strides", Ints{2, 2}).set("output_padding", Ints{1, 1})),
      single(OnnxNode("MaxPool", {"x"}, {"y", "indices"}).set("kernel_shape", Ints{3, 3}).set("ceil_mode", 1)),
      single(OnnxNode("AveragePool", {"x"}, {"y"}).set("kernel_shape", Ints{2, 2}).set("count_include_pad", 1)),
      single(OnnxNode("BatchNormalization", {"x", "v", "v", "v", "v"}, {"y"}).set("epsilon", 1e-3F)),
      single(OnnxNode("Resize", {"x", "", "s"}, {"y"}).set("mode", "linear")),
      single(OnnxNode("Pad", {"x", "i"}, {"y"}).set("mode", "reflect")),
      single(OnnxNode("Slice", {"x", "i", "i", "i"}, {"y"})),
      single(OnnxNode("Gather", {"x", "i"}, {"y"}).set("axis", 1)),
      single(OnnxNode("ReduceMean", {"x"}, {"y"}).set("axes", Ints{2, 3}).set("keepdims", 0)),
      single(OnnxNode("Transpose", {"x"}, {"y"}).set("perm", Ints{0, 2, 3, 1})),
      single(OnnxNode("Reshape", {"x", "i"}, {"y"})),
      single(OnnxNode("Expand", {"v", "i"}, {"y"})),
      single(OnnxNode("Tile", {"v", "i"}, {"y"})),
      single(OnnxNode("LRN", {"x"}, {"y"}).set("size", 3)),
      single(OnnxNode("Softmax", {"x"}, {"y"}).set("axis", 1)),
      single(OnnxNode("Concat", {"x", "x"}, {"y"}).set("axis", 1)),
      single(OnnxNode("Split", {"x"}, {"y", "z"}).set("axis", 1)),
      single(OnnxNode("ConstantOfShape", {"i"}, {"y"})),
      single(OnnxNode("DepthToSpace", {"x"}, {"y"}).set("blocksize", 2), 10),
  };
}

void write_models(const std::filesystem::path& path) {
  std::vector<std::string> models = single_nodes();
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::string file = text_of(test::encode(test::make_random_graph(seed)));
    if (file.size() <= kMostBytes) models.push_back(std::move(file));
  }
  Folder folder(path);
  for (const std::string& model : models) {
    folder.add(model);
    for (std::uint32_t seed = 1; seed <= kMutations; ++seed) folder.add(fuzz::mutate_model(model, seed));
  }
}

void write_pictures(const std::filesystem::path& path) {
  Folder folder(path);
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(LINNET_SOURCE_DIR) / "tests/image/data")) {
    if (entry.path().extension() != ".png" && entry.path().extension() != ".jpg") continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    folder.add(std::string{std::istreambuf_iterator<char>(stream), {}});
  }
}

void write_texts(const std::filesystem::path& path, const std::vector<std::string>& texts) {
  Folder folder(path);
  for (const std::string& text : texts) folder.add(text);
}

void write_noise(const std::filesystem::path& path, std::size_t bytes, int count) {
  std::mt19937 random(1);
  Folder folder(path);
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (std::size_t k = 0; k < bytes; ++k) text += static_cast<char>(random());
    folder.add(text);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "make_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  write_models(folder / "model");
  write_pictures(folder / "picture");
  write_noise(folder / "noise", 64, 500);
  write_noise(folder / "networks", 12, 20);
  write_texts(folder / "external",
              {"location=w.bin\noffset=0\nlength=16", "location=sub/w.bin\noffset=48", "location=../secret",
               "location=link", "location=up/secret", "location=sub/../../secret", "location=/etc/passwd",
               "location=w.bin\noffset=-1", "location=w.bin\nlength=18446744073709551615", "key=value",
               "location=w.bin\nlocation=link", "location=", "location=.", "location=//w.bin"});
  write_texts(folder / "labels",
              {R"({"0": "tench", "1": "goldfish"})", R"(["tench", "goldfish"])", "{0: 'tench', 1: \"it's\"}",
               "n01440764 tench, Tinca tinca\nn01443537 goldfish\n", "tench\r\ngoldfish\r\n", "\xef\xbb\xbftench\n",
               R"(["\u0000", "\ud800"])", "{0: 'a', 0: 'b'}", "[[[[[[[[", "{\"1\": \"a\"}"});
  write_texts(
      folder / "config",
      {R"({"model":{"io":{"input":{"single":{"dim_limits":[{"min":1,"max":4},{"min":2},{"min":2}]}}}}})",
       R"({"model":{"io":{"input":{"dim_limits":[{"max":3}]}}},"modelhub":{"preset":"cifar10"}})", "{}", "[]",
       R"({"model":[]})", R"({"model":{"io":{"input":[{"min":-1}]}}})", R"({"modelhub":{"preset":7}})",
       R"({"model":{"io":{"input":{"dim_limits":[{"min":1e400}]}}}})", "{\"a\":1,\"a\":2}", "[[[[[[[[", "\xff"});
  write_texts(folder / "tensor", {test::onnx_tensor("t", Tensor::of<float>({2}, std::vector<float>{1, 2})).text(),
                                  test::onnx_tensor_header("t", 7, {2}).packed(7, {-1, 300}).text(),
                                  test::onnx_tensor_header("t", 1, {2}).real(4, 1).real(4, 2).text()});
  return 0;
}
