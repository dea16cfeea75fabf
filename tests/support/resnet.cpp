#include "support/resnet.h"

#include <array>
#include <cmath>
#include <stdexcept>

#include "support/random_data.h"

namespace linnet::test {

namespace {

using Name = std::string;
using Ints = std::vector<std::int64_t>;

class ResNet {
 public:
  OnnxModel make(int depth) {
    if (depth != 18 && depth != 50) throw std::invalid_argument("no ResNet of this depth");
    const bool bottleneck = depth == 50;
    const std::array<int, 4> blocks = bottleneck ? std::array{3, 4, 6, 3} : std::array{2, 2, 2, 2};
    OnnxGraph& graph = model_.graph;
    graph.name("resnet").input("x", DataType::float32, {"N", 3, 224, 224});
    Name x = relu(conv("x", 3, 64, 7, 2));
    x = node("MaxPool", {x}, [](OnnxNode& n) {
      n.set("kernel_shape", Ints{3, 3}).set("strides", Ints{2, 2}).set("pads", Ints{1, 1, 1, 1});
    });
    std::int64_t channels = 64;
    for (std::size_t stage = 0; stage < blocks.size(); ++stage) {
      const std::int64_t inner = std::int64_t{64} << stage, out = bottleneck ? 4 * inner : inner;
      for (int i = 0; i < blocks[stage]; ++i) {
        const std::int64_t stride = stage > 0 && i == 0 ? 2 : 1;
        const Name shortcut = stride > 1 || channels != out ? conv(x, channels, out, 1, stride) : x;
        Name y;
        if (bottleneck) {
          y = relu(conv(x, channels, inner, 1, 1));
          y = relu(conv(y, inner, inner, 3, stride));
          y = conv(y, inner, out, 1, 1);
        } else {
          y = relu(conv(x, channels, inner, 3, stride));
          y = conv(y, inner, inner, 3, 1);
        }
        x = relu(node("Add", {y, shortcut}));
        channels = out;
      }
    }
    x = node("Flatten", {node("GlobalAveragePool", {x})});
    const Name weights = constant({1000, channels}, 0.05), bias = constant({1000}, 0.05);
    graph.node(OnnxNode("Gemm", {x, weights, bias}, {"y"}, "Gemm").set("transB", 1));
    graph.output("y", DataType::float32, {"N", 1000});
    return std::move(model_);
  }

 private:
  Name next(const std::string& what) { return what + std::to_string(count_++); }

  template <typename Setter>
  Name node(const std::string& op, const std::vector<Name>& inputs, Setter set) {
    const Name output = next(op);
    OnnxNode n(op, inputs, {output}, output);
    set(n);
    model_.graph.node(n);
    return output;
  }
  Name node(const std::string& op, const std::vector<Name>& inputs) {
    return node(op, inputs, [](OnnxNode&) {});
  }

  /// Random numbers below `most`, shifted by `by`.
  Name constant(Shape shape, double most, float by = 0) {
    Tensor values(DataType::float32, std::move(shape));
    for (float& value : values.mutable_data<float>()) value = by + static_cast<float>(random_.uniform(-most, most));
    const Name name = next("w");
    model_.graph.initializer(name, values);
    return name;
  }

  /// With its BatchNormalization.
  Name conv(const Name& x, std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
    const double most = std::sqrt(6.0 / static_cast<double>(in * kernel * kernel));  // outputs as large as inputs
    const Name y = node("Conv", {x, constant({out, in, kernel, kernel}, most)}, [&](OnnxNode& n) {
      n.set("kernel_shape", Ints{kernel, kernel}).set("strides", Ints{stride, stride}).set("pads", Ints(4, kernel / 2));
    });
    const Name scale = constant({out}, 0.2, 0.7F), shift = constant({out}, 0.1), mean = constant({out}, 0.1),
               variance = constant({out}, 0.2, 1);
    return node("BatchNormalization", {y, scale, shift, mean, variance});
  }

  Name relu(const Name& x) { return node("Relu", {x}); }

  OnnxModel model_;
  Random random_{50};
  int count_ = 0;
};

}  // namespace

OnnxModel resnet(int depth) { return ResNet().make(depth); }

}  // namespace linnet::test
