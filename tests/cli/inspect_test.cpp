// What inspect costs for files that say much of one kind.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <string>

#include "support/onnx_builder.h"
#include "support/processor_seconds.h"
#include "support/program.h"
#include "support/temp_dir.h"

namespace linnet::test::inspect_test {

namespace {

/// Of all programs that have been started and have ended.
double seconds_of_programs() {
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

}  // namespace

TEST_CASE("inspect --json lists 50,000 imported domains in linear time") {
  constexpr int kDomains = 50'000;
  OnnxModel model = OnnxModel(8, 13);
  model.graph.name("g").node(OnnxNode("Relu", {"x"}, {"y"})).input("x", DataType::float32, {1});
  model.graph.output("y", DataType::float32, {1});
  for (int i = 0; i < kDomains; ++i) model.import("domain" + std::to_string(i), 1);
  const TempDir dir;
  const std::string file = dir.path() / "model.onnx";
  write_text(file, model.text());
  const double before = seconds_of_programs();
  const auto opsets = run_program({"inspect", file, "--json", "--threads=1"}).json().at("opsets");
  CHECK(seconds_of_programs() - before < 2 * kSlowness);
  CHECK(opsets.size() == kDomains + 1);
  CHECK(opsets.at("ai.onnx") == 13);
  CHECK(opsets.at("domain7") == 1);
}

}  // namespace linnet::test::inspect_test
