// Files and folders that are not as the program would have them: its exit code is theirs, never "a defect".
#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "linnet/error.h"
#include "support/data_dir.h"
#include "support/program.h"

namespace linnet::test::file_trouble_test {

namespace {

namespace fs = std::filesystem;

const fs::path kBundled = bundled_dir();
const std::string kModel = bundled_model();
const std::string kShip = kBundled / "sample_data" / "ship.jpg";

/// The bundled model folder with another file in one place.
struct Folder {
  TempDir dir;
  Folder() {
    fs::create_directories(path() / "model");
    fs::create_directories(path() / "sample_data");
    fs::create_symlink(kModel, path() / "model" / "model.onnx");
    fs::create_symlink(kShip, path() / "sample_data" / "ship.jpg");
  }
  [[nodiscard]] fs::path path() const { return dir.path() / "folder"; }
};

void link_to_itself(const fs::path& path) {
  fs::remove(path);
  fs::create_symlink(path.filename(), path);
}

void check_refused(const std::vector<std::string>& arguments, ErrorCode code, const std::string& said = {}) {
  const Ran ran = run_program(arguments);
  INFO(arguments[0] << ' ' << arguments.back().substr(0, 80) << ": " << ran.err.substr(0, 300));
  CHECK(ran.code == exit_code(code));
  CHECK(ran.out.empty());
  CHECK(ran.err.find(said) != std::string::npos);
  CHECK(ran.err.find("terminate") == std::string::npos);
}

std::string nested(const std::string& open, const std::string& close, int levels) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += open;
  text += "1";
  for (int i = 0; i < levels; ++i) text += close;
  return text;
}

}  // namespace

TEST_CASE("a deeply nested config.json is refused") {
  const Folder folder;
  const auto config = [&](const std::string& text) { write_text(folder.path() / "model" / "config.json", text); };
  const int levels = 100'000;
  config(nested("[", "]", levels));
  check_refused({"classify", folder.path()}, ErrorCode::format, "nested");
  config(nested("{\"a\":", "}", levels));
  check_refused({"classify", folder.path()}, ErrorCode::format, "nested");
  config("{\"model\":{\"io\":{\"input\":{\"dim_limits\":" + nested("[", "]", levels) + "}}}}");
  check_refused({"classify", folder.path()}, ErrorCode::format, "nested");
  config("{\"modelhub\":{\"preset\":\"cifar10\"},\"x\":" + nested("[", "]", 20) + "}");
  CHECK(run_program({"classify", folder.path()}).code == 0);
}

TEST_CASE("results of linnet ops that are incomplete or of the wrong types or no file are refused before a word") {
  const TempDir dir;
  const fs::path file = dir.path() / "results.json";
  const std::vector<std::string> ops = {"ops", "--markdown", "--results", file};
  const std::string whole = R"({"types":["float"],"passed":7,"refused":0,"max_ulp":1.5})";
  for (const std::string& totals :
       {std::string("{}"), std::string("[]"), std::string("null"), std::string("5"),
        std::string(R"({"types":["float"],"passed":1,"refused":0})"),
        std::string(R"({"types":[1],"passed":1,"refused":0,"max_ulp":1})"),
        std::string(R"({"types":"float","passed":1,"refused":0,"max_ulp":1})"),
        std::string(R"({"types":["float"],"passed":"1","refused":0,"max_ulp":1})"),
        std::string(R"({"types":["float"],"passed":1,"refused":0,"max_ulp":null})"), nested("[", "]", 100'000)}) {
    write_text(file, R"({"operators":{"Abs":)" + totals + "}}");
    check_refused(ops, ErrorCode::format);
  }
  for (const std::string text : {"", "x", "{}", "[]", "{\"operators\":[]}"}) {
    write_text(file, text);
    check_refused(ops, ErrorCode::format);
  }
  write_text(file, R"({"operators":{"Abs":)" + whole + "}}");
  const Ran ran = run_program(ops);
  CHECK(ran.code == 0);
  CHECK(ran.out.find("| float | 7 | 0 | 1.5 |") != std::string::npos);
  fs::remove(file);
  check_refused(ops, ErrorCode::io);
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  check_refused(ops, ErrorCode::io);
  check_refused({"ops", "--markdown", "--results", dir.path()}, ErrorCode::io);
}

TEST_CASE("links to themselves and names that no system takes are trouble with files") {
  const std::string long_name(300, 'a');
  for (const std::string verb : {"classify", "inspect", "verify", "bench"}) {
    const Folder folder;
    const std::vector<std::string> pictures = verb == "classify" ? std::vector{kShip} : std::vector<std::string>();
    const auto refused = [&](const std::string& model) {
      std::vector<std::string> arguments = {verb, model};
      arguments.insert(arguments.end(), pictures.begin(), pictures.end());
      check_refused(arguments, ErrorCode::io);
    };
    refused(long_name);
    link_to_itself(folder.path() / "model" / "model.onnx");
    refused(verb == "verify" ? folder.path() / "model" : folder.path());
    const fs::path loop = folder.dir.path() / "loop";
    link_to_itself(loop);
    refused(loop);
  }
  for (const fs::path part : {"model/labels.json", "model/config.json", "sample_data"}) {
    const Folder folder;
    fs::remove_all(folder.path() / part);
    link_to_itself(folder.path() / part);
    check_refused({"classify", folder.path()}, ErrorCode::io);
  }
  check_refused({"verify", kModel, long_name}, ErrorCode::io);
  check_refused({"verify", "--suite", long_name}, ErrorCode::io);
}

TEST_CASE("one picture of a model folder that cannot be looked at does not keep the others from their answers") {
  const Folder folder;
  const fs::path samples = folder.path() / "sample_data";
  link_to_itself(samples / "loop.png");
  fs::create_symlink("nowhere", samples / "dangling.png");
  link_to_itself(samples / "loop.txt");
  fs::create_directory(samples / "folder.png");
  const Ran ran = run_program({"classify", folder.path(), "--preset", "cifar10", "--json"});
  INFO(ran.err);
  CHECK(ran.code == exit_code(ErrorCode::io));
  REQUIRE(ran.json()["results"].size() == 1);
  CHECK(ran.json()["results"][0]["image"] == (samples / "ship.jpg").string());
  for (const char* const name : {"loop.png", "dangling.png"}) CHECK(ran.err.find(name) != std::string::npos);
  CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 2);
}

TEST_CASE("one case with broken links does not keep a suite from its others") {
  const TempDir suite;
  for (const std::string name : {"first", "second", "third"}) {
    fs::create_directories(suite.path() / name / "test_data_set_0");
    fs::create_symlink(kModel, suite.path() / name / "model.onnx");
    write_text(suite.path() / name / "test_data_set_0" / "input_0.pb", "damaged");
  }
  link_to_itself(suite.path() / "first" / "test_data_set_0" / "input_0.pb");
  link_to_itself(suite.path() / "second" / "test_data_set_1");
  const Ran ran = run_program({"verify", "--suite", suite.path(), "--json"});
  INFO(ran.err);
  CHECK(ran.code == 1);
  CHECK(ran.json()["cases"].size() == 3);
  CHECK(ran.json()["failed"] == 3);
}

TEST_CASE("numbers that are none, or written as people do not, are refused") {
  const std::vector<std::vector<std::string>> wrong = {
      {"bench", kModel, "--seconds", "nan"},         {"bench", kModel, "--warmup", "010"},
      {"tune", kModel, "--seconds", "nan"},          {"tune", kModel, "--seconds", "inf"},
      {"verify", kModel, "--rtol", "nan"},           {"verify", kModel, "--atol", "-1"},
      {"classify", kModel, kShip, "--top", "010"},   {"classify", kModel, kShip, "--top", "0x5"},
      {"classify", kModel, kShip, "--batch", "1.0"}, {"classify", kModel, kShip, "--threads", ""},
      {"classify", kModel, kShip, "--threads", "01"}};
  for (const std::vector<std::string>& arguments : wrong) check_refused(arguments, ErrorCode::usage);
  CHECK(run_program({"classify", kModel, kShip, "--top", "10", "--threads", "0", "--batch", "1"}).code == 0);
}

TEST_CASE("what cannot be printed is said, help too") {
  if (!fs::exists("/dev/full")) return;
  for (const std::string arguments : {"--help", "--version", "ops", "classify --help"}) {
    const TempDir dir;
    const fs::path err = dir.path() / "err";
    const std::string command = shell_quoted(LINNET_PROGRAM) + " " + arguments + " >/dev/full 2>" + shell_quoted(err);
    const int status = std::system(command.c_str());  // NOLINT(cert-env33-c,concurrency-mt-unsafe): our own program
    CHECK(WEXITSTATUS(status) == exit_code(ErrorCode::io));
    CHECK(read_text(err).find("cannot write to standard output") != std::string::npos);
  }
}

}  // namespace linnet::test::file_trouble_test
