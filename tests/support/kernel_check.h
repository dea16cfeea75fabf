// Running a kernel on every instruction set of this machine.
//
//   const std::vector<float> y = on_every_isa([&](const kernels::Table& k) { ...; k.unary(args); return result; });
//
// fails if any table's result differs in a bit from the scalar table's, which it returns. One exception, the one that
// kernels/isa/f32x16_scalar.h documents: any NaN equals any NaN.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/cpu.h"
#include "kernels/table.h"
#include "support/guard_buffer.h"
#include "support/random_data.h"

namespace linnet::test {

/// The tables that this build has and this processor can run, scalar first.
inline std::vector<const kernels::Table*> runnable_tables() {
  std::vector<const kernels::Table*> tables;
  for (const kernels::Isa isa : kernels::kIsas) {
    const kernels::Table* table = kernels::table(isa);
    if (table != nullptr && isa <= kernels::detect_cpu().best) tables.push_back(table);
  }
  return tables;
}

inline std::uint32_t bits_of(float x) {
  if (std::isnan(x)) return 0x7fc00000;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of(std::uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

/// Where two results differ first; empty if they do not.
inline std::string first_difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  std::ostringstream text;
  if (actual.size() != expected.size()) {
    text << actual.size() << " elements instead of " << expected.size();
  } else {
    for (std::size_t i = 0; i < actual.size(); ++i) {
      if (bits_of(actual[i]) == bits_of(expected[i])) continue;
      text << "element " << i << " is " << std::hexfloat << actual[i] << " instead of " << expected[i];
      break;
    }
  }
  return text.str();
}

/// Cases of on_every_isa with operands at guard pages; said as the program ends.
struct GuardedCases {
  long count = 0;
  ~GuardedCases() {
    if (count > 0) std::printf("%ld guarded cases\n", count);
  }
};
inline GuardedCases guarded_cases;

/// First in a test case: runs it twice, with guard pages behind all operands and before them.
inline void at_both_ends() { GuardPages::side = GENERATE(GuardPages::after, GuardPages::before); }

/// Behind or before the operands of what comes next, by chance: for so many cases that each end gets its share.
inline void at_either_end(Random& random) {
  GuardPages::side = random.chance(0.5) ? GuardPages::before : GuardPages::after;
}

template <class Run>
std::vector<float> on_every_isa(const Run& run) {
  const long before = GuardPages::made;
  const std::vector<float> expected = run(*kernels::table(kernels::Isa::scalar));
  guarded_cases.count += GuardPages::made != before;
  for (const kernels::Table* table : runnable_tables()) {
    INFO("ISA " << kernels::name(table->isa));
    CHECK(first_difference(run(*table), expected) == "");
  }
  return expected;
}

/// |actual - expected| in units in the last place of the float that is nearest to `expected`; NaN agrees with NaN, and
/// an infinity with what rounds to it.
inline double ulps(float actual, double expected) {
  const float nearest = static_cast<float>(expected);
  if (std::isnan(actual) || std::isnan(nearest)) return std::isnan(actual) && std::isnan(nearest) ? 0 : INFINITY;
  if (actual == nearest) return 0;
  if (std::isinf(actual) || std::isinf(nearest)) {
    // One step from the greatest float is still an honest error.
    const float finite = std::isinf(actual) ? nearest : actual;
    return std::fabs(finite) == 3.40282347e+38f && std::signbit(actual) == std::signbit(nearest) ? 1 : INFINITY;
  }
  int exponent;
  std::frexp(nearest, &exponent);
  return std::fabs(static_cast<double>(actual) - expected) / std::ldexp(1.0, std::max(exponent - 24, -149));
}

/// The floats that break things.
inline std::vector<float> special_floats() {
  std::vector<float> all;
  for (const float x : {0.0f,
                        1e-45f,
                        1.17549421e-38f,
                        1.17549435e-38f,
                        1e-30f,
                        1e-8f,
                        5.9604645e-08f,
                        1.1920929e-07f,
                        0.125f,
                        0.5f,
                        0.70710678f,
                        0.99999994f,
                        1.0f,
                        1.0000001f,
                        1.41421354f,
                        1.5f,
                        2.0f,
                        2.5f,
                        3.0f,
                        3.5f,
                        10.0f,
                        87.33654f,
                        88.72283f,
                        88.72284f,
                        103.97208f,
                        104.0f,
                        8388607.5f,
                        8388608.0f,
                        16777216.0f,
                        16777217.0f,
                        2147483648.0f,
                        1e20f,
                        3.40282347e+38f,
                        INFINITY}) {
    all.push_back(x);
    all.push_back(-x);
  }
  all.push_back(NAN);
  return all;
}

inline float random_float(Random& random, float size = 1) { return static_cast<float>(random.uniform(-size, size)); }
inline std::vector<float> random_floats(Random& random, std::size_t n, float size = 1) {
  std::vector<float> v(n);
  for (float& x : v) x = random_float(random, size);
  return v;
}

/// A blocked tensor [N][C/16][H][W][16] with a halo, at a guard page; the halo is NaN, and so are all gaps.
struct BlockedBuffer {
  int images, channels, height, width, halo;
  GuardBuffer memory;

  BlockedBuffer(int n, int c, int h, int w, int border = 0)
      : images(n),
        channels(c),
        height(h),
        width(w),
        halo(border),
        memory(static_cast<std::size_t>(n * blocks() * (h + 2 * border) * (w + 2 * border) * 16)) {}
  int blocks() const { return (channels + 15) / 16; }
  std::ptrdiff_t row() const { return (width + 2 * halo) * std::ptrdiff_t{16}; }
  std::ptrdiff_t plane() const { return (height + 2 * halo) * row(); }
  std::ptrdiff_t image() const { return blocks() * plane(); }
  float* origin() { return memory.data() + halo * row() + halo * 16; }
  kernels::BlockedSource source() { return {origin(), image(), plane(), row()}; }
  kernels::BlockedTarget target() { return {origin(), image(), plane(), row()}; }
  /// Channels beyond the last one are there, too.
  float& at(int n, int c, int y, int x) {
    return origin()[n * image() + c / 16 * plane() + y * row() + x * 16 + c % 16];
  }
  /// visit(n, c, y, x) over all elements, without the padded channels.
  template <class Visit>
  void each(const Visit& visit) const {
    for (int n = 0; n < images; ++n)
      for (int c = 0; c < channels; ++c)
        for (int y = 0; y < height; ++y)
          for (int x = 0; x < width; ++x) visit(n, c, y, x);
  }
  void fill(Random& random, float size = 1) {
    for (int n = 0; n < images; ++n)
      for (int c = 0; c < blocks() * 16; ++c)
        for (int y = 0; y < height; ++y)
          for (int x = 0; x < width; ++x) at(n, c, y, x) = c < channels ? random_float(random, size) : 0.0f;
  }
  /// Everything, the halo too: a write outside the tensor shows as a NaN that is gone.
  std::vector<float> values() const { return memory.values(); }
  kernels::PlaneRange all() const { return {0, std::int64_t{images} * blocks(), 0, height}; }
};

/// Runs `kernel` on a range cut into uneven parts, each part of planes with each part of rows.
template <class Kernel, class Arguments>
void run_in_parts(Kernel kernel, Arguments args, const kernels::PlaneRange& all) {
  const std::int64_t middle = all.plane_begin + (all.plane_end - all.plane_begin) / 3;
  const int split = all.row_begin + (all.row_end - all.row_begin) * 2 / 5;
  for (const auto& [first, last] : {std::pair{all.plane_begin, middle}, std::pair{middle, all.plane_end}}) {
    for (const auto& [top, bottom] : {std::pair{all.row_begin, split}, std::pair{split, all.row_end}}) {
      args.range = {first, last, top, bottom};
      kernel(args);
    }
  }
}

}  // namespace linnet::test
