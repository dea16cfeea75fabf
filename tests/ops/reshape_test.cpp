#include <catch2/catch.hpp>

#include "support/op_case.h"

namespace linnet::test::reshape_test {
namespace {

using graph::Dim;

const DataType kFloat = DataType::float32;
const Tensor kTwelve = counting(kFloat, {2, 3, 2});
const Dim kN = Dim::symbolic("N");

TEST_CASE("Reshape, Flatten, Squeeze and Unsqueeze are views", "[ops]") {
  const Tensor x = counting(kFloat, {2, 1, 6});
  for (const OpCase& c : {op_case("Reshape", 13, {x, int64s({3, 4})}), op_case("Flatten", 13, {x}),
                          op_case("Squeeze", 13, {x, int64s({1})}), op_case("Unsqueeze", 13, {x, int64s({0})}),
                          op_case("Identity", 13, {x}), op_case("Dropout", 13, {x})}) {
    CHECK(run(c)[0].raw() == x.raw());
    check_op(c);
  }
}

TEST_CASE("Reshape copies zeros, deduces -1, and with allowzero means zero", "[ops]") {
  CHECK(run(op_case("Reshape", 13, {kTwelve, int64s({0, -1})}))[0].shape() == Shape{2, 6});
  CHECK(run(op_case("Reshape", 5, {kTwelve, int64s({-1})}))[0].shape() == Shape{12});
  CHECK(run(op_case("Reshape", 13, {counting(kFloat, {1}), int64s({})}))[0].shape() == Shape{});
  const Tensor empty = counting(kFloat, {0, 3});
  CHECK(run(op_case("Reshape", 14, {empty, int64s({3, 0})}, {{"allowzero", std::int64_t{1}}}))[0].shape() ==
        Shape{3, 0});
  CHECK(run(op_case("Reshape", 14, {empty, int64s({0, 3})}))[0].shape() == Shape{0, 3});
  CHECK(run(op_case("Reshape", 14, {empty, int64s({-1, 3})}))[0].shape() == Shape{0, 3});
}

TEST_CASE("Reshape refuses what does not fit", "[ops]") {
  for (const auto& shape : {ints({5, -1}), ints({13}), ints({-1, -1}), ints({-2, 6}), ints({2, 3, 2, 0})})
    CHECK(refusal(op_case("Reshape", 13, {kTwelve, int64s(shape)})) == ErrorCode::model);
  CHECK(refusal(op_case("Reshape", 14, {kTwelve, int64s({0, -1})}, {{"allowzero", std::int64_t{1}}})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("Reshape", 13, {counting(kFloat, {0, 3}), int64s({0, -1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Reshape", 13, {kTwelve, tensor<float>({1}, {12})})) == ErrorCode::model);
  CHECK(refusal(op_case("Reshape", 13, {kTwelve, int64s({1ll << 62, 1ll << 62})})) == ErrorCode::limit);
  CHECK(refusal(op_case("Reshape", 13, {kTwelve})) == ErrorCode::model);
  CHECK(refusal(op_case("Reshape", 13, {kTwelve, int64s({12})}, {{"allowzero", std::int64_t{1}}})) ==
        ErrorCode::unsupported);
}

TEST_CASE("Reshape keeps symbols", "[ops]") {
  const auto reshape = [](graph::DimList dims, const std::vector<std::int64_t>& shape) {
    return inferred(op_case("Reshape", 13, {Tensor(), int64s(shape)}), {desc(kFloat, std::move(dims))});
  };
  CHECK(reshape({kN, 512, 1, 1}, {-1, 512}) == "float[N,512]");
  CHECK(reshape({kN, 512, 7, 7}, {0, -1}) == "float[N,25088]");
  CHECK(reshape({kN, 16, 2}, {-1, 16}) == "float[?,16]");
  CHECK(reshape({kN, 4, Dim::symbolic("H")}, {0, -1}) == "float[N,?]");
  CHECK(reshape({kN, 512}, {1, 512}) == "float[1,512]");
  const graph::TensorDesc x = desc(kFloat, {kN, 4}), shape = desc(DataType::int64, {3});
  CHECK(inferred(op_case("Reshape", 13, {}), {x, shape}) == "float[?,?,?]");
  CHECK(inferred(op_case("Reshape", 13, {}), {x, desc(DataType::int64, {kN})}) == "float of unknown rank");
}

TEST_CASE("Flatten multiplies what is on either side of its axis", "[ops]") {
  const auto flatten = [](std::int64_t axis) {
    return run(op_case("Flatten", 13, {kTwelve}, {{"axis", axis}}))[0].shape();
  };
  CHECK(flatten(0) == Shape{1, 12});
  CHECK(flatten(1) == Shape{2, 6});
  CHECK(flatten(3) == Shape{12, 1});
  CHECK(flatten(-1) == Shape{6, 2});
  CHECK(run(op_case("Flatten", 13, {counting(kFloat, {})}, {{"axis", std::int64_t{0}}}))[0].shape() == Shape{1, 1});
  CHECK(refusal(op_case("Flatten", 13, {kTwelve}, {{"axis", std::int64_t{4}}})) == ErrorCode::model);
  CHECK(inferred(op_case("Flatten", 13, {}), {desc(kFloat, {kN, 512, 1, 1})}) == "float[N,512]");
  CHECK(inferred(op_case("Flatten", 13, {}), {desc(kFloat, {kN, kN, 3})}) == "float[N,?]");
}

TEST_CASE("Squeeze and Unsqueeze take their axes from where the opset has them", "[ops]") {
  const Tensor x = counting(kFloat, {1, 3, 1, 2});
  const auto shape = [](const OpCase& c) { return run(c)[0].shape(); };
  CHECK(shape(op_case("Squeeze", 11, {x})) == Shape{3, 2});
  CHECK(shape(op_case("Squeeze", 11, {x}, {{"axes", ints({-2})}})) == Shape{1, 3, 2});
  CHECK(shape(op_case("Squeeze", 13, {x, int64s({0, 2})})) == Shape{3, 2});
  CHECK(shape(op_case("Unsqueeze", 11, {x}, {{"axes", ints({0, -1})}})) == Shape{1, 1, 3, 1, 2, 1});
  CHECK(shape(op_case("Unsqueeze", 13, {x, int64s({2})})) == Shape{1, 3, 1, 1, 2});
  CHECK(refusal(op_case("Squeeze", 13, {x, int64s({1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Squeeze", 13, {x}, {{"axes", ints({0})}})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Unsqueeze", 13, {x, int64s({1, 1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Unsqueeze", 13, {x})) == ErrorCode::model);
  CHECK(refusal(op_case("Unsqueeze", 13, {x, int64s({9})})) == ErrorCode::model);
  CHECK(inferred(op_case("Squeeze", 13, {}), {desc(kFloat, {kN, 1})}) == "float of unknown rank");
  CHECK(inferred(op_case("Squeeze", 13, {Tensor(), int64s({1})}), {desc(kFloat, {kN, 1})}) == "float[N]");
  CHECK(inferred(op_case("Unsqueeze", 13, {Tensor(), int64s({0})}), {desc(kFloat, {kN, 1})}) == "float[1,N,1]");
}

TEST_CASE("Dropout's mask is all true, and training that drops anything is refused", "[ops]") {
  const Tensor x = counting(kFloat, {3});
  const Tensor ratio = tensor<float>({}, {0.5f});
  const std::vector<Tensor> results = run(op_case("Dropout", 13, {x, ratio, tensor<bool>({}, {false})}, {}, 2));
  CHECK(values<float>(results[0]) == values<float>(x));
  CHECK(values<bool>(results[1]) == std::vector<bool>{true, true, true});
  CHECK(values<float>(run(op_case("Dropout", 7, {x}, {{"ratio", 0.5f}}, 2))[1]) == std::vector<float>{1, 1, 1});
  CHECK(refusal(op_case("Dropout", 13, {x, ratio, tensor<bool>({}, {true})})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Dropout", 13, {x, Tensor(), tensor<bool>({}, {true})})) == ErrorCode::unsupported);
  const std::vector<Tensor> kept =
      run(op_case("Dropout", 13, {x, tensor<float>({}, {0}), tensor<bool>({}, {true})}, {}, 2));
  CHECK(values<float>(kept[0]) == values<float>(x));
  CHECK(values<bool>(kept[1]) == std::vector<bool>{true, true, true});
  check_op(op_case("Dropout", 13, {counting(kFloat, {300, 100})}, {}, 2));
}

}  // namespace
}  // namespace linnet::test::reshape_test
