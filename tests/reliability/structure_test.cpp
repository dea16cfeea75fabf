// Catalogue C, D and F as a whole model sees them, from bytes to a run. The readers' own tests are in tests/onnx.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "reliability/hostile.h"
#include "support/processor_seconds.h"

using namespace linnet;
using namespace linnet::test;

namespace {

/// To load, plan and run 100,000 nodes.
constexpr double kManySeconds = 6 * kSlowness;

/// y = x + w with w as the test writes it.
OnnxModel with_tensor(const ProtoWriter& w, std::int64_t ir_version = 8) {
  OnnxModel model = model_of({OnnxNode("Add", {"x", "w"}, {"y"}, "add1")}, {{"x", {2}}}, {}, 13, ir_version);
  model.graph.initializer(w);
  return model;
}

OnnxModel reshape(const Ints& shape, std::int64_t allowzero = 0, const std::vector<OnnxDim>& x = {2, 3}) {
  return model_of({OnnxNode("Reshape", {"x", "s"}, {"y"}, "reshape1").set("allowzero", allowzero)}, {{"x", x}},
                  {{"s", tensor<std::int64_t>({static_cast<std::int64_t>(shape.size())}, shape)}}, 14);
}

std::string number(int i) { return std::to_string(i); }

}  // namespace

TEST_CASE("C04: an operator at an opset before its first or after its last is refused") {
  CHECK_REFUSED(model_of({OnnxNode("Upsample", {"x"}, {"y"}, "up")}, {{"x", {1, 1, 2, 2}}}, {}, 13),
                ErrorCode::unsupported, "Upsample", "opset 13", "9");
  CHECK_REFUSED(model_of({OnnxNode("HardSwish", {"x"}, {"y"}, "swish1")}, {{"x", {2}}}, {}, 13), ErrorCode::unsupported,
                "HardSwish", "opset 13", "14");
}

TEST_CASE("C07: control flow that lacks an input or a subgraph is refused") {
  OnnxGraph body;
  body.node(OnnxNode("Relu", {"x"}, {"r"})).output("r", DataType::float32, {2});
  for (const char* op : {"If", "Loop", "Scan"}) {
    CHECK_REFUSED(
        model_of({OnnxNode(op, {"x"}, {"y"}, "flow").set(op == std::string("If") ? "then_branch" : "body", body)},
                 {{"x", {2}}}),
        ErrorCode::model, op, "flow");
  }
}

TEST_CASE("B11: packed floats that end inside a number are refused") {
  CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, {2}).bytes(4, "1234567")), ErrorCode::model, "byte ",
                "expected 8", "found 7");
}

TEST_CASE("C09: an attribute that refers to a function's, outside of any function, is refused") {
  const OnnxNode node = OnnxNode("Concat", {"x"}, {"y"}, "cat")
                            .attribute(ProtoWriter().bytes(1, "axis").bytes(21, "outer").number(20, 2));
  CHECK(error_of([&] { (void)run(model_of({node}, {{"x", {2}}})); }).has_value());
}

TEST_CASE("D01: a negative extent of a tensor is refused") {
  for (const std::int64_t dim : {std::int64_t{-1}, std::int64_t{-4}, std::numeric_limits<std::int64_t>::min()}) {
    CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, {2, dim})), ErrorCode::model, "dim 1", number(1),
                  std::to_string(dim));
  }
}

TEST_CASE("D02: extents whose product overflows are refused without a byte allocated") {
  for (const Ints& dims : {Ints{kHuge, 4}, Ints{std::int64_t{1} << 32, std::int64_t{1} << 32}, Ints{kHuge},
                           Ints{1'000'000, 1'000'000, 1'000'000}}) {
    CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, dims).bytes(9, "1234")), ErrorCode::limit, "w");
  }
}

TEST_CASE("D03: huge extents beside one of 0 are an empty tensor") {
  const auto error = error_of([] {
    (void)run(with_tensor(onnx_tensor_header("w", 1, {kHuge, 0, kHuge}).bytes(9, "")));
  });
  REQUIRE(error.has_value());  // it does not broadcast with x, or its extents are over a limit: but nothing overflows
  CHECK((error->code() == ErrorCode::model || error->code() == ErrorCode::limit));
}

TEST_CASE("D03: inputs of huge extents beside one of 0 are joined to nothing, and nothing is cut from nothing") {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const int axis : {0, 1}) {
    const OnnxModel model =
        model_of({OnnxNode("Concat", {"x", "x", "x"}, {"y"}).set("axis", axis)}, {{"x", {1, 0, most / 4}}});
    CHECK(run(model, {Tensor(DataType::float32, {1, 0, most / 4})}).at(0).size() == 0);
  }
  const Tensor tall(DataType::float32, {most / 4, 0, 4});
  const OnnxModel halves = model_of({OnnxNode("Split", {"x", "sizes"}, {"a", "y"})}, {{"x", {most / 4, 0, 4}}},
                                    {{"sizes", tensor<std::int64_t>({2}, {most / 4 - 1, 1})}});
  CHECK(run(halves, {tall}).at(0).size() == 0);
  const OnnxModel rest =
      model_of({OnnxNode("Slice", {"x", "start", "end"}, {"y"})}, {{"x", {most / 4, 0, 4}}},
               {{"start", tensor<std::int64_t>({1}, {most / 4 - 1})}, {"end", tensor<std::int64_t>({1}, {most})}});
  CHECK(run(rest, {tall}).at(0).size() == 0);
}

TEST_CASE("D04: a payload of another size than the extents ask for is refused with both sizes") {
  CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, {108}).bytes(9, "1234")), ErrorCode::model, "w", "expected 432",
                "found 4");
  CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, {1}).bytes(9, "12345678")), ErrorCode::model, "expected 4",
                "found 8");
  CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, {1'000'000}).bytes(9, "1234")), ErrorCode::model, "4000000");
}

TEST_CASE("D08: tensors of a type that the operator does not take are refused") {
  CHECK_REFUSED(model_of({OnnxNode("Conv", {"x", "w"}, {"y"}, "conv1")}, {{"x", {1, 4, 6, 6}}},
                         {{"w", Tensor(DataType::int64, {8, 4, 3, 3})}}),
                ErrorCode::model, "conv1", "input 1 'w'", "int64");
  CHECK_REFUSED(
      model_of({OnnxNode("Add", {"x", "w"}, {"y"}, "add1")}, {{"x", {2}}}, {{"w", Tensor(DataType::int64, {2})}}),
      ErrorCode::model, "add1");
}

TEST_CASE("D09: double weights for a float input are refused with both types") {
  CHECK_REFUSED(model_of({OnnxNode("Conv", {"x", "w"}, {"y"}, "conv1")}, {{"x", {1, 4, 6, 6}}},
                         {{"w", Tensor(DataType::float64, {8, 4, 3, 3})}}),
                ErrorCode::model, "conv1", "double");
}

TEST_CASE("D08 D09: 16-bit floats are not mixed with others where ONNX has one type, and are what the file says") {
  const DataType half = DataType::float16, wide = DataType::float32;
  const auto model = [](const OnnxNode& node, DataType x, DataType w, DataType y, int opset = 15) {
    OnnxModel m(8, opset);
    m.graph.node(node).input("x", x, {4}).initializer("w", Tensor(w, {4})).output("y", y, {"n"});
    return m;
  };
  const OnnxNode relu("Relu", {"x"}, {"y"}, "r"), add("Add", {"x", "w"}, {"y"}, "a"), pow("Pow", {"x", "w"}, {"y"}),
      concat = OnnxNode("Concat", {"x", "w"}, {"y"}, "c").set("axis", 0);
  for (const DataType other : {half, DataType::bfloat16}) {
    CHECK_REFUSED(model(relu, wide, wide, other), ErrorCode::model, "'r'", "'y'", std::string(to_string(other)));
    CHECK_REFUSED(model(relu, other, wide, wide), ErrorCode::model, "'r'", "'y'", std::string(to_string(other)));
    CHECK_REFUSED(model(add, wide, other, wide), ErrorCode::model, "'a'", "'w'", std::string(to_string(other)));
    CHECK_REFUSED(model(concat, other, wide, other), ErrorCode::model, "'c'", "'w'", std::string(to_string(other)));
    CHECK(run(model(add, other, other, other).bytes(), {Tensor(other, {4})}).at(0).type() == other);
    CHECK(run(model(pow, other, wide, other).bytes(), {Tensor(other, {4})}).at(0).type() == other);
    CHECK_REFUSED(model(pow, other, wide, other, 11), ErrorCode::model, "'w'");
  }
  CHECK_REFUSED(model(add, half, DataType::bfloat16, half), ErrorCode::model, "'w'", "bfloat16");
  OnnxModel cast(8, 15);  // of nodes, whose results the file does not state
  cast.graph.node(OnnxNode("Cast", {"x"}, {"h"}).set("to", 10))
      .node(OnnxNode("Relu", {"h"}, {"r"}))
      .node(OnnxNode("Add", {"x", "r"}, {"y"}, "a"))
      .input("x", wide, {4})
      .output("y", wide, {4});
  CHECK_REFUSED(cast, ErrorCode::model, "'a'", "'r'", "float16");
}

TEST_CASE("D12: tensors that nobody reads cost nothing more") {
  OnnxModel model = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {2}}});
  for (int i = 0; i < 4; ++i) model.graph.initializer("unused" + number(i), floats_of({1 << 20}));
  const std::vector<std::byte> file = model.bytes();
  const Plan plan(Model::load(file), one_thread());
  CHECK(plan.report().weight_bytes == 0);
  CHECK(floats(run(file, {tensor<float>({2}, {-1, 1})}).at(0)) == std::vector<float>{0, 1});
}

TEST_CASE("D14: weights that are no numbers or hardly any go through") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity(),
              tiny = 1e-45F;
  const std::vector<float> y = floats(run(with_tensor(onnx_tensor("w", tensor<float>({2}, {nan, inf})))).at(0));
  CHECK(std::isnan(y.at(0)));
  CHECK(y.at(1) == inf);
  CHECK(floats(run(with_tensor(onnx_tensor("w", tensor<float>({2}, {tiny, -tiny})))).at(0)) ==
        std::vector<float>{tiny, -tiny});
}

TEST_CASE("D15: scalars work; ranks beyond the limit are refused") {
  CHECK(floats(run(with_tensor(onnx_tensor("w", floats_of({}, 3)))).at(0)) == std::vector<float>{3, 3});
  CHECK(run(with_tensor(onnx_tensor("w", floats_of({1, 1, 1, 1, 1, 1, 1, 1, 2})))).at(0).shape() ==
        Shape{1, 1, 1, 1, 1, 1, 1, 1, 2});
  CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, Ints(1'000'000, 1)).bytes(9, "1234")), ErrorCode::limit, "dims");
}

TEST_CASE("D16: an empty tensor with bytes is refused") {
  CHECK_REFUSED(with_tensor(onnx_tensor_header("w", 1, {0}).bytes(9, "1234")), ErrorCode::model, "w", "expected 0",
                "found 4");
}

TEST_CASE("D18: the ways to write a Constant; two at once and none are refused") {
  const auto constant = [](const OnnxNode& node) {
    return model_of({node, OnnxNode("Add", {"x", "c"}, {"y"})}, {{"x", {2}}});
  };
  const std::vector<Tensor> x = {floats_of({2})};
  CHECK(floats(run(constant(OnnxNode("Constant", {}, {"c"}).set("value_float", 2.0F)), x).at(0)) ==
        std::vector<float>{3, 3});
  CHECK(floats(run(constant(OnnxNode("Constant", {}, {"c"}).set("value_floats", std::vector<float>{2, 3})), x).at(0)) ==
        std::vector<float>{3, 4});
  CHECK(floats(run(constant(OnnxNode("Constant", {}, {"c"}).set("value", floats_of({1}, 2))), x).at(0)) ==
        std::vector<float>{3, 3});
  CHECK_REFUSED(constant(OnnxNode("Constant", {}, {"c"}, "k").set("value_float", 2.0F).set("value_int", 3)),
                ErrorCode::model, "k");
  CHECK_REFUSED(constant(OnnxNode("Constant", {}, {"c"}, "k")), ErrorCode::model, "k");
  CHECK_REFUSED(constant(OnnxNode("Constant", {}, {"c"}, "k")
                             .attribute(ProtoWriter().bytes(1, "sparse_value").number(20, 11).bytes(22, ""))),
                ErrorCode::model, "sparse");
}

TEST_CASE("D20: shapes that Reshape cannot mean are refused") {
  CHECK_REFUSED(reshape({-1, -1}), ErrorCode::model, "reshape1");
  CHECK_REFUSED(reshape({0, 0, 0}), ErrorCode::model, "reshape1");
  CHECK_REFUSED(reshape({4, 2}), ErrorCode::model, "reshape1");
  CHECK_REFUSED(reshape({-2, 3}), ErrorCode::model, "reshape1");
  CHECK_REFUSED(reshape({4, -1}), ErrorCode::model, "reshape1");
  CHECK_REFUSED(reshape({0, -1}, 1), ErrorCode::model, "reshape1");
  CHECK_REFUSED(reshape({std::int64_t{1} << 32, std::int64_t{1} << 32, 6}), ErrorCode::limit, "");
  CHECK(run(reshape({0, -1})).at(0).shape() == Shape{2, 3});
  CHECK(run(reshape({0, 3}, 1, {0, 3})).at(0).shape() == Shape{0, 3});
}

TEST_CASE("D21 D22: a hundred thousand initializers with names that would collide in a simple hash") {
  OnnxModel model = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {2}}});
  for (int i = 0; i < 100'000; ++i) {
    std::string name;  // "Aa" and "BB" have the same value for the hashes that multiply by 31
    for (int bit = 0; bit < 17; ++bit) name += (i >> bit & 1) != 0 ? "Aa" : "BB";
    model.graph.initializer(onnx_tensor_header(name, 1, {1}).bytes(9, "1234"));
  }
  const std::vector<std::byte> file = model.bytes();
  CHECK(processor_seconds_of([&] { CHECK(run(file).at(0).shape() == Shape{2}); }) < kManySeconds);
}

TEST_CASE("E01 E09: external data that are not allowed, and entries that are unknown or stand twice") {
  using Entries = std::vector<std::pair<std::string, std::string>>;
  const auto external = [](const Entries& entries) { return with_tensor(onnx_external_tensor("w", 1, {2}, entries)); };
  CHECK_REFUSED(external({{"location", "w.bin"}}), ErrorCode::unsupported,
                "external");  // from memory, without a folder
  CHECK_REFUSED(external({{"location", "w.bin"}, {"path", "w.bin"}}), ErrorCode::model, "'path'");
  CHECK_REFUSED(external({{"location", "w.bin"}, {"location", "v.bin"}}), ErrorCode::model, "'location' stands twice");
  CHECK_REFUSED(external({{"location", "w.bin"}, {"offset", "0x10"}}), ErrorCode::model, "'0x10'");
}

TEST_CASE("F03: a name that nothing has is refused with its node and input and name") {
  CHECK_REFUSED(model_of({OnnxNode("Add", {"x", "nowhere"}, {"y"}, "add1")}, {{"x", {2}}}), ErrorCode::model, "add1",
                "input 1", "'nowhere'");
}

TEST_CASE("F06: names that are empty: optional inputs and unused outputs may be, required ones may not") {
  CHECK_REFUSED(model_of({OnnxNode("Add", {"x", ""}, {"y"}, "add1")}, {{"x", {2}}}), ErrorCode::model, "add1",
                "input 1");
  CHECK_REFUSED(model_of({OnnxNode("Add", {"", ""}, {"y"}, "add1")}, {{"x", {2}}}), ErrorCode::model, "add1",
                "input 0");
  CHECK_REFUSED(model_of({OnnxNode("Relu", {}, {"y"}, "relu1")}, {{"x", {2}}}), ErrorCode::model, "relu1", "input 0");
  CHECK(run(model_of({OnnxNode("MaxPool", {"x"}, {"y", ""}).set("kernel_shape", Ints{2, 2})}, {{"x", {1, 1, 2, 2}}}))
            .at(0)
            .shape() == Shape{1, 1, 1, 1});
  CHECK_REFUSED(model_of({OnnxNode("Relu", {"x"}, {""}), OnnxNode("Relu", {"x"}, {})}, {{"x", {2}}}), ErrorCode::model,
                "'y'");
}

TEST_CASE("F07: too many and too few inputs and outputs are refused") {
  const std::vector<Input> x = {{"x", {1, 1, 3, 3}}};
  const Constants w = {{"w", floats_of({1, 1, 1, 1})}};
  CHECK_REFUSED(model_of({OnnxNode("Conv", {"x"}, {"y"}, "conv1")}, x, w), ErrorCode::model, "conv1", "input");
  CHECK_REFUSED(model_of({OnnxNode("Conv", {"x", "w", "", "x"}, {"y"}, "conv1")}, x, w), ErrorCode::model, "conv1",
                "inputs");
  CHECK_REFUSED(model_of({OnnxNode("Relu", {"x", "x"}, {"y"}, "relu1")}, x), ErrorCode::model, "relu1", "inputs");
  CHECK_REFUSED(model_of({OnnxNode("Relu", {"x"}, {"y", "z"}, "relu1")}, x), ErrorCode::model, "relu1", "outputs");
}

TEST_CASE("F08: outputs that stand twice, or are inputs or constants") {
  OnnxModel model = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {2}}}, {{"w", tensor<float>({2}, {5, 6})}});
  model.graph.output("y", DataType::float32, {2})
      .output("x", DataType::float32, {2})
      .output("w", DataType::float32, {2});
  const std::vector<Tensor> all = run(model, {tensor<float>({2}, {-1, 1})});
  REQUIRE(all.size() == 4);
  CHECK(floats(all[0]) == std::vector<float>{0, 1});
  CHECK(floats(all[1]) == std::vector<float>{0, 1});
  CHECK(floats(all[2]) == std::vector<float>{-1, 1});
  CHECK(floats(all[3]) == std::vector<float>{5, 6});
}

TEST_CASE("F10: attributes that are missing, stand twice, are of the wrong kind, or unknown are refused") {
  const std::vector<Input> x = {{"x", {2, 3}}};
  CHECK_REFUSED(model_of({OnnxNode("Concat", {"x"}, {"y"}, "cat")}, x), ErrorCode::model, "cat", "axis");
  CHECK_REFUSED(model_of({OnnxNode("Concat", {"x"}, {"y"}, "cat").set("axis", 0).set("axis", 1)}, x), ErrorCode::model,
                "'axis' stands twice");
  CHECK_REFUSED(model_of({OnnxNode("Concat", {"x"}, {"y"}, "cat").set("axis", 1.0F)}, x), ErrorCode::model, "cat",
                "'axis'", "an integer");
  CHECK_REFUSED(model_of({OnnxNode("Relu", {"x"}, {"y"}, "relu1").set("alpha", 1.0F)}, x), ErrorCode::unsupported,
                "relu1", "'alpha'");
}

TEST_CASE("F12: a chain of 100,000 nodes loads and plans in linear time and ends without recursion") {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 100'000; ++i) {
    nodes.emplace_back(i % 2 == 0 ? "Relu" : "Sigmoid", std::vector<std::string>{i == 0 ? "x" : "v" + number(i)},
                       std::vector<std::string>{i == 99'999 ? "y" : "v" + number(i + 1)});
  }
  const std::vector<std::byte> file = model_of(nodes, {{"x", {3}}}).bytes();
  CHECK(processor_seconds_of([&] { (void)run(file); }) < kManySeconds);
}

TEST_CASE("F13: one value that 100,000 nodes read, and one node that reads 100,000 values") {
  std::vector<OnnxNode> nodes;
  std::vector<std::string> all;
  for (int i = 0; i < 100'000; ++i) {
    all.push_back("v" + number(i));
    nodes.emplace_back("Relu", std::vector<std::string>{"x"}, std::vector<std::string>{all.back()});
  }
  nodes.push_back(OnnxNode("Concat", all, {"y"}).set("axis", 0));
  const std::vector<std::byte> file = model_of(nodes, {{"x", {1}}}).bytes();
  CHECK(processor_seconds_of([&] { CHECK(run(file).at(0).shape() == Shape{100'000}); }) < kManySeconds);
}

TEST_CASE("F14: 30,000 branches that live side by side") {
  std::vector<OnnxNode> nodes;
  std::string sum = "x";
  for (int i = 0; i < 30'000; ++i)
    nodes.emplace_back("Relu", std::vector<std::string>{"x"}, std::vector<std::string>{"v" + number(i)});
  for (int i = 0; i < 30'000; ++i) {
    const std::string next = i == 29'999 ? "y" : "s" + number(i);
    nodes.emplace_back("Add", std::vector<std::string>{sum, "v" + number(i)}, std::vector<std::string>{next});
    sum = next;
  }
  const std::vector<std::byte> file = model_of(nodes, {{"x", {1}}}).bytes();
  CHECK(processor_seconds_of([&] { CHECK(floats(run(file, {floats_of({1})}).at(0)) == std::vector<float>{30'001}); }) <
        kManySeconds);
}

TEST_CASE("F15: nodes that nobody reads do not run; unsupported ones are refused all the same") {
  const std::vector<Input> x = {{"x", {2}}};
  CHECK(run(model_of({OnnxNode("Relu", {"x"}, {"y"}), OnnxNode("Sigmoid", {"x"}, {"unread"})}, x)).size() == 1);
  CHECK_REFUSED(model_of({OnnxNode("Relu", {"x"}, {"y"}), OnnxNode("NoSuchOperator", {"x"}, {"unread"})}, x),
                ErrorCode::unsupported, "NoSuchOperator");
}

TEST_CASE("F16: a symbol that would have two values is refused as an input") {
  const OnnxModel model = model_of({OnnxNode("Add", {"a", "b"}, {"y"}, "add1")}, {{"a", {"N", 2}}, {"b", {"N", 2}}});
  CHECK(run(model, {floats_of({3, 2}), floats_of({3, 2})}).at(0).shape() == Shape{3, 2});
  const std::vector<std::byte> file = model.bytes();
  const auto error = error_of([&] { (void)run(file, {floats_of({3, 2}), floats_of({4, 2})}); });
  REQUIRE(error.has_value());
}

TEST_CASE("F17: what is inferred wins over what a file declares; a type that contradicts is refused") {
  OnnxModel model(8, 13);
  model.graph.name("g")
      .node(OnnxNode("Relu", {"x"}, {"y"}, "relu1"))
      .input("x", DataType::float32, {2})
      .output("y", DataType::float32, {7});
  CHECK(run(model).at(0).shape() == Shape{2});
  OnnxModel typed(8, 13);
  typed.graph.name("g")
      .node(OnnxNode("Relu", {"x"}, {"y"}, "relu1"))
      .input("x", DataType::float32, {2})
      .output("y", DataType::int64, {2});
  CHECK_REFUSED(typed, ErrorCode::model, "relu1", "'y'");
}

TEST_CASE("F20: an input that nothing reads must be given all the same") {
  const OnnxModel model = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {2}}, {"unread", {2}}});
  CHECK(run(model).at(0).shape() == Shape{2});
  const std::vector<std::byte> file = model.bytes();
  Session session(Model::load(file), one_thread());
  CHECK_REFUSED([&] { (void)session.run({{"x", floats_of({2})}}); }, ErrorCode::input, "'unread'");
}

TEST_CASE("F21: outputs of training are refused where they are used") {
  OnnxModel model = model_of({OnnxNode("BatchNormalization", {"x", "s", "s", "s", "s"}, {"y", "mean", "var"}, "bn1")},
                             {{"x", {1, 2, 2, 2}}}, {{"s", floats_of({2})}});
  model.graph.output("mean", DataType::float32, {2});
  const auto error = error_of([&] { (void)run(model); });
  REQUIRE(error.has_value());
  CHECK((error->code() == ErrorCode::unsupported || error->code() == ErrorCode::model));
}

TEST_CASE("F22: a chain of 40 doublings is over the limit, not out of memory") {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 40; ++i) {
    const std::string in = i == 0 ? "x" : "v" + number(i);
    nodes.push_back(OnnxNode("Concat", {in, in}, {i == 39 ? "y" : "v" + number(i + 1)}).set("axis", 0));
  }
  CHECK_REFUSED(model_of(nodes, {{"x", {1}}}), ErrorCode::limit, "bytes");
  CHECK_REFUSED(model_of(nodes, {}, {{"x", floats_of({1})}}), ErrorCode::limit, "");
}

TEST_CASE("F23: a constant that would fold to 100 GB is not folded") {
  const OnnxModel model = model_of(
      {OnnxNode("Expand", {"one", "s"}, {"big"}, "expand1"), OnnxNode("ReduceMax", {"big"}, {"y"}).set("keepdims", 0)},
      {}, {{"one", floats_of({1})}, {"s", tensor<std::int64_t>({2}, {160'000, 160'000})}});
  CHECK_REFUSED(model, ErrorCode::limit, "");
  const OnnxModel filled = model_of({OnnxNode("ConstantOfShape", {"s"}, {"y"}, "fill1")}, {},
                                    {{"s", tensor<std::int64_t>({2}, {160'000, 160'000})}});
  CHECK_REFUSED(filled, ErrorCode::limit, "");
}

TEST_CASE("F22: a size beyond 63 bits names the node that asks for it") {
  CHECK_REFUSED(model_of({OnnxNode("ConstantOfShape", {"s"}, {"y"}, "fill1")}, {},
                         {{"s", tensor<std::int64_t>({2}, {kHuge, 4})}}),
                ErrorCode::limit, "63 bits", "node 'fill1'");
  const auto scalar = [](std::int64_t x) { return tensor<std::int64_t>({}, {x}); };
  CHECK_REFUSED(model_of({OnnxNode("Range", {"a", "b", "c"}, {"y"}, "range1")}, {},
                         {{"a", scalar(-kHuge)}, {"b", scalar(kHuge)}, {"c", scalar(1)}}),
                ErrorCode::limit, "node 'range1'");
}

TEST_CASE("F23: a chain of operators on one blown-up constant is folded as far as it is in proportion") {
  std::vector<OnnxNode> nodes = {OnnxNode("Expand", {"one", "s"}, {"v0"})};
  for (int i = 0; i < 300; ++i) nodes.push_back(OnnxNode("Erf", {"v" + number(i)}, {"v" + number(i + 1)}));
  nodes.push_back(OnnxNode("Add", {"x", "v300"}, {"y"}));
  const OnnxModel model =
      model_of(nodes, {{"x", {1}}}, {{"one", floats_of({1})}, {"s", tensor<std::int64_t>({1}, {1'000'000})}});
  const PlanReport report = Plan(Model::load(model.bytes()), one_thread()).report();
  const auto fold = std::find_if(report.passes.begin(), report.passes.end(),
                                 [](const PassReport& pass) { return pass.name == "fold_constants"; });
  REQUIRE(fold != report.passes.end());
  CHECK(fold->applied > 10);
  // Each node reads and writes 8 MB, so 16 of them are the 128 MiB that are free, in each of the two stages: 32, and some room
  // for the Expand and for the few bytes of constants that the file has.
  CHECK(fold->applied < 40);
  CHECK_FALSE(fold->refused.empty());
}

TEST_CASE("D03: constants of huge extents without an element are computed at once") {
  const std::int64_t huge = std::int64_t{1} << 40;
  const auto empty = [](const Ints& extents) {
    return std::pair("s", tensor<std::int64_t>({static_cast<std::int64_t>(extents.size())}, extents));
  };
  const OnnxNode fill("ConstantOfShape", {"s"}, {"t"});
  const auto shape_of = [](const OnnxModel& model) { return run(model).at(0).shape(); };
  CHECK(shape_of(model_of({fill, OnnxNode("Det", {"t"}, {"y"})}, {}, {empty({0, 1 << 20, 1 << 20})})) == Shape{0});
  CHECK(shape_of(model_of({fill, OnnxNode("Conv", {"t", "w"}, {"y"})}, {},
                          {empty({0, 3, 1 << 30, 1 << 20}), {"w", floats_of({2, 3, 1, 1})}})) ==
        Shape{0, 2, 1 << 30, 1 << 20});
  CHECK(shape_of(model_of({fill, OnnxNode("TopK", {"t", "k"}, {"y", ""}).set("axis", 0)}, {},
                          {empty({huge, 0}), {"k", tensor<std::int64_t>({1}, {huge / 2})}})) == Shape{huge / 2, 0});
  const Constants boxes = {{"s", tensor<std::int64_t>({3}, {huge, 0, 4})},
                           {"m", tensor<std::int64_t>({3}, {huge, 1 << 20, 0})},
                           {"k", tensor<std::int64_t>({1}, {10})}};
  const std::vector<OnnxNode> selection = {fill, OnnxNode("ConstantOfShape", {"m"}, {"scores"}),
                                           OnnxNode("NonMaxSuppression", {"t", "scores", "k"}, {"y"})};
  CHECK(shape_of(model_of(selection, {}, boxes)) == Shape{0, 3});
  CHECK(shape_of(model_of({fill, OnnxNode("GlobalLpPool", {"t"}, {"y"})}, {}, {empty({1, 1, huge, 0})})) ==
        Shape{1, 1, 1, 1});
  const std::vector<OnnxNode> training = {
      fill, OnnxNode("BatchNormalization", {"t", "one", "one", "one", "one"}, {"n", "y", ""}).set("training_mode", 1)};
  CHECK(shape_of(model_of(training, {}, {empty({huge, 1, 0}), {"one", floats_of({1})}}, 15)) == Shape{1});
}

TEST_CASE("D03: inputs of huge extents beside one of 0 are not walked") {
  const std::int64_t huge = std::int64_t{1} << 40;
  const Tensor tall(DataType::float32, {huge, 0}), wide(DataType::float32, {0, huge});
  const auto run_on = [](const Tensor& x, const OnnxNode& node, const Constants& constants) {
    const std::vector<Input> inputs = {{"x", {x.shape().begin(), x.shape().end()}}};
    return run(model_of({node}, inputs, constants, 18), {x}).at(0).shape();
  };
  const Constants axis = {{"c", tensor<std::int64_t>({1}, {1})}};
  CHECK(run_on(tall, OnnxNode("CumSum", {"x", "c"}, {"y"}), axis) == tall.shape());
  CHECK(run_on(tall, OnnxNode("LpNormalization", {"x"}, {"y"}).set("axis", 1), {}) == tall.shape());
  CHECK(run_on(tall, OnnxNode("CenterCropPad", {"x", "c"}, {"y"}), {{"c", tensor<std::int64_t>({2}, {huge + 1, 0})}}) ==
        Shape{huge + 1, 0});
  CHECK(run_on(wide, OnnxNode("Gemm", {"x", "c"}, {"y"}).set("transA", 1),
               {{"c", Tensor(DataType::float32, {0, 0})}}) == tall.shape());
  const Tensor stack(DataType::float32, {1, huge, 0, 3});
  CHECK(run_on(stack, OnnxNode("MatMul", {"x", "c"}, {"y"}), {{"c", floats_of({3, 2})}}) == Shape{1, huge, 0, 2});
}

TEST_CASE("D03: a convolution over no channels gives its bias") {
  for (const char* op : {"Conv", "ConvTranspose"}) {
    const Shape filter = op == std::string("Conv") ? Shape{18, 0, 3, 3} : Shape{0, 18, 3, 3};
    Tensor bias(DataType::float32, {18});
    std::iota(bias.mutable_data<float>().begin(), bias.mutable_data<float>().end(), -3.0F);
    const OnnxModel model = model_of({OnnxNode(op, {"x", "w", "b"}, {"c"}), OnnxNode("Relu", {"c"}, {"y"})},
                                     {{"x", {1, 0, 20, 20}}}, {{"w", Tensor(DataType::float32, filter)}, {"b", bias}});
    const Tensor y = run(model, {Tensor(DataType::float32, {1, 0, 20, 20})}).at(0);
    const auto got = y.data<float>();
    const std::size_t pixels = got.size() / 18;
    bool right = pixels > 0;
    for (std::size_t i = 0; i < got.size(); ++i)
      right = right && got[i] == std::max(0.0F, bias.data<float>()[i / pixels]);
    CHECK(right);
  }
}

TEST_CASE("F23: work that a few bytes of constants do not tell is left for the run") {
  const auto plan = [](const std::vector<OnnxNode>& nodes, const Constants& constants) {
    const std::vector<std::byte> file = model_of(nodes, {}, constants, 18).bytes();
    return processor_seconds_of([&] { (void)Plan(Model::load(file), one_thread()); });
  };
  const OnnxNode signal("ConstantOfShape", {"s"}, {"t"});
  const auto shape = [](const Ints& extents) {
    return std::pair("s", tensor<std::int64_t>({static_cast<std::int64_t>(extents.size())}, extents));
  };
  CHECK(plan({signal, OnnxNode("DFT", {"t"}, {"y"})}, {shape({1, 160'001, 1})}) < kManySeconds);
  OnnxNode regions("RoiAlign", {"t", "boxes", "images"}, {"y"});
  regions.set("sampling_ratio", 16384).set("output_height", 30).set("output_width", 30);
  CHECK(plan({signal, regions},
             {shape({1, 1, 2, 2}), {"boxes", floats_of({1, 4})}, {"images", tensor<std::int64_t>({1}, {0})}}) <
        kManySeconds);
  // Millions of rows of one element.
  for (const char* op : {"Softmax", "LogSoftmax"})
    CHECK(plan({signal, OnnxNode(op, {"t"}, {"y"})}, {shape({4 << 20, 1})}) < kManySeconds / 6);
  CHECK(plan({signal, OnnxNode("InstanceNormalization", {"t", "one", "one"}, {"y"})},
             {shape({4 << 20, 1, 1}), {"one", floats_of({1})}}) < kManySeconds / 6);
  const std::int64_t n = 1 << 18;
  CHECK(plan({signal, OnnxNode("Col2Im", {"t", "n", "n"}, {"y"})},
             {shape({1, n, 1}), {"n", tensor<std::int64_t>({1}, {n})}}) < kManySeconds);
}

TEST_CASE("D03: steps over an axis that takes no memory, and parts of next to none, are limited") {
  const Constants empty = {{"s", tensor<std::int64_t>({2}, {std::int64_t{1} << 40, 0})},
                           {"one", tensor<std::int64_t>({}, {1})},
                           {"state", floats_of({1})}};
  const OnnxNode fill("ConstantOfShape", {"s"}, {"t"});
  OnnxGraph body;
  body.node(OnnxNode("Identity", {"a"}, {"a1"})).node(OnnxNode("Identity", {"b"}, {"b1"}));
  body.input("a", DataType::float32, {1}).input("b", DataType::float32, {0});
  body.output("a1", DataType::float32, {1}).output("b1", DataType::float32, {0});
  const OnnxNode scan =
      OnnxNode("Scan", {"state", "t"}, {"last", "y"}, "scan1").set("num_scan_inputs", 1).set("body", body);
  CHECK_REFUSED(model_of({fill, scan}, {}, empty), ErrorCode::limit, "scan1", "max_loop_trips");
  // At opset 8 also over a batch, and for what fills up shorter sequences.
  OnnxGraph step;
  step.node(OnnxNode("Identity", {"b"}, {"b1"}));
  step.input("b", DataType::float32, {0}).output("b1", DataType::float32, {0});
  const OnnxNode batched = OnnxNode("Scan", {"n", "x"}, {"y"}, "scan8").set("num_scan_inputs", 1).set("body", step);
  for (const Ints& extents : {Ints{std::int64_t{1} << 40, 0, 0}, Ints{1, std::int64_t{1} << 40, 0}}) {
    const OnnxModel model =
        model_of({batched}, {{"x", {extents.begin(), extents.end()}}}, {{"n", tensor<std::int64_t>({1}, {1})}}, 8);
    CHECK_REFUSED([&] { (void)run(model, {Tensor(DataType::float32, extents)}); }, ErrorCode::limit, "scan8",
                  "max_loop_trips");
  }
  CHECK_REFUSED(model_of({fill, OnnxNode("SplitToSequence", {"t", "one"}, {"q"}, "split1"),
                          OnnxNode("SequenceLength", {"q"}, {"y"})},
                         {}, empty),
                ErrorCode::limit, "split1", "parts");
  CHECK_REFUSED(model_of({fill, OnnxNode("Unique", {"t"}, {"y"}, "unique1").set("axis", 0)}, {}, empty),
                ErrorCode::limit, "unique1", "slices");
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const OnnxModel halves = model_of(
      {fill, OnnxNode("SplitToSequence", {"t", "half"}, {"q"}, "split1"), OnnxNode("SequenceLength", {"q"}, {"y"})}, {},
      {{"s", tensor<std::int64_t>({2}, {kMost, 0})}, {"half", tensor<std::int64_t>({}, {kMost / 2 + 1})}});
  CHECK(run(halves).at(0).data<std::int64_t>()[0] == 2);
  const OnnxModel columns = model_of({fill, OnnxNode("Unique", {"t"}, {"y"}, "unique1").set("axis", 1)}, {},
                                     {{"s", tensor<std::int64_t>({3}, {std::int64_t{1} << 40, 3, 0})}});
  CHECK(run(columns).at(0).shape() == Shape{std::int64_t{1} << 40, 1, 0});
  const Constants steps = {{"s", tensor<std::int64_t>({3}, {std::int64_t{1} << 40, 1, 0})},
                           {"w", floats_of({1, 1, 0})},
                           {"r", floats_of({1, 1, 1})}};
  CHECK_REFUSED(model_of({fill, OnnxNode("RNN", {"t", "w", "r"}, {"", "y"}, "rnn1").set("hidden_size", 1)}, {}, steps),
                ErrorCode::limit, "rnn1", "steps over nothing");
}

TEST_CASE("F23: what a constant's operator refuses while it is folded names the node and its inputs") {
  CHECK_REFUSED(model_of({OnnxNode("Identity", {"a"}, {"i"}), OnnxNode("Div", {"i", "zero"}, {"d"}, "div1"),
                          OnnxNode("Identity", {"d"}, {"y"})},
                         {}, {{"a", tensor<std::int64_t>({1}, {1})}, {"zero", tensor<std::int64_t>({1}, {0})}}),
                ErrorCode::input, "node 'div1'");
}

TEST_CASE("D21: names inside functions are found in linear time where the model has taken the likely ones") {
  constexpr int kTaken = 40'000, kCalls = 15'000;
  OnnxModel model(8, 13);
  model.import("my", 1).graph.name("g").input("x", DataType::float32, {2}).output("y0", DataType::float32, {2});
  ProtoWriter function;
  function.bytes(1, "F").bytes(10, "my").bytes(4, "u").bytes(5, "v");
  function.message(7, OnnxNode("Relu", {"u"}, {"t"}).proto()).message(7, OnnxNode("Relu", {"t"}, {"v"}).proto());
  function.message(9, ProtoWriter().bytes(1, "").number(2, 13));
  model.fields().message(25, function);
  for (int i = 0; i < kTaken; ++i) model.graph.node(OnnxNode("Relu", {"x"}, {"f/t#" + number(kTaken + i)}));
  for (int i = 0; i < kCalls; ++i) model.graph.node(OnnxNode("F", {"x"}, {"y" + number(i)}, "f").domain("my"));
  const std::vector<std::byte> file = model.bytes();
  CHECK(processor_seconds_of([&] { (void)Model::load(file); }) < kManySeconds);
}

TEST_CASE("D21: what calls leave out is left out in linear time, by nodes that stand before the calls") {
  ProtoWriter function;  // hands its input on
  function.bytes(1, "F").bytes(10, "my").bytes(4, "u").bytes(5, "u");
  function.message(9, ProtoWriter().bytes(1, "").number(2, 13));
  const auto check_refused = [&](const std::vector<std::string>& read, int calls) {
    OnnxModel model = model_of({OnnxNode("Max", read, {"y"})}, {{"x", {2}}});
    model.import("my", 1).fields().message(25, function);
    for (int i = 0; i < calls; ++i) model.graph.node(OnnxNode("F", {""}, {"v" + number(i)}).domain("my"));
    CHECK_REFUSED(model, ErrorCode::model, "a required input is missing");
  };
  std::vector<std::string> one(100'000, "v0"), many(50'000);
  for (int i = 0; i < 50'000; ++i) many[static_cast<std::size_t>(i)] = "v" + number(i);
  one[0] = "x";
  check_refused(one, 1);
  check_refused(many, 50'000);
}
