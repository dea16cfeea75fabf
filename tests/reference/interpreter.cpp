#include "reference/interpreter.h"

#include <stdexcept>
#include <utility>

#include "reference/call.h"

namespace linnet::reference {

namespace {

struct Operator {
  const char* domain;
  const char* name;
  Outputs (*run)(const Call&);
};

constexpr Operator kOperators[] = {
    {"", "Add", arithmetic},
    {"", "And", compare},
    {"", "ArgMax", arg_extreme},
    {"", "ArgMin", arg_extreme},
    {"", "AveragePool", average_pool},
    {"", "BatchNormalization", batch_normalization},
    {"", "BlackmanWindow", signal_window},
    {"", "Cast", cast},
    {"", "CastLike", cast},
    {"", "Clip", clip},
    {"", "Concat", concat},
    {"", "Constant", constant},
    {"", "ConstantOfShape", constant_of_shape},
    {"", "Conv", conv},
    {"", "ConvInteger", conv_integer},
    {"", "ConvTranspose", conv_transpose},
    {"", "CumProd", cumulative},
    {"", "CumSum", cumulative},
    {"", "DFT", dft},
    {"", "DepthToSpace", depth_to_space},
    {"", "Det", det},
    {"", "Div", arithmetic},
    {"", "Dropout", dropout},
    {"", "Einsum", einsum},
    {"", "DequantizeLinear", dequantize_linear},
    {"", "Div", arithmetic},
    {"", "Dropout", dropout},
    {"", "DynamicQuantizeLinear", dynamic_quantize_linear},
    {"", "Equal", compare},
    {"", "Expand", expand},
    {"", "EyeLike", eye_like},
    {"", "Flatten", flatten_op},
    {"", "GRU", recurrent},
    {"", "Gather", gather},
    {"", "GatherElements", gather_elements},
    {"", "GatherND", gather_nd},
    {"", "Gemm", gemm},
    {"", "GlobalAveragePool", global_average_pool},
    {"", "GlobalMaxPool", global_max_pool},
    {"", "Greater", compare},
    {"", "GreaterOrEqual", compare},
    {"", "HammingWindow", signal_window},
    {"", "HannWindow", signal_window},
    {"", "Identity", identity},
    {"", "InstanceNormalization", instance_normalization},
    {"", "LRN", lrn},
    {"", "LSTM", recurrent},
    {"", "LayerNormalization", layer_normalization},
    {"", "Less", compare},
    {"", "LessOrEqual", compare},
    {"", "LogSoftmax", log_softmax},
    {"", "MatMul", matmul},
    {"", "MatMulInteger", matmul_integer},
    {"", "Max", variadic},
    {"", "MaxPool", max_pool},
    {"", "Mean", variadic},
    {"", "Min", variadic},
    {"", "Mod", arithmetic},
    {"", "Mul", arithmetic},
    {"", "NegativeLogLikelihoodLoss", loss},
    {"", "OneHot", one_hot},
    {"", "Or", compare},
    {"", "PRelu", p_relu},
    {"", "Pad", pad},
    {"", "Pow", arithmetic},
    {"", "RMSNormalization", rms_normalization},
    {"", "QLinearConv", qlinear_conv},
    {"", "QLinearMatMul", qlinear_matmul},
    {"", "QuantizeLinear", quantize_linear},
    {"", "RNN", recurrent},
    {"", "Range", range},
    {"", "ReduceL1", reduce},
    {"", "ReduceL2", reduce},
    {"", "ReduceLogSum", reduce},
    {"", "ReduceLogSumExp", reduce},
    {"", "ReduceMax", reduce},
    {"", "ReduceMean", reduce},
    {"", "ReduceMin", reduce},
    {"", "ReduceProd", reduce},
    {"", "ReduceSum", reduce},
    {"", "ReduceSumSquare", reduce},
    {"", "Reshape", reshape},
    {"", "Resize", resize},
    {"", "ReverseSequence", reverse_sequence},
    {"", "STFT", stft},
    {"", "Shape", shape_of},
    {"", "Size", size_of},
    {"", "Slice", slice},
    {"", "Softmax", softmax},
    {"", "SoftmaxCrossEntropyLoss", loss},
    {"", "SpaceToDepth", space_to_depth},
    {"", "Split", split},
    {"", "Squeeze", squeeze},
    {"", "Sub", arithmetic},
    {"", "Sum", variadic},
    {"", "Tile", tile},
    {"", "TopK", top_k},
    {"", "Transpose", transpose},
    {"", "Trilu", trilu},
    {"", "Unsqueeze", unsqueeze},
    {"", "Upsample", resize},
    {"", "Where", where},
    {"", "Xor", compare},
    {"com.microsoft", "QLinearAdd", qlinear_add},
    {"com.microsoft", "QLinearGlobalAveragePool", qlinear_global_average_pool},
    {"linnet", "ChannelShuffle", channel_shuffle},
    {"linnet", "FusedConv", fused_conv},
    {"linnet", "FusedGemm", fused_gemm},
    {"linnet", "Reorder", identity},
    {"linnet", "ScaleShift", scale_shift},
};

Outputs (*find(const std::string& domain, const std::string& op_type))(const Call&) {
  for (const Operator& entry : kOperators) {
    if (domain == entry.domain && op_type == entry.name) return entry.run;
  }
  if (domain.empty() && knows_unary(op_type)) return unary;
  return nullptr;
}

void round_results(Tensor& tensor) {
  for (double& value : tensor.reals) value = round_to(tensor.type, value);
}

}  // namespace

bool knows(const std::string& domain, const std::string& op_type) { return find(domain, op_type) != nullptr; }

std::vector<Tensor> evaluate(const Node& node, const std::vector<Tensor>& inputs, const Options& options) {
  const Call call(node, inputs, options);
  const auto run_operator = find(node.domain, node.op_type);
  if (run_operator == nullptr) call.fail("the interpreter does not know the operator");
  Outputs outputs = run_operator(call);
  for (Tensor& output : outputs) {
    if (options.round_results) round_results(output);
    if (options.bound_errors && is_real(output.type) && output.errors.empty()) output.carry_errors();
  }
  if (outputs.size() < node.outputs.size()) call.fail("the interpreter has fewer outputs than the node names");
  outputs.resize(node.outputs.size());
  return outputs;
}

Tensors run(const Model& model, const Tensors& inputs, const Options& options) {
  Tensors values = model.constants;
  for (const auto& [name, tensor] : inputs) values[name] = tensor;
  for (const Node& node : model.nodes) {
    std::vector<Tensor> arguments;
    for (const std::string& name : node.inputs) {
      if (name.empty()) {
        arguments.emplace_back();
        continue;
      }
      const auto found = values.find(name);
      if (found == values.end())
        throw std::runtime_error(node.op_type + " '" + node.name + "': no value '" + name + "'");
      arguments.push_back(found->second);
    }
    std::vector<Tensor> results = evaluate(node, arguments, options);
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.outputs[i].empty()) values[node.outputs[i]] = std::move(results[i]);
    }
  }
  return values;
}

}  // namespace linnet::reference
