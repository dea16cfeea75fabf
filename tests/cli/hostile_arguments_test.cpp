// Catalogue M, L and N: what the program makes of wrong arguments, broken pictures and a standard output that is gone.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <locale>
#include <sstream>
#include <string>
#include <vector>

#include "image/picture_files.h"
#include "linnet/linnet.h"
#include "support/data_dir.h"
#include "support/onnx_builder.h"
#include "support/program.h"

namespace linnet::test::hostile_arguments_test {

namespace {

using Arguments = std::vector<std::string>;

const std::string kBundled = bundled_dir();
const std::string kModel = bundled_model();
const std::string kShip = kBundled + "/sample_data/ship.jpg";
const std::string kTruck = kBundled + "/sample_data/truck.jpg";

std::string model_with(const std::vector<OnnxNode>& nodes, const std::vector<OnnxDim>& input) {
  OnnxModel model;
  model.graph.name("g").input("x", DataType::float32, input);
  for (const OnnxNode& node : nodes) model.graph.node(node);
  model.graph.output("y", DataType::float32, {});
  return model.text();
}

struct Desk {
  TempDir dir;
  std::string write(const std::string& name, const std::string& text) const {
    write_text(dir.path() / name, text);
    return dir.path() / name;
  }
};

/// The exit code of a shell command in which $LINNET is the program.
int shell(const std::string& command) {
  const std::string whole = "LINNET=" + shell_quoted(LINNET_PROGRAM) + "; " + command;
  const int status = std::system(whole.c_str());  // NOLINT(cert-env33-c,concurrency-mt-unsafe): our own program
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A locale that writes 1234.5 as 1.234,5.
class Continental : public std::numpunct<char> {
 protected:
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

}  // namespace

TEST_CASE("M17: a picture that cannot be had does not keep the others from their answers") {
  const Desk desk;
  const std::string broken = desk.write("broken.png", "no picture");
  const std::string missing = desk.dir.path() / "missing.jpg";
  for (const char* const batch : {"1", "4"}) {
    const Ran ran = run_program({"classify", kModel, kShip, broken, missing, kTruck, "--json", "--batch", batch});
    CHECK(ran.code == exit_code(ErrorCode::image));  // of the first failure
    const nlohmann::json results = ran.json()["results"];
    REQUIRE(results.size() == 2);
    CHECK(results[0]["image"] == kShip);
    CHECK(results[0]["top"][0]["index"] == 8);
    CHECK(results[1]["image"] == kTruck);
    CHECK(results[1]["top"][0]["index"] == 9);
    CHECK(contains(ran.err, "broken.png"));
    CHECK(contains(ran.err, "missing.jpg"));
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 2);
  }
}

namespace {

/// So many pictures of one pixel, one of them broken, and a network that is over in microseconds.
void check_many_pictures(int count) {
  const Desk desk;
  const std::string model = desk.write(
      "m.onnx",
      model_with({OnnxNode("GlobalAveragePool", {"x"}, {"m"}), OnnxNode("Flatten", {"m"}, {"y"})}, {"N", 3, 8, 8}));
  const std::string good = png_header(1, 1) + png_data(std::string(2, '\0')) + kPngEnd;
  desk.write("g", good);
  desk.write("b", good.substr(0, good.size() - 20));
  // Names of one letter, as all have to go into one list of arguments; and without a shell, whose commands are shorter still.
  const std::string folder = desk.dir.path(), out = folder + "/out", err = folder + "/err";
  const std::string name_list = folder + "/names";
  std::string names;
  for (int i = 0; i < count; ++i) names += i == count / 2 ? "b\n" : "g\n";
  write_text(name_list, names);
  const int code =
      shell("cd " + shell_quoted(folder) + " && xargs -x -n " + std::to_string(count) +
            " -s 1900000 \"$LINNET\" classify m.onnx " + "--json --batch 64 --threads 1 <names >out 2>err");
  // xargs gives 123 where the program gave anything else than 0.
  CHECK(code == 123);
  const nlohmann::json results = nlohmann::json::parse(read_text(out))["results"];
  CHECK(results.size() == static_cast<std::size_t>(count) - 1);
  const std::string words = read_text(err);
  CHECK(contains(words, "file 'b'"));
  CHECK(std::count(words.begin(), words.end(), '\n') == 1);
}

}  // namespace

TEST_CASE("M17: one broken picture among five thousand keeps none of the others from its answer") {
  check_many_pictures(5'000);
}
TEST_CASE("M17: one broken picture among a hundred thousand", "[.nightly]") { check_many_pictures(100'000); }

TEST_CASE("M23: a number of best classes that makes no sense is refused, and a large one is all of them") {
  for (const char* const top : {"0", "-1", "nonsense", "99999999999999999999"}) {
    const Ran ran = run_program({"classify", kModel, kShip, "--top", top});
    INFO(top << ran.err);
    CHECK(ran.code == exit_code(ErrorCode::usage));
    CHECK(ran.out.empty());
  }
  const Ran all = run_program({"classify", kModel, kShip, "--top", "1000", "--json"});
  REQUIRE(all.code == 0);
  CHECK(all.json()["results"][0]["top"].size() == 10);
}

TEST_CASE("M24: a model that is no classifier is refused with the shape of what it gives") {
  const Desk desk;
  const std::string picture = desk.write("relu.onnx", model_with({OnnxNode("Relu", {"x"}, {"y"})}, {1, 3, 32, 32}));
  const Ran ran = run_program({"classify", picture, kShip});
  CHECK(ran.code == exit_code(ErrorCode::unsupported));
  CHECK(ran.out.empty());
  CHECK(contains(ran.err, "float[1,3,32,32]"));
  const std::string one =
      desk.write("one.onnx",
                 model_with({OnnxNode("ReduceMean", {"x"}, {"m"}), OnnxNode("Flatten", {"m"}, {"y"})}, {1, 3, 32, 32}));
  const Ran single = run_program({"classify", one, kShip, "--json"});
  INFO(single.err);
  REQUIRE(single.code == 0);
  CHECK(single.json()["results"][0]["top"].size() == 1);
}

TEST_CASE("M25: a model that takes other pictures is refused with the option that would help") {
  const Desk desk;
  const auto refusal = [&](const std::vector<OnnxDim>& input) {
    const std::string file = desk.write("m.onnx", model_with({OnnxNode("Flatten", {"x"}, {"y"})}, input));
    const Ran ran = run_program({"classify", file, kShip});
    INFO(ran.out << ran.err);
    CHECK(ran.code != 0);
    CHECK(ran.out.empty());
    return ran.err;
  };
  CHECK(contains(refusal({1, 32, 32, 3}), "--layout nhwc"));
  CHECK(contains(refusal({1, 1, 32, 32}), "--channels 1"));
  CHECK(contains(refusal({1, 4, 32, 32}), "1 or 3 channels"));
  CHECK(contains(refusal({1, 3, "H", 9}), "--crop 9x224"));
  CHECK(contains(refusal({1, 3072}), "float[1,3072]"));
}

TEST_CASE("a model that takes larger pictures than there can be is refused as such") {
  const Desk desk;
  constexpr std::int64_t kHuge = std::int64_t{1} << 62;
  for (const std::vector<OnnxDim>& input : {std::vector<OnnxDim>{1, 3, kHuge, kHuge},
                                            {1, 3, 16, kHuge},
                                            {1, 3, 224, 16384}}) {  // a resize before the crop would go further
    const std::string file = desk.write(
        "m.onnx", model_with({OnnxNode("GlobalAveragePool", {"x"}, {"m"}), OnnxNode("Flatten", {"m"}, {"y"})}, input));
    const Ran ran = run_program({"classify", file, kShip});
    INFO(ran.out << ran.err);
    CHECK(ran.code == exit_code(ErrorCode::unsupported));
    CHECK(ran.out.empty());
    CHECK(contains(ran.err, "the model takes larger pictures"));
  }
}

TEST_CASE("M27: an answer that cannot be written is an error") {
  for (const std::string verb : {"ops", "limits", "cpu --json"}) {
    INFO(verb);
    CHECK(shell("\"$LINNET\" " + verb + " >/dev/full 2>/dev/null") == exit_code(ErrorCode::io));
    CHECK(shell("\"$LINNET\" " + verb + " >&- 2>/dev/null") == exit_code(ErrorCode::io));
  }
}

TEST_CASE("M27: where files may not grow, that is an error, and tune leaves nothing beside its file") {
  const Desk desk;
  const std::string folder = "cd " + shell_quoted(desk.dir.path().string()) + " && ulimit -f 0 && ";
  const std::string model = shell_quoted(kModel);
  CHECK(shell(folder + "\"$LINNET\" ops >out 2>/dev/null") == exit_code(ErrorCode::io));
#ifdef __clang__
  return;  // LLVM's OpenMP, when it is first asked for a thread, makes a file of shared memory, and crashes where it may not
#endif
  CHECK(shell(folder + "\"$LINNET\" classify " + model + " " + shell_quoted(kShip) + " >out 2>/dev/null") ==
        exit_code(ErrorCode::io));
  // From the slowest blockings, so that there is something to write.
  SessionOptions options;
  options.threads = 1;
  for (const StepReport& step : Plan(Model::load(kModel), options).report().steps)
    if (!step.tuning_key.empty())
      options.tuning.blockings[step.tuning_key] = {.tiles = 1, .chunk = 1, .panel_parts = 1};
  save_tuning(desk.dir.path() / "tuning", options.tuning);
  const std::string before = read_text(desk.dir.path() / "tuning");
  const int code =
      shell(folder + "\"$LINNET\" tune " + model + " --threads 1 --seconds 1 --tuning tuning >/dev/null 2>&1");
  CHECK((code == exit_code(ErrorCode::io) || code == 0));  // 0: it found nothing faster
  CHECK(read_text(desk.dir.path() / "tuning") == before);
  std::filesystem::remove(desk.dir.path() / "out");
  CHECK(std::distance(std::filesystem::directory_iterator(desk.dir.path()), {}) == 1);
}

TEST_CASE("M28: the locale changes no number") {
  const auto everything = [] {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    Plan plan(Model::load(kModel), {});
    plan.print(text);
    plan.print_dot(text);
    Preprocessing steps = preset("torchvision");
    set_option(steps, "mean", "0.25,1234.5,0");
    set_option(steps, "scale", "1/255");
    for (const std::string& line : describe(steps)) text << line << '\n';
    for (const auto& fails :
         std::vector<std::function<void()>>{[] { (void)Model::load(std::vector<std::byte>(123'456, std::byte{'x'})); },
                                            [&] {
                                              (void)Session(plan).run(Tensor(DataType::float32, {1, 3, 1234, 1234}));
                                            },
                                            [&] { set_option(steps, "mean", "0,25"); }}) {
      try {
        fails();
        text << "accepted\n";
      } catch (const Error& error) {
        text << error.what() << '\n';
      }
    }
    return text.str();
  };
  const std::string usual = everything();
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new Continental));
  std::ostringstream probe;
  probe << 1234.5;
  const std::string continental = everything();
  std::locale::global(before);
  REQUIRE(probe.str() == "1.234,5");
  CHECK(continental == usual);
}

TEST_CASE("M29: scores that are no numbers give an error and JSON without them") {
  const Desk desk;
  // The square root of -1 for each class.
  OnnxModel model;
  model.graph.name("g")
      .input("x", DataType::float32, {1, 3, 32, 32})
      .initializer("minus", Tensor::of<float>({1}, std::vector<float>{-1}))
      .node(OnnxNode("GlobalAveragePool", {"x"}, {"p"}))
      .node(OnnxNode("Flatten", {"p"}, {"f"}))
      .node(OnnxNode("Abs", {"f"}, {"a"}))
      .node(OnnxNode("Sub", {"minus", "a"}, {"s"}))
      .node(OnnxNode("Sqrt", {"s"}, {"y"}))
      .output("y", DataType::float32, {1, 3});
  const Ran ran = run_program({"classify", desk.write("nan.onnx", model.text()), kShip, "--json"});
  CHECK(ran.code == exit_code(ErrorCode::input));
  CHECK(ran.json()["results"] == nlohmann::json::array());
  CHECK(contains(ran.err, "NaN"));
}

TEST_CASE("M30: options that are unknown, twice, empty or without a value are refused; -- ends them") {
  const Desk desk;
  for (const Arguments& wrong : {Arguments{"--nonsense"},
                                 {"--top"},
                                 {"--top", "1", "--top", "2"},
                                 {"--top="},
                                 {"--preset", ""},
                                 {"--labels", ""},
                                 {"--tuning", ""},
                                 {"-x"},
                                 {"--threads", "abc"},
                                 {"--threads", "-1"},
                                 {"--softmax", "maybe"}}) {
    Arguments arguments = {"classify", kModel, kShip};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    const Ran ran = run_program(arguments);
    INFO(wrong[0] << ": " << ran.out << ran.err);
    CHECK(ran.code == exit_code(ErrorCode::usage));
    CHECK(ran.out.empty());
  }
  const std::string dashed = desk.write("-x.jpg", read_text(kShip));
  const std::string folder = shell_quoted(desk.dir.path().string());
  CHECK(shell("cd " + folder + " && \"$LINNET\" classify --top 1 -- " + shell_quoted(kModel) + " -x.jpg >/dev/null") ==
        0);
  // As many pictures as one command of a shell takes.
  Arguments many = {"classify", kModel};
  for (int i = 0; i < 10'000; ++i) many.emplace_back("no.png");
  const Ran ran = run_program(many);
  CHECK(ran.code == exit_code(ErrorCode::io));
  CHECK(ran.out.empty());
}

TEST_CASE("names of models, pictures and labels cannot steer a terminal") {
  const Desk desk;
  const std::string hostile = "\x1B]0;owned\a\xC2\x9B\xE2\x80\xAE";  // OSC, CSI and a reversal of direction
  const std::string shown = "\\x1b]0;owned\\x07\\xc2\\x9b\\xe2\\x80\\xae";
  const std::string picture = desk.write(hostile + ".jpg", read_text(kShip));
  const std::string model =
      desk.write(hostile + ".onnx", model_with({OnnxNode("Relu", {"x"}, {"y"}, hostile)}, {"N", 3, 8, 8}));
  for (const Arguments& arguments : {Arguments{"classify", kModel, picture},
                                     {"inspect", model, "--shape", "x:1x3x8x8"},
                                     {"bench", model, "--seconds", "0", "--profile"}}) {
    const Ran ran = run_program(arguments);
    INFO(arguments[0] << ": " << ran.err);
    CHECK(ran.code == 0);
    CHECK(contains(ran.out, shown));
    for (const char* const raw : {"\x1B", "\a", "\xC2\x9B", "\xE2\x80\xAE"}) CHECK_FALSE(contains(ran.out, raw));
  }
  // A shell's * gives names that look like options.
  for (const Arguments& arguments : {Arguments{"classify", kModel, "-" + hostile},
                                     {"cpu", hostile},
                                     {"classify", kModel, kShip, "--preset", hostile},
                                     {"bench", kModel, "--threads", hostile}}) {
    const Ran ran = run_program(arguments);
    INFO(arguments[0] << ": " << ran.err);
    CHECK(ran.code == exit_code(ErrorCode::usage));
    CHECK(contains(ran.err, shown));
    for (const char* const raw : {"\x1B", "\a", "\xC2\x9B", "\xE2\x80\xAE"}) CHECK_FALSE(contains(ran.err, raw));
  }
}

TEST_CASE("a path in brackets is one path and no list") {
  const Desk desk;
  const std::string folder = desk.dir.path().string();
  for (const char* const name : {"[a,b]", "[c]", "[d].jpg"}) desk.write(name, read_text(kShip));
  desk.write("c", "no picture");
  const auto classified = [&](const std::string& arguments) {
    return shell("cd " + shell_quoted(folder) + " && \"$LINNET\" classify " + arguments + " >out");
  };
  const std::string model = shell_quoted(kModel);
  CHECK(classified(model + " '[a,b]' '[c]' '[d].jpg' --json") == 0);
  const nlohmann::json results = nlohmann::json::parse(read_text(folder + "/out"))["results"];
  REQUIRE(results.size() == 3);
  for (const nlohmann::json& result : results) CHECK(result["top"][0]["index"] == 8);
  CHECK(classified("--top 1 -- " + model + " '[c]'") == 0);
  // The value of an option is what it is.
  CHECK(contains(run_program({"inspect", kModel, "--output", "[x,y]"}).err, "found [x,y]"));
}

TEST_CASE("M30: two shapes for one input are refused by its name") {
  const Desk desk;
  const std::string model = desk.write("relu.onnx", model_with({OnnxNode("Relu", {"x"}, {"y"})}, {"N", 3, 8, 8}));
  for (const char* const second : {"x:2x3x8x8", "x:1x3x8x8"}) {
    const Ran ran = run_program({"inspect", model, "--shape", "x:1x3x8x8", "--shape", second});
    INFO(ran.out << ran.err);
    CHECK(ran.code == exit_code(ErrorCode::usage));
    CHECK(ran.out.empty());
    CHECK(contains(ran.err, "'x'"));
  }
  CHECK(run_program({"inspect", model, "--shape", "x:2x3x8x8"}).code == 0);
}

TEST_CASE("L07: an interrupted program ends as others do, and leaves no half of an answer") {
  const Desk desk;
  const std::string out = shell_quoted((desk.dir.path() / "out").string());
  const std::string code = shell_quoted((desk.dir.path() / "code").string());
  const std::string bench = "\"$LINNET\" bench " + shell_quoted(kModel) + " --seconds 60 --json >" + out + " 2>&1";
  CHECK(shell("timeout --preserve-status -s INT 1 " + bench) == 128 + 2);
  CHECK(read_text(desk.dir.path() / "out").empty());
  CHECK(shell("timeout --preserve-status -s TERM 1 " + bench) == 128 + 15);
  CHECK(read_text(desk.dir.path() / "out").empty());
  // A reader that is gone: SIGPIPE, without a word on standard error.
  CHECK(shell("{ sleep 0.3; \"$LINNET\" ops 2>" + out + "; echo $? >" + code + "; } | true") == 0);
  CHECK(read_text(desk.dir.path() / "code") == "141\n");
  CHECK(read_text(desk.dir.path() / "out").empty());
}

}  // namespace linnet::test::hostile_arguments_test
