// Sums, products and maxima of many floats, in one documented order; see ReduceArguments.
#pragma once

#include "kernels/eltwise/math.h"
#include "kernels/strided.h"

namespace linnet::kernels::LINNET_ISA {

// Floats in a piece: long enough that the tree of lanes and the step to double cost little, short enough that the
// rounding errors of a piece (16 + 2 + 4 additions deep) are below those of storing its terms.
constexpr int64_t kFoldPiece = 1024;
constexpr int64_t kFoldRows = 64;  // the same where rows are added to each other

/// One way to put terms together: `identity`, combine(V, V), lanes(V) for the 16 lanes of one vector, totals(double,
/// double).
struct Addition {
  static constexpr float kIdentity = 0.0f;
  [[gnu::always_inline]] static inline V combine(const V& a, const V& b) { return V::add(a, b); }
  [[gnu::always_inline]] static inline float lanes(const V& v) { return V::sum(v); }
  [[gnu::always_inline]] static inline double totals(double a, double b) { return a + b; }
};

/// f's tree over the lanes, in the order of f32x16::sum.
template <class F>
[[gnu::always_inline]] static inline float fold_lanes(V v, const F& f) {
  float lanes[32] = {};
  for (int half = 8; half > 0; half /= 2) {
    V::store(lanes, v);
    v = f(v, V::load(lanes + half));
  }
  V::store(lanes, v);
  return lanes[0];
}

struct Multiplication {
  static constexpr float kIdentity = 1.0f;
  [[gnu::always_inline]] static inline V combine(const V& a, const V& b) { return V::mul(a, b); }
  [[gnu::always_inline]] static inline float lanes(const V& v) { return fold_lanes(v, combine); }
  [[gnu::always_inline]] static inline double totals(double a, double b) { return a * b; }
};

struct Maximum {
  static constexpr float kIdentity = -__builtin_inff();
  [[gnu::always_inline]] static inline V combine(const V& a, const V& b) { return max_nan(a, b); }
  [[gnu::always_inline]] static inline float lanes(const V& v) { return fold_lanes(v, combine); }
  [[gnu::always_inline]] static inline double totals(double a, double b) { return a > b || a != a ? a : b; }
};

struct Minimum {
  static constexpr float kIdentity = __builtin_inff();
  [[gnu::always_inline]] static inline V combine(const V& a, const V& b) { return min_nan(a, b); }
  [[gnu::always_inline]] static inline float lanes(const V& v) { return fold_lanes(v, combine); }
  [[gnu::always_inline]] static inline double totals(double a, double b) { return a < b || a != a ? a : b; }
};

/// The first n lanes of v, then the identity.
template <class Fold>
[[gnu::always_inline]] static inline V first_or_identity(const V& v, int n) {
  float lanes[16];
  V::store(lanes, V::set(Fold::kIdentity));
  V::store_first(lanes, v, n);
  return V::load(lanes);
}

/// All of term(x[i]), 0 <= i < n.
template <class Fold, class Term>
[[gnu::always_inline]] static inline double fold_row(const float* x, int64_t n, const Term& term) {
  double total = static_cast<double>(Fold::kIdentity);
  for (int64_t piece = 0; piece < n; piece += kFoldPiece, x += kFoldPiece) {
    const int64_t length = smaller_of(n - piece, kFoldPiece);
    V s0 = V::set(Fold::kIdentity), s1 = s0, s2 = s0, s3 = s0;
    int64_t i = 0;
    for (; i + 64 <= length; i += 64) {
      s0 = Fold::combine(s0, term(V::load(x + i)));
      s1 = Fold::combine(s1, term(V::load(x + i + 16)));
      s2 = Fold::combine(s2, term(V::load(x + i + 32)));
      s3 = Fold::combine(s3, term(V::load(x + i + 48)));
    }
    for (; i + 16 <= length; i += 16) s0 = Fold::combine(s0, term(V::load(x + i)));
    const int rest = static_cast<int>(length - i);
    if (rest > 0) s0 = Fold::combine(s0, first_or_identity<Fold>(term(V::load_first(x + i, rest)), rest));
    const V sum = Fold::combine(Fold::combine(s0, s1), Fold::combine(s2, s3));
    total = Fold::totals(total, static_cast<double>(Fold::lanes(sum)));
  }
  return total;
}

/// The same down `n` rows, for `lanes` <= 16 neighbouring columns at once: pieces of kFoldRows rows, then the pieces'
/// results.
template <class Fold, class Term>
[[gnu::always_inline]] static inline V fold_columns(const float* x, ptrdiff_t row, int64_t n, int lanes,
                                                    const Term& term) {
  V total = V::set(Fold::kIdentity);
  for (int64_t piece = 0; piece < n; piece += kFoldRows) {
    const int64_t end = smaller_of(n, piece + kFoldRows);
    V sum = V::set(Fold::kIdentity);
    for (int64_t i = piece; i < end; ++i) {
      const float* p = x + i * row;
      sum = Fold::combine(sum, term(lanes == 16 ? V::load(p) : V::load_first(p, lanes)));
    }
    total = Fold::combine(total, sum);
  }
  return total;
}

/// Cuts [begin, end) of [outer][inner] into groups of at most 16 neighbours of one row: visit(outer, first column,
/// lanes). Where the cuts fall has no influence on a result, as each lane is on its own.
template <class Visit>
[[gnu::always_inline]] static inline void each_group(int64_t begin, int64_t end, int64_t inner, const Visit& visit) {
  while (begin < end) {
    const int64_t column = begin % inner;
    const int lanes = static_cast<int>(smaller_of(16, smaller_of(inner - column, end - begin)));
    visit(begin / inner, column, lanes);
    begin += lanes;
  }
}

[[gnu::always_inline]] static inline V load_lanes(const float* p, int lanes) {
  return lanes == 16 ? V::load(p) : V::load_first(p, lanes);
}
[[gnu::always_inline]] static inline void store_lanes(float* p, const V& v, int lanes) {
  if (lanes == 16) return V::store(p, v);
  V::store_first(p, v, lanes);
}

}  // namespace linnet::kernels::LINNET_ISA
