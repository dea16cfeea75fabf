// A Step: one node of the graph made executable for a machine and for concrete shapes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "kernels/view.h"
#include "linnet/tensor.h"
#include "linnet/tuning.h"

namespace linnet::ops {

/// A zero border around every plane of an nchw16c tensor, in pixels. A consumer asks for it, the planner grants it.
struct Halo {
  std::int32_t top = 0, left = 0, bottom = 0, right = 0;
  [[nodiscard]] bool any() const noexcept { return (top | left | bottom | right) != 0; }
  friend bool operator==(const Halo&, const Halo&) = default;
};
/// The least that covers both.
inline Halo larger(const Halo& a, const Halo& b) {
  return {std::max(a.top, b.top), std::max(a.left, b.left), std::max(a.bottom, b.bottom), std::max(a.right, b.right)};
}

/// How a value of known shape lies in its buffer. Strides count elements. For plain tensors only type, shape and bytes matter.
struct Placement {
  DataType type = DataType::undefined;
  Shape shape;  // the ONNX shape, whatever the layout
  graph::Layout layout = graph::Layout::plain;
  Halo halo;
  std::int64_t row_stride = 0;              // nchw16c, from one row of 16-channel pixels to the next
  std::int64_t plane_stride = 0;            // from one channel block to the next
  std::int64_t image_stride = 0;            // from one image to the next
  std::int64_t origin = 0;                  // of pixel (0,0) inside the halo
  graph::ValueId within = graph::kNoValue;  // nchw16c: the Concat's output in whose planes these lie
  std::size_t bytes = 0;

  [[nodiscard]] std::int64_t elements() const;  // of the ONNX shape
  [[nodiscard]] std::int64_t channel_blocks() const { return (shape[1] + 15) / 16; }
};

/// Computes strides and bytes. nchw16c takes rank 4 (rank 3 as one row, H = 1) and float32 only.
Placement place(DataType type, Shape shape, graph::Layout layout, Halo halo = {});

/// What a step gets when it runs. Pointers are 64-byte aligned but for the caller's own input and output tensors;
/// an omitted input or output is null.
struct RunArgs {
  const std::byte* const* inputs = nullptr;  // the buffers of Step::inputs; for nchw16c their start, halo included
  std::byte* const* outputs = nullptr;
  std::byte* shared_scratch = nullptr;  // Step::shared_scratch_bytes, the same for all threads
  std::byte* thread_scratch = nullptr;  // Step::thread_scratch_bytes, this thread's own
  int phase = 0;                        // 0 .. Step::phases-1; all threads finish a phase before any starts the next
  int thread = 0;
  int threads = 1;
  /// Set to a literal by a step whose data break the operator's rules (an index out of range): a step must not throw, so
  /// it writes zeros and goes on, and whoever runs the plan turns this into an Error(input) afterwards. May be null.
  std::atomic<const char*>* fault = nullptr;

  template <typename T>
  [[nodiscard]] const T* in(std::size_t i) const {
    return reinterpret_cast<const T*>(inputs[i]);
  }
  template <typename T>
  [[nodiscard]] T* out(std::size_t i) const {
    return reinterpret_cast<T*>(outputs[i]);
  }
  void report(const char* what) const {
    if (fault != nullptr) fault->store(what, std::memory_order_relaxed);
  }
};

/// [first, last) of part `part` when n items are split into `parts` contiguous, balanced ranges.
struct Range {
  std::int64_t first = 0, last = 0;
  [[nodiscard]] constexpr std::int64_t count() const noexcept { return last - first; }
  friend constexpr bool operator==(const Range&, const Range&) = default;
};
constexpr Range split(std::int64_t n, int parts, int part) { return {n * part / parts, n * (part + 1) / parts}; }

/// How a step of one phase writes some rows of one image of output 0, which is nchw16c, elsewhere than into its buffer: at `to`, in
/// which only these rows of image 0 are there.
struct RowsWritten {
  std::int64_t unit = 1;  // rows begin at a multiple of it, and end at one or with the image
  std::function<void(const RunArgs&, std::int64_t image, Range rows, const kernels::BlockedTarget& to)> run;
};
/// How a step of one phase and one input writes some rows of one image of output 0, reading the input, which is nchw16c, at `from`
/// instead of in its buffer: row y from those rows of [y * stride - before, y * stride - before + span) that there are.
struct RowsRead {
  std::int64_t stride = 1, span = 1, before = 0;
  std::function<void(const RunArgs&, std::int64_t image, Range rows, const kernels::BlockedSource& from)> run;
};

struct Step {
  std::string name;                    // the node's label
  std::string op;                      // "Conv"
  std::string algorithm;               // "im2col_gemm", "winograd_f4x4_3x3", "elementwise", "view", ...
  std::string kernel;                  // "6x16", the tile of a product; "avx2", "row"; empty: plain loops
  std::vector<graph::ValueId> inputs;  // as the node's; kNoValue where the step does not read one at run time
  std::vector<graph::ValueId> outputs;
  /// Called by every thread once a phase. Must not throw, allocate or lock. Splits its work by (thread, threads) so that
  /// the result does not depend on `threads`. Null where nothing is to be done, as for a view.
  std::function<void(const RunArgs&)> run;
  int phases = 1;
  std::size_t shared_scratch_bytes = 0;
  std::size_t thread_scratch_bytes = 0;
  /// Output 0 is input `view_of` under another shape: no bytes move. -1: not a view.
  int view_of = -1;
  /// Output 0 may share the buffer of input `in_place` if nothing reads that input later. -1: never.
  int in_place = -1;
  /// Bit i: input i is a constant whose packed form serves every batch extent, so that its own bytes may be given back.
  std::uint32_t packed_inputs = 0;
  std::int64_t macs = 0;         // multiply-adds of the operator's definition (direct convolution), per run
  std::size_t weight_bytes = 0;  // packed constants this step reads
  std::string tuning_key;        // in Tuning::blockings; empty where there is nothing to tune
  Blocking blocking;             // in use; a 0 is nothing that this step could change
  bool tuned = false;            // it comes from Tuning
  /// What thread `thread` of `threads` does, in cycles as GridCost (ops/partition.h) counts them: for a model of how evenly
  /// threads are loaded. Null where no grid splits the step.
  std::function<double(int thread, int threads)> load;
  /// For a planner that has two steps go through the rows of a value together; null where the step cannot.
  RowsWritten rows_written;
  RowsRead rows_read;
};

}  // namespace linnet::ops
