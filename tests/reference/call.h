// What an operator of the interpreter gets, and the functions that implement operators.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reference/interpreter.h"
#include "reference/model.h"

namespace linnet::reference {

class Call {
 public:
  Call(const Node& node, const std::vector<Tensor>& inputs, const Options& options)
      : node_(node), inputs_(inputs), options_(options) {}

  [[nodiscard]] const Node& node() const { return node_; }
  [[nodiscard]] int opset() const { return node_.opset; }
  [[nodiscard]] const Options& options() const { return options_; }

  [[nodiscard]] std::size_t count() const { return inputs_.size(); }
  [[nodiscard]] bool has(std::size_t i) const { return i < inputs_.size() && inputs_[i].given(); }
  /// Throws where it is omitted.
  [[nodiscard]] const Tensor& in(std::size_t i) const;
  /// All elements of an integer input.
  [[nodiscard]] std::vector<std::int64_t> integers(std::size_t i) const;
  [[nodiscard]] const std::vector<Tensor>& inputs() const { return inputs_; }
  [[nodiscard]] std::size_t outputs() const { return node_.outputs.size(); }

  [[nodiscard]] bool has_attribute(const std::string& name) const { return node_.attributes.count(name) != 0; }
  [[nodiscard]] std::int64_t attribute(const std::string& name, std::int64_t fallback) const;
  [[nodiscard]] double attribute(const std::string& name, double fallback) const;
  [[nodiscard]] std::string attribute(const std::string& name, const std::string& fallback) const;
  [[nodiscard]] std::vector<std::int64_t> attribute(const std::string& name, std::vector<std::int64_t> fallback) const;
  [[nodiscard]] std::vector<double> reals_attribute(const std::string& name) const;
  [[nodiscard]] const Tensor* tensor_attribute(const std::string& name) const;

  /// A possibly negative axis as 0..rank-1.
  [[nodiscard]] std::int64_t axis(std::int64_t value, std::int64_t rank) const;
  /// The integers of input `input` where the node's opset has it as an input, else of the attribute.
  [[nodiscard]] std::vector<std::int64_t> input_or_attribute(std::size_t input, const std::string& name) const;
  [[nodiscard]] bool has_input_or_attribute(std::size_t input, const std::string& name) const {
    return has(input) || has_attribute(name);
  }

  [[noreturn]] void fail(const std::string& why) const;
  /// For what the oracle does not judge: throws Unjudged.
  [[noreturn]] void leave_open(const std::string& why) const;
  void require(bool condition, const std::string& why) const {
    if (!condition) fail(why);
  }

  /// Zeros; with room for errors where they are wanted.
  [[nodiscard]] Tensor make(Type type, Shape shape) const;

 private:
  const Node& node_;
  const std::vector<Tensor>& inputs_;
  const Options& options_;
};

using Outputs = std::vector<Tensor>;

// One function an operator or a family, by file.
Outputs conv(const Call& call);  // conv.cpp
Outputs conv_transpose(const Call& call);
Outputs fused_conv(const Call& call);

Outputs gemm(const Call& call);  // gemm.cpp
Outputs matmul(const Call& call);
Outputs fused_gemm(const Call& call);

Outputs max_pool(const Call& call);  // pool.cpp
Outputs average_pool(const Call& call);
Outputs global_average_pool(const Call& call);
Outputs global_max_pool(const Call& call);

Outputs batch_normalization(const Call& call);  // normalization.cpp
Outputs instance_normalization(const Call& call);
Outputs layer_normalization(const Call& call);
Outputs rms_normalization(const Call& call);
Outputs lrn(const Call& call);
Outputs scale_shift(const Call& call);
Outputs softmax(const Call& call);
Outputs log_softmax(const Call& call);

bool knows_unary(const std::string& op_type);  // unary.cpp
Outputs unary(const Call& call);
Outputs clip(const Call& call);
Outputs p_relu(const Call& call);
Outputs cast(const Call& call);
Outputs dropout(const Call& call);
/// The activation attributes of the fused operators, in place.
void activate(const Call& call, Tensor& tensor);

Outputs arithmetic(const Call& call);  // binary.cpp: Add, Sub, Mul, Div, Pow, Mod
Outputs variadic(const Call& call);    // Sum, Max, Min, Mean
Outputs compare(const Call& call);     // Equal, Less, ..., And, Or, Xor
Outputs where(const Call& call);
Outputs expand(const Call& call);
/// NumPy's rule; throws where the shapes do not fit.
Shape broadcast(const Call& call, const Shape& a, const Shape& b);
/// The position in a tensor of `shape` that belongs to `index` of the broadcast result.
std::int64_t broadcast_position(const Shape& shape, const Shape& index);

Outputs reduce(const Call& call);  // reduce.cpp: Reduce*, ArgMax, ArgMin
Outputs arg_extreme(const Call& call);

Outputs identity(const Call& call);  // shape.cpp: nothing moves, or shapes are the values
Outputs flatten_op(const Call& call);
Outputs reshape(const Call& call);
Outputs squeeze(const Call& call);
Outputs unsqueeze(const Call& call);
Outputs shape_of(const Call& call);
Outputs size_of(const Call& call);
Outputs constant(const Call& call);
Outputs constant_of_shape(const Call& call);
Outputs range(const Call& call);

Outputs transpose(const Call& call);  // movement.cpp
Outputs channel_shuffle(const Call& call);
Outputs concat(const Call& call);
Outputs split(const Call& call);
Outputs slice(const Call& call);
Outputs pad(const Call& call);
Outputs gather(const Call& call);
Outputs tile(const Call& call);
Outputs depth_to_space(const Call& call);
Outputs space_to_depth(const Call& call);

Outputs gather_elements(const Call& call);  // indexing.cpp
Outputs gather_nd(const Call& call);
Outputs one_hot(const Call& call);
Outputs eye_like(const Call& call);

Outputs top_k(const Call& call);  // ordering.cpp
Outputs reverse_sequence(const Call& call);
Outputs trilu(const Call& call);
Outputs cumulative(const Call& call);  // CumSum, CumProd

Outputs einsum(const Call& call);  // algebra.cpp
Outputs det(const Call& call);

Outputs quantize_linear(const Call& call);  // quantized.cpp
Outputs dequantize_linear(const Call& call);
Outputs dynamic_quantize_linear(const Call& call);
Outputs conv_integer(const Call& call);
Outputs qlinear_conv(const Call& call);
Outputs matmul_integer(const Call& call);
Outputs qlinear_matmul(const Call& call);
Outputs qlinear_add(const Call& call);  // of com.microsoft
Outputs qlinear_global_average_pool(const Call& call);

Outputs resize(const Call& call);  // resize.cpp: Resize, Upsample

Outputs loss(const Call& call);       // loss.cpp: NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss
Outputs recurrent(const Call& call);  // recurrent.cpp: RNN, GRU, LSTM
Outputs dft(const Call& call);        // signal.cpp
Outputs stft(const Call& call);
Outputs signal_window(const Call& call);

}  // namespace linnet::reference
