// NonMaxSuppression: of boxes that overlap, the one with the best score.
#include <algorithm>
#include <limits>
#include <string>

#include "ops/op_def.h"

namespace linnet::ops {

namespace {

constexpr std::size_t kBoxes = 0, kScores = 1, kMaxOutput = 2, kIouThreshold = 3, kScoreThreshold = 4;  // inputs

struct Box {
  float top, left, bottom, right;
};

/// As two opposite corners in any order, or as centre and size.
Box box_of(const float* b, bool by_centre) {
  if (by_centre) return {b[1] - b[3] / 2, b[0] - b[2] / 2, b[1] + b[3] / 2, b[0] + b[2] / 2};
  return {std::min(b[0], b[2]), std::min(b[1], b[3]), std::max(b[0], b[2]), std::max(b[1], b[3])};
}

float area(const Box& b) { return (b.bottom - b.top) * (b.right - b.left); }

/// Intersection over union is above the threshold. A box without an area overlaps nothing.
bool overlap(const Box& a, const Box& b, float threshold) {
  const float height = std::min(a.bottom, b.bottom) - std::max(a.top, b.top);
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left);
  if (height <= 0 || width <= 0) return false;
  const float shared = height * width;
  const float whole = area(a) + area(b) - shared;
  return whole > 0 && shared / whole > threshold;
}

struct Rules {
  std::int64_t most = 0;  // boxes of one class
  float iou = 0, score = -std::numeric_limits<float>::infinity();
  bool score_given = false;
};

Rules rules_of(const EagerContext& c) {
  Rules rules;
  if (c.has_input(kMaxOutput)) rules.most = std::max<std::int64_t>(0, c.integer(kMaxOutput));
  if (c.has_input(kIouThreshold)) rules.iou = static_cast<float>(c.real(kIouThreshold));
  if (c.has_input(kScoreThreshold)) rules.score = static_cast<float>(c.real(kScoreThreshold));
  rules.score_given = c.has_input(kScoreThreshold);
  if (!(rules.iou >= 0 && rules.iou <= 1))
    c.fail(ErrorCode::input, "the threshold of overlap is out of range", c.input_label(kIouThreshold), "0 to 1",
           std::to_string(rules.iou));
  return rules;
}

/// Indices of the boxes of one class that are kept, best first. Of equal scores the first box is the better one.
std::vector<std::int64_t> select(const std::vector<Box>& boxes, const float* scores, const Rules& rules) {
  std::vector<std::int64_t> candidates, kept;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (!rules.score_given || scores[i] > rules.score) candidates.push_back(static_cast<std::int64_t>(i));
  }
  // NaN is below every score, so that the order is one.
  const auto key = [scores](std::int64_t i) {
    return scores[i] == scores[i] ? scores[i] : -std::numeric_limits<float>::infinity();
  };
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](std::int64_t a, std::int64_t b) { return key(a) > key(b); });
  for (const std::int64_t candidate : candidates) {
    if (static_cast<std::int64_t>(kept.size()) >= rules.most) break;
    const bool free = std::none_of(kept.begin(), kept.end(), [&](std::int64_t k) {
      return overlap(boxes[static_cast<std::size_t>(k)], boxes[static_cast<std::size_t>(candidate)], rules.iou);
    });
    if (free) kept.push_back(candidate);
  }
  return kept;
}

void require_boxes(const EagerContext& c) {
  const Tensor &boxes = c.tensor(kBoxes), &scores = c.tensor(kScores);
  const bool fits = boxes.type() == DataType::float32 && scores.type() == DataType::float32 && boxes.rank() == 3 &&
                    scores.rank() == 3 && boxes.shape()[2] == 4 && boxes.shape()[0] == scores.shape()[0] &&
                    boxes.shape()[1] == scores.shape()[2];
  if (!fits)
    c.fail(ErrorCode::input, "boxes and scores do not fit each other", {},
           "float[N,boxes,4] and float[N,classes,boxes]",
           to_string(c.datum(kBoxes)) + " and " + to_string(c.datum(kScores)));
}

}  // namespace

void infer_non_max_suppression(InferContext& c) {
  (void)c.input(kBoxes);
  (void)c.input(kScores);
  c.set_output(0, DataType::int64, {graph::Dim(), graph::Dim(3)});
}

std::vector<Datum> run_non_max_suppression(const EagerContext& c) {
  require_boxes(c);
  const Rules rules = rules_of(c);
  const bool by_centre = c.attribute_int("center_point_box", 0) != 0;
  const Shape& extents = c.tensor(kScores).shape();
  const std::int64_t classes = extents[1], count = extents[2];
  std::vector<std::int64_t> selected;
  // Without boxes there may be any number of pictures and classes in no memory at all.
  if (count == 0) return {Tensor::of<std::int64_t>({0, 3}, selected)};
  std::vector<Box> boxes(static_cast<std::size_t>(count));
  for (std::int64_t image = 0; image < extents[0]; ++image) {
    for (std::int64_t i = 0; i < count; ++i)
      boxes[static_cast<std::size_t>(i)] =
          box_of(c.tensor(kBoxes).data<float>().data() + (image * count + i) * 4, by_centre);
    for (std::int64_t k = 0; k < classes; ++k) {
      const float* scores = c.tensor(kScores).data<float>().data() + (image * classes + k) * count;
      for (const std::int64_t box : select(boxes, scores, rules)) selected.insert(selected.end(), {image, k, box});
    }
  }
  return {Tensor::of<std::int64_t>({static_cast<std::int64_t>(selected.size() / 3), 3}, selected)};
}

}  // namespace linnet::ops
