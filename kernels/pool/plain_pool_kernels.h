// Pooling over plain tensors, one element at a time: for 1-D and 3-D pooling, odd layouts and MaxPool's indices.
#pragma once

#include "kernels/pool/pool.h"
#include "kernels/window.h"

namespace linnet::kernels::LINNET_ISA {

/// How many of a window's taps the divisor of an average counts.
static inline int counted_taps(PoolOp op, const PoolAxis& axis, int output) {
  const int first = output * axis.stride - axis.pad_before;
  if (op != PoolOp::average_include_pad) {
    const TapRange inside = taps_inside(first, axis.kernel, axis.dilation, axis.input);
    return inside.end - inside.begin;
  }
  // Padding is part of the input then; what ceil_mode adds beyond it is not.
  const TapRange padded =
      taps_inside(first + axis.pad_before, axis.kernel, axis.dilation, axis.pad_before + axis.input + axis.pad_after);
  return padded.end - padded.begin;
}

/// The taps of one output element in a plane, axis by axis.
struct PlainWindow {
  int first[3];
  TapRange taps[3];
  int64_t count;

  /// visit(offset in the plane) for each tap inside the input, in order.
  template <class Visit>
  [[gnu::always_inline]] inline void each(const PoolAxis (&axis)[3], const Visit& visit) const {
    for (int d = taps[0].begin; d < taps[0].end; ++d) {
      const int64_t z = first[0] + int64_t{d} * axis[0].dilation;
      for (int h = taps[1].begin; h < taps[1].end; ++h) {
        const int64_t row = (z * axis[1].input + first[1] + int64_t{h} * axis[1].dilation) * axis[2].input;
        for (int w = taps[2].begin; w < taps[2].end; ++w) visit(row + first[2] + int64_t{w} * axis[2].dilation);
      }
    }
  }
};

/// The plane's offset of an element if its axes are counted in reverse order.
static inline int64_t column_major(int64_t offset, const PoolAxis (&axis)[3]) {
  const int64_t w = offset % axis[2].input, h = offset / axis[2].input % axis[1].input;
  const int64_t d = offset / axis[2].input / axis[1].input;
  return (w * axis[1].input + h) * axis[0].input + d;
}

static void plain_pool(const PlainPoolArguments& a) {
  const PoolAxis(&axis)[3] = a.axis;
  const int64_t plane_size = int64_t{axis[0].input} * axis[1].input * axis[2].input;
  for (int64_t row = a.begin; row < a.end; ++row) {
    const int64_t plane = row / axis[1].output / axis[0].output;
    const float* x = a.x + plane * plane_size;
    for (int column = 0; column < axis[2].output; ++column) {
      const int at[3] = {static_cast<int>(row / axis[1].output % axis[0].output),
                         static_cast<int>(row % axis[1].output), column};
      PlainWindow window;
      window.count = 1;
      for (int i = 0; i < 3; ++i) {
        window.first[i] = at[i] * axis[i].stride - axis[i].pad_before;
        window.taps[i] = taps_inside(window.first[i], axis[i].kernel, axis[i].dilation, axis[i].input);
        window.count *= counted_taps(a.op, axis[i], at[i]);
      }
      const int64_t out = row * axis[2].output + column;
      if (a.op == PoolOp::max) {
        float best = 0;
        int64_t where = -1;
        window.each(axis, [&](int64_t offset) {
          const float v = x[offset];
          if (where < 0 || v > best || (v != v && best == best)) best = v, where = offset;
        });
        a.y[out] = best;
        if (a.indices != nullptr) {
          a.indices[out] = plane * plane_size + (a.indices_column_major ? column_major(where, axis) : where);
        }
      } else {
        float sum = 0;
        window.each(axis, [&](int64_t offset) { sum += x[offset]; });
        a.y[out] = sum / static_cast<float>(window.count);
      }
    }
  }
}

}  // namespace linnet::kernels::LINNET_ISA
