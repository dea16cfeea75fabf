#include "support/random_layers.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace linnet::test {

namespace {
/// No value of a random network has more elements.
constexpr std::int64_t kMostElements = 20000;
/// Larger numbers would make all bounds meaningless.
constexpr double kLargestReal = 1e3;
constexpr double kLargestExact = 1 << 20;
}  // namespace

LayerBuilder::LayerBuilder(std::uint64_t seed, Numbers numbers) : random_(seed), numbers_(numbers) {
  graph_.seed = seed;
  graph_.opset = static_cast<int>(choose(Ints{7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 21}));
  graph_.ir_version = graph_.opset < 9 ? 3 : static_cast<int>(choose(Ints{4, 6, 8, 10}));
  graph_.symbolic_batch = random_.chance(0.5);
  const std::int64_t batch = choose(Ints{1, 1, 2, 3});
  const std::int64_t channels = choose(Ints{1, 2, 3, 3, 4, 7, 8, 15, 16, 17, 24, 31, 32, 33, 48});
  reference::Shape input = {batch, channels, random_.integer(1, 20), random_.integer(1, 20)};
  while (reference::element_count(input) > kMostElements / 2) input[3] = (input[3] + 1) / 2;
  for (int i = 0; i < (random_.chance(0.2) ? 2 : 1); ++i) {
    const Name name = "input" + std::to_string(i);
    reference::Tensor tensor = random_reals(random_, input, -1, 1);
    if (exact()) {
      for (double& value : tensor.reals) value = static_cast<double>(random_.integer(-3, 3));
    }
    graph_.model.inputs.push_back(name);
    graph_.inputs[name] = tensor;
    values_[name] = std::move(tensor);
    live_.push_back(name);
  }
}

bool LayerBuilder::acceptable(const reference::Tensor& tensor) const {
  if (tensor.size() == 0 || tensor.size() > kMostElements) return false;
  return std::all_of(tensor.reals.begin(), tensor.reals.end(),
                     [&](double value) { return std::fabs(value) <= (exact() ? kLargestExact : kLargestReal); });
}

std::vector<std::string> LayerBuilder::node_with_outputs(const std::string& op_type, const std::vector<Name>& inputs,
                                                         Attributes attributes, std::size_t outputs) {
  for (const Name& input : inputs) {
    if (!input.empty() && values_.count(input) == 0) return {};
  }
  if (!inputs.empty() && inputs[0].empty()) return {};
  reference::Node node;
  node.op_type = op_type;
  node.opset = graph_.opset;
  node.inputs = inputs;
  node.attributes = std::move(attributes);
  for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back("v" + std::to_string(next_++));
  node.name = op_type + "_" + node.outputs[0];
  std::vector<reference::Tensor> arguments;
  for (const Name& input : inputs) arguments.push_back(input.empty() ? reference::Tensor() : values_.at(input));
  std::vector<reference::Tensor> results;
  try {
    results = reference::evaluate(node, arguments);
  } catch (const std::exception&) {
    return {};  // the layer does not fit this shape
  }
  for (std::size_t i = 0; i < outputs; ++i) {
    if (!acceptable(results[i])) return {};
  }
  for (std::size_t i = 0; i < outputs; ++i) values_[node.outputs[i]] = std::move(results[i]);
  std::vector<Name> names = node.outputs;
  graph_.model.nodes.push_back(std::move(node));
  return names;
}

std::string LayerBuilder::node(const std::string& op_type, const std::vector<Name>& inputs, Attributes attributes) {
  const std::vector<Name> names = node_with_outputs(op_type, inputs, std::move(attributes), 1);
  return names.empty() ? Name() : names[0];
}

std::string LayerBuilder::constant(reference::Tensor tensor) {
  // Mostly an initializer; sometimes what exporters write in its place. An empty tensor is no layer's result.
  const bool empty = tensor.size() == 0;
  if (!empty && random_.chance(0.08)) return node("Constant", {}, {{"value", std::move(tensor)}});
  const Name name = "c" + std::to_string(next_++);
  values_[name] = tensor;
  graph_.model.constants[name] = std::move(tensor);
  if (graph_.ir_version >= 4 && random_.chance(0.03)) graph_.overridable.push_back(name);
  return !empty && random_.chance(0.05) ? node("Identity", {name}) : name;
}

// What decides a shape must stay known with every pass off: no node makes it.
std::string LayerBuilder::initializer(reference::Tensor tensor) {
  const Name name = "i" + std::to_string(next_++);
  values_[name] = tensor;
  graph_.model.constants[name] = std::move(tensor);
  return name;
}

std::string LayerBuilder::ints(Ints values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return initializer(reference::Tensor::of_integers(reference::Type::int64, {count}, std::move(values)));
}

std::string LayerBuilder::scalar(double value) {
  return constant(reference::Tensor::of_reals(reference::Type::float32, {},
                                              {reference::round_to(reference::Type::float32, value)}));
}

std::string LayerBuilder::weights(reference::Shape shape, double fan_in) {
  for (const Name& name : filters_) {
    if (values_.at(name).shape == shape && random_.chance(0.3)) return name;
  }
  // Unit variance in, about unit variance out.
  const double spread = std::sqrt(3.0 / std::max(1.0, fan_in));
  reference::Tensor tensor = random_reals(random_, std::move(shape), -spread, spread);
  if (exact()) {
    for (double& value : tensor.reals) value = static_cast<double>(random_.integer(-1, 1));
  }
  const Name name = constant(std::move(tensor));
  if (!name.empty()) filters_.push_back(name);
  return name;
}

std::string LayerBuilder::per_channel(std::int64_t channels, double low, double high) {
  reference::Tensor tensor = random_reals(random_, {channels}, low, high);
  if (exact()) {
    for (double& value : tensor.reals) value = static_cast<double>(random_.integer(-2, 2));
  }
  return constant(std::move(tensor));
}

std::string LayerBuilder::pick(std::size_t rank) {
  std::vector<Name> fitting;
  for (const Name& name : live_) {
    if (shape(name).size() == rank) fitting.push_back(name);
  }
  if (fitting.empty()) return {};
  return random_.chance(0.6) ? fitting.back() : choose(fitting);
}

std::string LayerBuilder::pick_like(const Name& other) {
  std::vector<Name> fitting;
  for (const Name& name : live_) {
    if (name != other && shape(name) == shape(other)) fitting.push_back(name);
  }
  return fitting.empty() ? Name() : choose(fitting);
}

void LayerBuilder::add_layer() {
  using Layer = Name (LayerBuilder::*)(const Name&);
  static const std::vector<Layer> kPictures = {
      &LayerBuilder::conv,
      &LayerBuilder::conv,
      &LayerBuilder::conv,
      &LayerBuilder::conv,
      &LayerBuilder::conv,
      &LayerBuilder::residual_block,
      &LayerBuilder::residual_block,
      &LayerBuilder::depthwise_block,
      &LayerBuilder::conv_transpose,
      &LayerBuilder::max_pool,
      &LayerBuilder::average_pool,
      &LayerBuilder::global_pool,
      &LayerBuilder::unary,
      &LayerBuilder::with_constant,
      &LayerBuilder::with_other,
      &LayerBuilder::concat,
      &LayerBuilder::split,
      &LayerBuilder::slice,
      &LayerBuilder::pad,
      &LayerBuilder::transpose,
      &LayerBuilder::resize,
      &LayerBuilder::normalize,
      &LayerBuilder::reduce,
      &LayerBuilder::shuffle,
      &LayerBuilder::reshape,
      &LayerBuilder::softmax,
      &LayerBuilder::squeeze,
      &LayerBuilder::rearrange,
  };
  static const std::vector<Layer> kVectors = {
      &LayerBuilder::gemm,   &LayerBuilder::gemm,  &LayerBuilder::unary,   &LayerBuilder::with_constant,
      &LayerBuilder::concat, &LayerBuilder::slice, &LayerBuilder::softmax, &LayerBuilder::with_other,
  };
  // What integers stay exact in.
  static const std::vector<Layer> kExactPictures = {
      &LayerBuilder::conv,     &LayerBuilder::conv,       &LayerBuilder::conv,           &LayerBuilder::residual_block,
      &LayerBuilder::max_pool, &LayerBuilder::unary,      &LayerBuilder::concat,         &LayerBuilder::split,
      &LayerBuilder::slice,    &LayerBuilder::pad,        &LayerBuilder::transpose,      &LayerBuilder::shuffle,
      &LayerBuilder::reshape,  &LayerBuilder::with_other, &LayerBuilder::conv_transpose,
  };
  static const std::vector<Layer> kExactVectors = {&LayerBuilder::gemm, &LayerBuilder::slice, &LayerBuilder::concat};
  const std::size_t rank = random_.chance(0.85) ? 4 : (random_.chance(0.7) ? 2 : 3);
  const Name x = pick(rank);
  if (x.empty()) return;
  const bool picture = rank == 4;
  const std::vector<Layer>& layers =
      exact() ? (picture ? kExactPictures : kExactVectors) : (picture ? kPictures : kVectors);
  const Name y = (this->*choose(layers))(x);
  if (!y.empty()) live_.push_back(y);
}

RandomGraph LayerBuilder::finish() {
  const std::set<Name> constants = [&] {
    std::set<Name> names;
    for (const auto& [name, tensor] : graph_.model.constants) names.insert(name);
    for (const reference::Node& node : graph_.model.nodes) {
      const bool folds = std::all_of(node.inputs.begin(), node.inputs.end(),
                                     [&](const Name& input) { return names.count(input) != 0; });
      if (folds) names.insert(node.outputs.begin(), node.outputs.end());
    }
    return names;
  }();
  std::set<Name> read;
  for (const reference::Node& node : graph_.model.nodes) read.insert(node.inputs.begin(), node.inputs.end());
  for (const reference::Node& node : graph_.model.nodes) {
    for (const Name& output : node.outputs) {
      if (constants.count(output) != 0) continue;
      if (read.count(output) == 0 || random_.chance(0.03)) graph_.model.outputs.push_back(output);
    }
  }
  if (graph_.model.outputs.empty()) graph_.model.outputs.push_back(node("Relu", {live_[0]}));
  return std::move(graph_);
}

RandomGraph make_random_graph(std::uint64_t seed, Numbers numbers) {
  LayerBuilder builder(seed, numbers);
  Random random(seed ^ 0x5eedU);
  const std::int64_t layers = random.integer(1, 10);
  for (std::int64_t i = 0; i < layers && builder.node_count() < 40; ++i) builder.add_layer();
  return builder.finish();
}

}  // namespace linnet::test
