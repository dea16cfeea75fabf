// Asking for lines that are wanted next: weights, inputs, residuals.
#pragma once

namespace linnet::kernels::LINNET_ISA {

enum class Fetch : unsigned char {
  l1,
  l2,       // where what is at work fills L1
  past_l3,  // to be left out of L3 when L2 has no more room for it
};

/// Whatever does nothing but call it must be inlined, too: gcc takes a call of such a function to have no effect, and drops it.
[[gnu::always_inline]] static inline void fetch_line(const float* line, Fetch to) {
  switch (to) {
    case Fetch::l1: __builtin_prefetch(line, 0, 3); break;
    case Fetch::l2: __builtin_prefetch(line, 0, 2); break;
    case Fetch::past_l3: __builtin_prefetch(line, 0, 0); break;
  }
}

}  // namespace linnet::kernels::LINNET_ISA
