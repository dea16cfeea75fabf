// Attributes of a node: ONNX's kinds, by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "linnet/tensor.h"

namespace linnet::graph {

class Graph;

using Attribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
                               std::vector<std::string>, Tensor, std::shared_ptr<const Graph>>;

/// A small ordered list: nodes have few attributes, and a dump should show them in the file's order.
class Attributes {
 public:
  using Entry = std::pair<std::string, Attribute>;

  void reserve(std::size_t count) { entries_.reserve(count); }
  void set(std::string_view name, Attribute value);
  void erase(std::string_view name);
  /// Null where the attribute is absent.
  [[nodiscard]] const Attribute* find(std::string_view name) const noexcept;
  [[nodiscard]] bool has(std::string_view name) const noexcept { return find(name) != nullptr; }

  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }

 private:
  std::vector<Entry> entries_;
};

/// What a copy takes beside the Attribute itself, at most; tensors and graphs are shared.
std::size_t bytes_beside(const Attribute& attribute);

/// "[1,1]", "0.5", "'SAME_UPPER'", "tensor float[3]".
std::string to_string(const Attribute& attribute);

}  // namespace linnet::graph
