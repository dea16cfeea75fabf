// Tuning: what it finds, where it is kept, and that no blocking changes a bit.
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <locale>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "linnet/linnet.h"
#include "support/data_dir.h"
#include "support/onnx_builder.h"
#include "support/program.h"
#include "support/random_data.h"
#include "support/temp_dir.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;

struct TunedNetwork {
  std::string path;
  Shape input;
};

std::vector<TunedNetwork> tuned_networks() {
  std::vector<TunedNetwork> list = {{test::bundled_model(), {2, 3, 32, 32}}};
  const auto squeezenet = test::data_dir() / "models" / "squeezenet1.0" / "model.onnx";
  if (!test::skip_without(squeezenet)) list.push_back({squeezenet.string(), {1, 3, 227, 227}});
  return list;
}

std::vector<float> values_of(const Tensor& tensor) {
  const std::span<const float> values = tensor.data<float>();
  return {values.begin(), values.end()};
}

ErrorCode refusal_of(const std::string& path) {
  try {
    (void)load_tuning(path);
  } catch (const Error& error) {
    return error.code();
  }
  return ErrorCode::internal;
}

}  // namespace

TEST_CASE("no blocking changes a bit") {
  // The smallest, the greatest, more than there is, and some between.
  const std::vector<Blocking> blockings = {
      {1, 1, 1}, {64, 1, 2}, {3, 7, 3}, {0, 2, 0}, {9, 0, 1000}, {1 << 20, 1 << 20, 1 << 20}, {5, 1, 2}};
  for (const TunedNetwork& network : tuned_networks()) {
    INFO(network.path);
    const Model model = Model::load(network.path);
    test::Random random(7);
    const Tensor input = test::from_reference(test::random_reals(random, network.input, -2, 2));
    for (const int threads : {1, 2, 3}) {
      SessionOptions options;
      options.threads = threads;
      Session untuned(model, options);
      const std::vector<float> expected = values_of(untuned.run(input).at(0));
      const PlanReport report = untuned.profile();
      for (const Blocking& blocking : blockings) {
        INFO(threads << " threads, tiles " << blocking.tiles << ", chunk " << blocking.chunk << ", panel_parts "
                     << blocking.panel_parts);
        options.tuning = {};
        for (const StepReport& step : report.steps) {
          CHECK_FALSE(step.tuned);
          if (!step.tuning_key.empty()) options.tuning.blockings[step.tuning_key] = blocking;
        }
        CHECK(options.tuning.blockings.size() > 5);
        Session tuned(model, options);
        CHECK(values_of(tuned.run(input).at(0)) == expected);
        for (const StepReport& step : tuned.profile().steps) CHECK(step.tuned == !step.tuning_key.empty());
      }
    }
  }
}

TEST_CASE("a convolution before a dynamic node reports that it is tuned") {
  test::Random random(5);
  test::OnnxModel file;
  file.graph.node(test::OnnxNode("Conv", {"x", "w"}, {"y"}))
      .node(test::OnnxNode("NonZero", {"y"}, {"where"}))
      .input("x", DataType::float32, {1, 16, 9, 9})
      .initializer("w", test::from_reference(test::random_reals(random, {32, 16, 1, 1}, -1, 1)))
      .output("where", DataType::int64, {4, "N"});
  const std::vector<std::byte> bytes = file.bytes();
  const Model model = Model::load(bytes);
  const Tensor x = test::from_reference(test::random_reals(random, {1, 16, 9, 9}, -1, 1));
  const auto tuned_keys = [&](const SessionOptions& options) {
    Session session(model, options);
    session.run(x);
    std::vector<std::pair<std::string, bool>> keys;
    for (const StepReport& step : session.profile().steps) {
      if (step.op == "Conv") keys.emplace_back(step.tuning_key, step.tuned);
    }
    return keys;
  };
  SessionOptions options;
  const auto untuned = tuned_keys(options);
  REQUIRE(untuned.size() == 1);
  const std::string key = untuned[0].first;
  CHECK_FALSE(key.empty());
  CHECK_FALSE(untuned[0].second);
  options.tuning.blockings[key] = {3, 1, 2};
  CHECK(tuned_keys(options) == std::vector{std::pair(key, true)});
}

TEST_CASE("tune measures every shape, and what it finds holds for so many threads only") {
  const Model model = Model::load(test::bundled_model());
  SessionOptions options;
  options.threads = 2;
  TuneOptions quickly;
  quickly.seconds = 0;
  std::atomic<int> percent = 0;
  quickly.percent = &percent;
  const TuneResult result = tune(model, options, quickly);
  CHECK(percent == 100);
  CHECK(result.shapes > 5);
  CHECK(result.changed.size() <= result.shapes);
  CHECK(result.before_ms > 0);
  CHECK(result.after_ms > 0);
  for (const TunedShape& shape : result.changed) {
    CHECK(result.tuning.blockings.at(shape.key) == shape.after);
    CHECK_FALSE(shape.before == shape.after);
    CHECK_FALSE(shape.nodes.empty());
  }
  options.tuning = result.tuning;
  options.threads = 1;
  for (const StepReport& step : Plan(model, options).report().steps) CHECK_FALSE(step.tuned);
}

TEST_CASE("a tuning comes back from its file as it was") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "tuning").string();
  Tuning tuning;
  tuning.blockings["a processor: with a colon, and commas | im2col_gemm 1x3"] = {8, 0, 2};
  tuning.blockings["another"] = {1 << 20, 16, 1};
  save_tuning(path, tuning);
  CHECK(load_tuning(path).blockings == tuning.blockings);
  save_tuning(path, {});
  CHECK(load_tuning(path).blockings.empty());
  CHECK_THROWS_AS(save_tuning((folder.path() / "no" / "folder").string(), tuning), Error);
}

TEST_CASE("a tuning is written alike in every locale") {
  struct Grouping : std::numpunct<char> {
    [[nodiscard]] std::string do_grouping() const override { return "\3"; }
  };
  const test::TempDir folder;
  const std::string path = (folder.path() / "tuning").string();
  Tuning tuning;
  tuning.blockings["one"] = {12345, 67890, 2};
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Grouping));
  save_tuning(path, tuning);
  const Tuning back = load_tuning(path);
  std::locale::global(before);
  CHECK(back.blockings == tuning.blockings);
}

TEST_CASE("who reads a tuning that many write gets one of theirs, whole") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "tuning").string();
  Tuning tunings[2];
  for (std::int32_t i = 0; i < 300; ++i) {
    tunings[0].blockings["a" + std::to_string(i)] = {i, 1, 1};
    if (i < 100) tunings[1].blockings["another" + std::to_string(i)] = {1, i, 1};
  }
  save_tuning(path, tunings[0]);
  std::atomic<int> failed = 0;
  std::vector<std::thread> writers;
  for (const Tuning& tuning : tunings) {
    writers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) try {
          save_tuning(path, tuning);
        } catch (const Error&) {
          ++failed;
        }
    });
  }
  for (int i = 0; i < 200; ++i) {
    const auto found = load_tuning(path).blockings;
    if (found != tunings[0].blockings && found != tunings[1].blockings) ++failed;
  }
  for (std::thread& writer : writers) writer.join();
  CHECK(failed == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("a tuning is written where a link leads, never where a path ends early, and no larger than can be read") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "tuning").string(), link = (folder.path() / "link").string();
  Tuning tuning;
  tuning.blockings["one"] = {1, 2, 3};
  save_tuning(path, {});
  std::filesystem::create_symlink("tuning", link);
  save_tuning(link, tuning);
  CHECK(std::filesystem::is_symlink(link));
  CHECK(load_tuning(path).blockings == tuning.blockings);
  const auto refusal = [](const std::string& to, const Tuning& what) {
    try {
      save_tuning(to, what);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  CHECK(refusal(path + std::string(1, '\0') + "more", {}) == ErrorCode::usage);
  CHECK(load_tuning(path).blockings == tuning.blockings);
  Tuning large;
  large.blockings[std::string(16 << 20, 'k')] = {};
  CHECK(refusal(path, large) == ErrorCode::usage);
}

TEST_CASE("tune takes a time that ends") {
  const Model model = Model::load(test::bundled_model());
  SessionOptions options;
  options.input_shapes = {{model.inputs().at(0).name, {1, 3, 32, 32}}};
  for (const double seconds : {-1.0, std::nan(""), std::numeric_limits<double>::infinity(), 3601.0}) {
    TuneOptions tuning;
    tuning.seconds = seconds;
    CHECK_THROWS_AS(tune(model, options, tuning), Error);
  }
}

TEST_CASE("no tuning makes scratch grow without bound") {
  test::OnnxModel model(8, 13);
  test::Random random(3);
  model.graph.input("x", DataType::float32, {1, 32, 512, 512});
  model.graph.initializer("w", test::from_reference(test::random_reals(random, {32, 32, 3, 3}, -1, 1)));
  model.graph.node(test::OnnxNode("Conv", {"x", "w"}, {"y"}).set("pads", std::vector<std::int64_t>(4, 1)));
  model.graph.output("y", DataType::float32, {1, 32, 512, 512});
  SessionOptions options;
  options.threads = 1;
  const std::vector<std::byte> file = model.bytes();
  const Model loaded = Model::load(file);
  const PlanReport untuned = Plan(loaded, options).report();
  for (const StepReport& step : untuned.steps) {
    if (!step.tuning_key.empty()) options.tuning.blockings[step.tuning_key] = {1 << 20, 1 << 20, 1 << 20};
  }
  CHECK(options.tuning.blockings.size() == 1);
  CHECK(Plan(loaded, options).report().arena_bytes < untuned.arena_bytes * 5 / 4);
}

TEST_CASE("a file that is no tuning is refused") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "tuning").string();
  CHECK(refusal_of(path) == ErrorCode::io);
  for (const char* const text :
       {"", "linnet-tuning 2\n", "linnet-tuning 1\nkey\n", "linnet-tuning 1\n\n",
        "linnet-tuning 1\nkey: tiles 1, chunk 2\n", "linnet-tuning 1\nkey: tiles -1, chunk 2, panel_parts 1\n",
        "linnet-tuning 1\n: tiles 1, chunk 2, panel_parts 1\n",
        "linnet-tuning 1\nkey: tiles 1, chunk 2, panel_parts 1 \n",
        "linnet-tuning 1\nkey: tiles 1, chunk , panel_parts 1\n",
        "linnet-tuning 1\nkey: tiles 99999999999, chunk 2, panel_parts 1\n"}) {
    INFO(text);
    test::write_text(path, text);
    CHECK(refusal_of(path) == ErrorCode::format);
  }
}
