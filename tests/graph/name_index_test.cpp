#include "graph/name_index.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <string>
#include <vector>

using linnet::graph::NameIndex;

namespace {

std::int32_t find(const NameIndex& index, std::uint32_t hash, std::int32_t wanted) {
  return index.find(hash, [wanted](std::int32_t id) { return id == wanted; });
}

}  // namespace

TEST_CASE("names have hashes of their own, whatever bytes they are of") {
  const NameIndex index;
  std::set<std::uint32_t> hashes;
  for (std::size_t size = 0; size < 20; ++size) {
    hashes.insert(index.hash(std::string(size, '\0')));
    hashes.insert(index.hash(std::string(size, 'n')));
  }
  CHECK(hashes.size() == 39);  // the empty name is both
  CHECK(index.hash("a name") == index.hash(std::string("a name")));
}

TEST_CASE("an index finds what is in it, through growth, erasures and hashes that are equal") {
  std::mt19937 random(3);
  // Of 50 hashes, so that most stand far from home; the last of all slots is some name's home.
  std::vector<std::uint32_t> hash_of(1000);
  for (std::uint32_t& hash : hash_of) hash = 0xffffffe0U + random() % 50;
  NameIndex index;
  std::set<std::int32_t> in;
  for (int step = 0; step < 20'000; ++step) {
    const auto id = static_cast<std::int32_t>(random() % hash_of.size());
    const std::uint32_t hash = hash_of[static_cast<std::size_t>(id)];
    if (in.insert(id).second) {
      index.insert(hash, id);
    } else {
      in.erase(id);
      index.erase(hash, id);
    }
    if (step % 500 != 0) continue;
    for (std::int32_t other = 0; other < 1000; ++other)
      REQUIRE(find(index, hash_of[static_cast<std::size_t>(other)], other) == (in.contains(other) ? other : -1));
  }
}

TEST_CASE("an index with room takes what it said it would") {
  NameIndex index;
  CHECK(find(index, 7, 0) == -1);
  index.reserve(1000);
  CHECK(NameIndex::bytes_for(0) == 0);
  CHECK(NameIndex::bytes_for(1000) >= 1000 * 8);
  CHECK(NameIndex::bytes_for(1000) <= 3000 * 8);
  index.insert(7, 0);
  CHECK(find(index, 7, 0) == 0);
}
