// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: they grade scores [N, C, d1, ...] by targets [N, d1, ...]. The
// second takes the logarithm of the softmax along C first. All sums are in double, in the order of the targets.
#include <cmath>
#include <limits>
#include <optional>

#include "base/checked_math.h"
#include "ops/binary.h"
#include "ops/blocked.h"
#include "ops/extents.h"
#include "ops/indices.h"
#include "ops/normalization.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kScores = 0, kTargets = 1, kWeights = 2, kLoss = 0, kLogProbabilities = 1;

enum class Reduction : unsigned char { none, sum, mean };

Reduction reduction_of(const NodeContext& c) {
  const std::string kind = c.attribute_string("reduction", "mean");
  if (kind == "none") return Reduction::none;
  if (kind == "sum") return Reduction::sum;
  if (kind != "mean")
    c.fail(ErrorCode::model, "there is no such reduction", "attribute 'reduction'", "none, sum or mean", kind);
  return Reduction::mean;
}

struct Loss {
  std::int64_t classes = 1;
  std::int64_t inner = 1;    // positions of an image
  std::int64_t targets = 0;  // positions of all images
  bool softmax = false, weighted = false, wants_log_probabilities = false;
  Reduction reduction = Reduction::mean;
  std::optional<std::int64_t> ignored;
  DataType type = DataType::float32, index_type = DataType::int64;
};

/// A target's loss and its weight in the mean.
struct Term {
  double loss = 0, weight = 0;
};

/// What the logarithm of the softmax takes from each score of a position.
template <typename T>
double log_of_sum(const T* scores, const Loss& k) {
  double greatest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (std::int64_t i = 0; i < k.classes; ++i) greatest = larger(greatest, static_cast<double>(scores[i * k.inner]));
  for (std::int64_t i = 0; i < k.classes; ++i) sum += std::exp(static_cast<double>(scores[i * k.inner]) - greatest);
  return greatest + std::log(sum);
}

template <typename T>
Term grade(const Loss& k, const RunArgs& args, std::int64_t position) {
  const std::int64_t start = position / k.inner * k.classes * k.inner + position % k.inner;
  const T* const scores = args.in<T>(kScores) + start;
  const double taken = k.softmax ? log_of_sum(scores, k) : 0;
  for (std::int64_t i = 0; k.wants_log_probabilities && i < k.classes; ++i)
    args.out<T>(kLogProbabilities)[start + i * k.inner] =
        static_cast<T>(static_cast<double>(scores[i * k.inner]) - taken);
  const std::int64_t target = Indices(args.inputs[kTargets], k.index_type)[position];
  if (target == k.ignored) return {};
  if (target < 0 || target >= k.classes) {
    args.report("a target is no class");
    return {};
  }
  const double weight = k.weighted ? static_cast<double>(args.in<T>(kWeights)[target]) : 1;
  return {(taken - static_cast<double>(scores[target * k.inner])) * weight, weight};
}

template <typename T>
void run_loss(const Loss& k, const RunArgs& args) {
  const bool wants_loss = args.outputs[kLoss] != nullptr;
  auto* const terms = reinterpret_cast<Term*>(args.shared_scratch);
  if (args.phase == 0) {
    const Range mine = thread_share(args, k.targets, k.targets * k.classes, kElementUnit);
    for (std::int64_t i = mine.first; i < mine.last; ++i) {
      const Term term = grade<T>(k, args, i);
      if (k.reduction != Reduction::none) terms[i] = term;
      else if (wants_loss) args.out<T>(kLoss)[i] = static_cast<T>(term.loss);
    }
    return;
  }
  if (args.thread != 0 || !wants_loss) return;
  Term total;
  for (std::int64_t i = 0; i < k.targets; ++i) {
    total.loss += terms[i].loss;
    total.weight += terms[i].weight;
  }
  *args.out<T>(kLoss) = static_cast<T>(k.reduction == Reduction::sum ? total.loss : total.loss / total.weight);
}

}  // namespace

void infer_loss(InferContext& c) {
  require_types(c, kScores, kRealTypes);
  require_integers(c, kTargets);
  const Reduction reduction = reduction_of(c);
  const graph::TensorDesc &scores = c.input(kScores), &targets = c.input(kTargets);
  graph::DimList shape;
  if (scores.has_rank()) {
    if (scores.shape->size() < 2)
      c.fail(ErrorCode::model, "the scores have no classes", c.input_label(kScores), "2-D or more",
             graph::to_string(scores));
    shape = *scores.shape;
    shape.erase(shape.begin() + 1);
    graph::TensorDesc fitting = targets;
    fitting.shape = shape;
    if (targets.is_static() && fitting.is_static() && targets.static_shape() != fitting.static_shape()) {
      c.fail(ErrorCode::model, "the targets do not fit the scores", c.input_label(kTargets), graph::to_string(fitting),
             graph::to_string(targets));
    }
  }
  if (c.has_input(kWeights)) require_vector(c, kWeights, scores.has_rank() ? (*scores.shape)[1] : graph::Dim());
  if (reduction != Reduction::none) c.set_output(kLoss, scores.type, {});
  else if (scores.has_rank()) c.set_output(kLoss, scores.type, std::move(shape));
  else c.set_output_unknown_rank(kLoss, scores.type);
  c.set(kLogProbabilities, scores);
}

void plan_loss(PlanContext& c) {
  const Placement& scores = c.placement_in(kScores);
  Loss k;
  k.classes = scores.shape[1];
  k.targets = c.placement_in(kTargets).elements();
  for (std::size_t i = 2; i < scores.shape.size(); ++i) k.inner = base::checked_mul(k.inner, scores.shape[i], "a loss");
  k.softmax = c.op_type() == "SoftmaxCrossEntropyLoss";
  k.weighted = c.has_input(kWeights);
  k.wants_log_probabilities = c.has_output(kLogProbabilities);
  k.reduction = reduction_of(c);
  if (c.has_attribute("ignore_index")) k.ignored = c.attribute_int("ignore_index", 0);
  k.type = scores.type;
  k.index_type = c.placement_in(kTargets).type;
  Step& step = c.step();
  step.algorithm = "loops";
  if (k.reduction != Reduction::none) {
    step.phases = 2;
    step.shared_scratch_bytes =
        base::to_size(base::checked_mul(k.targets, static_cast<std::int64_t>(sizeof(Term)), "a loss"), "a loss");
  }
  step.run = [k](const RunArgs& args) {
    visit_type<kRealTypes>(k.type, [&](auto element) { run_loss<decltype(element)>(k, args); });
  };
}

}  // namespace linnet::ops
