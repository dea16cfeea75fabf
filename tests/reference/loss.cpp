// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, from their formulas.
#include <cmath>

#include "reference/call.h"

namespace linnet::reference {

namespace {

Tensor log_probabilities(const Call& call, const Tensor& scores) {
  Tensor result = call.make(scores.type, scores.shape);
  const std::int64_t classes = scores.shape[1];
  const std::int64_t inner = element_count({scores.shape.begin() + 2, scores.shape.end()});
  for (std::int64_t i = 0; i < scores.size(); ++i) {
    const std::int64_t first = i / (classes * inner) * classes * inner + i % inner;
    double total = 0;
    for (std::int64_t k = 0; k < classes; ++k) total += std::exp(scores.number(first + k * inner) - scores.number(i));
    result.set(i, -std::log(total));
  }
  return result;
}

}  // namespace

Outputs loss(const Call& call) {
  const Tensor& scores = call.in(0);
  const Tensor& targets = call.in(1);
  const bool softmax = call.node().op_type == "SoftmaxCrossEntropyLoss";
  const Tensor graded = softmax ? log_probabilities(call, scores) : scores;
  const std::string reduction = call.attribute("reduction", "mean");
  const std::int64_t classes = scores.shape[1];
  const std::int64_t inner = element_count({scores.shape.begin() + 2, scores.shape.end()});
  Tensor each = call.make(scores.type, targets.shape);
  double total = 0;
  double weights = 0;
  for (std::int64_t i = 0; i < targets.size(); ++i) {
    const std::int64_t target = targets.integer(i);
    if (call.has_attribute("ignore_index") && target == call.attribute("ignore_index", std::int64_t{0})) continue;
    call.require(target >= 0 && target < classes, "a target is no class");
    const double weight = call.has(2) ? call.in(2).number(target) : 1;
    each.set(i, -weight * graded.number((i / inner * classes + target) * inner + i % inner));
    total += each.number(i);
    weights += weight;
  }
  if (reduction == "none") return {each, graded};
  Tensor result = call.make(scores.type, {});
  result.set(0, reduction == "sum" ? total : total / weights);
  return {result, graded};
}

}  // namespace linnet::reference
