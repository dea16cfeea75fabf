// How much memory a network takes, in a process of its own.
#include <catch2/catch.hpp>

#include "support/data_dir.h"
#include "support/program.h"
#include "support/resnet.h"
#include "support/sanitized.h"

namespace linnet::test::memory_test {
namespace {

/// Resident bytes as a part of the weights' in the file.
struct Footprint {
  double peak = 0, after = 0;
};

Footprint footprint(const std::string& model) {
  const double weights = 4 * run_program({"inspect", model, "--json"}).json().at("parameters").get<double>();
  const Ran ran = run_program({"bench", model, "--seconds", "0", "--warmup", "1", "--threads", "2", "--json"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const double peak = ran.json().at("peak_rss_mb"), after = ran.json().at("resident_mb");
  REQUIRE(after > 0);
  return {.peak = peak * 1048576 / weights, .after = after * 1048576 / weights};
}

}  // namespace

TEST_CASE("ResNet-50 takes at most 1.7 times the memory of its weights") {
  if (kSanitized) return;  // its shadow memory counts, too
  const TempDir folder;
  const std::filesystem::path model = folder.path() / "model.onnx";
  write_text(model, resnet(50).text());
  // Large, so that the program would be found too large if it took over the peak of the process that starts it.
  const std::vector<char> of_this_process(std::size_t{400} << 20, 1);
  const auto [peak, after] = footprint(model);
  CHECK(peak <= 1.7);
  CHECK(after <= peak);
  CHECK(of_this_process.back() == 1);
}

TEST_CASE("a trained ResNet-50 takes at most 1.7 times the memory of its weights") {
  const std::filesystem::path model = data_dir() / "models" / "resnet50" / "model.onnx";
  if (kSanitized || skip_without(model)) return;
  CHECK(footprint(model).peak <= 1.7);
}

}  // namespace linnet::test::memory_test
