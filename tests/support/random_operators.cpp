// The layers of random networks that do not multiply matrices.
#include <algorithm>

#include "support/random_layers.h"

namespace linnet::test {

std::string LayerBuilder::max_pool(const Name& x) {
  const Ints kernel = choose(std::vector<Ints>{{2, 2}, {3, 3}, {3, 3}, {1, 2}, {5, 5}});
  Attributes attributes = {{"kernel_shape", kernel},
                           {"strides", choose(std::vector<Ints>{{2, 2}, {2, 2}, {1, 1}, {3, 2}})}};
  if (random_.chance(0.5))
    attributes["pads"] = Ints{kernel[0] / 2, kernel[1] / 2, (kernel[0] - 1) / 2, (kernel[1] - 1) / 2};
  else if (random_.chance(0.2)) attributes["auto_pad"] = choose(std::vector<std::string>{"SAME_UPPER", "SAME_LOWER"});
  if (opset() >= 10 && random_.chance(0.3)) attributes["ceil_mode"] = std::int64_t{1};
  if (opset() >= 10 && random_.chance(0.15) && attributes.count("auto_pad") == 0) attributes["dilations"] = Ints{2, 1};
  return node("MaxPool", {x}, attributes);
}

std::string LayerBuilder::average_pool(const Name& x) {
  const Ints kernel = choose(std::vector<Ints>{{2, 2}, {3, 3}, {3, 2}, {1, 1}, {4, 4}});
  Attributes attributes = {{"kernel_shape", kernel}, {"strides", choose(std::vector<Ints>{{2, 2}, {1, 1}, {1, 3}})}};
  if (random_.chance(0.5))
    attributes["pads"] = Ints{kernel[0] / 2, kernel[1] / 2, (kernel[0] - 1) / 2, (kernel[1] - 1) / 2};
  if (random_.chance(0.4)) attributes["count_include_pad"] = std::int64_t{1};
  if (opset() >= 10 && random_.chance(0.3)) attributes["ceil_mode"] = std::int64_t{1};
  if (opset() >= 19 && random_.chance(0.2)) attributes["dilations"] = Ints{1, 2};
  return node("AveragePool", {x}, attributes);
}

std::string LayerBuilder::global_pool(const Name& x) {
  const Name y = node(random_.chance(0.8) ? "GlobalAveragePool" : "GlobalMaxPool", {x});
  return !y.empty() && random_.chance(0.7) ? node("Flatten", {y}) : y;
}

std::string LayerBuilder::unary(const Name& x) {
  if (exact()) return node(choose(std::vector<std::string>{"Relu", "Neg", "Abs", "Identity"}), {x});
  switch (random_.integer(0, 3)) {
    case 0: return node("Dropout", {x});
    case 1: return node("Sqrt", {node("Abs", {x})});
    case 2: return node("Exp", {node("Tanh", {x})});
    default:
      return node(choose(std::vector<std::string>{"Relu", "Sigmoid", "Tanh", "Neg", "Abs", "Identity", "Elu"}), {x});
  }
}

// A constant that broadcasts: per channel, per pixel, one number, or all.
std::string LayerBuilder::with_constant(const Name& x) {
  const reference::Shape& from = shape(x);
  reference::Shape to(from.size(), 1);
  switch (random_.integer(0, 3)) {
    case 0: to.clear(); break;
    case 1: to = {from.begin() + 1, from.end()}; break;
    case 2: to.back() = from.back(); break;
    default: to[1] = from[1]; break;
  }
  const std::string op = choose(std::vector<std::string>{"Add", "Mul", "Sub", "Div", "Max", "Min", "Pow"});
  if ((op == "Max" || op == "Min") && opset() < 8) return {};
  if (op == "Pow") return node("Pow", {node("Abs", {x}), scalar(choose(std::vector<double>{0.5, 1, 2, 3}))});
  const Name other = constant(random_reals(random_, to, 0.5, 1.5));
  // A constant on the left, where that says something else.
  return random_.chance(0.3) && op != "Div" ? node(op, {other, x}) : node(op, {x, other});
}

std::string LayerBuilder::with_other(const Name& x) {
  const Name other = pick_like(x);
  if (other.empty()) return {};
  if (exact()) return bounded(node("Add", {x, other}));
  if (random_.chance(0.2)) return node("Sum", {x, other, x});
  return node(choose(std::vector<std::string>{"Add", "Add", "Mul", "Sub", "Max", "Min"}), {x, other});
}

std::string LayerBuilder::concat(const Name& x) {
  std::vector<Name> parts = {x};
  for (const Name& name : live_) {
    reference::Shape other = shape(name);
    if (other.size() != shape(x).size() || parts.size() >= 4) continue;
    other[1] = shape(x)[1];
    if (other == shape(x) && random_.chance(0.5)) parts.push_back(name);
  }
  if (parts.size() == 1) parts.push_back(x);
  return node("Concat", parts, {{"axis", std::int64_t{1}}});
}

std::string LayerBuilder::split(const Name& x) {
  const std::int64_t channels = shape(x)[1];
  if (channels < 2) return {};
  const std::int64_t first = random_.integer(1, channels - 1);
  const Ints parts = {first, channels - first};
  Attributes attributes = {{"axis", std::int64_t{1}}};
  if (opset() < 13) attributes["split"] = parts;
  const std::vector<Name> inputs = opset() < 13 ? std::vector<Name>{x} : std::vector<Name>{x, ints(parts)};
  const std::vector<Name> outputs = node_with_outputs("Split", inputs, attributes, 2);
  if (outputs.empty()) return {};
  live_.push_back(outputs[1]);
  return outputs[0];
}

std::string LayerBuilder::slice(const Name& x) {
  const auto rank = static_cast<std::int64_t>(shape(x).size());
  const std::int64_t axis = random_.integer(1, rank - 1);
  const std::int64_t extent = shape(x)[static_cast<std::size_t>(axis)];
  const std::int64_t start = random_.integer(0, extent - 1);
  const std::int64_t end = random_.chance(0.3) ? std::int64_t{1} << 40 : random_.integer(start + 1, extent);
  const std::int64_t named = random_.chance(0.3) ? axis - rank : axis;
  if (opset() < 10) return node("Slice", {x}, {{"starts", Ints{start}}, {"ends", Ints{end}}, {"axes", Ints{axis}}});
  if (random_.chance(0.15))
    return node("Slice", {x, ints({extent - 1}), ints({-extent - 1}), ints({named}), ints({-1})});
  return node("Slice", {x, ints({start}), ints({end}), ints({named}), ints({random_.integer(1, 2)})});
}

std::string LayerBuilder::pad(const Name& x) {
  const std::string mode = random_.chance(0.7) ? "constant" : choose(std::vector<std::string>{"reflect", "edge"});
  Ints pads(8, 0);
  const std::int64_t most = mode == "reflect" ? std::min(shape(x)[2], shape(x)[3]) - 1 : 2;
  for (const std::size_t i : {2U, 3U, 6U, 7U}) pads[i] = random_.integer(0, std::min<std::int64_t>(2, most));
  if (mode == "constant" && random_.chance(0.2)) pads[5] = random_.integer(0, 3);
  const double value = mode == "constant" && random_.chance(0.3) ? 1.0 : 0.0;
  Attributes attributes = {{"mode", mode}};
  Name y;
  if (opset() < 11) {
    attributes["pads"] = pads;
    attributes["value"] = value;
    y = node("Pad", {x}, attributes);
  } else {
    std::vector<Name> inputs = {x, ints(pads)};
    if (value != 0) inputs.push_back(scalar(value));
    y = node("Pad", inputs, attributes);
  }
  // Before a convolution, which may take it over.
  return !y.empty() && random_.chance(0.6) ? conv(y) : y;
}

// To channels-last, something there, and perhaps back.
std::string LayerBuilder::transpose(const Name& x) {
  const Name last = node("Transpose", {x}, {{"perm", Ints{0, 2, 3, 1}}});
  if (last.empty()) return {};
  const Name there = node("Relu", {last});
  return random_.chance(0.8) ? node("Transpose", {there}, {{"perm", Ints{0, 3, 1, 2}}}) : there;
}

std::string LayerBuilder::resize(const Name& x) {
  const std::string mode = random_.chance(0.6) ? "nearest" : "linear";
  std::vector<double> scales = {1, 1, 2, 2};
  if (random_.chance(0.3)) scales = {1, 1, 1, 3};
  const auto as_tensor = [&] {
    return initializer(reference::Tensor::of_reals(reference::Type::float32, {4}, scales));
  };
  if (opset() < 9) return node("Upsample", {x}, {{"mode", mode}, {"scales", scales}});
  if (opset() == 9) return node("Upsample", {x, as_tensor()}, {{"mode", mode}});
  if (opset() == 10) return node("Resize", {x, as_tensor()}, {{"mode", mode}});
  Attributes attributes = {{"mode", mode}};
  if (mode == "nearest") {
    attributes["coordinate_transformation_mode"] = std::string("asymmetric");
    attributes["nearest_mode"] = std::string("floor");
  } else {
    attributes["coordinate_transformation_mode"] =
        choose(std::vector<std::string>{"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"});
  }
  if (opset() >= 13 && !graph_.symbolic_batch && random_.chance(0.5)) {  // sizes name the batch too
    const reference::Shape& from = shape(x);
    return node("Resize", {x, "", "", ints({from[0], from[1], from[2] * 2, from[3] * 3})}, attributes);
  }
  return node("Resize", {x, constant(reference::Tensor::make(reference::Type::float32, {0})), as_tensor()}, attributes);
}

std::string LayerBuilder::normalize(const Name& x) {
  const auto real = [](double value) { return reference::round_to(reference::Type::float32, value); };
  const std::int64_t channels = shape(x)[1];
  switch (random_.integer(0, 4)) {
    case 0:
      return node("LRN", {x},
                  {{"size", choose(Ints{3, 5})}, {"alpha", real(0.01)}, {"beta", real(0.75)}, {"bias", real(1)}});
    case 1:
      if (shape(x)[2] * shape(x)[3] < 4) return {};
      return node("InstanceNormalization", {x, per_channel(channels, 0.5, 1.5), per_channel(channels, -0.5, 0.5)},
                  {{"epsilon", real(0.01)}});
    default: {
      const Name y = batch_norm(x);  // before the convolutions, as in the pre-activation ResNets
      return !y.empty() && random_.chance(0.5) ? node("Relu", {y}) : y;
    }
  }
}

std::string LayerBuilder::reduce(const Name& x) {
  const std::string op = random_.chance(0.6) ? "ReduceMean" : "ReduceSum";
  const Ints axes = choose(std::vector<Ints>{{2, 3}, {-1}, {1}, {2}, {-1, -2}});
  const std::int64_t keep = random_.chance(0.6) ? 1 : 0;
  const bool by_input = opset() >= (op == "ReduceSum" ? 13 : 18);
  if (by_input) return node(op, {x, ints(axes)}, {{"keepdims", keep}});
  if (opset() < 11 && axes[0] < 0) return {};
  return node(op, {x}, {{"axes", axes}, {"keepdims", keep}});
}

std::string LayerBuilder::softmax(const Name& x) {
  const auto rank = static_cast<std::int64_t>(shape(x).size());
  return node(random_.chance(0.8) ? "Softmax" : "LogSoftmax", {x}, {{"axis", random_.integer(1, rank - 1)}});
}

// What sorts, masks, sums up along an axis, or does so by an equation.
std::string LayerBuilder::rearrange(const Name& x) {
  const auto rank = static_cast<std::int64_t>(shape(x).size());
  const std::int64_t axis = random_.integer(1, rank - 1), flag = random_.chance(0.5) ? 1 : 0;
  const std::int64_t extent = shape(x)[static_cast<std::size_t>(axis)];
  switch (random_.integer(0, 4)) {
    case 0: {  // nobody reads the indices: rounding may exchange those of neighbours
      if (opset() < 11) return {};
      const std::vector<Name> outputs =
          node_with_outputs("TopK", {x, ints({random_.integer(1, extent)})}, {{"axis", axis}, {"largest", flag}}, 2);
      return outputs.empty() ? Name() : outputs[0];
    }
    case 1:
      if (opset() < 14) return {};
      return node("Trilu", {x, ints({random_.integer(-2, 2)})}, {{"upper", flag}});
    case 2:
      if (opset() < 11) return {};
      return bounded(node("CumSum", {x, ints({random_.chance(0.5) ? axis : axis - rank})},
                          {{"exclusive", flag}, {"reverse", std::int64_t{random_.chance(0.5) ? 1 : 0}}}));
    case 3: {
      if (opset() < 12) return {};
      const std::int64_t channels = shape(x)[1];
      return node("Einsum", {x, weights({channels, 5}, static_cast<double>(channels))},
                  {{"equation", std::string("nc...,cd->nd...")}});
    }
    default: {
      if (opset() < 10 || graph_.symbolic_batch) return {};
      const std::int64_t batch = shape(x)[0];
      Ints lengths;
      for (std::int64_t i = 0; i < batch; ++i) lengths.push_back(random_.integer(0, shape(x)[1]));
      return node("ReverseSequence", {x, ints(lengths)},
                  {{"time_axis", std::int64_t{1}}, {"batch_axis", std::int64_t{0}}});
    }
  }
}

std::string LayerBuilder::reshape(const Name& x) {
  const reference::Shape& from = shape(x);
  switch (random_.integer(0, 2)) {
    case 0: return node("Flatten", {x});
    case 1: return node("Reshape", {x, ints({0, -1})});
    default: return node("Reshape", {x, ints({0, from[1] * from[2], from[3], 1})});
  }
}

std::string LayerBuilder::squeeze(const Name& x) {
  const Ints axes = {2};
  const bool by_input = opset() >= 13;
  const auto apply = [&](const std::string& op, const Name& from) {
    return by_input ? node(op, {from, ints(axes)}) : node(op, {from}, {{"axes", axes}});
  };
  if (shape(x)[2] == 1) return apply("Squeeze", x);
  const Name wide = apply("Unsqueeze", x);
  return wide.empty() ? wide : apply("Squeeze", wide);
}

}  // namespace linnet::test
