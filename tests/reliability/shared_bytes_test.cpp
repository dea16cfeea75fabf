// What a file holds once, and names thousands of times, costs once: memory that the passes and the plan take is held against
// the file's size, time against its length.
#include <algorithm>
#include <limits>

#include "reliability/hostile.h"

namespace linnet::test::shared_bytes_test {

namespace {

using Names = std::vector<std::string>;

std::string number(int i) { return std::to_string(i); }

/// Each of `times` nodes of `op`, as `make(in, out)` gives it, reads what the one before wrote.
template <typename Make>
std::vector<OnnxNode> chain(int times, const Make& make) {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < times; ++i) {
    for (OnnxNode& node : make(i == 0 ? "x" : "v" + number(i), i + 1 == times ? "y" : "v" + number(i + 1)))
      nodes.push_back(std::move(node));
  }
  return nodes;
}

std::int64_t bytes_of_run(const std::vector<std::byte>& file) {
  return footprint_of([&] { (void)run(file); }).bytes;
}

constexpr std::int64_t kMegabyte = 1 << 20;

}  // namespace

TEST_CASE("a constant at an odd address that many nodes read is copied once") {
  const auto nodes = chain(200, [](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode("Add", {in, "w"}, {out})};
  });
  constexpr std::int64_t kElements = 250'000;
  for (std::size_t shift = 0; shift < 8; ++shift) {
    OnnxModel model(8, 13);
    model.graph.name(std::string(1 + shift, 'g'))
        .initializer("w", floats_of({kElements}))
        .input("x", DataType::float32, {kElements});
    for (const OnnxNode& node : nodes) model.graph.node(node);
    model.graph.output("y", DataType::float32, {kElements});
    CHECK(bytes_of_run(model.bytes()) < 16 * kMegabyte);
  }
}

TEST_CASE("a constant in float16 that many calls of a function share is widened once") {
  const Tensor half(DataType::float16, {100'000});
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const char* name : {"F", "FF"}) {  // one of them puts the constant at an even address, where no call copies it
    ProtoWriter function;
    function.bytes(1, name).bytes(4, "x").bytes(5, "y");
    function.message(7, OnnxNode("Constant", {}, {"k"}).set("value", half).proto());
    function.message(7, OnnxNode("ReduceMax", {"k"}, {"m"}).set("keepdims", 0).proto());
    function.message(7, OnnxNode("Sum", {"x", "m"}, {"y"}).proto());
    function.message(9, ProtoWriter().bytes(1, "").number(2, 13)).bytes(10, "local");
    OnnxModel model(8, 13);
    model.import("local", 1).fields().message(25, function);
    for (const OnnxNode& node : chain(50, [&](const std::string&in, const std::string&out) {
           return std::vector{OnnxNode(name, {in}, {out}).domain("local")};
         }))
      model.graph.node(node);
    model.graph.input("x", DataType::float16, {1}).output("y", DataType::float16, {1});
    least = std::min(least, bytes_of_run(model.bytes()));
  }
  CHECK(least < 8 * kMegabyte);
}

TEST_CASE("weights that many nodes share are scaled for a few of them") {
  const std::string op = GENERATE("Gemm", "Conv");
  const bool gemm = op == "Gemm";
  constexpr std::int64_t kChannels = 512;
  const auto nodes = chain(100, [&](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode(op, {in, "w"}, {out + "_w"}), OnnxNode("Mul", {out + "_w", "half"}, {out})};
  });
  const Tensor half = gemm ? floats_of({kChannels}, 0.5f) : floats_of({kChannels, 1, 1}, 0.5f);
  const Tensor weights = gemm ? floats_of({kChannels, kChannels}) : floats_of({kChannels, kChannels, 1, 1});
  const std::vector<std::byte> file =
      model_of(nodes, {{"x", gemm ? std::vector<OnnxDim>{1, kChannels} : std::vector<OnnxDim>{1, kChannels, 2, 2}}},
               {{"w", weights}, {"half", half}})
          .bytes();
  CHECK(bytes_of_run(file) < 64 * kMegabyte);
}

TEST_CASE("50,000 inputs are planned and given in linear time") {
  Names names;
  OnnxModel model(8, 13);
  for (int i = 0; i < 50'000; ++i) {
    names.push_back("x" + number(i));
    model.graph.input(names.back(), DataType::float32, {1});
  }
  model.graph.node(OnnxNode("Sum", names, {"y"})).output("y", DataType::float32, {1});
  const std::vector<std::byte> file = model.bytes();
  std::vector<Tensor> results;
  const double seconds =
      processor_seconds_of([&] { results = run(file, std::vector<Tensor>(names.size(), floats_of({1}))); });
  CHECK(floats(results.at(0)) == std::vector<float>{50'000});
  CHECK(seconds < 3 * kSlowness);
}

TEST_CASE("an output's origin is looked for once, however long the way and however many outputs") {
  OnnxModel model(8, 13);
  const auto nodes = chain(30'000, [](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode("Identity", {in}, {out})};
  });
  for (const OnnxNode& node : nodes) model.graph.node(node);
  model.graph.input("x", DataType::float32, {1});
  for (int i = 0; i < 30'000; ++i) model.graph.output("y", DataType::float32, {1});
  const std::vector<std::byte> file = model.bytes();
  CHECK(processor_seconds_of([&] { (void)Model::load(file); }) < 3 * kSlowness);
}

TEST_CASE("domains that a file imports are not copied for each part of it") {
  constexpr int kParts = 1000, kDomains = 2000;
  const auto nodes = chain(kParts, [](const std::string& in, const std::string& out) {
    return std::vector{OnnxNode("NonZero", {in}, {out + "_n"}),
                       OnnxNode("Cast", {out + "_n"}, {out}).set("to", static_cast<int>(DataType::float32))};
  });
  OnnxModel model = model_of(nodes, {{"x", {1}}});
  for (int i = 0; i < kDomains; ++i) model.import("domain" + number(i), 1);
  const std::vector<std::byte> file = model.bytes();
  CHECK(footprint_of([&] { (void)Plan(Model::load(file), one_thread()); }).bytes < 64 * kMegabyte);
}

}  // namespace linnet::test::shared_bytes_test
