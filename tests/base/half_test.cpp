#include "base/half.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <initializer_list>

using namespace linnet;

TEST_CASE("rounding in float gives the bits of rounding by way of 16 bits") {
  // A prime step through all bits of float, and the neighbourhood of every edge between two numbers of the type.
  const auto check = [](std::uint32_t bits) {
    const auto x = std::bit_cast<float>(bits);
    const float half = base::to_float(base::to_float16(static_cast<double>(x)));
    const float brain = base::to_float(base::to_bfloat16(static_cast<double>(x)));
    const bool same = std::bit_cast<std::uint32_t>(base::rounded_to_float16(x)) == std::bit_cast<std::uint32_t>(half) &&
                      std::bit_cast<std::uint32_t>(base::rounded_to_bfloat16(x)) == std::bit_cast<std::uint32_t>(brain);
    if (!same) FAIL("bits " << bits);
  };
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 4093) check(static_cast<std::uint32_t>(bits));
  for (std::uint32_t high = 0; high < 0x80000; ++high) {
    for (const std::uint32_t low : {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x1fffu}) check(high << 13 | low);
  }
  SUCCEED();
}
