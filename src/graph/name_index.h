// The values of a graph by name: a hash table of ids, which leaves the names where they are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace linnet::graph {

class NameIndex {
 public:
  /// Of 32 bits. Each index has a key of its own, so that no file can have names that collide.
  [[nodiscard]] std::uint32_t hash(std::string_view name) const noexcept;
  /// The id that has the hash and for which `is_it(id)` holds; -1 where there is none.
  template <typename Predicate>
  [[nodiscard]] std::int32_t find(std::uint32_t hash, const Predicate& is_it) const {
    if (slots_.empty()) return kFree;
    for (std::size_t i = home(hash);; i = next(i)) {
      const Slot& slot = slots_[i];
      if (slot.id == kFree || (slot.hash == hash && is_it(slot.id))) return slot.id;
    }
  }
  /// Precondition: the name is not there.
  void insert(std::uint32_t hash, std::int32_t id);
  /// Precondition: it is there.
  void erase(std::uint32_t hash, std::int32_t id);
  /// Room for so many names in all.
  void reserve(std::size_t names);
  /// What the table takes that has room for so many.
  static std::size_t bytes_for(std::size_t names) noexcept { return slots_for(names) * sizeof(Slot); }

 private:
  static constexpr std::int32_t kFree = -1;
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t id = kFree;
  };
  using Key = std::array<std::uint64_t, 2>;
  static Key make_key() noexcept;
  static std::size_t slots_for(std::size_t names) noexcept;
  [[nodiscard]] std::size_t home(std::uint32_t hash) const noexcept { return hash & (slots_.size() - 1); }
  [[nodiscard]] std::size_t next(std::size_t i) const noexcept { return (i + 1) & (slots_.size() - 1); }
  void put(Slot slot);

  std::vector<Slot> slots_;  // a power of two of them; an id stands in its home, or behind it with no free slot between
  std::size_t count_ = 0;
  Key key_ = make_key();
};

}  // namespace linnet::graph
