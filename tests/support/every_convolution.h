// A small network in which every algorithm for convolutions of floats has a step, from pictures of 3x24x24.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "support/onnx_builder.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

inline const std::vector<std::string> kConvolutionAlgorithms = {"winograd_f3x3_4x4_phases",  "winograd_f4x4_3x3_phases",
                                                                "im2col_gemm_plain",         "im2col_gemm",
                                                                "winograd_f4x4_3x3",         "depthwise",
                                                                "im2col_gemm_grouped",       "winograd_f4x4_3x3_rows",
                                                                "winograd_f2x2_3x3_stride2", "winograd_f2x2_3x3",
                                                                "winograd_f4x4_3x3_taps",    "im2col_gemm_phases",
                                                                "im2col_gemm_gathered"};

inline std::vector<std::byte> every_convolution() {
  OnnxModel model;
  Random random(17);
  model.graph.name("g").input("x", DataType::float32, {"N", 3, 24, 24});
  const auto layer = [&](const std::string& in, const std::string& out, const Shape& filter, std::int64_t stride,
                         std::int64_t pad, std::int64_t group = 1, const char* op = "Conv") {
    const double scale = 1 / std::sqrt(static_cast<double>(filter[1] * filter[2] * filter[3]));
    model.graph.initializer("w_" + out, from_reference(random_reals(random, filter, -scale, scale)));
    model.graph.node(OnnxNode(op, {in, "w_" + out}, {out}, out)
                         .set("strides", std::vector<std::int64_t>{stride, stride})
                         .set("pads", std::vector<std::int64_t>{pad, pad, pad, pad})
                         .set("group", group));
  };
  layer("x", "seven", {64, 3, 7, 7}, 2, 3);
  layer("x", "five", {64, 3, 5, 5}, 2, 2);
  layer("x", "three", {16, 3, 3, 3}, 1, 1);
  layer("three", "strided", {64, 16, 3, 3}, 2, 1);
  model.graph.node(OnnxNode("Add", {"seven", "five"}, {"two_sums"}))
      .node(OnnxNode("Add", {"strided", "two_sums"}, {"sums"}))
      .node(OnnxNode("Relu", {"sums"}, {"stem"}));
  layer("stem", "tiles", {64, 64, 3, 3}, 1, 1);
  layer("tiles", "channels", {64, 1, 3, 3}, 1, 1, 64);
  layer("channels", "groups", {64, 8, 3, 3}, 1, 1, 8);
  layer("groups", "wide", {256, 64, 1, 1}, 1, 0);
  layer("wide", "rows", {256, 256, 3, 3}, 1, 1);
  model.graph.node(OnnxNode("Add", {"rows", "wide"}, {"residual"})).node(OnnxNode("Relu", {"residual"}, {"blocks"}));
  layer("blocks", "halved", {64, 256, 3, 3}, 2, 1);
  layer("halved", "small", {64, 64, 3, 3}, 1, 1);
  layer("small", "wider", {256, 64, 1, 1}, 1, 0);
  layer("wider", "taps", {256, 256, 3, 3}, 1, 1);
  layer("taps", "doubled", {256, 32, 4, 4}, 2, 1, 1, "ConvTranspose");
  const std::int64_t axis[] = {2};
  model.graph.initializer("axis", Tensor::of<std::int64_t>({1}, axis));
  model.graph.initializer("w_y", from_reference(random_reals(random, {32, 8, 1, 3, 3}, -0.1, 0.1)));
  model.graph.node(OnnxNode("Unsqueeze", {"doubled", "axis"}, {"volume"}))
      .node(OnnxNode("Conv", {"volume", "w_y"}, {"y"}).set("group", 4));
  model.graph.output("y", DataType::float32, {"N", 32, 1, 10, 10});
  return model.bytes();
}

}  // namespace linnet::test
