#include "linnet/classify.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <optional>

#include "linnet/error.h"

namespace {

using namespace linnet;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::optional<ErrorCode> error_of(const std::vector<float>& scores, int k, bool apply_softmax) {
  try {
    (void)top_k(scores, k, apply_softmax);
    return std::nullopt;
  } catch (const Error& error) {
    return error.code();
  }
}

}  // namespace

TEST_CASE("softmax sums to one and survives large scores") {
  const std::vector<float> probabilities = softmax(std::vector<float>{1000.0f, 1001.0f, -1e30f, -kInfinity});
  CHECK(probabilities[0] == Approx(1 / (1 + std::exp(1.0))));
  CHECK(probabilities[1] == Approx(1 / (1 + std::exp(-1.0))));
  CHECK(probabilities[2] == 0.0f);
  CHECK(probabilities[3] == 0.0f);
}

TEST_CASE("top_k is sorted, ties by index, and clamped to the classes") {
  const std::vector<float> scores = {1, 3, 2, 3, -kInfinity};
  const std::vector<Classification> best = top_k(scores, 3, true);
  REQUIRE(best.size() == 3);
  CHECK(best[0].index == 1);
  CHECK(best[1].index == 3);
  CHECK(best[2].index == 2);
  CHECK(best[0].logit == 3.0f);
  CHECK(best[0].probability == Approx(1 / (2 + std::exp(-1.0) + std::exp(-2.0))));
  CHECK(top_k(scores, 1000, true).size() == 5);
  CHECK(top_k(scores, 1, false)[0].probability == 3.0f);
  CHECK(top_k(std::vector<float>{7}, 5, true)[0].probability == 1.0f);
}

TEST_CASE("K03: scores that cannot be ranked are refused") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const bool apply_softmax : {false, true}) {
    CHECK(error_of({}, 1, apply_softmax) == ErrorCode::input);
    CHECK(error_of({1, nan}, 1, apply_softmax) == ErrorCode::input);
    CHECK(error_of({1, kInfinity}, 1, apply_softmax) == ErrorCode::input);
    CHECK(error_of({-kInfinity, -kInfinity}, 1, apply_softmax) == ErrorCode::input);
    CHECK(error_of({1, 2}, 0, apply_softmax) == ErrorCode::usage);
    CHECK(error_of({1, 2}, -1, apply_softmax) == ErrorCode::usage);
  }
}
