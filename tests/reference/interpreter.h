// A naive interpreter of ONNX in double precision: the judge of everything that Linnet computes. It is written from the
// text of the operators as the simplest loops that could be right, and shares nothing with the code it judges.
//
//   const Tensors values = run(model, {{"x", x}});              // every named value of the model
//   values.at("y").reals;
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "reference/model.h"

namespace linnet::reference {

struct Options {
  /// Round each float result to its type once, as an engine that computes every node exactly would. Otherwise
  /// intermediate results stay in double (but those of Cast and Constant, which are roundings by definition).
  bool round_results = false;
  /// Fill Tensor::errors: how far a float32 engine may be from the double result. Sound for any order of summation, for
  /// folded batch normalizations and for fused residual additions.
  bool bound_errors = false;
  /// With bound_errors: the engine may compute 3x3 convolutions of stride 1 by Winograd's F(4x4,3x3), those of stride 2 by F(2x2,3x3)
  /// and those of 5x5 to 8x8 and stride 2 by F(3x3,4x4), whose rounding errors are larger and reach beyond an output's own window.
  bool winograd = false;
};

/// A node whose result the oracle leaves open: training, which draws random numbers, or a text that contradicts itself.
class Unjudged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// All values of the model: inputs, constants and what the nodes make. Throws std::runtime_error naming the node.
Tensors run(const Model& model, const Tensors& inputs, const Options& options = {});

/// One node; inputs[i] without a type is an omitted input. As many outputs as the node names.
std::vector<Tensor> evaluate(const Node& node, const std::vector<Tensor>& inputs, const Options& options = {});

bool knows(const std::string& domain, const std::string& op_type);
/// "Conv", "linnet.FusedConv", ...
std::vector<std::string> known_operators();

}  // namespace linnet::reference
