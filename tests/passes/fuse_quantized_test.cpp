#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kFuseQuantized = "fuse_quantized";

/// Scales are powers of two, so that integers and floats give the same bytes.
class QuantizedBuilder : public GraphBuilder {
 public:
  QuantizedBuilder& scale(const std::string& name, float value, std::uint8_t zero) {
    floats(name + ".s", {}, {value});
    constant(name + ".z", Tensor::of<std::uint8_t>({}, std::vector<std::uint8_t>{zero}));
    return *this;
  }
  QuantizedBuilder& weights(const std::string& name, Shape shape) {
    Tensor tensor(DataType::uint8, std::move(shape));
    std::uint8_t value = 3;
    for (std::uint8_t& x : tensor.mutable_data<std::uint8_t>()) x = value = static_cast<std::uint8_t>(value * 5 + 1);
    constant(name + ".q", std::move(tensor));
    return *this;
  }
  /// name.q to name.
  QuantizedBuilder& dequantize(const std::string& name) {
    node("DequantizeLinear", {name + ".q", name + ".s", name + ".z"}, {name});
    return *this;
  }
  QuantizedBuilder& quantize(const std::string& from, const std::string& name) {
    node("QuantizeLinear", {from, name + ".s", name + ".z"}, {name + ".q"});
    return *this;
  }
};

QuantizedBuilder convolution() {
  QuantizedBuilder b;
  b.input("x.q", {1, 2, 5, 5}, DataType::uint8);
  b.scale("x", 0.5f, 120).scale("w", 0.25f, 128).scale("y", 16, 100).weights("w", {3, 2, 3, 3});
  b.constant("b.q", Tensor::of<std::int32_t>({3}, std::vector<std::int32_t>{5, -900, 2000}));
  b.floats("b.s", {}, {0.125f});
  b.dequantize("x").dequantize("w");
  b.node("DequantizeLinear", {"b.q", "b.s"}, {"b"});
  return b;
}

TEST_CASE("a convolution between DequantizeLinear and QuantizeLinear becomes QLinearConv") {
  QuantizedBuilder b = convolution();
  const bool relu = GENERATE(false, true);
  b.node("Conv", {"x", "w", "b"}, {"c"});
  if (relu) {
    b.scale("y0", 16, 0);
    b.node("Relu", {"c"}, {"r"});
    b.quantize("r", "y0").output("y0.q");
  } else {
    b.quantize("c", "y").output("y.q");
  }
  CHECK(check_pass(b.graph, kFuseQuantized).applied == 1);
  CHECK(operators(b.graph) == "QLinearConv");
}

TEST_CASE("sums, products and means become integer operators") {
  QuantizedBuilder b;
  b.input("x.q", {1, 2, 4, 4}, DataType::uint8).input("v.q", {1, 2, 4, 4}, DataType::uint8);
  b.scale("x", 0.5f, 120).scale("v", 0.25f, 7).scale("y", 4, 100).dequantize("x");
  std::string expected;
  SECTION("Add") {
    b.dequantize("v").node("Add", {"x", "v"}, {"f"});
    expected = "QLinearAdd";
  }
  SECTION("MatMul") {
    b.dequantize("v").node("MatMul", {"x", "v"}, {"f"});
    expected = "QLinearMatMul";
  }
  SECTION("GlobalAveragePool") {
    b.node("GlobalAveragePool", {"x"}, {"f"});
    expected = "QLinearGlobalAveragePool";
  }
  b.quantize("f", "y").output("y.q");
  CHECK(check_pass(b.graph, kFuseQuantized).applied == 1);
  CHECK(operators(b.graph) == expected);
}

TEST_CASE("what only moves elements between equal scales moves integers") {
  QuantizedBuilder b;
  b.input("x.q", {1, 2, 4, 4}, DataType::uint8);
  const float scale = GENERATE(0.5f, 0.25f);
  b.scale("x", 0.5f, 120).scale("y", scale, 120).dequantize("x").node("Flatten", {"x"}, {"f"});
  b.quantize("f", "y").output("y.q");
  CHECK(check_pass(b.graph, kFuseQuantized).applied == (scale == 0.5f ? 1 : 0));
  CHECK(operators(b.graph) == (scale == 0.5f ? "Flatten" : "DequantizeLinear Flatten QuantizeLinear"));
}

TEST_CASE("fuse_quantized leaves what is not the same") {
  QuantizedBuilder b = convolution();
  SECTION("a float that somebody else reads") {
    b.node("Conv", {"x", "w", "b"}, {"c"});
    b.quantize("c", "y").output("y.q");
    b.output("c");
  }
  SECTION("a bias of another scale") {
    b.floats("other.s", {}, {0.25f});
    b.node("DequantizeLinear", {"b.q", "other.s"}, {"other"}).node("Conv", {"x", "w", "other"}, {"c"});
    b.quantize("c", "y").output("y.q");
  }
  SECTION("a Relu above the lowest byte") {
    b.node("Conv", {"x", "w", "b"}, {"c"}).node("Relu", {"c"}, {"r"});
    b.quantize("r", "y").output("y.q");
  }
  SECTION("an input that is not quantised") {
    b.input("float", {1, 2, 5, 5}).node("Conv", {"float", "w", "b"}, {"c"});
    b.quantize("c", "y").output("y.q");
  }
  CHECK(check_pass(b.graph, kFuseQuantized).applied == 0);
}

}  // namespace
