// What a model may take and give beside tensors: sequences of tensors, and optional values that are empty.
//
//   const linnet::Sequence two = {linnet::Tensor(linnet::DataType::float32, {2}), linnet::Tensor(linnet::DataType::float32, {3})};
//   const linnet::Datum datum = two;
//   std::cout << linnet::to_string(datum) << '\n';   // sequence of 2: float[2], float[3]
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "linnet/tensor.h"

namespace linnet {

/// The kind of a value of a model.
enum class ValueKind : std::uint8_t {
  tensor,
  sequence,  ///< of tensors
  optional,  ///< a tensor, a sequence, or nothing
};

using Sequence = std::vector<Tensor>;
/// A tensor, a sequence, or an optional that is empty (std::monostate). An optional that is not empty is what it holds.
using Datum = std::variant<Tensor, Sequence, std::monostate>;

/// "float[2,3]", "sequence of 2: float[2], float[3]", "an empty optional".
std::string to_string(const Datum& datum);

}  // namespace linnet
