// Convolutions on plain tensors of any rank, grouping and dilation: the rows of the im2col matrix of a few pixels are gathered
// into scratch and multiplied by the packed filters. The general way, not the fast one. What is gathered may differ:
// the elements under a window, or what lies between them (DeformConv).
#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include "ops/conv.h"

namespace linnet::ops {

/// The rows of the im2col matrix, for `count` output pixels from `first` on.
class ConvRows {
 public:
  static constexpr std::int64_t kPixels = 48;  // at a time: a multiple of every ISA's tile height up to 8

  virtual ~ConvRows() = default;
  /// Bytes that locate() fills.
  [[nodiscard]] virtual std::int64_t place_bytes() const = 0;
  /// Whether images differ in their places.
  [[nodiscard]] virtual bool moves_with_image() const { return false; }
  /// Where the taps of these pixels lie, for all channels.
  virtual void locate(const RunArgs& args, std::int64_t image, std::int64_t first, std::int64_t count,
                      std::byte* places) const = 0;
  /// The rows [count][channels of the group * taps], channel by channel.
  virtual void gather(const RunArgs& args, std::int64_t image, std::int64_t group, const std::byte* places,
                      std::int64_t count, float* rows) const = 0;
};

/// Which inputs of the node are the bias, the scale of the filters and the residual. Input 0 is x, input 1 the filter.
struct ConvRowInputs {
  std::size_t bias = kConvB;
  std::optional<std::size_t> scale, residual;
};

/// Fills in the step.
void plan_conv_rows(PlanContext& context, const ConvProblem& problem, const ConvRowInputs& inputs,
                    std::shared_ptr<const ConvRows> rows, bool transposed = false);

}  // namespace linnet::ops
