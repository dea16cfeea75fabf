#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/blocked_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::pool_test {
namespace {

using List = std::vector<std::int64_t>;
using Preference = ops::LayoutRule::Preference;
const Tolerance kClose = {1e-6, 1e-7};

Tensor random(Shape shape) {
  Random numbers(11);
  return from_reference(random_reals(numbers, std::move(shape), -2, 2));
}

AttributeList window(const List& kernel, const List& strides, const List& pads, const List& dilations = {},
                     bool ceil = false) {
  AttributeList list = {{"kernel_shape", kernel}, {"strides", strides}, {"pads", pads}};
  if (!dilations.empty()) list.emplace_back("dilations", dilations);
  if (ceil) list.emplace_back("ceil_mode", std::int64_t{1});
  return list;
}
AttributeList with(AttributeList list, const char* name, graph::Attribute value) {
  list.emplace_back(name, std::move(value));
  return list;
}

struct Case {
  Shape shape;
  AttributeList attributes;
};
const Case kCases[] = {
    {{2, 19, 9, 11}, window({3, 3}, {2, 2}, {1, 1, 1, 1})},
    {{2, 19, 9, 11}, window({3, 3}, {2, 2}, {1, 1, 1, 1}, {}, true)},
    {{1, 3, 8, 8}, window({2, 2}, {2, 2}, {0, 0, 0, 0})},
    {{1, 3, 7, 8}, window({2, 3}, {3, 2}, {1, 0, 0, 2}, {}, true)},
    {{1, 5, 12, 9}, window({3, 2}, {1, 2}, {2, 1, 0, 1}, {2, 3})},
    {{1, 5, 12, 9}, window({3, 2}, {2, 2}, {2, 1, 0, 1}, {2, 3}, true)},
    {{1, 2, 1, 1}, window({3, 3}, {1, 1}, {1, 1, 1, 1})},
    // A window that would begin in the end padding is dropped: 2 outputs, not 3.
    {{1, 1, 4, 4}, window({1, 1}, {3, 3}, {0, 0, 0, 0}, {}, true)},
    {{1, 1, 5, 5}, window({2, 2}, {3, 3}, {0, 0, 1, 1}, {}, true)},
    {{1, 40, 40, 30}, window({3, 3}, {2, 2}, {0, 0, 1, 1})},
    // Longer than the padded input by less than a stride: one window, as ONNX rounds the steps up.
    {{1, 20, 2, 3}, window({3, 3}, {2, 2}, {0, 0, 0, 0}, {}, true)},
    {{1, 3, 2, 9}, window({5, 2}, {4, 2}, {0, 0, 1, 0}, {}, true)},
    {{2, 18, 3, 2}, window({3, 2}, {3, 3}, {0, 0, 0, 0}, {2, 2}, true)},
};

TEST_CASE("MaxPool and AveragePool in two dimensions, plain and blocked", "[ops]") {
  for (const Case& k : kCases) {
    const Tensor x = random(k.shape);
    check_op(op_case("MaxPool", 12, {x}, k.attributes));
    check_op(op_case("AveragePool", 19, {x}, k.attributes), kClose);
    check_op(op_case("AveragePool", 19, {x}, with(k.attributes, "count_include_pad", std::int64_t{1})), kClose);
    check_blocked(op_case("MaxPool", 12, {x}, k.attributes));
    check_blocked(op_case("AveragePool", 19, {x}, k.attributes));
    check_blocked(op_case("AveragePool", 19, {x}, with(k.attributes, "count_include_pad", std::int64_t{1})));
  }
}

TEST_CASE("Pooling in one and three dimensions", "[ops]") {
  for (const char* name : {"MaxPool", "AveragePool"}) {
    check_op(op_case(name, 11, {random({2, 3, 17})}, window({3}, {2}, {1, 1})), kClose);
    check_op(op_case(name, 11, {random({2, 3, 17})}, window({4}, {3}, {2, 0}, {}, true)), kClose);
    check_op(op_case(name, 19, {random({2, 3, 6, 7, 8})}, window({3, 2, 3}, {2, 1, 2}, {1, 0, 1, 1, 1, 0}, {1, 2, 1})),
             kClose);
    check_op(op_case(name, 11, {random({0, 3, 6, 7})}, window({2, 2}, {2, 2}, {0, 0, 0, 0})), kClose);
  }
}

TEST_CASE("auto_pad", "[ops]") {
  for (const char* name : {"MaxPool", "AveragePool"}) {
    for (const char* kind : {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"}) {
      const AttributeList a = {{"kernel_shape", List{3, 2}}, {"strides", List{2, 2}}, {"auto_pad", std::string(kind)}};
      check_op(op_case(name, 11, {random({1, 3, 8, 7})}, a), kClose);
      check_blocked(op_case(name, 11, {random({1, 18, 8, 7})}, a));
    }
  }
  const Tensor x = random({1, 1, 4, 4});
  CHECK(refusal(op_case("MaxPool", 11, {x}, {{"kernel_shape", List{2, 2}}, {"auto_pad", std::string("SOME")}})) ==
        ErrorCode::model);
}

TEST_CASE("MaxPool's indices", "[ops]") {
  for (const Case& k : kCases) check_op(op_case("MaxPool", 12, {random(k.shape)}, k.attributes, 2));
  const Tensor equal = tensor<float>({1, 1, 2, 2}, {5, 5, 5, 5});
  CHECK(values<std::int64_t>(run(op_case("MaxPool", 12, {equal}, {{"kernel_shape", List{2, 2}}}, 2))[1])[0] == 0);
  const AttributeList column_major = {{"kernel_shape", List{2, 2}}, {"storage_order", std::int64_t{1}}};
  check_op(op_case("MaxPool", 12, {equal}, column_major, 2));
  CHECK(layout_rule(op_case("MaxPool", 12, {random({1, 16, 4, 4})}, {{"kernel_shape", List{2, 2}}}, 2)).preference ==
        Preference::plain);
}

TEST_CASE("A NaN in the window is its maximum and its mean", "[ops]") {
  const Tensor x = tensor<float>({1, 1, 1, 4}, {1, std::nanf(""), 2, -std::numeric_limits<float>::infinity()});
  for (const char* name : {"MaxPool", "AveragePool"}) {
    const std::vector<float> y =
        values<float>(run(op_case(name, 11, {x}, {{"kernel_shape", List{1, 2}}, {"strides", List{1, 2}}}))[0]);
    CHECK(std::isnan(y[0]));
  }
}

TEST_CASE("Pooling refuses what it cannot do", "[ops]") {
  const Tensor x = random({1, 2, 4, 4});
  const auto code = [&](const AttributeList& a) { return refusal(op_case("MaxPool", 12, {x}, a)); };
  CHECK(code({}) == ErrorCode::model);
  CHECK(code({{"kernel_shape", List{2}}}) == ErrorCode::model);
  CHECK(code(window({5, 5}, {1, 1}, {0, 0, 0, 0})) == ErrorCode::model);
  CHECK(code(window({5, 5}, {2, 2}, {0, 0, 0, 0})) == ErrorCode::model);
  CHECK(code(window({5, 5}, {2, 1}, {0, 0, 0, 0}, {}, true)) == ErrorCode::model);
  CHECK(code(window({6, 5}, {2, 2}, {0, 0, 0, 0}, {}, true)) == ErrorCode::model);
  CHECK(code(window({2, 2}, {0, 1}, {0, 0, 0, 0})) == ErrorCode::model);
  CHECK(code(window({2, 2}, {1, 1}, {0, 0, 0})) == ErrorCode::model);
  CHECK(code(window({2, 2}, {1, 1}, {2, 0, 0, 0})) == ErrorCode::unsupported);  // a window of nothing but padding
  CHECK(code(window({2, 2}, {1, 1}, {0, 0, 2, 0})) == ErrorCode::unsupported);
  CHECK(code(window({2, 2}, {1, 1}, {1, 1, 1, 1}, {9, 1})) == ErrorCode::model);
  CHECK(refusal(op_case("AveragePool", 11, {x}, window({2, 2}, {1, 1}, {0, 0, 0, 0}, {2, 2}))) ==
        ErrorCode::unsupported);
  CHECK(refusal(op_case("MaxPool", 12, {random({4, 4})}, {{"kernel_shape", List{}}})) == ErrorCode::model);
  CHECK(refusal(op_case("MaxPool", 12, {tensor<std::int32_t>({1, 1, 1}, {1})}, {{"kernel_shape", List{1}}})) ==
        ErrorCode::unsupported);
  const graph::Dim n = graph::Dim::symbolic("N");
  CHECK(inferred(op_case("MaxPool", 12, {}, {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}}),
                 {desc(DataType::float32, {n, 3, graph::Dim(), 8})}) == "float[N,3,?,4]");
}

TEST_CASE("Global pooling", "[ops]") {
  for (const char* name : {"GlobalAveragePool", "GlobalMaxPool"}) {
    check_op(op_case(name, 1, {random({2, 3, 7, 5})}), kClose);
    check_op(op_case(name, 1, {random({2, 3, 9})}), kClose);
    check_op(op_case(name, 1, {random({1, 2, 3, 4, 5})}), kClose);
    check_op(op_case(name, 1, {random({0, 2, 3, 4})}), kClose);
    check_op(op_case(name, 1, {random({2, 40, 30, 30})}), {1e-5, 1e-6});
    // The sums run in another order.
    check_blocked(op_case(name, 1, {random({2, 21, 7, 5})}), 0, {1e-5, 1e-6});
    check_blocked(op_case(name, 1, {random({1, 64, 33, 31})}), 0, {1e-5, 1e-6});
    CHECK(refusal(op_case(name, 1, {random({2, 3, 0, 5})})) == ErrorCode::model);
    CHECK(refusal(op_case(name, 1, {random({2, 3})})) == ErrorCode::model);
  }
}

TEST_CASE("LpPool", "[ops]") {
  const Tensor x = tensor<float>({1, 1, 1, 4}, {3, -4, 6, 8});
  const auto pooled = [&](std::int64_t p, const List& pads) {
    return values<float>(run(op_case(
        "LpPool", 18, {x}, {{"p", p}, {"kernel_shape", List{1, 2}}, {"strides", List{1, 2}}, {"pads", pads}}))[0]);
  };
  CHECK(pooled(2, {0, 0, 0, 0}) == std::vector<float>{5, 10});
  CHECK(pooled(1, {0, 0, 0, 0}) == std::vector<float>{7, 14});
  CHECK(pooled(2, {0, 1, 0, 1})[0] == 3);
  CHECK(pooled(2, {0, 1, 0, 1})[2] == 8);
  CHECK(values<float>(run(op_case("LpPool", 18, {tensor<float>({1, 1, 2}, {3, -4})},
                                  window({3}, {2}, {0, 0}, {}, true)))[0]) == std::vector<float>{5});
  CHECK(refusal(op_case("LpPool", 18, {x}, {{"p", std::int64_t{0}}, {"kernel_shape", List{1, 2}}})) ==
        ErrorCode::model);
}

TEST_CASE("Pools without a kernel: other types and ranks", "[ops]") {
  const AttributeList dilated = window({3, 2}, {2, 1}, {1, 0, 1, 1}, {1, 2});
  for (const DataType type : {DataType::uint8, DataType::int8, DataType::float64}) {
    check_op(op_case("MaxPool", 12, {counting(type, {2, 3, 7, 6})}, dilated, 2));
    AttributeList columns = dilated;
    columns.emplace_back("storage_order", std::int64_t{1});
    check_op(op_case("MaxPool", 12, {counting(type, {1, 2, 7, 6})}, columns, 2));
    check_op(op_case("MaxPool", 12, {counting(type, {2, 3, 2, 2})}, window({3, 3}, {2, 3}, {0, 0, 0, 0}, {}, true), 2));
  }
  const Tensor x = counting(DataType::float64, {2, 2, 5, 6});
  for (const std::int64_t include : {0, 1}) {
    AttributeList averaged = window({3, 2}, {2, 2}, {1, 1, 1, 1});
    averaged.emplace_back("count_include_pad", include);
    averaged.emplace_back("ceil_mode", std::int64_t{1});
    check_op(op_case("AveragePool", 19, {x}, averaged), kClose);
  }
  check_op(op_case("GlobalAveragePool", 1, {x}), kClose);
  check_op(op_case("GlobalMaxPool", 1, {x}));
  // Four spatial axes: the largest of each 2x2x2x2 block is its last.
  const Tensor deep = counting(DataType::float32, {1, 1, 2, 2, 2, 4});
  CHECK(values<float>(run(op_case("MaxPool", 12, {deep}, {{"kernel_shape", List{2, 2, 2, 2}}}))[0]) ==
        std::vector<float>{29, 30, 31});
  CHECK(values<float>(run(op_case("AveragePool", 19, {deep}, {{"kernel_shape", List{2, 2, 2, 4}}}))[0]) ==
        std::vector<float>{15.5f});
}

TEST_CASE("GlobalLpPool", "[ops]") {
  const Tensor x = tensor<float>({1, 2, 1, 2}, {3, -4, 6, 8});
  CHECK(values<float>(run(op_case("GlobalLpPool", 2, {x}))[0]) == std::vector<float>{5, 10});
  CHECK(values<float>(run(op_case("GlobalLpPool", 2, {x}, {{"p", std::int64_t{1}}}))[0]) == std::vector<float>{7, 14});
  CHECK(run(op_case("GlobalLpPool", 2, {x}))[0].shape() == Shape{1, 2, 1, 1});
  CHECK(refusal(op_case("GlobalLpPool", 2, {x}, {{"p", std::int64_t{0}}})) == ErrorCode::model);
}

TEST_CASE("MaxUnpool", "[ops]") {
  const Tensor x = tensor<float>({1, 1, 2, 2}, {5, 6, 7, 8});
  const Tensor indices = tensor<std::int64_t>({1, 1, 2, 2}, {5, 7, 13, 15});
  const AttributeList halving = {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}};
  const OpCase c = op_case("MaxUnpool", 11, {x, indices}, halving);
  CHECK(values<float>(run(c)[0]) == std::vector<float>{0, 0, 0, 0, 0, 5, 0, 6, 0, 0, 0, 0, 0, 7, 0, 8});
  CHECK(bit_difference(run_split(c, 3)[0], run(c)[0]) == "");
  // A given shape is larger: the indices still count in the smaller one.
  const std::vector<float> larger =
      values<float>(run(op_case("MaxUnpool", 11, {x, indices, int64s({1, 1, 5, 5})}, halving))[0]);
  CHECK(larger.size() == 25);
  CHECK(larger[6] == 5);
  CHECK(larger[8] == 6);
  CHECK(larger[18] == 8);
  const Tensor outside = tensor<std::int64_t>({1, 1, 2, 2}, {5, 7, 13, 16});
  CHECK(refusal(op_case("MaxUnpool", 11, {x, outside}, halving)) == ErrorCode::input);
  CHECK(refusal(op_case("MaxUnpool", 11, {x, tensor<std::int64_t>({1, 1, 1, 2}, {5, 7})}, halving)) ==
        ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::pool_test
