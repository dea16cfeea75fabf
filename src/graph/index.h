// The ids of nodes and values as indices of vectors.
#pragma once

#include <cstddef>
#include <cstdint>

namespace linnet::graph {

/// Precondition: id >= 0, so neither kNoNode nor kNoValue.
inline std::size_t at(std::int32_t id) { return static_cast<std::size_t>(id); }

}  // namespace linnet::graph
