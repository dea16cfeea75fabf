#include "linnet/classify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "base/out_of_memory.h"
#include "linnet/error.h"

namespace linnet {

namespace {

// The greatest score, after the checks that make every step behind it meaningful.
float checked_maximum(std::span<const float> scores) {
  if (scores.empty()) throw Error(ErrorCode::input, "there are no scores to classify by");
  if (std::cmp_greater(scores.size(), std::numeric_limits<int>::max()))
    throw Error(ErrorCode::input, "too many classes");
  float best = -std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const float score = scores[i];
    if (std::isnan(score) || score == std::numeric_limits<float>::infinity()) {
      throw Error(ErrorCode::input, "a score that is no number: the network's output cannot be ranked",
                  {.where = "class " + std::to_string(i),
                   .expected = "finite scores",
                   .found = std::isnan(score) ? "NaN" : "infinity"});
    }
    best = std::max(best, score);
  }
  if (std::isinf(best))
    throw Error(ErrorCode::input, "every score is -infinity: the network's output cannot be ranked");
  return best;
}

std::vector<float> probabilities_of(std::span<const float> scores) {
  const double best = checked_maximum(scores);
  std::vector<double> weights;
  weights.reserve(scores.size());
  double sum = 0.0;
  for (const float score : scores) {
    weights.push_back(std::exp(score - best));
    sum += weights.back();
  }
  std::vector<float> result;
  result.reserve(scores.size());
  for (const double weight : weights) result.push_back(static_cast<float>(weight / sum));
  return result;
}

std::vector<Classification> best_of(std::span<const float> scores, int k, bool apply_softmax) {
  if (k < 1)
    throw Error(ErrorCode::usage, "top_k needs at least one class", {.expected = "k >= 1", .found = std::to_string(k)});
  checked_maximum(scores);
  std::vector<float> probabilities;
  if (apply_softmax) probabilities = probabilities_of(scores);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto count = static_cast<std::ptrdiff_t>(std::min(order.size(), static_cast<std::size_t>(k)));
  std::partial_sort(order.begin(), order.begin() + count, order.end(), [&](std::size_t a, std::size_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
  });
  std::vector<Classification> best;
  for (auto it = order.begin(); it != order.begin() + count; ++it) {
    best.push_back({static_cast<int>(*it), scores[*it], apply_softmax ? probabilities[*it] : scores[*it]});
  }
  return best;
}

}  // namespace

std::vector<float> softmax(std::span<const float> scores) {
  return base::guard_memory([&] { return probabilities_of(scores); });
}

std::vector<Classification> top_k(std::span<const float> scores, int k, bool apply_softmax) {
  return base::guard_memory([&] { return best_of(scores, k, apply_softmax); });
}

}  // namespace linnet
