#include <limits>

#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kFoldPad = "fold_pad";
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
using Ints = std::vector<std::int64_t>;

// p = Pad(x) by 1 row above, 2 columns left, 3 rows below, 0 right
GraphBuilder padded(Ints pads = {0, 0, 1, 2, 0, 0, 3, 0}, float value = 0, const std::string& mode = "constant") {
  GraphBuilder b;
  b.input("x", {1, 4, 7, 7}).ints("pads", std::move(pads)).floats("value", {}, {value}).random("w", {8, 4, 4, 4});
  b.node("Pad", {"x", "pads", "value"}, {"p"}, {{"mode", mode}});
  return b;
}

}  // namespace

TEST_CASE("a Pad of zeros becomes pads of the convolution") {
  GraphBuilder b = padded();
  SECTION("that has none") {
    b.node("Conv", {"p", "w"}, {"y"}).output("y");
    CHECK(check_pass(b.graph, kFoldPad).applied == 1);
    CHECK(attribute<Ints>(writer(b.graph, "y"), "pads") == Ints{1, 2, 3, 0});
  }
  SECTION("that has its own") {
    b.node("Conv", {"p", "w"}, {"y"}, {{"pads", Ints{1, 0, 2, 5}}, {"strides", Ints{2, 1}}}).output("y");
    CHECK(check_pass(b.graph, kFoldPad).applied == 1);
    CHECK(attribute<Ints>(writer(b.graph, "y"), "pads") == Ints{2, 2, 5, 5});
  }
  SECTION("that says auto_pad = VALID") {
    b.node("Conv", {"p", "w"}, {"y"}, {{"auto_pad", std::string("VALID")}}).output("y");
    CHECK(check_pass(b.graph, kFoldPad).applied == 1);
    CHECK_FALSE(writer(b.graph, "y").attributes.has("auto_pad"));
  }
  CHECK(operators(b.graph) == "Conv");
}

TEST_CASE("pads and value may be attributes") {
  GraphBuilder b;
  b.input("x", {1, 4, 7, 7}).random("w", {8, 4, 3, 3});
  b.node("Pad", {"x"}, {"p"}, {{"pads", Ints{0, 0, 1, 1, 0, 0, 1, 1}}}, 7).node("Conv", {"p", "w"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kFoldPad).applied == 1);
  CHECK(operators(b.graph) == "Conv");
}

TEST_CASE("the Pad stays for its other readers") {
  GraphBuilder b = padded();
  b.node("Conv", {"p", "w"}, {"y"}).node("Relu", {"p"}, {"r"}).output("y").output("r").output("p");
  CHECK(check_pass(b.graph, kFoldPad).applied == 1);
  CHECK(input_name(b.graph, writer(b.graph, "y"), 0) == "x");
  CHECK(input_name(b.graph, writer(b.graph, "r"), 0) == "p");
}

TEST_CASE("a Pad of zeros becomes pads of an AveragePool that counts them") {
  const bool own = GENERATE(false, true);
  GraphBuilder b = padded();
  GraphBuilder::AttributeList attributes{{"kernel_shape", Ints{5, 5}}, {"strides", Ints{2, 2}}};
  if (own) {
    attributes.emplace_back("pads", Ints{1, 1, 1, 1});
    attributes.emplace_back("count_include_pad", std::int64_t{1});
  }
  b.node("AveragePool", {"p"}, {"y"}, attributes).output("y");
  CHECK(check_pass(b.graph, kFoldPad).applied == 1);
  CHECK(operators(b.graph) == "AveragePool");
  CHECK(attribute<std::int64_t>(writer(b.graph, "y"), "count_include_pad") == 1);
}

TEST_CASE("a Pad of minus infinity becomes pads of a MaxPool") {
  GraphBuilder b = padded({0, 0, 1, 1, 0, 0, 1, 1}, kMinusInfinity);
  b.node("MaxPool", {"p"}, {"y"}, {{"kernel_shape", Ints{3, 3}}}).output("y");
  CHECK(check_pass(b.graph, kFoldPad).applied == 1);
  CHECK(operators(b.graph) == "MaxPool");
}

TEST_CASE("fold_pad refuses") {
  const auto conv = [](GraphBuilder b) {
    b.node("Conv", {"p", "w"}, {"y"}).output("y");
    return b;
  };
  const auto pool = [](GraphBuilder b, const std::string& op, GraphBuilder::AttributeList attributes) {
    attributes.emplace_back("kernel_shape", Ints{5, 5});
    b.node(op, {"p"}, {"y"}, attributes).output("y");
    return b;
  };
  GraphBuilder b;
  std::string reason;
  SECTION("another value") {
    b = conv(padded({0, 0, 1, 1, 0, 0, 1, 1}, 0.5f));
    reason = "a convolution pads with zeros";
  }
  SECTION("another mode") {
    b = conv(padded({0, 0, 1, 1, 0, 0, 1, 1}, 0, "reflect"));
    reason = "the Pad is not of mode 'constant'";
  }
  SECTION("cropping") {
    b = conv(padded({0, 0, -1, 1, 0, 0, 1, 1}));
    reason = "the Pad crops";
  }
  SECTION("padded channels") {
    b = padded({0, 1, 1, 1, 0, 0, 1, 1});
    b.random("w5", {8, 5, 3, 3}).node("Conv", {"p", "w5"}, {"y"}).output("y");
    reason = "the Pad is not only spatial";
  }
  SECTION("a mean that could not count padding yet") {
    b = padded();
    b.opset = 6;
    b = pool(std::move(b), "AveragePool", {});
    reason = "its mean cannot count padding before opset 7";
  }
  SECTION("auto_pad, which counts the padded extents") {
    b = padded();
    b.node("Conv", {"p", "w"}, {"y"}, {{"auto_pad", std::string("SAME_UPPER")}}).output("y");
    reason = "auto_pad depends on the padded extents";
  }
  SECTION("zeros into a maximum") {
    b = pool(padded(), "MaxPool", {});
    reason = "max pooling pads with minus infinity";
  }
  SECTION("a mean whose own pads do not count") {
    b = pool(padded(), "AveragePool", {{"pads", Ints{1, 1, 1, 1}}});
    reason = "the window's own pads do not count in its mean";
  }
  SECTION("ceil_mode") {
    b = pool(padded(), "AveragePool", {{"ceil_mode", std::int64_t{1}}});
    reason = "ceil_mode counts windows by the pads";
  }
  SECTION("a dilated window, whose taps could all see padding") {
    b = pool(padded({0, 0, 1, 1, 0, 0, 1, 1}, kMinusInfinity), "MaxPool", {{"dilations", Ints{2, 1}}});
    reason = "a dilated window";
  }
  SECTION("a window that could see nothing but padding") {
    b = pool(padded({0, 0, 5, 0, 0, 0, 0, 0}), "AveragePool", {});
    reason = "the padding is as wide as the window";
  }
  check_refusal(b.graph, kFoldPad, reason);
}

TEST_CASE("fold_pad refuses pads that may be overridden") {
  GraphBuilder b = padded();
  b.overridable("value").node("Conv", {"p", "w"}, {"y"}).output("y");
  check_refusal(b.graph, kFoldPad, "the padding value is not constant");
}
