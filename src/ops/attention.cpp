// Attention: softmax(Q K^T + bias) V, head by head, with grouped heads, a cache of keys and values, masks, causal and sliding
// windows (Vaswani et al., "Attention Is All You Need", 2017; Ainslie et al., "GQA", 2023).
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>

#include "base/checked_math.h"
#include "ops/elementwise.h"
#include "ops/matrix.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kQ = 0, kK = 1, kV = 2, kMask = 3, kPastKey = 4, kPastValue = 5, kValid = 6;
constexpr std::size_t kY = 0, kPresentKey = 1, kPresentValue = 2, kScores = 3;
// What output kScores shows.
constexpr std::int64_t kOfProduct = 0, kOfCap = 1, kOfBias = 2, kOfSoftmax = 3;
constexpr std::int64_t kRows = 48;  // queries at a time
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

/// A tensor of heads: [image][head][row][size], or [image][row][head * size] where the heads lie side by side.
struct Heads {
  std::int64_t heads = 0, rows = 0, size = 0;
  bool side_by_side = false;

  [[nodiscard]] std::int64_t offset(std::int64_t image, std::int64_t head, std::int64_t row) const {
    return side_by_side ? ((image * rows + row) * heads + head) * size : ((image * heads + head) * rows + row) * size;
  }
};

struct AttentionCall {
  const kernels::Table* table = nullptr;
  std::int64_t images = 0;
  Heads q, k, v, past_key, past_value, y;
  float scale = 1;  // of queries and of keys: the square root of the products'
  float softcap = 0;
  std::int64_t scores_shown = kOfProduct;
  bool causal = false;
  std::int64_t left = -1, right = -1;  // of the sliding window; -1: no end
  bool has_past = false, has_mask = false, mask_is_bool = false, has_valid = false;
  std::array<bool, 4> wants{};
  std::array<std::int64_t, 3> mask_stride{};  // of image, head and query; 0 where it is broadcast
  std::int64_t mask_keys = 0;                 // the keys beyond are masked

  [[nodiscard]] std::int64_t keys() const { return k.rows + past_key.rows; }
  [[nodiscard]] std::int64_t columns() const { return base::round_up(keys(), kLanes); }
  [[nodiscard]] std::int64_t value_columns() const { return base::round_up(v.size, kLanes); }
  [[nodiscard]] std::int64_t chunks() const { return base::ceil_div(q.rows, kRows); }
  [[nodiscard]] std::int64_t macs() const { return images * q.heads * q.rows * keys() * (q.size + v.size); }
  // Floats of the scratch, in this order.
  [[nodiscard]] std::array<std::int64_t, 6> parts() const {
    const std::int64_t gathered = base::checked_mul(keys(), std::max(k.size, v.size), "keys");
    return {packed_matrix_floats(k.size, keys()),
            packed_matrix_floats(keys(), v.size),
            gathered,
            base::checked_mul(kRows, q.size, "queries"),
            base::checked_mul(kRows, columns(), "scores"),
            base::checked_mul(kRows, value_columns(), "values")};
  }

  void run(const RunArgs& args) const;
  void write_present(const RunArgs& args, std::size_t output, const Heads& past, const Heads& fresh) const;
  void pack(const RunArgs& args, std::int64_t image, std::int64_t head, float* keys_packed, float* values_packed,
            float* gathered) const;
  void gather(const RunArgs& args, std::size_t input, const Heads& past, const Heads& fresh, std::int64_t image,
              std::int64_t head, float factor, float* to) const;
  void multiply(const float* a, std::int64_t a_row, const float* packed, std::int64_t rows, std::int64_t inner,
                std::int64_t n, float* to) const;
  void fill_bias(const RunArgs& args, std::int64_t image, std::int64_t head, std::int64_t query, float* bias) const;
  void weigh(const RunArgs& args, std::int64_t image, std::int64_t head, std::int64_t query, float* scores,
             float* bias) const;
};

/// The rows of one head of a cache and of what is new.
void AttentionCall::gather(const RunArgs& args, std::size_t input, const Heads& past, const Heads& fresh,
                           std::int64_t image, std::int64_t head, float factor, float* to) const {
  const std::size_t cache = input == kK ? kPastKey : kPastValue;
  for (std::int64_t row = 0; row < past.rows + fresh.rows; ++row, to += fresh.size) {
    const float* const from = row < past.rows ? args.in<float>(cache) + past.offset(image, head, row)
                                              : args.in<float>(input) + fresh.offset(image, head, row - past.rows);
    for (std::int64_t i = 0; i < fresh.size; ++i) to[i] = from[i] * factor;
  }
}

void AttentionCall::write_present(const RunArgs& args, std::size_t output, const Heads& past,
                                  const Heads& fresh) const {
  if (!wants[output]) return;
  const std::int64_t floats = base::checked_mul(past.rows + fresh.rows, fresh.size, "a cache");
  const Range mine = thread_share(args, images * fresh.heads, images * fresh.heads * floats);
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    gather(args, output == kPresentKey ? kK : kV, past, fresh, i / fresh.heads, i % fresh.heads, 1.0f,
           args.out<float>(output) + i * floats);
  }
}

void AttentionCall::pack(const RunArgs& args, std::int64_t image, std::int64_t head, float* keys_packed,
                         float* values_packed, float* gathered) const {
  gather(args, kK, past_key, k, image, head, scale, gathered);
  pack_matrix(*table, gathered, 1, k.size, k.size, keys(), {0, matrix_panels(*table, keys())}, keys_packed);
  gather(args, kV, past_value, v, image, head, 1.0f, gathered);
  pack_matrix(*table, gathered, v.size, 1, keys(), v.size, {0, matrix_panels(*table, v.size)}, values_packed);
}

void AttentionCall::multiply(const float* a, std::int64_t a_row, const float* packed, std::int64_t rows,
                             std::int64_t inner, std::int64_t n, float* to) const {
  kernels::GemmArguments g{};
  g.a = a;
  g.a_row = a_row;
  g.weights = packed;
  g.c = to;
  g.c_row = base::round_up(n, kLanes);
  g.lo = kMinusInfinity;
  g.hi = -kMinusInfinity;
  g.rows = static_cast<int>(rows);
  g.k = static_cast<int>(inner);
  g.n = static_cast<int>(g.c_row);
  g.panel_last = static_cast<int>(matrix_panels(*table, n));
  table->gemm(g);
}

/// What is added to the scores of one query: 0 or minus infinity, or what the mask says.
void AttentionCall::fill_bias(const RunArgs& args, std::int64_t image, std::int64_t head, std::int64_t query,
                              float* bias) const {
  const std::int64_t valid =
      has_valid ? std::clamp<std::int64_t>(args.in<std::int64_t>(kValid)[image], 0, keys()) : keys();
  const std::int64_t place = query + (has_past ? past_key.rows : has_valid ? valid - q.rows : 0);
  const std::int64_t at = image * mask_stride[0] + head * mask_stride[1] + query * mask_stride[2];
  for (std::int64_t key = 0; key < keys(); ++key) {
    const bool hidden = key >= valid || (has_mask && key >= mask_keys) || (causal && key > place) ||
                        (left >= 0 && place - key > left) || (right >= 0 && key - place > right);
    float value = 0;
    if (has_mask && key < mask_keys) {
      if (!mask_is_bool) value = args.in<float>(kMask)[at + key];
      else if (!args.in<bool>(kMask)[at + key]) value = kMinusInfinity;
    }
    bias[key] = hidden ? value + kMinusInfinity : value;
  }
}

/// From the scores of one query to the weights of the values.
void AttentionCall::weigh(const RunArgs& args, std::int64_t image, std::int64_t head, std::int64_t query, float* scores,
                          float* bias) const {
  const std::int64_t n = keys();
  const auto show = [&](std::int64_t what) {
    if (!wants[kScores] || what != scores_shown) return;
    std::copy_n(scores, n, args.out<float>(kScores) + ((image * q.heads + head) * q.rows + query) * n);
  };
  show(kOfProduct);
  if (softcap > 0) {
    for (std::int64_t key = 0; key < n; ++key) scores[key] = std::tanh(scores[key] / softcap) * softcap;
  }
  show(kOfCap);
  fill_bias(args, image, head, query, bias);
  bool masked = true;
  for (std::int64_t key = 0; key < n; ++key) {
    masked = masked && bias[key] == kMinusInfinity;
    scores[key] += bias[key];
  }
  show(kOfBias);
  if (masked) {  // no key is left: the result is 0, whatever the scores are
    std::fill_n(scores, n, 0.0f);
  } else {
    kernels::SoftmaxArguments s;
    s.n = n;
    s.inner = 1;
    s.x = scores;
    s.y = scores;
    s.end = 1;
    table->softmax(s);
  }
  show(kOfSoftmax);
}

void AttentionCall::run(const RunArgs& args) const {
  write_present(args, kPresentKey, past_key, k);
  write_present(args, kPresentValue, past_value, v);
  std::array<float*, 6> part{};
  float* next = reinterpret_cast<float*>(args.thread_scratch);
  for (std::size_t i = 0; i < part.size(); ++i) {
    part[i] = next;
    next += base::round_up(parts()[i], kLanes);
  }
  const auto& [keys_packed, values_packed, gathered, queries, scores, values] = part;
  const std::int64_t per_group = q.heads / k.heads;
  std::int64_t packed = -1;  // the image and head of keys that are
  const Range mine = thread_share(args, images * q.heads * chunks(), macs());
  for (std::int64_t i = mine.first; i < mine.last; ++i) {
    const std::int64_t head = i / chunks() % q.heads, image = i / chunks() / q.heads;
    const std::int64_t first = i % chunks() * kRows, count = std::min(kRows, q.rows - first);
    if (packed != image * k.heads + head / per_group) {
      packed = image * k.heads + head / per_group;
      pack(args, image, head / per_group, keys_packed, values_packed, gathered);
    }
    for (std::int64_t row = 0; row < count; ++row) {
      const float* const from = args.in<float>(kQ) + q.offset(image, head, first + row);
      for (std::int64_t x = 0; x < q.size; ++x) queries[row * q.size + x] = from[x] * scale;
    }
    multiply(queries, q.size, keys_packed, count, q.size, keys(), scores);
    for (std::int64_t row = 0; row < count; ++row)
      weigh(args, image, head, first + row, scores + row * columns(), gathered);
    multiply(scores, columns(), values_packed, count, keys(), v.size, values);
    for (std::int64_t row = 0; row < count; ++row) {
      std::copy_n(values + row * value_columns(), v.size, args.out<float>(kY) + y.offset(image, head, first + row));
    }
  }
}

/// The extents of Q, K or V as [images, heads, rows, size].
DimList heads_of(const NodeContext& c, std::size_t input, const char* attribute) {
  const DimList& shape = *c.input(input).shape;
  if (shape.size() == 4) return shape;
  const std::int64_t heads = c.attribute_int(attribute, 0);
  const bool fits = shape.size() == 3 && heads > 0 && (!shape[2].known() || shape[2].value % heads == 0);
  if (!fits) {
    c.fail(ErrorCode::model, "the input cannot be taken apart into heads", c.input_label(input),
           "4-D, or 3-D and its last extent a multiple of '" + std::string(attribute) + "'",
           graph::to_string(c.input(input)) + ", " + std::to_string(heads) + " heads");
  }
  return {shape[0], Dim(heads), shape[1], shape[2].known() ? Dim(shape[2].value / heads) : Dim()};
}

/// Throws Error(model) where two extents that must be the same are known to differ.
void require_alike(const NodeContext& c, const Dim& a, const Dim& b, const char* what, std::size_t input) {
  if (!a.known() || !b.known() || a.value == b.value) return;
  c.fail(ErrorCode::model, std::string("the inputs of an attention differ in their ") + what, c.input_label(input),
         std::to_string(a.value), std::to_string(b.value));
}

void check_mask(const NodeContext& c, const DimList& scores) {
  if (!c.has_input(kMask)) return;
  require_types(c, kMask, types({DataType::float32, DataType::boolean}));
  if (!c.input(kMask).has_rank()) return;
  const DimList& mask = *c.input(kMask).shape;
  bool fits = !mask.empty() && mask.size() <= 4;
  for (std::size_t i = 0; fits && i < mask.size(); ++i) {
    const Dim &found = mask[mask.size() - 1 - i], &limit = scores[3 - i];
    if (!found.known() || !limit.known()) continue;
    fits = i == 0 ? found.value <= limit.value : found.value == limit.value || found.value == 1;
  }
  if (!fits) {
    c.fail(ErrorCode::model, "the mask does not fit the scores", c.input_label(kMask),
           graph::to_string(graph::TensorDesc{DataType::float32, scores, graph::Layout::plain}),
           graph::to_string(c.input(kMask)));
  }
}

void check_attributes(const NodeContext& c) {
  const std::int64_t precision = c.attribute_int("softmax_precision", 1);
  if (precision == static_cast<std::int64_t>(DataType::float64))
    c.fail(ErrorCode::unsupported, "the softmax is computed in float", "attribute 'softmax_precision'");
  const std::int64_t mode = c.attribute_int("qk_matmul_output_mode", 0);
  if (mode < kOfProduct || mode > kOfSoftmax) {
    c.fail(ErrorCode::model, "an attribute has no such value", "attribute 'qk_matmul_output_mode'", "0 to 3",
           std::to_string(mode));
  }
  for (const char* const name : {"left_window_size", "right_window_size"}) {
    if (c.attribute_int(name, -1) < -1) {
      c.fail(ErrorCode::model, "an attribute is out of range", "attribute '" + std::string(name) + "'", "-1 or more",
             std::to_string(c.attribute_int(name, -1)));
    }
  }
  if (c.has_input(kPastKey) != c.has_input(kPastValue) || (c.has_input(kPastKey) && c.has_input(kValid))) {
    c.fail(ErrorCode::model, "a cache is keys and values, or the number of valid ones in what is given", {},
           "past_key and past_value, or nonpad_kv_seqlen, or none of them");
  }
}

/// The cache in front of input K or V, which gets its rows.
Dim cached_rows(const NodeContext& c, std::size_t past, const DimList& fresh) {
  if (!c.has_input(past)) return fresh[2];
  require_same_type(c, kQ, past);
  if (!c.input(past).has_rank()) return {};
  const DimList& shape = *c.input(past).shape;
  if (shape.size() != 4)
    c.fail(ErrorCode::model, "a cache has four axes", c.input_label(past), "4-D", graph::to_string(c.input(past)));
  require_alike(c, fresh[0], shape[0], "images", past);
  require_alike(c, fresh[1], shape[1], "heads", past);
  require_alike(c, fresh[3], shape[3], "sizes of a head", past);
  return shape[2].known() && fresh[2].known() ? Dim(base::checked_add(shape[2].value, fresh[2].value, "a cache"))
                                              : Dim();
}

Heads heads_at(const Shape& shape, std::int64_t heads) {
  if (shape.size() == 4) return {shape[1], shape[2], shape[3], false};
  return {heads, shape[1], shape[2] / heads, true};
}

}  // namespace

void infer_attention(InferContext& c) {
  require_types(c, kQ, types({DataType::float32}));
  for (const std::size_t i : {kK, kV}) require_same_type(c, kQ, i);
  check_attributes(c);
  const DataType type = c.input(kQ).type;
  for (const std::size_t i : {kQ, kK, kV}) {
    if (c.input(i).has_rank()) continue;
    for (const std::size_t output : {kY, kPresentKey, kPresentValue, kScores}) c.set_output_unknown_rank(output, type);
    return;
  }
  const DimList q = heads_of(c, kQ, "q_num_heads"), k = heads_of(c, kK, "kv_num_heads"),
                v = heads_of(c, kV, "kv_num_heads");
  for (const std::size_t i : {kK, kV}) {
    if (c.input(i).shape->size() != c.input(kQ).shape->size())
      c.fail(ErrorCode::model, "queries, keys and values have as many axes", c.input_label(i));
    require_alike(c, q[0], i == kK ? k[0] : v[0], "images", i);
  }
  require_alike(c, q[3], k[3], "sizes of a head", kK);
  require_alike(c, k[1], v[1], "heads", kV);
  require_alike(c, k[2], v[2], "rows", kV);
  const bool grouped = !q[1].known() || !k[1].known() || (k[1].value > 0 && q[1].value % k[1].value == 0);
  if (!grouped) {
    c.fail(ErrorCode::model, "the heads of queries are not a multiple of those of keys", c.input_label(kQ),
           std::to_string(k[1].value), std::to_string(q[1].value));
  }
  if (q[3].known() && q[3].value == 0) c.fail(ErrorCode::model, "the heads are empty", c.input_label(kQ));
  const Dim keys = cached_rows(c, kPastKey, k), values = cached_rows(c, kPastValue, v);
  require_alike(c, keys, values, "rows with the cache", kPastValue);
  const DimList scores = {q[0], q[1], q[2], keys};
  check_mask(c, scores);
  if (c.has_input(kValid)) {
    require_types(c, kValid, types({DataType::int64}));
    const graph::TensorDesc& valid = c.input(kValid);
    if (valid.has_rank() && valid.shape->size() != 1)
      c.fail(ErrorCode::model, "one number an image is needed", c.input_label(kValid), "1-D", graph::to_string(valid));
    if (valid.has_rank()) require_alike(c, q[0], (*valid.shape)[0], "images", kValid);
  }
  if (c.input(kQ).shape->size() == 4) {
    c.set_output(kY, type, {q[0], q[1], q[2], v[3]});
  } else {
    const bool known = q[1].known() && v[3].known();
    c.set_output(kY, type, {q[0], q[2], known ? Dim(base::checked_mul(q[1].value, v[3].value, "an extent")) : Dim()});
  }
  c.set_output(kPresentKey, type, {k[0], k[1], keys, k[3]});
  c.set_output(kPresentValue, type, {v[0], v[1], values, v[3]});
  c.set_output(kScores, type, scores);
}

void plan_attention(PlanContext& c) {
  auto d = std::make_shared<AttentionCall>();
  d->table = &c.kernels();
  d->images = c.placement_in(kQ).shape[0];
  d->q = heads_at(c.placement_in(kQ).shape, c.attribute_int("q_num_heads", 1));
  d->k = heads_at(c.placement_in(kK).shape, c.attribute_int("kv_num_heads", 1));
  d->v = heads_at(c.placement_in(kV).shape, c.attribute_int("kv_num_heads", 1));
  d->y = {d->q.heads, d->q.rows, d->v.size, d->q.side_by_side};
  d->has_past = c.has_input(kPastKey);
  if (d->has_past) {
    d->past_key = heads_at(c.placement_in(kPastKey).shape, 1);
    d->past_value = heads_at(c.placement_in(kPastValue).shape, 1);
  }
  const float usual = static_cast<float>(1 / std::sqrt(static_cast<double>(d->q.size)));
  d->scale = static_cast<float>(std::sqrt(static_cast<double>(c.attribute_float("scale", usual))));
  d->softcap = c.attribute_float("softcap", 0);
  d->scores_shown = c.attribute_int("qk_matmul_output_mode", kOfProduct);
  d->causal = c.attribute_int("is_causal", 0) != 0;
  d->left = c.attribute_int("left_window_size", -1);
  d->right = c.attribute_int("right_window_size", -1);
  d->has_valid = c.has_input(kValid);
  d->has_mask = c.has_input(kMask);
  if (d->has_mask) {
    const Shape& mask = c.placement_in(kMask).shape;
    d->mask_is_bool = c.placement_in(kMask).type == DataType::boolean;
    d->mask_keys = mask.back();
    std::int64_t stride = mask.back();
    for (std::size_t i = 1; i < mask.size(); ++i) {
      const std::int64_t extent = mask[mask.size() - 1 - i];
      d->mask_stride[3 - i] = extent == 1 ? 0 : stride;
      stride *= extent;
    }
  }
  for (std::size_t i = 0; i < d->wants.size(); ++i) d->wants[i] = c.has_output(i);
  std::int64_t floats = 0;
  for (const std::int64_t part : d->parts())
    floats = base::checked_add(floats, base::round_up(part, kLanes), "an attention's scratch");
  Step& step = c.step();
  step.macs = d->macs();
  step.thread_scratch_bytes = base::to_size(base::checked_mul(floats, 4, "scratch"), "scratch");
  step.algorithm = "attention_gemm";
  step.kernel = tile_label(c);
  step.run = [d](const RunArgs& args) { d->run(args); };
}

}  // namespace linnet::ops
