// The layers that random networks are made of. See random_graph.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "support/random_data.h"
#include "support/random_graph.h"

namespace linnet::test {

/// Grows a RandomGraph node by node; each node is run by the oracle at once, so that shapes are known.
class LayerBuilder {
 public:
  LayerBuilder(std::uint64_t seed, Numbers numbers);

  /// Appends one random layer, or nothing where none fits.
  void add_layer();
  [[nodiscard]] std::size_t node_count() const { return graph_.model.nodes.size(); }
  /// Chooses the outputs and hands over.
  RandomGraph finish();

 private:
  using Name = std::string;
  using Ints = std::vector<std::int64_t>;
  using Attributes = std::map<std::string, reference::Attribute>;

  // Bricks (random_layers.cpp).
  Name node(const std::string& op_type, const std::vector<Name>& inputs, Attributes attributes = {});
  std::vector<Name> node_with_outputs(const std::string& op_type, const std::vector<Name>& inputs,
                                      Attributes attributes, std::size_t outputs);
  Name constant(reference::Tensor tensor);
  Name initializer(reference::Tensor tensor);
  Name ints(Ints values);
  Name scalar(double value);
  Name weights(reference::Shape shape, double fan_in);
  Name per_channel(std::int64_t channels, double low, double high);
  [[nodiscard]] const reference::Shape& shape(const Name& name) const { return values_.at(name).shape; }
  [[nodiscard]] std::int64_t opset() const { return graph_.opset; }
  [[nodiscard]] bool exact() const { return numbers_ == Numbers::exact; }
  [[nodiscard]] bool acceptable(const reference::Tensor& tensor) const;
  /// A live value of this rank, a recent one more likely; empty if there is none.
  Name pick(std::size_t rank);
  Name pick_like(const Name& other);
  template <typename T>
  const T& choose(const std::vector<T>& list) {
    return list[static_cast<std::size_t>(random_.integer(0, static_cast<std::int64_t>(list.size()) - 1))];
  }

  // Parts of layers (random_convolutions.cpp).
  Name activation(const Name& x);
  Name bounded(const Name& x);
  Name batch_norm(const Name& x);
  Name same_conv(const Name& x, std::int64_t channels, std::int64_t kernel, std::int64_t stride);
  Ints pads_for(const Ints& kernel, const Ints& dilations);

  // Layers; each returns its result, empty where it does not fit.
  Name conv(const Name& x);
  Name conv_transpose(const Name& x);
  Name residual_block(const Name& x);
  Name depthwise_block(const Name& x);
  Name shuffle(const Name& x);
  Name gemm(const Name& x);
  Name max_pool(const Name& x);
  Name average_pool(const Name& x);
  Name global_pool(const Name& x);
  Name unary(const Name& x);
  Name with_constant(const Name& x);
  Name with_other(const Name& x);
  Name concat(const Name& x);
  Name split(const Name& x);
  Name slice(const Name& x);
  Name pad(const Name& x);
  Name transpose(const Name& x);
  Name resize(const Name& x);
  Name normalize(const Name& x);
  Name reduce(const Name& x);
  Name softmax(const Name& x);
  Name rearrange(const Name& x);
  Name reshape(const Name& x);
  Name squeeze(const Name& x);

  Random random_;
  Numbers numbers_;
  RandomGraph graph_;
  reference::Tensors values_;
  std::vector<Name> live_;
  std::vector<Name> filters_;  // weights that another convolution may share
  int next_ = 0;
};

}  // namespace linnet::test
