#include "linnet/datum.h"

namespace linnet {

namespace {

std::string describe(const Tensor& tensor) { return std::string(to_string(tensor.type())) + to_string(tensor.shape()); }

}  // namespace

std::string to_string(const Datum& datum) {
  if (const auto* tensor = std::get_if<Tensor>(&datum)) return describe(*tensor);
  const auto* sequence = std::get_if<Sequence>(&datum);
  if (sequence == nullptr) return "an empty optional";
  constexpr std::size_t kMostShown = 8;
  std::string text = "sequence of " + std::to_string(sequence->size());
  for (std::size_t i = 0; i < sequence->size() && i < kMostShown; ++i)
    text += (i == 0 ? ": " : ", ") + describe((*sequence)[i]);
  return sequence->size() > kMostShown ? text + ", ..." : text;
}

}  // namespace linnet
