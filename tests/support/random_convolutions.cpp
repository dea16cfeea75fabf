// The layers of random networks that multiply: convolutions, blocks of them, matrices.
#include <algorithm>

#include "support/random_layers.h"

namespace linnet::test {

namespace {

/// What keeps the exact numbers of a network small.
constexpr double kExactLimit = 3;

}  // namespace

std::string LayerBuilder::bounded(const Name& x) {
  if (!exact()) return x;
  if (opset() < 11) return node("Clip", {x}, {{"min", -kExactLimit}, {"max", kExactLimit}});
  return node("Clip", {x, scalar(-kExactLimit), scalar(kExactLimit)});
}

std::string LayerBuilder::activation(const Name& x) {
  if (exact()) return random_.chance(0.5) ? node("Relu", {bounded(x)}) : bounded(x);
  const auto real = [](double value) { return reference::round_to(reference::Type::float32, value); };
  switch (random_.integer(0, 9)) {
    case 0: return x;
    case 1:
      return opset() < 11 ? node("Clip", {x}, {{"min", 0.0}, {"max", 6.0}}) : node("Clip", {x, scalar(0), scalar(6)});
    case 2: return node("LeakyRelu", {x}, {{"alpha", real(random_.uniform(0, 0.5))}});
    case 3: return opset() >= 14 ? node("HardSwish", {x}) : node("Mul", {x, node("Sigmoid", {x})});
    case 4: return node("HardSigmoid", {x}, {{"alpha", real(0.2)}, {"beta", real(random_.uniform(0, 1))}});
    case 5: return node("PRelu", {x, constant(random_reals(random_, {shape(x).at(1), 1, 1}, -0.5, 0.5))});
    case 6: return node(choose(std::vector<std::string>{"Sigmoid", "Tanh", "Elu"}), {x});
    default: return node("Relu", {x});
  }
}

std::string LayerBuilder::batch_norm(const Name& x) {
  if (x.empty() || exact()) return x;
  const std::int64_t channels = shape(x)[1];
  const bool plain = random_.chance(0.2);  // mean 0 and variance 1, as folded models have
  const Name scale = per_channel(channels, random_.chance(0.3) ? -1 : 0.5, 1.5);
  const Name shift = per_channel(channels, -0.5, 0.5);
  const Name mean = per_channel(channels, plain ? 0 : -0.5, plain ? 1e-9 : 0.5);
  const Name variance = per_channel(channels, plain ? 1 : 0.25, plain ? 1.0000001 : 2);
  const double epsilon = reference::round_to(reference::Type::float32, choose(std::vector<double>{1e-5, 1e-3, 0.01}));
  return node("BatchNormalization", {x, scale, shift, mean, variance}, {{"epsilon", epsilon}});
}

std::vector<std::int64_t> LayerBuilder::pads_for(const Ints& kernel, const Ints& dilations) {
  Ints pads;
  const bool same = random_.chance(0.6);
  for (int side = 0; side < 2; ++side) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
      const std::int64_t reach = (kernel[axis] - 1) * dilations[axis];
      pads.push_back(same ? reach / 2 : random_.integer(0, std::min<std::int64_t>(3, reach)));
    }
  }
  return pads;
}

std::string LayerBuilder::conv(const Name& x) {
  const std::int64_t channels = shape(x)[1];
  Ints kernel = choose(std::vector<Ints>{
      {1, 1}, {1, 1}, {3, 3}, {3, 3}, {3, 3}, {5, 5}, {7, 7}, {1, 3}, {3, 1}, {2, 2}, {1, 7}, {4, 3}});
  const Ints strides = choose(std::vector<Ints>{{1, 1}, {1, 1}, {1, 1}, {2, 2}, {2, 2}, {1, 2}, {3, 1}, {4, 4}});
  const Ints dilations = choose(std::vector<Ints>{{1, 1}, {1, 1}, {1, 1}, {1, 1}, {2, 2}, {1, 3}});
  std::int64_t group = 1;
  if (random_.chance(0.3)) {
    Ints divisors;
    for (std::int64_t d = 1; d <= channels; ++d) {
      if (channels % d == 0) divisors.push_back(d);
    }
    group = random_.chance(0.5) ? channels : choose(divisors);
  }
  std::int64_t out = choose(Ints{1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 48, 64});
  if (group > 1) out = group * random_.integer(1, std::max<std::int64_t>(1, 48 / group));
  const auto depth = static_cast<double>(channels / group * kernel[0] * kernel[1]);
  std::vector<Name> inputs = {x, weights({out, channels / group, kernel[0], kernel[1]}, depth)};
  if (random_.chance(0.6)) inputs.push_back(per_channel(out, -0.5, 0.5));
  Attributes attributes = {{"strides", strides}, {"dilations", dilations}, {"group", group}};
  if (random_.chance(0.5)) attributes["kernel_shape"] = kernel;
  const bool auto_pad = random_.chance(0.1) && dilations == Ints{1, 1};
  if (auto_pad) attributes["auto_pad"] = choose(std::vector<std::string>{"SAME_UPPER", "SAME_LOWER", "VALID"});
  else attributes["pads"] = pads_for(kernel, dilations);
  Name y = node("Conv", inputs, attributes);
  if (!y.empty() && random_.chance(0.4)) y = batch_norm(y);
  return y.empty() ? y : activation(y);
}

std::string LayerBuilder::same_conv(const Name& x, std::int64_t channels, std::int64_t kernel, std::int64_t stride) {
  if (x.empty()) return x;
  const std::int64_t in = shape(x)[1];
  const std::int64_t pad = kernel / 2;
  std::vector<Name> inputs = {x, weights({channels, in, kernel, kernel}, static_cast<double>(in * kernel * kernel))};
  if (random_.chance(0.4)) inputs.push_back(per_channel(channels, -0.5, 0.5));
  return node("Conv", inputs, {{"strides", Ints{stride, stride}}, {"pads", Ints{pad, pad, pad, pad}}});
}

// As in the ResNets: two or three convolutions and a way around them.
std::string LayerBuilder::residual_block(const Name& x) {
  const std::int64_t stride = random_.integer(1, 2);
  const bool project = stride != 1 || random_.chance(0.3);
  const std::int64_t channels = project ? choose(Ints{4, 16, 17, 32}) : shape(x)[1];
  const bool bottleneck = random_.chance(0.4);
  const std::int64_t inner = bottleneck ? std::max<std::int64_t>(1, channels / 2) : channels;
  Name y = batch_norm(same_conv(x, inner, bottleneck ? 1 : 3, bottleneck ? 1 : stride));
  if (y.empty()) return y;
  y = activation(y);
  if (bottleneck) {
    y = batch_norm(same_conv(y, inner, 3, stride));
    if (y.empty()) return y;
    y = activation(y);
  }
  y = batch_norm(same_conv(y, channels, bottleneck ? 1 : 3, 1));
  const Name around = project ? batch_norm(same_conv(x, channels, 1, stride)) : x;
  if (y.empty() || around.empty() || shape(y) != shape(around)) return y;
  const Name sum =
      random_.chance(0.5) ? node("Add", {y, around}) : node(random_.chance(0.8) ? "Add" : "Sum", {around, y});
  return sum.empty() ? sum : activation(sum);
}

// As in the MobileNets.
std::string LayerBuilder::depthwise_block(const Name& x) {
  const std::int64_t channels = shape(x)[1];
  const std::int64_t kernel = choose(Ints{3, 3, 5});
  const std::int64_t stride = random_.integer(1, 2);
  const std::int64_t pad = kernel / 2;
  Name y = node("Conv", {x, weights({channels, 1, kernel, kernel}, static_cast<double>(kernel * kernel))},
                {{"group", channels}, {"strides", Ints{stride, stride}}, {"pads", Ints{pad, pad, pad, pad}}});
  y = batch_norm(y);
  if (y.empty()) return y;
  y = batch_norm(same_conv(activation(y), choose(Ints{8, 16, 24, 33}), 1, 1));
  if (y.empty()) return y;
  const Name other = pick_like(y);
  return other.empty() ? y : node("Add", {y, other});
}

std::string LayerBuilder::conv_transpose(const Name& x) {
  const std::int64_t channels = shape(x)[1];
  const Ints kernel = choose(std::vector<Ints>{{2, 2}, {3, 3}, {4, 4}, {3, 2}, {1, 1}});
  const Ints strides = choose(std::vector<Ints>{{1, 1}, {2, 2}, {2, 2}, {3, 1}});
  const std::int64_t group = random_.chance(0.2) ? channels : 1;
  const std::int64_t out = choose(Ints{1, 3, 8, 16, 17});
  const auto depth = static_cast<double>(channels / group * kernel[0] * kernel[1]);
  std::vector<Name> inputs = {x, weights({channels, group > 1 ? 1 : out, kernel[0], kernel[1]}, depth)};
  if (random_.chance(0.5)) inputs.push_back(per_channel(group > 1 ? channels : out, -0.5, 0.5));
  Attributes attributes = {{"strides", strides}, {"group", group}};
  if (random_.chance(0.5)) attributes["pads"] = Ints{0, 1, random_.integer(0, 1), 0};
  if (strides == Ints{2, 2} && random_.chance(0.3)) attributes["output_padding"] = Ints{1, 0};
  if (random_.chance(0.15)) attributes["dilations"] = Ints{2, 1};
  Name y = node("ConvTranspose", inputs, attributes);
  if (!y.empty() && random_.chance(0.4)) y = batch_norm(y);
  return y.empty() ? y : activation(y);
}

// As in the ShuffleNets: groups of channels interleaved.
std::string LayerBuilder::shuffle(const Name& x) {
  const reference::Shape& from = shape(x);
  Ints divisors;
  for (std::int64_t d = 2; d < from[1]; ++d) {
    if (from[1] % d == 0) divisors.push_back(d);
  }
  if (divisors.empty()) return {};
  const std::int64_t groups = choose(divisors);
  const Ints back = {0, from[1], from[2], from[3]};
  const Name apart = node("Reshape", {x, ints({0, groups, from[1] / groups, from[2], from[3]})});
  const Name swapped = apart.empty() ? apart : node("Transpose", {apart}, {{"perm", Ints{0, 2, 1, 3, 4}}});
  return swapped.empty() ? swapped : node("Reshape", {swapped, ints(back)});
}

std::string LayerBuilder::gemm(const Name& x) {
  if (shape(x).size() != 2) return {};
  const std::int64_t features = shape(x)[1];
  const std::int64_t out = choose(Ints{1, 3, 10, 16, 17, 33, 100});
  const auto real = [](double value) { return reference::round_to(reference::Type::float32, value); };
  if (random_.chance(0.3)) {
    const Name y = bounded(node("MatMul", {x, weights({features, out}, static_cast<double>(features))}));
    return !y.empty() && random_.chance(0.5) ? node("Add", {y, per_channel(out, -1, 1)}) : y;
  }
  const bool transposed = random_.chance(0.6);
  std::vector<Name> inputs = {x, weights(transposed ? reference::Shape{out, features} : reference::Shape{features, out},
                                         static_cast<double>(features))};
  if (opset() < 11 || random_.chance(0.7)) inputs.push_back(per_channel(out, -0.5, 0.5));
  Attributes attributes = {{"transB", std::int64_t{transposed ? 1 : 0}}};
  if (!exact() && random_.chance(0.2)) attributes["alpha"] = real(random_.uniform(0.2, 2));
  if (!exact() && random_.chance(0.2)) attributes["beta"] = real(random_.uniform(0.2, 2));
  const Name y = bounded(node("Gemm", inputs, attributes));
  return !y.empty() && random_.chance(0.4) ? node("Relu", {y}) : y;
}

}  // namespace linnet::test
