#include "graph/name_index.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>
#include <utility>

namespace linnet::graph {

namespace {

/// One round of SipHash (Aumasson and Bernstein).
void mix(std::array<std::uint64_t, 4>& v) {
  v[0] += v[1];
  v[2] += v[3];
  v[1] = std::rotl(v[1], 13) ^ v[0];
  v[3] = std::rotl(v[3], 16) ^ v[2];
  v[0] = std::rotl(v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = std::rotl(v[1], 17) ^ v[2];
  v[3] = std::rotl(v[3], 21) ^ v[0];
  v[2] = std::rotl(v[2], 32);
}

}  // namespace

/// Where the system has put this process, and when: nothing that the writer of a file can know. No result depends on it.
NameIndex::Key NameIndex::make_key() noexcept {
  const int here = 0;
  return {static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()),
          std::bit_cast<std::uintptr_t>(&here)};
}

std::uint32_t NameIndex::hash(std::string_view name) const noexcept {
  std::array<std::uint64_t, 4> v = {key_[0] ^ 0x736f6d6570736575U, key_[1] ^ 0x646f72616e646f6dU,
                                    key_[0] ^ 0x6c7967656e657261U, key_[1] ^ 0x7465646279746573U};
  std::size_t done = 0;
  for (bool more = true; more;) {
    const std::size_t count = name.size() - done < 8 ? name.size() - done : 8;
    std::uint64_t word = count < 8 ? static_cast<std::uint64_t>(name.size()) << 56U : 0;
    std::memcpy(&word, name.data() + done, count);
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
    done += count;
    more = count == 8;
  }
  v[2] ^= 0xff;
  for (int round = 0; round < 3; ++round) mix(v);
  return static_cast<std::uint32_t>(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

std::size_t NameIndex::slots_for(std::size_t names) noexcept {
  return names == 0 ? 0 : std::bit_ceil(names + names / 3 + 1);
}

void NameIndex::reserve(std::size_t names) {
  const std::size_t slots = slots_for(names);
  if (slots <= slots_.size()) return;
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(slots));
  for (const Slot& slot : old) {
    if (slot.id != kFree) put(slot);
  }
}

void NameIndex::put(Slot slot) {
  std::size_t i = home(slot.hash);
  while (slots_[i].id != kFree) i = next(i);
  slots_[i] = slot;
}

void NameIndex::insert(std::uint32_t hash, std::int32_t id) {
  reserve(count_ + 1);
  put({hash, id});
  ++count_;
}

void NameIndex::erase(std::uint32_t hash, std::int32_t id) {
  std::size_t gap = home(hash);
  while (slots_[gap].id != id) gap = next(gap);
  // What stands behind the gap moves into it unless it would come to stand before its home.
  for (std::size_t i = next(gap); slots_[i].id != kFree; i = next(i)) {
    const std::size_t mask = slots_.size() - 1;
    if (((i - home(slots_[i].hash)) & mask) < ((i - gap) & mask)) continue;
    slots_[gap] = slots_[i];
    gap = i;
  }
  slots_[gap] = {};
  --count_;
}

}  // namespace linnet::graph
