#include "ops/weight_store.h"

#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "linnet/error.h"

namespace {

using linnet::base::AlignedBuffer;
using linnet::ops::WeightStore;

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// A constant of so many bytes that all are `value`.
WeightStore::Buffer put(WeightStore& store, const std::string& key, std::size_t bytes, int value) {
  return store.get(
      key, bytes, [&](std::byte* to) { std::memset(to, value, bytes); }, AlignedBuffer::Fill::none);
}

TEST_CASE("A constant is packed once under its key") {
  WeightStore store;
  const WeightStore::Buffer first = put(store, "a", 100, 1);
  CHECK(put(store, "a", 100, 2) == first);
  CHECK(first->as<std::byte>()[99] == std::byte{1});
  CHECK(put(store, "b", 50, 2) != first);
  CHECK(store.bytes() == 150);
}

TEST_CASE("What is to be zeroed is zero where nothing is written, whatever lay there") {
  WeightStore store;
  (void)put(store, "large", 8 * kMiB - 100, 0xff);
  for (int i = 0; i < 20; ++i) {
    const auto zeroed = store.get(
        std::to_string(i), 100, [](std::byte*) {}, AlignedBuffer::Fill::zero);
    for (std::size_t k = 0; k < 100; ++k) REQUIRE(zeroed->as<std::byte>()[k] == std::byte{0});
  }
}

TEST_CASE("Packed constants are aligned, apart from each other, and outlive their store") {
  std::vector<WeightStore::Buffer> held;
  {
    WeightStore store;
    std::size_t total = 0;
    // From a few bytes to more than a block, so that blocks of all kinds are begun, filled and left with room.
    const std::size_t sizes[] = {1, 63,        64,       65,  kMiB,         3 * kMiB, 5 * kMiB + 4,
                                 0, 40 * kMiB, 7 * kMiB, 100, 2 * kMiB - 60};
    for (int round = 0; round < 3; ++round) {
      for (const std::size_t bytes : sizes) {
        held.push_back(put(store, std::to_string(held.size()), bytes, static_cast<int>(held.size())));
        CHECK(held.back()->bytes() == bytes);
        total += bytes;
      }
    }
    CHECK(store.bytes() == total);
  }
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto* const bytes = held[i]->as<std::byte>();
    CHECK(reinterpret_cast<std::uintptr_t>(bytes) % 64 == 0);
    bool own = true;
    for (std::size_t k = 0; k < held[i]->bytes(); ++k) own = own && bytes[k] == static_cast<std::byte>(i);
    CHECK(own);
  }
}

TEST_CASE("From a few megabytes on, constants lie side by side in huge pages") {
  WeightStore store;
  (void)put(store, "first", 8 * kMiB, 0);
  const auto* const one = put(store, "one", kMiB, 1)->as<std::byte>();
  const auto* const two = put(store, "two", kMiB + 10, 2)->as<std::byte>();
  const auto* const three = put(store, "three", kMiB, 3)->as<std::byte>();
  CHECK(reinterpret_cast<std::uintptr_t>(one) % (2 * kMiB) == 0);
  CHECK(two == one + kMiB);
  CHECK(three == two + kMiB + 64);
}

TEST_CASE("A constant that memory does not suffice for leaves the store as it was") {
  WeightStore store;
  const std::size_t most = std::numeric_limits<std::int64_t>::max();
  for (const std::size_t bytes : {most, most - 63, most / 2}) {
    try {
      (void)store.get(
          "x", bytes, [](std::byte*) {}, AlignedBuffer::Fill::none);
      FAIL("no error");
    } catch (const linnet::Error& error) {
      CHECK((error.code() == linnet::ErrorCode::no_memory || error.code() == linnet::ErrorCode::limit));
    }
    CHECK(store.bytes() == 0);
  }
  CHECK(put(store, "x", 10, 1)->bytes() == 10);
}

}  // namespace
