// The engine on the ONNX backend test data, as a user would run them: right, or refused with a reason. Which case is which,
// nobody has written down here: `linnet verify` finds it out.
#include <catch2/catch.hpp>
#include <string>

#include "support/data_dir.h"
#include "support/program.h"

namespace {

using namespace linnet;

void check_folder(const std::string& name, int at_least) {
  const auto folder = test::onnx_testdata_dir() / name;
  if (test::skip_without(folder)) return;
  const test::Ran ran = test::run_program({"verify", "--suite", folder, "--json"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const nlohmann::json json = ran.json();
  WARN(name << ": " << json["passed"] << " passed, " << json["failed"] << " failed, " << json["refused"] << " refused");
  for (const nlohmann::json& one : json["cases"]) {
    if (one["status"] == "passed") continue;
    UNSCOPED_INFO(one["name"].get<std::string>() + ": " + one["reason"].get<std::string>());
    CHECK(one["status"] == "refused");
    CHECK_FALSE(one["reason"].get<std::string>().empty());
  }
  CHECK(json["passed"] >= at_least);
}

}  // namespace

TEST_CASE("docs/operators.json has the counts of ONNX's node tests") {
  const auto folder = test::onnx_testdata_dir() / "node";
  if (test::skip_without(folder)) return;
  const nlohmann::json found =
      test::run_program({"verify", "--suite", folder, "--json", "--totals"}).json()["operators"];
  const auto file = test::source_dir() / "docs" / "operators.json";
  const nlohmann::json written = nlohmann::json::parse(test::read_text(file))["operators"];
  INFO("to mend: linnet verify --suite " << folder << " --json --totals > docs/operators.json");
  CHECK(found.size() == written.size());
  for (const auto& [op, totals] : found.items()) {
    CAPTURE(op);
    REQUIRE(written.contains(op));
    // Not the errors: they are the C library's too, where an operator computes in double.
    for (const char* count : {"passed", "failed", "refused", "types"}) CHECK(totals[count] == written[op][count]);
  }
}

TEST_CASE("ONNX's node tests pass or are refused") { check_folder("node", 888); }
TEST_CASE("ONNX's simple tests pass or are refused") { check_folder("simple", 15); }
TEST_CASE("ONNX's pytorch-converted tests pass") { check_folder("pytorch-converted", 82); }
TEST_CASE("ONNX's pytorch-operator tests pass") { check_folder("pytorch-operator", 35); }
