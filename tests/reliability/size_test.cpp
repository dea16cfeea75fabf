// Catalogue B, E and F: files that are large in one way or another, at their full counts. What they cost is held against
// their size.
#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <optional>
#include <string>

#include "base/file.h"
#include "reliability/process.h"
#include "support/temp_dir.h"

namespace linnet::test::size_test {

namespace {

constexpr std::size_t kHundredMegabytes = 100'000'000;

/// Loads and runs y = relu(x) from this file of much else, which must cost next to nothing.
void check_passed_over(const OnnxModel& model) {
  const std::vector<std::byte> file = model.bytes();
  REQUIRE(file.size() >= kHundredMegabytes);
  std::vector<Tensor> outputs;
  const Footprint footprint = footprint_of([&] { outputs = run(file, {tensor<float>({2}, {-1, 2})}); });
  CHECK(floats(outputs.at(0)) == std::vector<float>{0, 2});
  CHECK(footprint.words == "");
  CHECK(footprint.bytes < 1'000'000);
  CHECK(footprint.seconds < kSecondsPerMegabyte * static_cast<double>(file.size()) / 1e6);
}

OnnxModel relu_model() { return model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {2}}}); }

std::string repeated(const ProtoWriter& fields, std::size_t bytes) {
  std::string text;
  text.reserve(bytes + fields.text().size());
  while (text.size() < bytes) text += fields.text();
  return text;
}

/// A model of one weight for each file, or all in one, added up.
struct ExternalWeights {
  TempDir folder;
  std::vector<std::byte> file;
  LoadOptions options;

  ExternalWeights(int tensors, bool one_file) {
    std::vector<OnnxNode> nodes;
    std::vector<std::string> names = {"x"};
    OnnxModel model = model_of({}, {{"x", {1}}});
    const std::vector<std::byte> one = to_bytes(std::string("\0\0\x80\x3f", 4));
    std::vector<std::byte> all;
    for (int i = 0; i < tensors; ++i) {
      const std::string name = "w" + std::to_string(i);
      if (one_file) all.insert(all.end(), one.begin(), one.end());
      else write_bytes(folder.path() / name, one);
      model.graph.initializer(onnx_external_tensor(
          name, 1, {1}, {{"location", one_file ? "all" : name}, {"offset", std::to_string(one_file ? 4 * i : 0)}}));
      names.push_back(name);
    }
    if (one_file) write_bytes(folder.path() / "all", all);
    model.graph.node(OnnxNode("Sum", names, {"y"}));
    file = model.bytes();
    options.external_data_dir = folder.path().string();
  }
};

/// The limit under which no more than two descriptors can be opened, whatever is open already and in whatever places.
rlim_t room_for_two() {
  const base::FileHandle first(open("/", O_RDONLY)), second(open("/", O_RDONLY));
  return static_cast<rlim_t>(std::max(first.get(), second.get())) + 1;
}

/// With room for two descriptors: the folder's and the file's.
void check_external(int tensors, bool one_file) {
  const ExternalWeights weights(tensors, one_file);
  CHECK(in_child([&] {
          const rlim_t room = room_for_two();
          const rlimit few{room, room};
          if (setrlimit(RLIMIT_NOFILE, &few) != 0) return 2;
          (void)Model::load(weights.file, weights.options);
          return 0;
        }) == 0);
  const auto before = open_descriptors();
  std::optional<Model> model;
  const Footprint footprint = footprint_of([&] { model = Model::load(weights.file, weights.options); });
  CHECK(open_descriptors() == before);
  CHECK(footprint.words == "");
  CHECK(footprint.bytes < (64 << 20) + kBytesPerFileByte * static_cast<std::int64_t>(weights.file.size()));
  CHECK(footprint.seconds < 2 * kSlowness);
  CHECK(model->summary().parameters == tensors);
}

/// So many branches that live side by side, and a sum that ends them one after the other. Each node says where it was made, as
/// an exporter writes it: 200,000 nodes of a few bytes each would be out of proportion to their file.
void check_branches(int count) {
  const std::string documentation(400, 'd');
  OnnxModel model = model_of({}, {{"x", {1}}});
  const auto add = [&](const char* op, const std::vector<std::string>& inputs, const std::string& output) {
    ProtoWriter node;
    for (const std::string& input : inputs) node.bytes(1, input);
    model.graph.fields().message(1, node.bytes(2, output).bytes(4, op).bytes(6, documentation));
  };
  for (int i = 0; i < count; ++i) add("Relu", {"x"}, "v" + std::to_string(i));
  std::string sum = "x";
  for (int i = 0; i < count; ++i) {
    const std::string next = i == count - 1 ? "y" : "s" + std::to_string(i);
    add("Add", {sum, "v" + std::to_string(i)}, next);
    sum = next;
  }
  const std::vector<std::byte> file = model.bytes();
  std::vector<Tensor> outputs;
  const double seconds = processor_seconds_of([&] { outputs = run(file, {floats_of({1})}); });
  CHECK(floats(outputs.at(0)) == std::vector<float>{static_cast<float>(count + 1)});
  CHECK(seconds < 10 * kSlowness);  // a guard against quadratic time
}

}  // namespace

TEST_CASE("B12: a hundred megabytes of unknown fields take no memory") {
  OnnxModel model = relu_model();
  ProtoWriter some;
  some.number(99, 7).fixed32(100, 1).fixed64(101, 1).bytes(102, "bytes").bytes(103, std::string(200, 'u'));
  model.graph.fields().raw(repeated(some, kHundredMegabytes / 2));
  model.fields().raw(repeated(some, kHundredMegabytes / 4)).bytes(104, std::string(kHundredMegabytes / 4, 'u'));
  check_passed_over(model);
}

TEST_CASE("B15: a hundred megabytes of documentation are not copied; a name of the producer has a limit") {
  OnnxModel model = relu_model();
  model.fields().bytes(6, std::string(kHundredMegabytes / 2, 'd'));
  model.graph.fields().bytes(10, std::string(kHundredMegabytes / 2, 'd'));
  check_passed_over(model);
  OnnxModel named = relu_model();
  named.fields().bytes(2, std::string(kHundredMegabytes, 'p'));
  CHECK_REFUSED(named, ErrorCode::limit, "at most 4096 bytes");
}

TEST_CASE("E12: 100,000 tensors in one file are read through one descriptor") { check_external(100'000, true); }
TEST_CASE("E12: a thousand files are read through one descriptor at a time") {
  check_external(1'000, false);
  const ExternalWeights weights(1'000, false);
  CHECK(floats(run(weights.file, {floats_of({1})}, one_thread(), weights.options).at(0)) == std::vector<float>{1'001});
}
TEST_CASE("E12: 100,000 files are read through one descriptor at a time", "[.nightly]") {
  check_external(100'000, false);
}

TEST_CASE("F14: 100,000 branches that live side by side", "[.nightly]") { check_branches(100'000); }

}  // namespace linnet::test::size_test
