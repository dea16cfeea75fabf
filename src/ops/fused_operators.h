// The operators of domain "linnet", opset 1: what passes make, and what this folder infers and plans.
//
// FusedConv   y = activation(conv(x, w * weight_scale) + bias + residual)
//   inputs    0 x; 1 w, the model's own bytes; 2 bias float32[M], optional; 3 weight_scale float64[M], optional;
//             4 residual, optional, of y's very shape (no broadcasting)
//   attributes  Conv's, and activation, activation_alpha, activation_beta
//   The filter is w[m] * weight_scale[m], computed in double and rounded once, when it is packed. Keeping the two apart
//   until then spares a second copy of all weights (100 MB for ResNet-50).
// FusedGemm   y = activation(gemm(a, b, c)): Gemm's inputs and attributes, and activation*; Relu and Clip only.
// ScaleShift  y = activation(fma(x, scale[c], shift[c])): 0 x [N,C,...]; 1 scale float32[C]; 2 shift float32[C]; attributes
//             activation*; Relu and Clip only.
// ChannelShuffle  the channels of float32 [N,C,H,W] inputs, joined, in groups of which it takes one channel after the other's:
//             channel i * group + g is channel g * (C / group) + i of what is joined; dealt out to outputs of `split` channels
//             each. Attributes group, split.
// RoundTo     float32 numbers rounded to those of a 16-bit type: attribute to = the number of float16 or bfloat16.
// Reorder     the same tensor in another layout: attribute to = "nchw16c" | "plain".
//
// activation is the name of the ONNX operator ("none" or absent: no activation) with its parameters by position:
//   Relu; Clip alpha = min, beta = max; LeakyRelu alpha; Elu alpha; HardSigmoid alpha, beta; Sigmoid; Tanh; HardSwish; Swish alpha;
//   Gelu (not approximated)
#pragma once

#include <cstddef>
#include <string_view>

namespace linnet::ops {

inline constexpr std::string_view kFusedDomain = "linnet";
inline constexpr int kFusedOpset = 1;

inline constexpr std::string_view kActivation = "activation";
inline constexpr std::string_view kActivationAlpha = "activation_alpha";
inline constexpr std::string_view kActivationBeta = "activation_beta";

/// Inputs of FusedConv; Conv has the first three.
inline constexpr std::size_t kConvX = 0, kConvW = 1, kConvB = 2, kConvScale = 3, kConvResidual = 4;

}  // namespace linnet::ops
