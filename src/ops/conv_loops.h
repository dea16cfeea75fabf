// Convolutions and matrix products that have no kernel: bytes summed exactly in 32 bits, and doubles. Both gather the
// im2col rows of a few pixels and take dot products; integers are widened to 16 bits on the way, less their zero point.
#pragma once

#include <cstdint>
#include <type_traits>

#include "ops/conv.h"
#include "ops/window_walk.h"

namespace linnet::ops {

/// The sum of a * b: in order for doubles; modulo 2^32 for integers, where the order means nothing.
inline double dot(const double* a, const double* b, std::int64_t k) {
  double sum = 0;
  for (std::int64_t i = 0; i < k; ++i) sum += a[i] * b[i];
  return sum;
}
inline std::int32_t dot(const std::int16_t* a, const std::int16_t* b, std::int64_t k) {
  constexpr std::int64_t kSafe = 1 << 14;  // products of 9 bits by 9 bits that cannot overflow
  std::uint32_t total = 0;
  for (std::int64_t first = 0; first < k; first += kSafe) {
    const std::int64_t last = k - first < kSafe ? k : first + kSafe;
    std::int32_t sum = 0;
    for (std::int64_t i = first; i < last; ++i) sum += a[i] * b[i];
    total += static_cast<std::uint32_t>(sum);
  }
  return static_cast<std::int32_t>(total);
}

/// The convolution as rows times filters. Row: std::int16_t or double.
template <typename Row>
class ConvLoops {
 public:
  using Sum = std::conditional_t<std::is_same_v<Row, double>, double, std::int32_t>;
  static constexpr std::int64_t kPixels = 32;  // gathered at a time

  ConvLoops(const ConvProblem& problem, bool transposed)
      : walk_(problem.window, problem.in_extent, problem.out_extent, transposed),
        groups_(problem.groups),
        images_(problem.images),
        group_in_(problem.in_channels / problem.groups),
        group_out_(problem.out_channels / problem.groups),
        k_(base::checked_mul(group_in_, walk_.taps(), "a convolution's sum")),
        transposed_(transposed) {}

  /// Fills in phases and scratch of a step that runs `filters` in phase 0 and `sums` in phase 1.
  void reserve(Step& step) const {
    step.phases = 2;
    step.shared_scratch_bytes = scratch(base::checked_mul(k_, group_out_ * groups_, "filters"), sizeof(Row));
    step.thread_scratch_bytes = offset_bytes() + scratch(base::checked_mul(k_, kPixels, "scratch"), sizeof(Row));
  }

  /// Phase 0: the filters as rows [group * group_out_ + m][k]. `zero(m)` is the zero point of output channel m.
  template <typename W, typename Zero>
  void filters(const RunArgs& args, const W* w, const Zero& zero) const {
    Row* const to = reinterpret_cast<Row*>(args.shared_scratch);
    const Range mine = split(groups_ * group_out_, args.threads, args.thread);
    for (std::int64_t m = mine.first; m < mine.last; ++m) {
      const std::int64_t group = m / group_out_, taps = walk_.taps();
      for (std::int64_t c = 0; c < group_in_; ++c) {
        // Conv's filter is [M][C/g][taps], ConvTranspose's [C][M/g][taps].
        const W* const from =
            w + (transposed_ ? (group * group_in_ + c) * group_out_ + m % group_out_ : m * group_in_ + c) * taps;
        for (std::int64_t t = 0; t < taps; ++t) to[m * k_ + c * taps + t] = static_cast<Row>(from[t] - zero(m));
      }
    }
  }

  /// Phase 1: store(index, m, sum) for every element of the output; m is the output channel.
  template <typename X, typename Zero, typename Store>
  void sums(const RunArgs& args, const X* x, Zero zero, const Store& store) const {
    auto* const offsets = reinterpret_cast<std::int64_t*>(args.thread_scratch);  // [kPixels][taps], -1: outside
    Row* const rows = reinterpret_cast<Row*>(args.thread_scratch + offset_bytes());
    const Row* const filters = reinterpret_cast<const Row*>(args.shared_scratch);
    const std::int64_t pixels = walk_.windows(), chunks = base::ceil_div(pixels, kPixels);
    const Range mine = split(images_ * chunks * groups_, args.threads, args.thread);
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      const std::int64_t group = i % groups_, chunk = i / groups_ % chunks, image = i / groups_ / chunks;
      const std::int64_t first = chunk * kPixels, count = std::min(kPixels, pixels - first);
      if (k_ > 0 && (i == mine.first || group == 0)) find_offsets(first, count, offsets);
      gather(x + (image * groups_ + group) * group_in_ * walk_.in_pixels(), zero, offsets, count, rows);
      for (std::int64_t m = group * group_out_; m < (group + 1) * group_out_; ++m) {
        const std::int64_t to = (image * groups_ * group_out_ + m) * pixels + first;
        for (std::int64_t p = 0; p < count; ++p) store(to + p, m, dot(rows + p * k_, filters + m * k_, k_));
      }
    }
  }

 private:
  /// None without channels: the taps of a filter that takes no memory are no measure of anything.
  [[nodiscard]] std::size_t offset_bytes() const {
    return k_ == 0 ? 0 : scratch(base::checked_mul(walk_.taps(), kPixels, "scratch"), sizeof(std::int64_t));
  }
  static std::size_t scratch(std::int64_t n, std::size_t bytes) {
    return base::to_size(base::round_up(base::checked_mul(n, static_cast<std::int64_t>(bytes), "scratch"), 64),
                         "scratch");
  }

  void find_offsets(std::int64_t first, std::int64_t count, std::int64_t* offsets) const {
    std::fill_n(offsets, count * walk_.taps(), std::int64_t{-1});
    for (std::int64_t p = 0; p < count; ++p) {
      std::int64_t* const own = offsets + p * walk_.taps();
      walk_.each_inside(first + p, [own](std::int64_t tap, std::int64_t offset) { own[tap] = offset; });
    }
  }

  template <typename X, typename Zero>
  void gather(const X* x, Zero zero, const std::int64_t* offsets, std::int64_t count, Row* rows) const {
    const std::int64_t taps = walk_.taps();
    for (std::int64_t p = 0; p < count; ++p) {
      for (std::int64_t c = 0; c < group_in_; ++c) {
        const X* const plane = x + c * walk_.in_pixels();
        for (std::int64_t t = 0; t < taps; ++t) {
          const std::int64_t offset = offsets[p * taps + t];
          rows[p * k_ + c * taps + t] = offset < 0 ? Row{0} : static_cast<Row>(plane[offset] - zero);
        }
      }
    }
  }

  WindowWalk walk_;
  std::int64_t groups_, images_, group_in_, group_out_, k_;
  bool transposed_;
};

}  // namespace linnet::ops
