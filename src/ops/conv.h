// Conv and FusedConv (domain "linnet"): what the ways of planning them share.
#pragma once

#include <optional>
#include <string>

#include "ops/activation.h"
#include "ops/fused_operators.h"
#include "ops/plan_context.h"
#include "ops/window.h"

namespace linnet::ops {

/// Channels of a block of nchw16c, for the arithmetic of extents.
constexpr std::int64_t kBlock = kernels::kBlock;

/// A convolution of known shapes. Spatial vectors have one entry an axis; 2-D ones are H, W.
struct ConvProblem {
  std::int64_t images = 0, in_channels = 0, out_channels = 0, groups = 1;
  std::vector<std::int64_t> in_extent, out_extent;
  Window window;
  Activation activation;
  float lo = 0, hi = 0;          // the clamp that the kernels apply: the activation's, or none
  bool late_activation = false;  // an activation that is no clamp runs over the output afterwards

  [[nodiscard]] std::int64_t taps() const;  // product of the kernel's extents
  [[nodiscard]] std::int64_t out_pixels() const;
  [[nodiscard]] std::int64_t macs() const;
};

/// `filter`: the input that holds it.
ConvProblem conv_problem(PlanContext& context, std::size_t filter = kConvW);

// For inference, of the integer convolutions too.
/// Checks input 0, the filter and the window, sets the output's shape, and returns its channels.
graph::Dim infer_conv_shape(InferContext& context, DataType type, std::size_t filter);
/// Throws Error(model) unless input i is omitted or a list of one value an output channel.
void check_channel_vector(const NodeContext& context, std::size_t i, const graph::Dim& channels);

/// The effective filter, w * weight_scale computed in double and rounded once: element (m, c, tap), c within the group.
class ConvFilter {
 public:
  explicit ConvFilter(const NodeContext& context);
  [[nodiscard]] float at(std::int64_t m, std::int64_t c, std::int64_t tap) const {
    const float w = w_[(m * channels_ + c) * taps_ + tap];
    return scale_ == nullptr ? w : static_cast<float>(static_cast<double>(w) * scale_[m]);
  }
  [[nodiscard]] double exact(std::int64_t m, std::int64_t c, std::int64_t tap) const {
    const double w = static_cast<double>(w_[(m * channels_ + c) * taps_ + tap]);
    return scale_ == nullptr ? w : w * scale_[m];
  }
  [[nodiscard]] std::int64_t channels() const noexcept { return channels_; }  // of a group
  [[nodiscard]] std::int64_t taps() const noexcept { return taps_; }

 private:
  const float* w_;
  const double* scale_ = nullptr;
  std::int64_t channels_, taps_;
};

/// The bias padded with zeros to a multiple of 16 channels.
WeightStore::Buffer pack_conv_bias(PlanContext& context, std::int64_t out_channels);

/// Where input, output and residual of an nchw16c convolution lie.
struct BlockedOperands {
  Placement in, out, residual;
  bool has_residual = false;

  [[nodiscard]] const float* residual_data(const RunArgs& args) const {
    return has_residual ? args.in<float>(kConvResidual) + residual.origin : nullptr;
  }
};
BlockedOperands blocked_operands(PlanContext& context);
/// Filter and bias have been packed, and the output may lie where the residual does, if their halos are alike.
void finish_blocked(PlanContext& context, const BlockedOperands& operands);

/// Applies an activation that is no clamp to `rows` rows of `pixels` pixels of `blocks` channel blocks, from the first of `y` on.
/// Does nothing for a clamp, which the kernels have applied.
void apply_late_activation(const ConvProblem& problem, const kernels::Table& table, const kernels::BlockedTarget& y,
                           std::int64_t blocks, std::int64_t rows, std::int64_t pixels);

/// What a tuned blocking may depend on: the operator's shape and the way it is computed.
std::string tuning_shape(const ConvProblem& problem, const std::string& algorithm, bool has_residual);

/// How Winograd computes a convolution.
struct WinogradForm {
  kernels::Winograd kernel = kernels::Winograd::f2x2_3x3;
  /// A convolution of stride 2 over few channels as one of stride 1 over four times as many: the pixels in even and odd rows and
  /// columns are channels of their own, and so a filter of 7x7 has 4x4 taps on each.
  bool phases = false;
  [[nodiscard]] kernels::WinogradEdge edge() const { return kernels::winograd_edge(kernel); }
  [[nodiscard]] std::string name() const;  // "winograd_f4x4_3x3"
};

// The ways, in src/ops/conv_<way>.cpp. Each fills in the step.
void plan_conv_direct(PlanContext& context, const ConvProblem& problem);  // nchw16c (or a plain first layer) -> nchw16c
void plan_conv_winograd(PlanContext& context, const ConvProblem& problem, const WinogradForm& form);
void plan_conv_depthwise(PlanContext& context, const ConvProblem& problem);
// Plain, any rank, any group (src/ops/conv_gather.h).
void plan_conv_gather(PlanContext& context, const ConvProblem& problem, bool transposed);

/// ConvTranspose: nchw16c -> nchw16c, or -> plain where there are fewer than 16 output channels.
void plan_conv_transpose_phases(PlanContext& context, const ConvProblem& problem);

void plan_conv_double(PlanContext& context, const ConvProblem& problem, bool transposed);  // float64

/// How many tiles and blocks of k a pass takes, by the sizes of the caches. A block has `block_k` k, a tile reads `tile_bytes` of
/// input that no other tile does.
Blocking cache_blocking(const kernels::TileShape& tile, std::int64_t blocks, std::int64_t block_k,
                        std::int64_t out_channels, std::int64_t tile_bytes);

/// The form for this operator, a function of its shape alone, or none. `plain_input`: it reads a row-major tensor.
std::optional<WinogradForm> winograd_form(const ConvProblem& problem, bool plain_input);

/// First layers with few channels read the plain input; beyond that the padding to 16 channels costs less than a k at a time.
constexpr std::int64_t kMostPlainChannels = 8;

}  // namespace linnet::ops
