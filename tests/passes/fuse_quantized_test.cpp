#include <limits>
#include <optional>

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
  QuantizedBuilder& quantize(const std::string& from, const std::string& name, const std::string& to = "") {
    node("QuantizeLinear", {from, name + ".s", name + ".z"}, {to.empty() ? name + ".q" : to});
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
  SECTION("a vector with a scale for each of the elements that are summed") {
    b.input("a.q", {3, 2}, DataType::uint8);
    b.scale("a", 0.5f, 120).weights("v", {2}).dequantize("a");
    b.floats("v.s", {2}, {0.25f, 16}).constant("v.z", Tensor::of<std::uint8_t>({2}, std::vector<std::uint8_t>{1, 2}));
    b.node("DequantizeLinear", {"v.q", "v.s", "v.z"}, {"v"}, {{"axis", std::int64_t{0}}});
    b.node("MatMul", {"a", "v"}, {"c"});
    b.quantize("c", "y").output("y.q");
  }
  SECTION("a bias that leaves no room for the sum") {
    constexpr std::int32_t kLow = std::numeric_limits<std::int32_t>::min(), kHigh = -(kLow + 1);
    b.constant("far.q", Tensor::of<std::int32_t>({3}, std::vector<std::int32_t>{kLow, kHigh, 0}));
    b.node("DequantizeLinear", {"far.q", "b.s"}, {"far"}).node("Conv", {"x", "w", "far"}, {"c"});
    b.quantize("c", "y").output("y.q");
  }
  SECTION("a bias that is not known") {
    b.input("later.q", {3}, DataType::int32);
    b.node("DequantizeLinear", {"later.q", "b.s"}, {"later"}).node("Conv", {"x", "w", "later"}, {"c"});
    b.quantize("c", "y").output("y.q");
  }
  SECTION("a sum of more products than 32 bits hold for certain") {
    b.input("a.q", {1, 33026}, DataType::uint8).input("v.q", {33026, 1}, DataType::uint8);
    b.scale("a", 1, 0).scale("v", 1, 0).scale("far", 0x1p24f, 0).dequantize("a").dequantize("v");
    b.node("MatMul", {"a", "v"}, {"c"});
    b.quantize("c", "far").output("far.q");
  }
  CHECK(check_pass(b.graph, kFuseQuantized).applied == 0);
}

TEST_CASE("fuse_quantized takes no scale for above 0 that is not") {
  const std::optional<float> scale =
      GENERATE(std::optional(-0.5f), std::optional(0.0f), std::optional(std::numeric_limits<float>::quiet_NaN()),
               std::optional(std::numeric_limits<float>::infinity()), std::optional(3e38f), std::optional<float>());
  QuantizedBuilder b;
  b.input("x.q", {1, 2, 4, 4}, DataType::uint8);
  b.scale("x", scale.value_or(1), 0).dequantize("x");
  if (!scale) b.overridable("x.s");
  SECTION("where bytes are chosen") {
    b.node("MaxPool", {"x"}, {"f"}, {{"kernel_shape", std::vector<std::int64_t>{2, 2}}});
  }
  SECTION("where bytes are moved") { b.node("Flatten", {"x"}, {"f"}); }
  SECTION("where a Relu is left out") {
    b.input("v.q", {1, 2, 4, 4}, DataType::uint8);
    b.scale("v", 0.5f, 0).dequantize("v");
    b.node("Add", {"v", "v"}, {"sum"}).node("Relu", {"sum"}, {"f"});
  }
  b.quantize("f", "x", "y.q").output("y.q");
  CHECK(run_pass(b.graph, kFuseQuantized).applied == 0);
}

/// x and w of the scale `from`, for a y of the scale `to`.
QuantizedBuilder scaled(float from, float to) {
  QuantizedBuilder b;
  b.input("x.q", {1, 2, 4, 4}, DataType::uint8);
  b.weights("w", {3, 2, 3, 3})
      .scale("x", from, 0)
      .scale("w", from, 0)
      .scale("y", to, 0)
      .dequantize("x")
      .dequantize("w");
  return b;
}

TEST_CASE("fuse_quantized leaves groups with scales whose products or ratios a float may not hold") {
  const float from = GENERATE(1e-22f, 3e36f, 0.5f), to = from == 0.5f ? GENERATE(1e-45f, 0.0f, 2e38f) : 1.0f;
  QuantizedBuilder b = scaled(from, to);
  SECTION("Conv") { b.node("Conv", {"x", "w"}, {"f"}); }
  SECTION("MatMul") { b.node("MatMul", {"x", "x"}, {"f"}); }
  SECTION("Add") { b.node("Add", {"x", "x"}, {"f"}); }
  SECTION("GlobalAveragePool") { b.node("GlobalAveragePool", {"x"}, {"f"}); }
  b.quantize("f", "y").output("y.q");
  CHECK(run_pass(b.graph, kFuseQuantized).applied == 0);
}

TEST_CASE("fuse_quantized takes the scales that models have") {
  const float scale = GENERATE(1e-6f, 1e3f);
  QuantizedBuilder b = scaled(scale, scale);
  b.node("Conv", {"x", "w"}, {"f"});
  b.quantize("f", "y").output("y.q");
  CHECK(run_pass(b.graph, kFuseQuantized).applied == 1);
}

TEST_CASE("a bias with a scale that is no number is not taken for one of the right scale") {
  QuantizedBuilder b = convolution();
  b.floats("nan.s", {}, {std::numeric_limits<float>::quiet_NaN()});
  b.node("DequantizeLinear", {"b.q", "nan.s"}, {"other"}).node("Conv", {"x", "w", "other"}, {"c"});
  b.quantize("c", "y").output("y.q");
  CHECK(run_pass(b.graph, kFuseQuantized).applied == 0);
}

}  // namespace
