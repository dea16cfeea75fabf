// linnet classify as a process: models, folders, labels, preprocessing by hand, what it prints and how it ends.
#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "image/picture_files.h"
#include "support/data_dir.h"
#include "support/onnx_builder.h"
#include "support/op_case.h"
#include "support/program.h"

namespace {

using namespace linnet;
using namespace linnet::test;
using Json = nlohmann::json;
using Arguments = std::vector<std::string>;
namespace fs = std::filesystem;

const fs::path kBundled = bundled_dir();
const std::string kShip = kBundled / "sample_data" / "ship.jpg";

/// The scores are the means of the input's channels, so that they show what preprocessing made of the picture.
std::string mean_model(const std::vector<OnnxDim>& shape, bool nhwc = false, int classes = 3) {
  OnnxModel model;
  model.graph.name("means").input("x", DataType::float32, shape);
  std::string x = "x";
  if (nhwc) {
    model.graph.node(OnnxNode("Transpose", {"x"}, {"t"}).set("perm", std::vector<std::int64_t>{0, 3, 1, 2}));
    x = "t";
  }
  model.graph.node(OnnxNode("GlobalAveragePool", {x}, {"p"})).node(OnnxNode("Flatten", {"p"}, {"y"}));
  model.graph.output("y", DataType::float32, {"N", classes});
  return model.text();
}

/// Each column of pixels in one colour.
std::string png_of_columns(const std::vector<std::array<int, 3>>& columns, std::uint32_t height) {
  std::string raw;
  for (std::uint32_t y = 0; y < height; ++y) {
    raw += '\0';  // no filter
    for (const auto& pixel : columns) {
      for (const int value : pixel) raw += static_cast<char>(value);
    }
  }
  return png_header(static_cast<std::uint32_t>(columns.size()), height, 8, 2) + png_data(raw) + kPngEnd;
}

constexpr std::array<int, 3> kBlack = {0, 0, 0}, kColor = {255, 51, 102};

struct Desk {
  TempDir dir;
  std::string model = dir.path() / "model.onnx";
  std::string picture = dir.path() / "picture.png";

  Desk() {
    write_text(model, mean_model({"N", 3, "H", "W"}));
    write_text(picture, png_of_columns({kBlack, kColor, kColor, kBlack}, 4));
  }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    write_text(dir.path() / name, text);
    return dir.path() / name;
  }
};

/// No step does anything, so that a test can set the one that it is about.
const Arguments kPlainSteps = {"--preset", "cifar10", "--resize", "none", "--crop", "none",
                               "--scale",  "1/255",   "--mean",   "0",    "--std",  "1"};

/// The scores in the order of the classes.
std::vector<double> scores(const std::string& model, const std::string& picture, const Arguments& more) {
  Arguments arguments = {"classify", model, picture, "--json", "--softmax", "no"};
  arguments.insert(arguments.end(), kPlainSteps.begin(), kPlainSteps.end());
  for (std::size_t i = 0; i < more.size(); i += 2) {
    const auto at = std::find(arguments.begin(), arguments.end(), more[i]);
    if (at != arguments.end()) arguments.erase(at, at + 2);
    arguments.insert(arguments.end(), {more[i], more[i + 1]});
  }
  const Ran ran = run_program(arguments);
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const Json top = ran.json()["results"][0]["top"];
  std::vector<double> result(top.size());
  for (const Json& k : top) result.at(k["index"].get<std::size_t>()) = k["logit"];
  return result;
}

void check_scores(const std::vector<double>& found, const std::vector<double>& expected, double margin = 1e-5) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(margin));
}

// Resizing gives whole levels, as Pillow and OpenCV do, and so does the luma of a grey picture.
constexpr double kHalfLevel = 0.501 / 255;

}  // namespace

TEST_CASE("classify prints the likeliest classes of each picture, and nothing on stderr") {
  const Ran ran =
      run_program({"classify", bundled_model(), kShip, "--top", "2", "--labels", kBundled / "model" / "labels.json"});
  CHECK(ran.code == 0);
  CHECK(ran.err.empty());
  CHECK(ran.out.find("ship.jpg\n  0.") != std::string::npos);
  CHECK(ran.out.find("  ship\n") != std::string::npos);
  CHECK(ran.out.find("\npreset cifar10") != std::string::npos);
}

TEST_CASE("classify takes labels, pictures and the preset from a model folder") {
  const Ran ran = run_program({"classify", kBundled, "--json", "--batch", "2"});
  REQUIRE(ran.code == 0);
  const Json json = ran.json();
  CHECK(json["model"] == kBundled.string());
  CHECK(json["preset"] == "cifar10");
  CHECK(json["preprocessing"].is_array());
  REQUIRE(json["results"].size() == 3);
  for (const char* const name : {"airplane", "ship", "truck"}) {
    INFO(name);
    const auto found = std::find_if(json["results"].begin(), json["results"].end(), [&](const Json& r) {
      return fs::path(r["image"].get<std::string>()).stem() == name;
    });
    REQUIRE(found != json["results"].end());
    REQUIRE((*found)["top"].size() == 5);
    const Json& best = (*found)["top"][0];
    CHECK(best["label"] == name);
    CHECK(best["index"].is_number_integer());
    CHECK(best["logit"].is_number_float());
    CHECK(best["probability"].get<double>() > 0.5);
  }
}

TEST_CASE("classify gives each picture the same answer in any batch") {
  const Ran one = run_program({"classify", kBundled, "--json"});
  const Ran three = run_program({"classify", kBundled, "--json", "--batch", "3"});
  REQUIRE(one.code == 0);
  CHECK(one.out == three.out);
}

TEST_CASE("classify fills the batch that a model fixes, whatever the number of pictures") {
  const Desk desk;
  const std::string black = desk.write("black.png", png_of_columns({kBlack, kBlack, kBlack, kBlack}, 4));
  const std::string broken = desk.write("broken.png", "not a picture");
  const auto classify = [&](const std::string& model, const Arguments& pictures) {
    Arguments arguments = {"classify", model, "--json", "--softmax", "no"};
    arguments.insert(arguments.end(), kPlainSteps.begin(), kPlainSteps.end());
    arguments.insert(arguments.end(), pictures.begin(), pictures.end());
    return run_program(arguments);
  };
  for (const int batch : {1, 4}) {
    const std::string model = desk.write("fixed.onnx", mean_model({batch, 3, 4, 4}));
    for (const Arguments& more : {Arguments{}, Arguments{"--batch", "3"}}) {
      Arguments pictures = {desk.picture, black, desk.picture, black, broken, black, desk.picture};
      pictures.insert(pictures.end(), more.begin(), more.end());
      const Ran ran = classify(model, pictures);
      INFO(batch << ": " << ran.err);
      CHECK(ran.code == 9);
      CHECK(ran.err.find("broken.png") != std::string::npos);
      const Json results = ran.json()["results"];
      REQUIRE(results.size() == 6);
      for (std::size_t i = 0; i < 6; ++i) {
        const bool is_black = i == 1 || i == 3 || i == 4;
        CHECK(results[i]["image"] == (is_black ? black : desk.picture));
        CHECK(results[i]["top"][0]["logit"].get<double>() == Approx(is_black ? 0 : 0.5).margin(1e-5));
      }
    }
  }
}

TEST_CASE("classify prints what it has when a picture or a run fails") {
  const Desk desk;
  const std::string black = desk.write("black.png", png_of_columns({kBlack, kBlack, kBlack, kBlack}, 4));
  OnnxModel roots;  // no number for a black picture
  roots.graph.node(OnnxNode("GlobalAveragePool", {"x"}, {"p"}))
      .node(OnnxNode("Flatten", {"p"}, {"f"}))
      .node(OnnxNode("Sub", {"f", "little"}, {"d"}))
      .node(OnnxNode("Sqrt", {"d"}, {"y"}))
      .initializer("little", tensor<float>({1}, {0.05f}))
      .input("x", DataType::float32, {"N", 3, 4, 4})
      .output("y", DataType::float32, {"N", 3});
  const std::string model = desk.write("roots.onnx", roots.text());
  for (const char* const batch : {"1", "3"}) {
    Arguments arguments = {"classify", model, desk.picture, black, desk.picture, "--json", "--batch", batch};
    arguments.insert(arguments.end(), kPlainSteps.begin(), kPlainSteps.end());
    const Ran ran = run_program(arguments);
    INFO(ran.err);
    CHECK(ran.code == 8);
    CHECK(ran.json()["results"].size() == 2);
    CHECK(ran.err.find("black.png") != std::string::npos);
    CHECK(ran.err.find("picture.png") == std::string::npos);
  }
  // A picture too small for the model's window, between others.
  OnnxModel windows;
  windows.graph.node(OnnxNode("AveragePool", {"x"}, {"w"}).set("kernel_shape", std::vector<std::int64_t>{3, 3}))
      .node(OnnxNode("GlobalAveragePool", {"w"}, {"p"}))
      .node(OnnxNode("Flatten", {"p"}, {"y"}))
      .input("x", DataType::float32, {"N", 3, "H", "W"})
      .output("y", DataType::float32, {"N", 3});
  const std::string tiny = desk.write("tiny.png", png_of_columns({kColor}, 1));
  Arguments arguments = {"classify", desk.write("windows.onnx", windows.text()), desk.picture, tiny, black, "--json"};
  arguments.insert(arguments.end(), kPlainSteps.begin(), kPlainSteps.end());
  const Ran small = run_program(arguments);
  INFO(small.err);
  CHECK(small.code != 0);
  CHECK(small.err.find("tiny.png") != std::string::npos);
  REQUIRE(small.json()["results"].size() == 2);
  CHECK(small.json()["results"][1]["image"] == black);
  const Ran none = run_program({"classify", desk.model, desk.write("broken.png", "not a picture"), "--json"});
  CHECK(none.code == 9);
  CHECK(none.json()["results"].empty());
}

TEST_CASE("classify says what it can feed") {
  const Desk desk;
  const Ran four =
      run_program({"classify", desk.write("four.onnx", mean_model({"N", 4, 4, 4}, false, 4)), desk.picture});
  CHECK(four.code == 6);
  CHECK(four.err.find("pictures give 1 or 3 channels, and the model takes 4") != std::string::npos);
  CHECK(four.err.find("input 'x'") != std::string::npos);
  OnnxModel bytes;
  bytes.graph.node(OnnxNode("Flatten", {"x"}, {"y"}))
      .input("x", DataType::uint8, {"N", 3, 1, 1})
      .output("y", DataType::uint8, {"N", 3});
  const Ran small = run_program({"classify", desk.write("bytes.onnx", bytes.text()), desk.picture});
  CHECK(small.code == 6);
  CHECK(small.err.find("bytes.onnx") != std::string::npos);
  CHECK(small.err.find("input 'x'") != std::string::npos);
  CHECK(small.err.find("uint8") != std::string::npos);
}

TEST_CASE("classify reads the model from standard input") {
  const Desk desk;
  const Ran ran =
      run_program({"classify", "-", desk.picture, "--resize", "none", "--crop", "none", "--json"}, desk.model);
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(ran.json()["results"][0]["top"].size() == 3);
  CHECK(ran.json()["results"][0]["top"][0]["label"].get<std::string>().rfind("class ", 0) == 0);
}

TEST_CASE("classify takes every preprocessing step by hand") {
  const Desk desk;
  const auto check = [&desk](const Arguments& steps, const std::vector<double>& expected) {
    INFO(steps[0] << " " << steps[1]);
    check_scores(scores(desk.model, desk.picture, steps), expected);
  };
  check({"--layout", "nchw"}, {0.5, 0.1, 0.2});  // two of the four columns are black
  check({"--crop", "2"}, {1, 0.2, 0.4});
  check({"--crop", "2x4"}, {1, 0.2, 0.4});
  check({"--scale", "1"}, {127.5, 25.5, 51});
  check({"--mean", "0.5"}, {0, -0.4, -0.3});
  check({"--mean", "0.5,0.1,0.2"}, {0, 0, 0});
  check({"--std", "0.5"}, {1, 0.2, 0.4});
  check({"--std", "1,0.1,2"}, {0.5, 1, 0.1});
  check({"--color", "bgr"}, {0.2, 0.1, 0.5});
  const auto check_resize = [&desk](const Arguments& steps, double part) {
    INFO(steps[1] << " " << steps[3]);
    check_scores(scores(desk.model, desk.picture, steps), {part, part * 0.2, part * 0.4}, kHalfLevel);
  };
  check_resize({"--resize", "8", "--filter", "bilinear"}, 0.5);
  check_resize({"--resize", "2x2", "--filter", "bilinear"}, 0.5);
  // The triangle of the antialiased one reaches a pixel further: (3 * 0 + 3 * 1 + 1 * 1) / 7.
  check_resize({"--resize", "2x2", "--filter", "antialias"}, 4.0 / 7);
  // Bilinear takes the two nearest pixels only, the antialiased one all that a pixel covers: with the one bright column
  // in the fifth place of eight, two wide pixels see it differently.
  const std::string narrow =
      desk.write("narrow.png", png_of_columns({kBlack, kBlack, kBlack, kBlack, kColor, kBlack, kBlack, kBlack}, 8));
  check_scores(scores(desk.model, narrow, {"--resize", "2x2", "--filter", "bilinear"}), {0, 0, 0});
  CHECK(scores(desk.model, narrow, {"--resize", "2x2", "--filter", "antialias"})[0] > 0.05);
}

TEST_CASE("classify feeds channels-last and grey models") {
  const Desk desk;
  const std::string last = desk.write("nhwc.onnx", mean_model({"N", 4, 4, 3}, true));
  check_scores(scores(last, desk.picture, {"--layout", "nhwc"}), {0.5, 0.1, 0.2});
  const std::string grey = desk.write("grey.onnx", mean_model({"N", 1, 4, 4}, false, 1));
  // 0.299 R + 0.587 G + 0.114 B = 117.81, on half of the columns.
  const std::vector<double> found = scores(grey, desk.picture, {"--channels", "1"});
  REQUIRE(found.size() == 1);
  CHECK(found[0] == Approx(0.5 * 117.81 / 255).margin(kHalfLevel));
}

TEST_CASE("classify reads every form of labels and refuses a wrong number of them") {
  const Desk desk;
  const auto label = [&desk](const std::string& text) {
    const Ran ran = run_program({"classify", desk.model, desk.picture, "--resize", "none", "--crop", "none", "--scale",
                                 "1", "--mean", "0", "--std", "1", "--json", "--labels", desk.write("labels", text)});
    INFO(text << ": " << ran.err);
    REQUIRE(ran.code == 0);
    return ran.json()["results"][0]["top"][0]["label"].get<std::string>();
  };
  CHECK(label(R"({"0":"red","1":"green","2":"blue"})") == "red");
  CHECK(label(R"(["red","green","blue"])") == "red");
  CHECK(label("{0: 'red', 1: 'green', 2: 'blue'}") == "red");
  CHECK(label("red\ngreen\nblue\n") == "red");
  CHECK(label("n00000001 red\nn00000002 green\nn00000003 blue\n") == "red");

  const Ran ran = run_program({"classify", desk.model, desk.picture, "--resize", "none", "--crop", "none", "--labels",
                               desk.write("two", "red\ngreen\n")});
  CHECK(ran.code == exit_code(ErrorCode::usage));
  CHECK(ran.out.empty());
  CHECK(ran.err.find("expected 3 labels, found 2") != std::string::npos);
}

TEST_CASE("classify holds pictures against the limits of the model folder") {
  const Desk desk;
  const fs::path folder = desk.dir.path() / "hub";
  write_text(folder / "model" / "model.onnx", mean_model({"N", 3, "H", "W"}));
  write_text(folder / "sample_data" / "a.png", png_of_columns({kColor, kColor}, 2));
  const auto with_limits = [&folder](const std::string& limits) {
    write_text(folder / "model" / "config.json", R"({"model":{"io":{"input":{"single":{"dim_limits":)" + limits +
                                                     R"(}}}},"modelhub":{"preset":"cifar10"}})");
    return run_program({"classify", folder});
  };
  CHECK(with_limits(R"([{"min":1,"max":4},{"min":2},{"min":2}])").code == 0);
  const Ran small = with_limits(R"([{"min":1,"max":4},{"min":3},{"min":2}])");
  CHECK(small.code == exit_code(ErrorCode::image));
  CHECK(small.err.find("expected at least 3, found 2") != std::string::npos);
  CHECK(with_limits(R"([{"min":1,"max":2}])").code == exit_code(ErrorCode::image));
  for (const char* number : {"1e200", "-1e300", "0.5", "18446744073709551615", "null", "\"3\""})
    CHECK(with_limits(R"([{"min":)" + std::string(number) + "}]").code == exit_code(ErrorCode::format));
  write_text(folder / "model" / "config.json", "{");
  CHECK(run_program({"classify", folder}).code == exit_code(ErrorCode::format));
  fs::remove(folder / "model" / "model.onnx");
  const Ran none = run_program({"classify", folder});
  CHECK(none.code == exit_code(ErrorCode::io));
  CHECK(none.err.find("no model/model.onnx") != std::string::npos);
}

TEST_CASE("classify ends with the exit code of what is wrong, one line on stderr and nothing on stdout") {
  const Desk desk;
  const std::string whole = read_text(kShip);
  OnnxModel foreign;
  foreign.graph.name("g").input("x", DataType::float32, {1, 3, 4, 4}).node(OnnxNode("Nonsense", {"x"}, {"y"}));
  foreign.graph.output("y", DataType::float32, {1, 3});
  struct Wrong {
    Arguments arguments;
    ErrorCode code;
    std::string says;
  };
  const std::vector<Wrong> all = {
      {{desk.dir.path() / "none.onnx", desk.picture}, ErrorCode::io, "none.onnx"},
      {{desk.picture, desk.picture}, ErrorCode::format, "picture.png"},
      {{desk.write("empty.onnx", ""), desk.picture}, ErrorCode::format, "empty.onnx"},
      {{desk.write("foreign.onnx", foreign.text()), desk.picture}, ErrorCode::unsupported, "Nonsense"},
      {{desk.model, desk.dir.path() / "none.png"}, ErrorCode::io, "none.png"},
      {{desk.model, desk.model}, ErrorCode::image, "model.onnx"},
      {{desk.model, desk.write("half.jpg", whole.substr(0, whole.size() / 2))}, ErrorCode::image, "half.jpg"},
      {{desk.model}, ErrorCode::usage, "no pictures"},
      {{desk.model, desk.picture, "--preset", "nonsense"}, ErrorCode::usage, "nonsense"},
      {{desk.model, desk.picture, "--resize", "-3"}, ErrorCode::usage, "resize"},
      {{desk.model, desk.picture, "--mean", "1,2"}, ErrorCode::usage, "mean"},
      {{desk.model, desk.picture, "--top", "0"}, ErrorCode::usage, "--top"},
      {{desk.model, desk.picture, "--nonsense"}, ErrorCode::usage, "--nonsense"},
      {{desk.model, desk.picture, "--labels", desk.write("gap", "a\n\nb\n")}, ErrorCode::format, "gap"},
      {{desk.write("fixed.onnx", mean_model({1, 3, 4, 4})), desk.picture, "--preset", "torchvision"},
       ErrorCode::usage,
       "--crop 4x4"},
  };
  for (const Wrong& wrong : all) {
    Arguments arguments = {"classify"};
    arguments.insert(arguments.end(), wrong.arguments.begin(), wrong.arguments.end());
    const Ran ran = run_program(arguments);
    INFO(wrong.says << ": " << ran.out << ran.err);
    CHECK(ran.code == exit_code(wrong.code));
    CHECK(ran.out.empty());
    CHECK(ran.err.find(wrong.says) != std::string::npos);
  }
}
