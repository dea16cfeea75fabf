#include <catch2/catch.hpp>
#include <cmath>

#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::loss_test {
namespace {

/// Summed in double and rounded once; a loss of many targets may cancel.
const Tolerance kRounded = {0x1p-20, 1e-6};

Tensor random(Shape shape) {
  Random numbers(5);
  return from_reference(random_reals(numbers, std::move(shape), -2, 2));
}
Tensor classes(Shape shape, std::int64_t count) {
  Tensor result(DataType::int64, std::move(shape));
  Random numbers(6);
  for (std::int64_t& value : result.mutable_data<std::int64_t>()) value = numbers.integer(0, count - 1);
  return result;
}
AttributeList reduction(const char* kind) { return {{"reduction", std::string(kind)}}; }

TEST_CASE("NegativeLogLikelihoodLoss picks the target's score", "[ops]") {
  const Tensor x = tensor<float>({2, 3}, {1, 2, 3, 4, 5, 6}), target = int64s({2, 0});
  const auto loss = [&](const AttributeList& attributes, std::vector<Tensor> more = {}) {
    std::vector<Tensor> inputs = {x, target};
    inputs.insert(inputs.end(), more.begin(), more.end());
    return values<float>(run(op_case("NegativeLogLikelihoodLoss", 13, inputs, attributes))[0]);
  };
  const Tensor weight = tensor<float>({3}, {1, 10, 3});
  CHECK(loss(reduction("none")) == std::vector<float>{-3, -4});
  CHECK(loss(reduction("sum")) == std::vector<float>{-7});
  CHECK(loss({}) == std::vector<float>{-3.5f});
  CHECK(loss(reduction("none"), {weight}) == std::vector<float>{-9, -4});
  CHECK(loss({}, {weight}) == std::vector<float>{-13.0f / 4});
  CHECK(loss({{"ignore_index", std::int64_t{2}}}) == std::vector<float>{-4});
  CHECK(loss({{"ignore_index", std::int64_t{2}}, {"reduction", std::string("none")}}) == std::vector<float>{0, -4});
}

TEST_CASE("Losses over images, by any number of threads", "[ops]") {
  const Tensor x = random({3, 5, 60, 40}), target = classes({3, 60, 40}, 5), weight = random({5});
  for (const char* op : {"NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"}) {
    for (const char* kind : {"none", "sum", "mean"}) {
      CAPTURE(op, kind);
      check_op(op_case(op, 13, {x, target}, reduction(kind)), kRounded);
      check_op(op_case(op, 13, {x, target, weight}, reduction(kind)), kRounded);
      AttributeList ignoring = reduction(kind);
      ignoring.emplace_back("ignore_index", std::int64_t{1});
      check_op(op_case(op, 12, {x, target, weight}, ignoring), kRounded);
    }
  }
  check_op(op_case("SoftmaxCrossEntropyLoss", 13, {x, target}, {}, 2), kRounded);
  check_op(op_case("SoftmaxCrossEntropyLoss", 13, {counting(DataType::float64, {2, 3}), int64s({0, 2})}, {}, 2),
           kRounded);
}

TEST_CASE("Losses refuse what they cannot grade", "[ops]") {
  const Tensor x = random({2, 3});
  const char* const op = "SoftmaxCrossEntropyLoss";
  CHECK(refusal(op_case(op, 13, {x, int64s({0, 3})})) == ErrorCode::input);
  CHECK(refusal(op_case(op, 13, {x, int64s({0, -1})})) == ErrorCode::input);
  CHECK(values<float>(run(op_case(op, 13, {x, int64s({-1, -1})},
                                  {{"ignore_index", std::int64_t{-1}}, {"reduction", std::string("sum")}}))[0])[0] ==
        0);
  CHECK(refusal(op_case(op, 13, {x, int64s({0})})) == ErrorCode::model);
  CHECK(refusal(op_case(op, 13, {x, int64s({0, 1}), random({2})})) == ErrorCode::model);
  CHECK(refusal(op_case(op, 13, {x, int64s({0, 1})}, reduction("most"))) == ErrorCode::model);
  CHECK(refusal(op_case(op, 13, {random({2}), int64s({0, 1})})) == ErrorCode::model);
  const graph::Dim n = graph::Dim::symbolic("N");
  const std::vector<graph::TensorDesc> descs = {desc(DataType::float32, {n, 3, 7}), desc(DataType::int64, {n, 7})};
  CHECK(inferred(op_case(op, 13, {}, reduction("none")), descs) == "float[N,7]");
  CHECK(inferred(op_case(op, 13, {}), descs) == "float[]");
}

}  // namespace
}  // namespace linnet::test::loss_test
