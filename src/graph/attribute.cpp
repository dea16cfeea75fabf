#include "graph/attribute.h"

#include <algorithm>
#include <charconv>

namespace linnet::graph {

namespace {

std::string format(std::int64_t x) { return std::to_string(x); }
std::string format(float x) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, x);
  return {text, end.ptr};
}
std::string format(const std::string& x) { return "'" + x + "'"; }

template <typename T>
std::string format(const std::vector<T>& xs) {
  std::string text = "[";
  for (const T& x : xs) {
    if (text.size() > 1) text += ',';
    text += format(x);
  }
  return text + "]";
}

std::string format(const Tensor& t) { return "tensor " + std::string(to_string(t.type())) + to_string(t.shape()); }
std::string format(const std::shared_ptr<const Graph>&) { return "graph"; }

// With the allocator's share.
constexpr std::size_t kBlockBytes = 32;

std::size_t heap_bytes(std::int64_t) { return 0; }
std::size_t heap_bytes(float) { return 0; }
std::size_t heap_bytes(const std::string& x) { return kBlockBytes + x.size(); }
std::size_t heap_bytes(const Tensor& t) { return kBlockBytes + t.rank() * sizeof(std::int64_t); }
std::size_t heap_bytes(const std::shared_ptr<const Graph>&) { return 0; }
template <typename T>
std::size_t heap_bytes(const std::vector<T>& xs) {
  std::size_t bytes = kBlockBytes + xs.size() * sizeof(T);
  for (const T& x : xs) bytes += heap_bytes(x);
  return bytes;
}

}  // namespace

std::size_t bytes_beside(const Attribute& attribute) {
  return std::visit([](const auto& x) { return heap_bytes(x); }, attribute);
}

void Attributes::set(std::string_view name, Attribute value) {
  for (Entry& entry : entries_) {
    if (entry.first == name) {
      entry.second = std::move(value);
      return;
    }
  }
  entries_.emplace_back(std::string(name), std::move(value));
}

void Attributes::erase(std::string_view name) {
  std::erase_if(entries_, [name](const Entry& entry) { return entry.first == name; });
}

const Attribute* Attributes::find(std::string_view name) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.first == name) return &entry.second;
  }
  return nullptr;
}

std::string to_string(const Attribute& attribute) {
  return std::visit([](const auto& x) { return format(x); }, attribute);
}

}  // namespace linnet::graph
