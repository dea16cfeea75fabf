// inspect, bench, cpu and the program itself as processes.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "linnet/error.h"
#include "linnet/session.h"
#include "support/data_dir.h"
#include "support/program.h"

namespace {

using namespace linnet;
using namespace linnet::test;
using Json = nlohmann::json;

const std::string kModel = bundled_model();

void check_keys(const Json& object, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    INFO(key);
    CHECK(object.contains(key));
  }
}

}  // namespace

TEST_CASE("the program explains itself and refuses what is not a verb") {
  const Ran help = run_program({"--help"});
  CHECK(help.code == 0);
  CHECK(help.err.empty());
  for (const char* const verb : {"classify", "verify", "inspect", "bench", "tune", "ops", "cpu"}) {
    INFO(verb);
    CHECK(help.out.find(verb) != std::string::npos);
    const Ran verb_help = run_program({verb, "--help"});
    CHECK(verb_help.code == 0);
    CHECK(verb_help.out.find("--json") != std::string::npos);
  }
  CHECK(run_program({"--version"}).out.find('.') != std::string::npos);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{}, {"nonsense"}, {"inspect"}}) {
    const Ran ran = run_program(wrong);
    CHECK(ran.code == exit_code(ErrorCode::usage));
    CHECK(ran.out.empty());
    CHECK_FALSE(ran.err.empty());
  }
  CHECK(run_program({"nonsense"}).err.find("no such verb") != std::string::npos);
  CHECK(run_program({"nonsense"}).err.find("nonsense") != std::string::npos);
}

TEST_CASE("inspect shows the model, the passes and the plan") {
  const Ran text = run_program({"inspect", kModel, "--passes"});
  CHECK(text.code == 0);
  CHECK(text.err.empty());
  CHECK(text.out.find("\noperators    BatchNormalization 21") != std::string::npos);
  CHECK(text.out.find("fuse_residual_add") != std::string::npos);

  const Json json = run_program({"inspect", "-", "--json", "--disable-pass", "fuse_activation"}, kModel).json();
  check_keys(json, {"inputs", "outputs", "operators", "parameters", "macs", "passes", "plan"});
  check_keys(json["plan"], {"arena_bytes", "weight_bytes", "steps"});
  check_keys(json["plan"]["steps"].at(0), {"name", "op", "algorithm", "kernel"});
  CHECK(json["operators"]["Conv"] == 21);
  for (const Json& pass : json["passes"]) {
    check_keys(pass, {"name", "enabled", "applied", "refused"});
    CHECK(pass["enabled"] == (pass["name"] != "fuse_activation"));
  }
  CHECK(run_program({"inspect", kModel, "--dot"}).out.rfind("digraph", 0) == 0);
  // Each is an answer of its own, and none is given in place of another.
  for (const auto& both : {std::vector<std::string>{"--json", "--dot"}, {"--json", "--graph"}, {"--graph", "--dot"}})
    CHECK(run_program({"inspect", kModel, both[0], both[1]}).code == exit_code(ErrorCode::usage));
  CHECK(run_program({"inspect", kModel, "--disable-pass", "nonsense"}).code == exit_code(ErrorCode::usage));
  CHECK(run_program({"inspect", kModel, "--shape", "nonsense"}).code == exit_code(ErrorCode::usage));
}

TEST_CASE("bench measures and says what it measured") {
  const Ran ran = run_program(
      {"bench", kModel, "--seconds", "0.05", "--warmup", "1", "--batch", "2", "--threads", "1", "--profile", "--json"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const Json json = ran.json();
  check_keys(json, {"model", "batch", "threads", "isa", "load_ms", "first_ms", "images_per_s", "gflops", "peak_gflops",
                    "round_trip_ns", "peak_rss_mb", "resident_mb", "steps"});
  CHECK(json["resident_mb"] > 0);
  CHECK(json["resident_mb"] <= json["peak_rss_mb"]);
  CHECK(json["batch"] == 2);
  CHECK(json["threads"] == 1);
  CHECK(json["min_ms"] <= json["median_ms"]);
  CHECK(json["median_ms"] <= json["p90_ms"]);
  CHECK(json["p90_ms"] <= json["p99_ms"]);
  double all = 0;
  for (const Json& step : json["steps"]) all += step["ms"].get<double>();
  CHECK(all > 0);
}

TEST_CASE("limits prints what an option bounds by default") {
  const Json limits = run_program({"limits", "--json"}).json();
  CHECK(limits["LoadOptions::max_nodes"] == LoadOptions().max_nodes);
  CHECK(limits["SessionOptions::max_folded_bytes"] == SessionOptions().max_folded_bytes);
}

TEST_CASE("tune keeps what it finds in a file that the other verbs take") {
  const TempDir folder;
  const std::string file = (folder.path() / "cache" / "tuning").string();
  const Json json =
      run_program({"tune", kModel, "--seconds", "0", "--threads", "2", "--tuning", file, "--json"}).json();
  check_keys(json, {"model", "file", "shapes", "before_ms", "after_ms", "changed", "entries"});
  CHECK(json["shapes"].get<int>() > 5);
  CHECK(std::filesystem::exists(file) == !json["changed"].empty());

  const std::vector<std::string> bench = {"bench", kModel, "--seconds", "0", "--threads", "2", "--json", "--tuning"};
  const auto with = [&bench](const std::string& tuning) {
    std::vector<std::string> arguments = bench;
    arguments.push_back(tuning);
    return run_program(arguments);
  };
  write_text(file, "linnet-tuning 1\nanother machine: tiles 8, chunk 1, panel_parts 1\n");
  const Json untuned = with(file).json();
  CHECK(
      std::none_of(untuned["steps"].begin(), untuned["steps"].end(), [](const Json& s) { return s["tuned"] == true; }));
  CHECK(with("none").code == 0);
  CHECK(with((folder.path() / "missing").string()).code == exit_code(ErrorCode::io));
  write_text(file, "something else");
  CHECK(with(file).code == exit_code(ErrorCode::format));
  CHECK(run_program({"tune", kModel, "--tuning", file}).code == exit_code(ErrorCode::format));
  CHECK(run_program({"tune", kModel, "--tuning", "none"}).code == exit_code(ErrorCode::usage));
}

TEST_CASE("cpu names an instruction set that is available") {
  const Json json = run_program({"cpu", "--json"}).json();
  const std::vector<std::string> isas = json["available_isas"];
  CHECK(std::count(isas.begin(), isas.end(), json["isa"].get<std::string>()) == 1);
  CHECK(json["default_threads"] >= 1);
}

TEST_CASE("ops lists the operators, and docs/operators.md is what it prints") {
  const Json operators = run_program({"ops", "--json"}).json()["operators"];
  const auto conv =
      std::find_if(operators.begin(), operators.end(), [](const Json& op) { return op["name"] == "Conv"; });
  REQUIRE(conv != operators.end());
  CHECK((*conv)["domain"] == "ai.onnx");
  CHECK((*conv)["first_opset"] == 1);
  CHECK((*conv)["types"] == "T floats");
  CHECK((*conv)["attributes"] == Json({"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}));
  for (const Json& op : operators) CHECK(op["domain"] != "linnet");
  CHECK(run_program({"ops"}).out.find("\nai.onnx         Conv ") != std::string::npos);
  const auto docs = source_dir() / "docs";
  INFO("to mend: ./dev ops --markdown --results docs/operators.json docs/operators_newer.json > docs/operators.md");
  CHECK(run_program({"ops", "--markdown", "--results", docs / "operators.json", docs / "operators_newer.json"}).out ==
        read_text(docs / "operators.md"));
  CHECK(run_program({"ops", "--markdown", "--results", docs / "cli.md"}).code == exit_code(ErrorCode::format));
  CHECK(run_program({"ops", "--results", docs / "operators.json"}).code == exit_code(ErrorCode::usage));
}
