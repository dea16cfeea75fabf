// From a classifier's scores to its best classes.
//
//   std::span<const float> scores = session.run({input})[0].data<float>();          // one row of [N, classes]
//   for (const linnet::Classification& c : linnet::top_k(scores, 5, true))
//     std::cout << labels[c.index] << ' ' << c.probability << '\n';
#pragma once

#include <span>
#include <vector>

namespace linnet {

struct Classification {
  int index = 0;             ///< the class, counted from 0
  float logit = 0.0f;        ///< the score as the network gave it
  float probability = 0.0f;  ///< its softmax over all classes; the score itself where apply_softmax is false
};

/// exp(x - max) / sum, computed in double, summed in class order, rounded once.
/// Throws Error `input` for no scores, a NaN, +infinity, or nothing but -infinity: none of these has probabilities, and a
/// class picked from them would be an accident. A single -infinity has the probability 0.
std::vector<float> softmax(std::span<const float> scores);

/// The min(k, scores.size()) best classes, best first; of equal scores the lower index comes first. Set apply_softmax to
/// false for a network whose last node is Softmax. Throws `usage` for k < 1, `input` as softmax() does (with either setting).
std::vector<Classification> top_k(std::span<const float> scores, int k, bool apply_softmax);

}  // namespace linnet
