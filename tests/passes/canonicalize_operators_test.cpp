#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kCanonicalizeOperators = "canonicalize_operators";
using Ints = std::vector<std::int64_t>;

GraphBuilder image() {
  GraphBuilder b;
  b.input("x", {2, 3, 5, 4});
  return b;
}

}  // namespace

TEST_CASE("a Sum of two becomes an Add; of three it stays") {
  GraphBuilder b = image();
  b.input("y", {2, 3, 5, 4}).node("Sum", {"x", "y"}, {"a"}).node("Sum", {"a", "x", "y"}, {"z"}).output("z");
  CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 1);
  CHECK(operators(b.graph) == "Add Sum");
}

TEST_CASE("a mean over the spatial axes becomes a GlobalAveragePool") {
  GraphBuilder b = image();
  SECTION("axes as an attribute") {
    b.node("ReduceMean", {"x"}, {"y"}, {{"axes", Ints{2, 3}}}).output("y");
    CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 1);
    CHECK(operators(b.graph) == "GlobalAveragePool");
  }
  SECTION("axes as an input, counted from the end") {
    b.ints("axes", {-1, -2}).node("ReduceMean", {"x", "axes"}, {"y"}, {{"keepdims", std::int64_t{1}}}, 18).output("y");
    CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 1);
    CHECK(operators(b.graph) == "GlobalAveragePool");
  }
  SECTION("without the axes that are 1, by a Flatten") {
    b.node("ReduceMean", {"x"}, {"y"}, {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}}).output("y");
    CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 1);
    CHECK(operators(b.graph) == "GlobalAveragePool Flatten");
  }
  SECTION("but not one of nothing, which is a NaN") {
    b.input("empty", {2, 3, 0, 4}).node("ReduceMean", {"empty"}, {"y"}, {{"axes", Ints{2, 3}}}).output("y");
    CHECK(run_pass(b.graph, kCanonicalizeOperators).applied == 0);
  }
  SECTION("but not one over other axes") {
    b.node("ReduceMean", {"x"}, {"y"}, {{"axes", Ints{1, 2}}}).output("y");
    CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 0);
  }
}

TEST_CASE("pooling with one window becomes global pooling") {
  const std::string op = GENERATE("AveragePool", "MaxPool");
  GraphBuilder b = image();
  SECTION("that covers everything") {
    b.node(op, {"x"}, {"y"}, {{"kernel_shape", Ints{5, 4}}, {"strides", Ints{5, 4}}}).output("y");
    CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 1);
    CHECK(operators(b.graph) == (op == "MaxPool" ? "GlobalMaxPool" : "GlobalAveragePool"));
  }
  SECTION("but not with pads") {
    b.node(op, {"x"}, {"y"}, {{"kernel_shape", Ints{5, 4}}, {"pads", Ints{1, 0, 0, 0}}}).output("y");
    CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 0);
  }
  SECTION("but not with a smaller window") {
    b.node(op, {"x"}, {"y"}, {{"kernel_shape", Ints{4, 4}}}).output("y");
    CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 0);
  }
}

TEST_CASE("x times sigmoid of x becomes Swish") {
  const bool swapped = GENERATE(false, true);
  GraphBuilder b = image();
  b.node("Sigmoid", {"x"}, {"s"})
      .node("Mul", swapped ? std::vector<std::string>{"s", "x"} : std::vector<std::string>{"x", "s"}, {"y"});
  b.output("y");
  CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 1);
  CHECK(operators(b.graph) == "Swish");
}

TEST_CASE("HardSwish is recognised in each of its spellings") {
  GraphBuilder b = image();
  b.floats("zero", {}, {0}).floats("three", {1}, {3}).floats("six", {}, {6}).floats("sixth", {}, {1.0f / 6});
  const auto clipped = [&] { b.node("Add", {"three", "x"}, {"t"}).node("Clip", {"t", "zero", "six"}, {"c"}); };
  SECTION("HardSigmoid") {
    b.node("HardSigmoid", {"x"}, {"s"}, {{"alpha", 1.0f / 6}, {"beta", 0.5f}}).node("Mul", {"s", "x"}, {"y"});
  }
  SECTION("x * (c / 6)") {
    clipped();
    b.node("Div", {"c", "six"}, {"d"}).node("Mul", {"x", "d"}, {"y"});
  }
  SECTION("x * (c * 1/6)") {
    clipped();
    b.node("Mul", {"sixth", "c"}, {"d"}).node("Mul", {"d", "x"}, {"y"});
  }
  SECTION("(x * c) / 6") {
    clipped();
    b.node("Mul", {"x", "c"}, {"d"}).node("Div", {"d", "six"}, {"y"});
  }
  SECTION("(c * x) * 1/6") {
    clipped();
    b.node("Mul", {"c", "x"}, {"d"}).node("Mul", {"d", "sixth"}, {"y"});
  }
  b.output("y");
  // One sixth is rounded in the model and exact in HardSwish: x * x * |1/6 - float(1/6)| with |x| < 4, and its like.
  CHECK(check_pass(b.graph, kCanonicalizeOperators, 1e-6).applied == 1);
  CHECK(operators(b.graph) == "HardSwish");
}

TEST_CASE("Gelu is recognised in each of its spellings") {
  GraphBuilder b = image();
  b.floats("root", {}, {1.41421354f}).floats("reciprocal", {1}, {0.707106769f}).floats("one", {}, {1});
  b.floats("half", {}, {0.5f});
  const bool divides = GENERATE(true, false);
  if (divides) b.node("Div", {"x", "root"}, {"t"});
  else b.node("Mul", {"reciprocal", "x"}, {"t"});
  b.node("Erf", {"t"}, {"e"});
  SECTION("(x * s) / 2") {
    b.node("Add", {"e", "one"}, {"s"}).node("Mul", {"x", "s"}, {"m"}).node("Mul", {"m", "half"}, {"y"});
  }
  SECTION("(s * x) / 2") {
    b.node("Add", {"one", "e"}, {"s"}).node("Mul", {"s", "x"}, {"m"}).node("Mul", {"half", "m"}, {"y"});
  }
  SECTION("(x / 2) * s") {
    b.node("Add", {"e", "one"}, {"s"}).node("Mul", {"x", "half"}, {"m"}).node("Mul", {"m", "s"}, {"y"});
  }
  SECTION("x * (s / 2)") {
    b.node("Add", {"e", "one"}, {"s"}).node("Mul", {"half", "s"}, {"m"}).node("Mul", {"x", "m"}, {"y"});
  }
  b.output("y");
  CHECK(check_pass(b.graph, kCanonicalizeOperators, 1e-6).applied == 1);
  CHECK(operators(b.graph) == "Gelu");
}

TEST_CASE("look-alikes of Gelu stay") {
  GraphBuilder b = image();
  b.input("z", {2, 3, 5, 4}).floats("root", {}, {1.41421354f}).floats("one", {}, {1}).floats("half", {}, {0.5f});
  b.floats("two", {}, {2});
  const std::string t = GENERATE("x", "z"), divisor = GENERATE("root", "two"), term = GENERATE("one", "half"),
                    factor = GENERATE("half", "two");
  if (t == "x" && divisor == "root" && term == "one" && factor == "half") return;
  b.node("Div", {t, divisor}, {"d"}).node("Erf", {"d"}, {"e"}).node("Add", {"e", term}, {"s"});
  b.node("Mul", {"x", "s"}, {"m"}).node("Mul", {"m", factor}, {"y"}).output("y");
  CHECK(run_pass(b.graph, kCanonicalizeOperators).applied == 0);
}

TEST_CASE("look-alikes of HardSwish and Swish stay") {
  GraphBuilder b = image();
  b.input("z", {2, 3, 5, 4})
      .floats("zero", {}, {0})
      .floats("three", {}, {3})
      .floats("six", {}, {6})
      .floats("five", {}, {5});
  SECTION("another factor") { b.node("Sigmoid", {"x"}, {"s"}).node("Mul", {"z", "s"}, {"y"}); }
  SECTION("another slope") { b.node("HardSigmoid", {"x"}, {"s"}, {{"alpha", 0.2f}}).node("Mul", {"s", "x"}, {"y"}); }
  SECTION("a slope that is only near one sixth") {
    b.node("HardSigmoid", {"x"}, {"s"}, {{"alpha", 0.1667f}, {"beta", 0.5f}}).node("Mul", {"s", "x"}, {"y"});
  }
  SECTION("another divisor") {
    b.node("Add", {"x", "three"}, {"t"}).node("Clip", {"t", "zero", "six"}, {"c"}).node("Div", {"c", "five"}, {"d"});
    b.node("Mul", {"x", "d"}, {"y"});
  }
  SECTION("the reciprocal") {
    b.node("Add", {"x", "three"}, {"t"}).node("Clip", {"t", "zero", "six"}, {"c"}).node("Mul", {"x", "c"}, {"d"});
    b.node("Div", {"six", "d"}, {"y"});
  }
  SECTION("another value clipped") {
    b.node("Add", {"z", "three"}, {"t"}).node("Clip", {"t", "zero", "six"}, {"c"}).node("Div", {"c", "six"}, {"d"});
    b.node("Mul", {"x", "d"}, {"y"});
  }
  SECTION("a constant that raises the rank") {
    b.floats("three5", {1, 1, 1, 1, 1}, {3});
    b.node("Add", {"x", "three5"}, {"t"}).node("Clip", {"t", "zero", "six"}, {"c"}).node("Div", {"c", "six"}, {"d"});
    b.node("Mul", {"x", "d"}, {"y"});
  }
  b.output("y");
  const std::size_t nodes = b.graph.order().size();
  run_pass(b.graph, kCanonicalizeOperators);
  CHECK(b.graph.order().size() == nodes);
}

TEST_CASE("what someone else reads of a spelled-out activation stays") {
  GraphBuilder b = image();
  b.node("Sigmoid", {"x"}, {"s"}).node("Mul", {"x", "s"}, {"y"}).output("y").output("s");
  CHECK(check_pass(b.graph, kCanonicalizeOperators).applied == 1);
  CHECK(operators(b.graph) == "Sigmoid Swish");
}
