#include <cmath>
#include <memory>

#include "passes/graph_builder.h"
#include "passes/pass_list.h"
#include "support/processor_seconds.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kWidenFloat16 = "widen_float16";
constexpr auto kHalf = static_cast<std::int64_t>(DataType::float16);

Tensor halves(const std::vector<std::uint16_t>& bits) {
  std::vector<Float16> values;
  for (const std::uint16_t b : bits) values.push_back({b});
  return Tensor::of<Float16>({static_cast<std::int64_t>(bits.size())}, values);
}

DataType type_of(const GraphBuilder& b, const std::string& name) { return b.graph.value(b.id(name)).desc.type; }

}  // namespace

TEST_CASE("float16 constants become float32, every one exactly") {
  std::vector<std::uint16_t> all(0x10000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  GraphBuilder b;
  b.input("x", {0x10000}, DataType::float16).constant("c", halves(all)).node("Add", {"x", "c"}, {"y"}).output("y");
  b.graph.value(b.id("y")).desc.type = DataType::float16;
  run_pass(b.graph, kWidenFloat16);
  const auto wide = b.graph.value(b.id("c")).constant->data<float>();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto fraction = static_cast<double>(i & 0x3ff);
    const int exponent = static_cast<int>(i >> 10 & 0x1f);
    if (exponent == 0x1f) {
      REQUIRE((fraction == 0 ? std::isinf(wide[i]) : std::isnan(wide[i])));
    } else {
      const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      REQUIRE(static_cast<double>(std::abs(wide[i])) == magnitude);
    }
    REQUIRE(std::signbit(wide[i]) == (i >= 0x8000));
  }
}

TEST_CASE("bfloat16 constants become float32") {
  GraphBuilder b;
  const std::vector<BFloat16> values{{0x3f80}, {0xc040}};
  b.input("x", {2}).constant("c", Tensor::of<BFloat16>({2}, values)).node("Add", {"x", "c"}, {"y"}).output("y");
  run_pass(b.graph, kWidenFloat16);
  const auto wide = b.graph.value(b.id("c")).constant->data<float>();
  CHECK(wide[0] == 1.0f);
  CHECK(wide[1] == -3.0f);
}

TEST_CASE("inputs and outputs keep their float16") {
  GraphBuilder b;
  b.input("x", {4}, DataType::float16).node("Relu", {"x"}, {"a"}).node("Neg", {"a"}, {"y"}).output("y");
  const bool declared = GENERATE(true, false);
  if (declared) b.graph.value(b.id("y")).desc.type = DataType::float16;
  run_pass(b.graph, kWidenFloat16);
  graph::verify(b.graph);
  CHECK(operators(b.graph) == "Cast Relu Neg Cast");
  CHECK(type_of(b, "x") == DataType::float16);
  CHECK(type_of(b, "a") == DataType::float32);
  CHECK(type_of(b, "y") == DataType::float16);
  CHECK(attribute<std::int64_t>(writer(b.graph, "y"), "to") == kHalf);
}

TEST_CASE("an output that others read too is read in float32") {
  GraphBuilder b;
  b.input("x", {4}, DataType::float16).node("Relu", {"x"}, {"y"}).node("Neg", {"y"}, {"z"}).output("y").output("z");
  run_pass(b.graph, kWidenFloat16);
  graph::verify(b.graph);
  CHECK(type_of(b, "y") == DataType::float16);
  CHECK(writer(b.graph, "z").op_type == "Cast");
  const graph::Node& neg = writer(b.graph, input_name(b.graph, writer(b.graph, "z"), 0));
  CHECK(writer(b.graph, input_name(b.graph, neg, 0)).op_type == "Relu");
}

TEST_CASE("a Cast to float16 keeps its rounding") {
  GraphBuilder b;
  b.input("x", {64}).node("Cast", {"x"}, {"h"}, {{"to", kHalf}}).node("Relu", {"h"}, {"r"});
  SECTION("inside") {
    b.node("Cast", {"r"}, {"y"}, {{"to", std::int64_t{1}}}).output("y");
    check_pass(b.graph, kWidenFloat16);
    CHECK(operators(b.graph) == "Cast Cast Relu Cast");
  }
  SECTION("at an output") {
    b.node("Cast", {"r"}, {"y"}, {{"to", std::int64_t{1}}}).output("y").output("h");
    check_pass(b.graph, kWidenFloat16);
    CHECK(operators(b.graph) == "Cast Cast Relu Cast");
    CHECK(type_of(b, "h") == DataType::float16);
  }
}

TEST_CASE("an initializer in float16 that the caller may override stays for the caller") {
  GraphBuilder b;
  b.input("x", {2}, DataType::float16).constant("c", halves({0x3c00, 0x4000})).overridable("c");
  b.node("Add", {"x", "c"}, {"y"}).output("y");
  run_pass(b.graph, kWidenFloat16);
  graph::verify(b.graph);
  CHECK(type_of(b, "c") == DataType::float16);
  CHECK(operators(b.graph) == "Cast Cast Add Cast");
}

TEST_CASE("a constant in float16 that is an output stays for the caller") {
  GraphBuilder b;
  b.input("x", {2}).constant("c", halves({0x3c00, 0x4000})).node("Add", {"x", "c"}, {"y"}).output("y").output("c");
  run_pass(b.graph, kWidenFloat16);
  graph::verify(b.graph);
  CHECK(type_of(b, "c") == DataType::float16);
  CHECK(operators(b.graph) == "Add");
}

TEST_CASE("a BitCast sees 16 bits") {
  GraphBuilder b;
  b.input("x", {2}, DataType::float16)
      .node("Neg", {"x"}, {"n"})
      .node("BitCast", {"n"}, {"bits"}, {{"to", static_cast<std::int64_t>(DataType::int16)}}, 26)
      .node("BitCast", {"bits"}, {"back"}, {{"to", static_cast<std::int64_t>(DataType::float16)}}, 26)
      .node("Abs", {"back"}, {"y"})
      .output("y");
  b.graph.value(b.id("y")).desc.type = DataType::float16;
  run_pass(b.graph, kWidenFloat16);
  graph::verify(b.graph);
  CHECK(operators(b.graph) == "Cast Neg Cast BitCast BitCast Cast Abs Cast");
}

// Found by fuzzing: the bounds are values that came after the types were listed.
TEST_CASE("bounds that a Clip leaves out are those of its type") {
  GraphBuilder b;
  const std::vector<BFloat16> one{{0x3f80}};
  b.input("x", {4}, DataType::float16).node("Clip", {"x"}, {"a"}).node("Clip", {"a"}, {"y"}).output("y");
  b.constant("c", Tensor::of<BFloat16>({1}, one)).node("Clip", {"c"}, {"z"}).node("Neg", {"z"}, {"w"}).output("w");
  run_pass(b.graph, kWidenFloat16);
  const auto bound = [&](const char* output, std::size_t input) {
    const graph::Node& clip = b.graph.node(b.graph.value(b.id(output)).producer);
    return b.graph.value(clip.inputs.at(input)).constant->data<float>()[0];
  };
  CHECK(bound("a", 1) == -65504.0f);
  CHECK(bound("a", 2) == 65504.0f);
  CHECK(bound("z", 1) == -0x1.FEp127f);
  CHECK(bound("z", 2) == 0x1.FEp127f);
}

TEST_CASE("tensor attributes are widened") {
  GraphBuilder b;
  b.input("x", {2})
      .node("Constant", {}, {"c"}, {{"value", halves({0x3c00, 0xc000})}})
      .node("Add", {"x", "c"}, {"y"})
      .output("y");
  CHECK(run_pass(b.graph, kWidenFloat16).applied == 1);
  CHECK(attribute<Tensor>(writer(b.graph, "c"), "value").type() == DataType::float32);
}

TEST_CASE("bytes that constants, nodes and subgraphs share are widened once") {
  const Tensor shared = halves({0x3c00, 0xbc00});
  GraphBuilder body;
  body.constant("k", shared).node("Identity", {"k"}, {"o"}).output("o");
  const std::shared_ptr<const graph::Graph> branch = std::make_shared<graph::Graph>(body.graph);
  GraphBuilder b;
  b.input("go", {}, DataType::boolean).constant("c", shared).constant("d", shared);
  b.node("Constant", {}, {"e"}, {{"value", shared}});
  b.node("If", {"go"}, {"i"}, {{"then_branch", branch}, {"else_branch", branch}});
  b.node("Sum", {"c", "d", "e", "i"}, {"y"}).output("y");
  passes::PassContext context(b.graph);
  passes::widen_float16(b.graph, context);
  const void* const wide = b.graph.value(b.id("c")).constant->raw();
  CHECK(b.graph.value(b.id("c")).constant->type() == DataType::float32);
  CHECK(b.graph.value(b.id("d")).constant->raw() == wide);
  CHECK(attribute<Tensor>(writer(b.graph, "e"), "value").raw() == wide);
  for (const char* name : {"then_branch", "else_branch"}) {
    const auto inside = attribute<std::shared_ptr<const graph::Graph>>(writer(b.graph, "i"), name);
    CHECK(inside->value(inside->find_value("k")).constant->raw() == wide);
  }
}

TEST_CASE("a float32 model is left alone") {
  GraphBuilder b;
  b.input("x", {2}).floats("c", {2}, {1, 2}).node("Add", {"x", "c"}, {"y"}).output("y");
  CHECK(check_pass(b.graph, kWidenFloat16).applied == 0);
}

TEST_CASE("100,000 outputs of a node are cast in linear time, each in its place") {
  GraphBuilder b;
  b.input("x", {100'000}, DataType::float16);
  std::vector<std::string> names;
  for (int i = 0; i < 100'000; ++i) names.push_back("y" + std::to_string(i));
  b.node("Split", {"x"}, names, {{"num_outputs", std::int64_t{100'000}}}, 18);
  for (const std::string& name : names) b.output(name);
  CHECK(processor_seconds_of([&] { run_pass(b.graph, kWidenFloat16); }) < 2 * kSlowness);
  for (const std::size_t i : {0, 1, 99'999}) {
    const graph::ValueId wide = writer(b.graph, names[i]).inputs.at(0);
    const graph::Node& split = b.graph.node(b.graph.value(wide).producer);
    CHECK(split.op_type == "Split");
    CHECK(split.outputs.at(i) == wide);
  }
}
