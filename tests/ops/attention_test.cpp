// Attention against its definition in double.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <optional>

#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::attention_test {
namespace {

using Floats = std::vector<float>;

Tensor random(Shape shape, std::uint64_t seed) {
  Random numbers(seed);
  return from_reference(random_reals(numbers, std::move(shape), -2, 2));
}

struct Problem {
  std::int64_t images = 2, heads = 4, groups = 2, queries = 53, keys = 21, size = 5, value_size = 19, past = 0;
  Tensor mask;                      // of four axes, the last perhaps shorter
  std::vector<std::int64_t> valid;  // keys of each image
  bool causal = false;
  std::int64_t left = -1, right = -1;
  std::optional<float> scale;
  float softcap = 0;

  [[nodiscard]] std::int64_t all_keys() const { return past + keys; }
};

std::size_t index(const Shape& shape, std::initializer_list<std::int64_t> at) {
  std::int64_t result = 0;
  std::size_t axis = 0;
  for (const std::int64_t i : at) {
    result = result * shape[axis] + (shape[axis] == 1 ? 0 : i);
    ++axis;
  }
  return static_cast<std::size_t>(result);
}

struct Inputs {
  Tensor q, k, v, past_key, past_value;
};
Inputs inputs_of(const Problem& p) {
  Inputs x = {random({p.images, p.heads, p.queries, p.size}, 1),
              random({p.images, p.groups, p.keys, p.size}, 2),
              random({p.images, p.groups, p.keys, p.value_size}, 3),
              {},
              {}};
  if (p.past > 0) {
    x.past_key = random({p.images, p.groups, p.past, p.size}, 4);
    x.past_value = random({p.images, p.groups, p.past, p.value_size}, 5);
  }
  return x;
}

OpCase case_of(const Problem& p, const Inputs& x, int outputs, std::int64_t shown = 0) {
  AttributeList attributes = {{"is_causal", std::int64_t{p.causal}},
                              {"left_window_size", p.left},
                              {"right_window_size", p.right},
                              {"softcap", p.softcap},
                              {"qk_matmul_output_mode", shown}};
  if (p.scale) attributes.emplace_back("scale", *p.scale);
  return op_case("Attention", 25,
                 {x.q, x.k, x.v, p.mask, x.past_key, x.past_value, p.valid.empty() ? Tensor() : int64s(p.valid)},
                 attributes, outputs);
}

/// The four values that qk_matmul_output_mode chooses from, and the result, of one image, head and query.
struct Right {
  std::vector<double> product, capped, biased, weights, y;
};
Right right(const Problem& p, const Inputs& x, std::int64_t image, std::int64_t head, std::int64_t query) {
  const std::int64_t group = head / (p.heads / p.groups);
  const auto element = [&](const Tensor& past, const Tensor& fresh, std::int64_t key, std::int64_t i) {
    const Tensor& from = key < p.past ? past : fresh;
    return static_cast<double>(
        from.data<float>()[index(from.shape(), {image, group, key < p.past ? key : key - p.past, i})]);
  };
  const double scale = p.scale ? static_cast<double>(*p.scale) : 1 / std::sqrt(static_cast<double>(p.size));
  const std::int64_t valid = p.valid.empty() ? p.all_keys() : p.valid[static_cast<std::size_t>(image)];
  const std::int64_t place = query + (p.past > 0 ? p.past : p.valid.empty() ? 0 : valid - p.queries);
  Right r;
  double greatest = -std::numeric_limits<double>::infinity(), total = 0;
  for (std::int64_t key = 0; key < p.all_keys(); ++key) {
    double sum = 0;
    for (std::int64_t i = 0; i < p.size; ++i) {
      sum += static_cast<double>(x.q.data<float>()[index(x.q.shape(), {image, head, query, i})]) *
             element(x.past_key, x.k, key, i);
    }
    r.product.push_back(sum * scale);
    const double cap = static_cast<double>(p.softcap);
    r.capped.push_back(cap > 0 ? std::tanh(sum * scale / cap) * cap : sum * scale);
    bool seen = key < valid && (!p.causal || key <= place) && (p.left < 0 || place - key <= p.left) &&
                (p.right < 0 || key - place <= p.right);
    double bias = 0;
    if (p.mask.type() != DataType::undefined) {
      seen = seen && key < p.mask.shape()[3];
      const std::size_t at = seen ? index(p.mask.shape(), {image, head, query, key}) : 0;
      if (p.mask.type() == DataType::boolean) seen = seen && p.mask.data<bool>()[at];
      else if (seen) bias = static_cast<double>(p.mask.data<float>()[at]);
    }
    r.biased.push_back(seen ? r.capped.back() + bias : -std::numeric_limits<double>::infinity());
    greatest = std::max(greatest, r.biased.back());
  }
  for (const double score : r.biased) {
    r.weights.push_back(std::isinf(greatest) ? 0 : std::exp(score - greatest));
    total += r.weights.back();
  }
  for (double& weight : r.weights) weight = total > 0 ? weight / total : 0;
  for (std::int64_t i = 0; i < p.value_size; ++i) {
    double sum = 0;
    for (std::int64_t key = 0; key < p.all_keys(); ++key)
      sum += r.weights[static_cast<std::size_t>(key)] * element(x.past_value, x.v, key, i);
    r.y.push_back(sum);
  }
  return r;
}

/// Scores below 20 of sums of 5 products, in float: 1e-5 is some ten units in their last place.
void check_row(const float* found, const std::vector<double>& expected) {
  for (const double x : expected) {
    const auto y = static_cast<double>(*found++);
    if (std::isinf(x) || std::isinf(y)) CHECK(x == y);
    else CHECK(std::fabs(x - y) <= 1e-5);
  }
}

void check(const Problem& p) {
  const Inputs x = inputs_of(p);
  for (std::int64_t shown = 0; shown < 4; ++shown) {
    const OpCase c = case_of(p, x, 4, shown);
    const std::vector<Tensor> y = run(c);
    for (const int threads : {2, 3, 7}) {
      const std::vector<Tensor> split = run_split(c, threads);
      for (std::size_t i = 0; i < 4; ++i) CHECK(bit_difference(split[i], y[i]).empty());
    }
    REQUIRE(y[0].shape() == Shape{p.images, p.heads, p.queries, p.value_size});
    REQUIRE(y[3].shape() == Shape{p.images, p.heads, p.queries, p.all_keys()});
    for (std::int64_t row = 0; row < p.images * p.heads * p.queries; ++row) {
      const Right r = right(p, x, row / p.queries / p.heads, row / p.queries % p.heads, row % p.queries);
      const std::vector<double>* const scores[] = {&r.product, &r.capped, &r.biased, &r.weights};
      check_row(y[0].data<float>().data() + row * p.value_size, r.y);
      check_row(y[3].data<float>().data() + row * p.all_keys(), *scores[shown]);
    }
  }
}

Tensor truths(Shape shape) {
  Tensor result(DataType::boolean, std::move(shape));
  int i = 0;
  for (bool& x : result.mutable_data<bool>()) x = (i++ * 7 % 5) < 3;
  return result;
}

TEST_CASE("Attention: groups, scales, caps and causal order", "[ops]") {
  check({});
  check({.groups = 4, .queries = 7, .keys = 40, .scale = 0.25f});
  check({.groups = 1, .causal = true, .softcap = 1.5f});
  check({.queries = 1, .past = 9, .causal = true});
  check({.queries = 6, .past = 3, .left = 4, .right = 2});
}

TEST_CASE("Attention: masks, some shorter than the keys", "[ops]") {
  check({.mask = truths({1, 1, 53, 21})});
  check({.mask = truths({2, 1, 1, 13}), .causal = true});
  check({.queries = 5, .past = 4, .mask = random({2, 4, 5, 25}, 9), .softcap = 2});
  check({.queries = 5, .mask = random({1, 4, 1, 20}, 9), .left = 3});
}

TEST_CASE("Attention: keys that are not valid, for some queries all", "[ops]") {
  check({.queries = 8, .valid = {3, 21}});
  check({.queries = 8, .valid = {3, 21}, .causal = true});
  check({.queries = 8, .valid = {0, 9}, .causal = true, .left = 2});
}

TEST_CASE("Attention of heads that lie side by side is that of heads apart", "[ops]") {
  const Problem p = {.queries = 50, .past = 2};
  const Inputs x = inputs_of(p);
  const auto aside = [](const Tensor& t) {
    const Shape& s = t.shape();
    Tensor result(DataType::float32, {s[0], s[2], s[1] * s[3]});
    for (std::int64_t i = 0; i < t.size(); ++i) {
      const std::int64_t image = i / (s[1] * s[2] * s[3]), head = i / (s[2] * s[3]) % s[1], row = i / s[3] % s[2];
      result.mutable_data<float>()[static_cast<std::size_t>(((image * s[2] + row) * s[1] + head) * s[3] + i % s[3])] =
          t.data<float>()[static_cast<std::size_t>(i)];
    }
    return result;
  };
  const std::vector<Tensor> apart = run(case_of(p, x, 3));
  const std::vector<Tensor> beside =
      run(op_case("Attention", 23, {aside(x.q), aside(x.k), aside(x.v), Tensor(), x.past_key, x.past_value},
                  {{"q_num_heads", std::int64_t{4}}, {"kv_num_heads", std::int64_t{2}}}, 3));
  CHECK(beside[0].shape() == Shape{2, 50, 4 * 19});
  CHECK(bit_difference(beside[0], aside(apart[0])).empty());
  CHECK(bit_difference(beside[1], apart[1]).empty());
  CHECK(bit_difference(beside[2], apart[2]).empty());
  // The cache is what was, and behind it what is new.
  REQUIRE(apart[1].shape() == Shape{2, 2, 23, 5});
  CHECK(apart[1].data<float>()[0] == x.past_key.data<float>()[0]);
  CHECK(apart[1].data<float>()[10] == x.k.data<float>()[0]);
}

TEST_CASE("Attention refuses what does not fit", "[ops]") {
  const Tensor q(DataType::float32, {1, 4, 3, 8}), k(DataType::float32, {1, 2, 5, 8});
  const auto code = [](std::vector<Tensor> inputs, const AttributeList& attributes = {}) {
    return refusal(op_case("Attention", 25, std::move(inputs), attributes));
  };
  const auto floats = [](Shape shape) { return Tensor(DataType::float32, std::move(shape)); };
  CHECK(run(op_case("Attention", 25, {q, k, k})).size() == 1);
  CHECK(code({q, floats({1, 3, 5, 8}), floats({1, 3, 5, 8})}) == ErrorCode::model);
  CHECK(code({q, floats({1, 2, 5, 7}), k}) == ErrorCode::model);
  CHECK(code({q, k, floats({1, 2, 4, 8})}) == ErrorCode::model);
  CHECK(code({q, floats({2, 2, 5, 8}), k}) == ErrorCode::model);
  CHECK(code({floats({1, 3, 32}), floats({1, 5, 16}), floats({1, 5, 16})}) == ErrorCode::model);  // no number of heads
  CHECK(code({q, k, k, floats({1, 1, 3, 6})}) == ErrorCode::model);
  CHECK(code({q, k, k, floats({1, 3, 3, 5})}) == ErrorCode::model);
  CHECK(code({q, k, k, Tensor(DataType::int64, {3, 5})}) == ErrorCode::unsupported);
  CHECK(code({q, k, k, Tensor(), floats({1, 2, 2, 8})}) == ErrorCode::model);
  CHECK(code({q, k, k, Tensor(), floats({1, 2, 2, 8}), floats({1, 2, 3, 8})}) == ErrorCode::model);
  CHECK(code({q, k, k, Tensor(), Tensor(), Tensor(), int64s({5, 5})}) == ErrorCode::model);
  CHECK(code({q, k, k}, {{"qk_matmul_output_mode", std::int64_t{4}}}) == ErrorCode::model);
  CHECK(code({q, k, k}, {{"left_window_size", std::int64_t{-2}}}) == ErrorCode::model);
  CHECK(code({q, k, k}, {{"softmax_precision", std::int64_t{11}}}) == ErrorCode::unsupported);
  // Numbers of valid keys are data: any of them gives some result.
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  const OpCase none = op_case("Attention", 25, {q, k, k, Tensor(), Tensor(), Tensor(), int64s({kLeast})});
  CHECK(values<float>(run(none)[0]) == Floats(96, 0.0f));
}

}  // namespace
}  // namespace linnet::test::attention_test
