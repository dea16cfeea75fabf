#include <catch2/catch.hpp>
#include <optional>

#include "support/op_case.h"

namespace linnet::test::conv_transpose_test {
namespace {

using List = std::vector<std::int64_t>;
using graph::Dim;
using graph::TensorDesc;

TEST_CASE("ConvTranspose tells of its result what is known of the filter", "[ops]") {
  const TensorDesc x = desc(DataType::float32, {Dim::symbolic("N"), 3, 4, 5});
  const TensorDesc any = {DataType::float32, std::nullopt, graph::Layout::plain};
  const auto result = [&](const TensorDesc& w, const AttributeList& attributes) {
    return inferred(op_case("ConvTranspose", 11, {}, attributes), {x, w});
  };
  const AttributeList kernel = {{"kernel_shape", List{2, 3}}};
  CHECK(result(any, {}) == "float[N,?,?,?]");
  CHECK(result(any, kernel) == "float[N,?,5,7]");
  CHECK(result(desc(DataType::float32, {Dim(), Dim(), 2, 3}), {}) == "float[N,?,5,7]");
  CHECK(result(desc(DataType::float32, {3, 2, Dim(), 3}), {}) == "float[N,2,?,?]");
  CHECK(result(desc(DataType::float32, {3, 2, Dim(), 3}), kernel) == "float[N,2,5,7]");
  CHECK_THROWS_AS(result(desc(DataType::float32, {Dim(), Dim(), Dim(), 2}), kernel), Error);
  CHECK_THROWS_AS(result(desc(DataType::float32, {4, Dim(), Dim(), Dim()}), {}), Error);
  CHECK_THROWS_AS(result(desc(DataType::float32, {Dim(), Dim(), Dim()}), {}), Error);
  CHECK_THROWS_AS(result(any, {{"kernel_shape", List{2}}}), Error);
}

}  // namespace
}  // namespace linnet::test::conv_transpose_test
